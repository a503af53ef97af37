"""A position's P&L as one polynomial of the log-return and the index's log change, with a proved bound on what it is off.

**The proof.** Over |x| <= X, |v| <= V a sub-book's P&L is an entire function of x, and one of v that is analytic in a strip.
A function that is analytic, and at most M in absolute value, within the ellipse with foci +-1 and half-axes that add up to r
differs from its interpolant of degree n in Chebyshev's nodes by 4 M r^-n / (r - 1) at most (Trefethen, "Approximation Theory and
Approximation Practice", 2013, theorem 8.2; in the zeros of T_(n+1) higher degrees alias as well, so it holds there, too). M has a
closed form here, for with a, b real

    |Phi(a + ib)| <= 1 + |b| exp((b^2 - a^2) / 2) / sqrt(2 pi)                                    (integrate phi from a to a + ib)

* in x, with v real: d1 and d2 have imaginary parts of at most h = X (r - 1/r) / 2 / s, with s the least deviation to expiry;
* in v, with x real: s becomes s exp(i theta), |theta| <= t = damping V (r - 1/r) / 2. Then d = xi exp(-i theta) +- e exp(i theta)
  with xi real and e = |s| / 2, so b^2 - a^2 <= -xi^2 c + 2 |xi| e with c = cos(2 t), and as long as t < pi / 4
  |Phi(d)| <= 1 + sin(t) (1 / sqrt(c * 2.718) + e (1 + 1/c)) exp(e^2 / (2 c)) / sqrt(2 pi).

Interpolating in both, the errors are e_x + L e_v, with L = 1 + 2/pi log(n + 1) the bound of interpolation in n + 1 nodes.

**From there on all is about polynomials**, and of these the greatest value over the whole range is known from a grid: one of
degree n is nowhere larger than 1 / cos(n pi / (2 k)) times its largest value in the k > n nodes of Chebyshev (Ehlich and Zeller,
"Schwankung von Polynomen zwischen Gitterpunkten", 1964), in each variable. So is the difference between this surface and any screen
of lower degree: no grid is fine enough to prove anything about a price, but one of four points a degree is for a polynomial.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from examples.risk.market.valuation import Position, Valuation
from examples.risk.numerics.normal_cdf import MAXIMUM_ERROR

Reals = npt.NDArray[np.float64]
MOST = (512, 128)  # nodes; a position that needs more cannot be screened at a useful price
_FINENESS = 3e-8  # of a surface: what it may be off, in parts of all that is held
_VALUED = MAXIMUM_ERROR + 1e-11  # what the valuation of an option is off, in parts of stock and strike: the table, and rounding
_ROUNDING = 2.0**-53
_GRID = 4  # points a degree, so that 1 / cos(pi / 8) = 1.08 is the price of a grid, in each variable
_RADII = np.exp(np.geomspace(0.005, 4.0, 64))  # half-axes of ellipses that are tried: each is a proof, the best is taken


class CannotBound(Exception):
    """No bound can be proved at a useful price; says why."""


@dataclass(frozen=True, slots=True)
class Surface:
    """A polynomial sum of c[i, j] T_i(x / X) T_j(v / V), T being Chebyshev's.

    Attributes:
        coefficients: c, (degrees of x + 1, degrees of v + 1).
        reach: X and V.
        error: what it is off the valuation at most, wherever |x| <= X and |v| <= V.
    """

    coefficients: Reals
    reach: tuple[float, float]
    error: float

    def within(self, reach: tuple[float, float]) -> Surface:
        """The same over a smaller range: there a lower degree will do."""
        rounding = _transform_error(self.coefficients.shape, float(np.abs(self.coefficients).sum()))
        return _trimmed(narrowed(self.coefficients, self.reach, reach), reach, self.error + rounding, self.error)

    def error_of(self, screen: Reals) -> float:
        """What another polynomial over the same range, of given coefficients, is off the valuation at most."""
        shape = tuple(map(max, zip(self.coefficients.shape, screen.shape, strict=True)))
        left = np.zeros(shape)
        left[: self.coefficients.shape[0], : self.coefficients.shape[1]] = self.coefficients
        left[: screen.shape[0], : screen.shape[1]] -= screen
        crude = float(np.abs(left).sum())  # is a bound, too, for |T| <= 1
        if crude <= self.error:
            return self.error + crude
        counts = [_GRID * count for count in shape]
        on_grid = _at_nodes(counts[0], shape[0]) @ left @ _at_nodes(counts[1], shape[1]).T
        between = math.prod(1 / math.cos((count - 1) * math.pi / (2 * points)) for count, points in zip(shape, counts, strict=True))
        sup = between * float(np.abs(on_grid).max()) + _transform_error(shape, crude)
        return self.error + min(crude, sup)


def narrowed(coefficients: Reals, outer: tuple[float, float], inner: tuple[float, float]) -> Reals:
    """Coefficients of the same polynomial over an inner range."""
    shares = [small / large if large else 0.0 for small, large in zip(inner, outer, strict=True)]
    by_x, by_v = (_stretched(count, share) for count, share in zip(coefficients.shape, shares, strict=True))
    result: Reals = by_x @ coefficients @ by_v.T
    return result


Nodes = tuple[tuple[int, float], tuple[int, float]]  # in x and in v: how many, and what interpolation is off at most


def surface(valuation: Valuation, underlying: int, reach: tuple[float, float], known: Nodes | None = None) -> Surface:
    """The surface of all that is held on one underlying.

    Args:
        valuation: of the book.
        underlying: its row.
        reach: the greatest |log-return|, and |log change| of the index; 0 if there is no index.
        known: its `nodes`, if these have been found.

    Raises:
        CannotBound: it would take more nodes than `MOST`.
    """
    position = valuation.positions[underlying]
    held, calls = _sizes(position, reach[0])
    gross = held + float(calls.sum())
    if gross == 0:
        return Surface(np.full((1, 1), position.cash), reach, abs(position.cash) * 8 * _ROUNDING)
    (count_x, off_x), (count_v, off_v) = known or nodes(position, reach)
    norm_x = _norm(count_x)
    x, v = reach[0] * _chebyshev(count_x), reach[1] * _chebyshev(count_v)
    values = valuation.one(underlying, np.repeat(x, count_v), np.tile(v, count_x)).reshape(count_x, count_v)
    by_x, by_v = _interpolation(count_x), _interpolation(count_v)
    valued = (_VALUED * float(calls.sum()) + 256 * _ROUNDING * (gross + abs(position.cash))) * (1 + norm_x * _norm(count_v))
    error = off_x + off_v + valued + _transform_error(values.shape, float(np.abs(values).max()))
    return _trimmed(by_x @ values @ by_v.T, reach, error, _FINENESS * gross)


def nodes(position: Position, reach: tuple[float, float]) -> Nodes:
    """How many nodes are enough, and the errors then.

    Raises:
        CannotBound: it would take more than `MOST`.
    """
    held, calls = _sizes(position, reach[0])
    enough = _FINENESS * (held + float(calls.sum()))
    error_x, error_v = _analytic_errors(position, reach)
    in_x = _fewest(error_x, enough, MOST[0])
    return in_x, _fewest(error_v * _norm(in_x[0]), enough, MOST[1]) if reach[1] else (1, 0.0)


def _sizes(position: Position, reach: float) -> tuple[float, Reals]:
    """The largest absolute value of the shares, and of each call (stock and strike), for |x| up to the reach."""
    top = position.spot * math.exp(reach)
    return abs(position.shares) * top, (np.abs(position.calls.quantity) * top + np.abs(position.calls.paid))[:, 0]


def _analytic_errors(position: Position, reach: tuple[float, float]) -> tuple[Reals, Reals]:
    """Bounds of the error of interpolation in 1, 2, 3 ... nodes, in x and in v: the best of all ellipses' for each."""
    calls, root = position.calls, math.sqrt(2 * math.pi)
    damping, deviation = calls.dampings[calls.which, 0], calls.deviation[:, 0]
    wide, high = (_RADII + 1 / _RADII) / 2, (_RADII - 1 / _RADII) / 2  # half-axes of the ellipses, (r,)
    top = position.spot * np.exp(reach[0] * wide)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        least = deviation * np.exp(-damping * reach[1])
        part = reach[0] * high / least[:, None]  # (options, r)
        phi = 1 + part * np.exp(0.5 * part**2) / root
        size = np.abs(calls.quantity) * top + np.abs(calls.paid)
        in_x = abs(position.shares) * top + (size * phi).sum(axis=0)

        turned = damping[:, None] * reach[1] * high
        cosine = np.where(turned < math.pi / 4, np.cos(2 * turned), 0.0)
        half = 0.5 * deviation[:, None] * np.exp(damping[:, None] * reach[1] * wide)
        phi = 1 + np.sin(turned) / root * (1 / np.sqrt(cosine * math.e) + half * (1 + 1 / cosine)) * np.exp(half**2 / (2 * cosine))
        held, sizes = _sizes(position, reach[0])
        in_v = np.where((cosine > 0).all(axis=0), held + (sizes[:, None] * phi).sum(axis=0), np.inf)
        return _best_ellipse(in_x, MOST[0]), _best_ellipse(in_v, MOST[1])


def _best_ellipse(largest: Reals, most: int) -> Reals:
    """4 M r^-n / (r - 1), n = 0, 1, ... below the most, the least over the ellipses; logarithms, as r^-n may vanish."""
    with np.errstate(divide="ignore"):
        logs = np.log(4 * largest / (_RADII - 1)) - np.arange(most)[:, None] * np.log(_RADII)
    errors: Reals = np.exp(np.where(np.isnan(logs), np.inf, logs).min(axis=1))
    return errors


def _fewest(errors: Reals, enough: float, most: int) -> tuple[int, float]:
    """How few nodes are enough, and the error then."""
    found = np.flatnonzero(errors <= enough)
    if not len(found):
        raise CannotBound(f"needs more than {most} nodes")
    return int(found[0]) + 1, float(errors[found[0]])


def _trimmed(coefficients: Reals, reach: tuple[float, float], error: float, allowed: float) -> Surface:
    """Without the highest degrees, as long as all that is dropped is allowed."""
    sizes = np.abs(coefficients)
    drop_x = np.cumsum(sizes.sum(axis=1)[::-1])[::-1]  # what dropping from this degree on costs
    rows = max(1, int(np.count_nonzero(drop_x > allowed / 2)))
    drop_v = np.cumsum(sizes[:rows].sum(axis=0)[::-1])[::-1]
    columns = max(1, int(np.count_nonzero(drop_v > allowed / 2)))
    dropped = float(drop_x[rows] if rows < len(drop_x) else 0.0) + float(drop_v[columns] if columns < len(drop_v) else 0.0)
    return Surface(np.ascontiguousarray(coefficients[:rows, :columns]), reach, error + dropped)


def _norm(count: int) -> float:
    """How much larger an interpolant in so many nodes may be than its values (Rivlin)."""
    return 1 + 2 / math.pi * math.log(count)


def _transform_error(shape: tuple[int, ...], largest: float) -> float:
    """What rounding may do in the products on both sides: all coefficients' errors together, with factors of at most 2 each."""
    return 8 * math.prod(shape) * (sum(shape) + 8) * _ROUNDING * largest


def _chebyshev(count: int) -> Reals:
    nodes: Reals = np.cos(math.pi * (np.arange(count) + 0.5) / count)
    return nodes


def _basis(points: Reals, count: int) -> Reals:
    """T_0 ... at points between -1 and 1, (points, count)."""
    basis: Reals = np.cos(np.arange(count) * np.arccos(points)[:, None])
    return basis


@cache
def _at_nodes(points: int, count: int) -> Reals:
    """Takes so many coefficients to values in so many nodes."""
    return _basis(_chebyshev(points), count)


@cache
def _interpolation(count: int) -> Reals:
    """Takes values in the nodes to coefficients."""
    matrix = _basis(_chebyshev(count), count).T * (2 / count)
    matrix[0] /= 2
    return matrix


@cache
def _stretched(count: int, share: float) -> Reals:
    """Takes coefficients over a range to those over its inner share, exactly: the degree is the same."""
    return _interpolation(count) @ _basis(share * _chebyshev(count), count)
