"""Paths of correlated geometric Brownian motions.

With W the Brownian motions, correlated, (assets,), the spots in strikes K are

    S(t) = S(0) / K exp((r - q - s^2 / 2) t + s W(t)).

Backward in time a Brownian bridge leads from a later date to an earlier one, so paths need no room for more than one date. In
V = W / t the bridge from t' to t < t' has no drift towards 0, which would take one more operation a path (Brownian motion with
time inverted: t V is W(1 / t), whose increments are independent):

    V(t) = V(t') + sqrt(1 / t - 1 / t') Z.

The second half of an antithetic block mirrors the first: its normals have the other sign.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from examples.risk.american.model import Gbm
from examples.risk.american.paths import Floats
from examples.risk.numerics.normals import Normals
from examples.risk.numerics.philox import Philox

Reals = npt.NDArray[np.float64]


class _Moves:
    """Normal moves of the logarithms of all spots, correlated.

    Args:
        model: has volatilities and correlation.
        stream: of draws.
        paths: of a block, that are drawn.
        dtype: float64 or float32.

    Attributes:
        factor: by which moves are to be multiplied, (assets, 1); of equal volatilities, and of correlated moves, already in them.
    """

    def __init__(self, model: Gbm, stream: Philox, paths: int, dtype: npt.DTypeLike) -> None:
        volatilities = model.volatilities
        assets = len(volatilities)
        self._normals = Normals(stream, assets * paths, dtype)
        self._drawn = np.empty((assets, paths), dtype)
        self._volatility, self.factor, self._root = 1.0, np.ones((assets, 1)), None
        if not np.array_equal(model.correlation, np.eye(assets)):
            self._root = (volatilities[:, None] * _root(model.correlation)).astype(dtype)  # (assets, assets)
            self._correlated = np.empty_like(self._drawn)
        elif np.all(volatilities == volatilities[0]):
            self._volatility = float(volatilities[0])
        else:
            self.factor = volatilities[:, None]

    def draw(self, block: int, date: int, deviation: float) -> Floats:
        """Of one interval over which W moves by so much, (assets, paths); valid until the next call."""
        self._normals.fill(block, self._drawn, date, deviation * self._volatility)
        if self._root is None:
            return self._drawn
        # a product of one fixed shape, so that its bits are always the same
        return np.matmul(self._root, self._drawn, out=self._correlated)


class Backward:
    """Paths from the last date to the first; see `paths.Backward`.

    Keeps V, a number for each asset and path (antithetic: two paths).

    Args:
        model: what moves them.
        strike: in money.
        dates: of exercise, in years.
        stream: of draws.
        paths: of a block, a multiple of four.
        blocks: of this rank, by their numbers over all ranks.
        dtype: float64 or float32.
        antithetic: whether half of a block mirrors the other.
    """

    def __init__(
        self,
        model: Gbm,
        strike: float,
        dates: Sequence[float],
        stream: Philox,
        paths: int,
        blocks: range,
        dtype: npt.DTypeLike = np.float64,
        *,
        antithetic: bool = True,
    ) -> None:
        drawn = paths // 2 if antithetic else paths
        times = np.asarray(dates, np.float64)
        inverse = 1 / times
        self._deviations = np.sqrt(np.append(inverse[:-1] - inverse[1:], inverse[-1])).tolist()
        self._blocks, self._last = blocks, len(times) - 1
        self._moves = _Moves(model, stream, drawn, dtype)
        self._factors = (times[:, None, None] * self._moves.factor).astype(dtype)
        self._levels = _levels(model, strike, times).astype(dtype)
        self._v = np.empty((len(blocks), len(model.spots), drawn), dtype)
        self._states = np.empty((len(model.spots), paths), dtype)

    def at(self, date: int, block: int) -> Floats:
        """States of one block of this rank on a date."""
        v = self._v[block]
        moves = self._moves.draw(self._blocks[block], date, self._deviations[date])
        if date == self._last:
            np.copyto(v, moves)
        else:
            np.add(v, moves, out=v)
        return _spots(v, self._factors[date], self._levels[date], self._states)


class Forward:
    """Paths from the first date to the last; see `paths.Forward`. Arguments as of `Backward`."""

    def __init__(
        self,
        model: Gbm,
        strike: float,
        dates: Sequence[float],
        stream: Philox,
        paths: int,
        dtype: npt.DTypeLike = np.float64,
        *,
        antithetic: bool = True,
    ) -> None:
        drawn = paths // 2 if antithetic else paths
        times = np.asarray(dates, np.float64)
        self._deviations = np.sqrt(np.diff(times, prepend=0.0)).tolist()
        self._moves = _Moves(model, stream, drawn, dtype)
        self._factor = None if np.all(self._moves.factor == 1) else self._moves.factor.astype(dtype)
        self._levels = _levels(model, strike, times).astype(dtype)
        self._w = np.empty((len(model.spots), drawn), dtype)
        self._states = np.empty((len(model.spots), paths), dtype)
        self._block, self._date = 0, 0

    def begin(self, block: int) -> None:
        """Put all paths of a block at today's state."""
        self._w.fill(0)
        self._block, self._date = block, 0

    def step(self) -> Floats:
        """States on the next date."""
        date = self._date
        self._date += 1
        np.add(self._w, self._moves.draw(self._block, date, self._deviations[date]), out=self._w)
        return _spots(self._w, self._factor, self._levels[date], self._states)


class Branching:
    """Paths within paths; see `paths.Branching`. Arguments as of `Backward`.

    Args:
        outer: paths that branch.
        inner: paths of each, a multiple of two: the second half mirrors the first.
    """

    def __init__(
        self,
        model: Gbm,
        dates: Sequence[float],
        stream: Philox,
        outer: int,
        inner: int,
        dtype: npt.DTypeLike = np.float64,
    ) -> None:
        times = np.asarray(dates, np.float64)
        self._spans = np.diff(times, prepend=0.0)
        self._drifts = model.rate - model.dividends - 0.5 * model.volatilities**2
        assets = len(model.spots)
        self._moves = _Moves(model, stream, outer * inner // 2, dtype)
        self._factor = None if np.all(self._moves.factor == 1) else self._moves.factor.astype(dtype)
        self._shape = (assets, outer, inner // 2)
        self._w = np.empty(self._shape, dtype)
        self._roots = np.empty((assets, outer, 1), dtype)
        self._states = np.empty((assets, outer, 2, inner // 2), dtype)
        self._elapsed, self._block, self._date = 0.0, 0, 0

    def branch(self, states: Floats, date: int, block: int) -> None:
        """Begin inner paths at states (assets, outer) of a date."""
        self._w.fill(0)
        self._roots[:] = states[:, :, None]
        self._elapsed, self._block, self._date = 0.0, block, date + 1

    def step(self) -> Floats:
        """States on the next date, (assets, outer * inner)."""
        date, states = self._date, self._states
        self._date += 1
        span = float(self._spans[date])
        self._elapsed += span
        np.add(self._w, self._moves.draw(self._block, date, span**0.5).reshape(self._shape), out=self._w)
        level = (self._drifts * self._elapsed).astype(states.dtype)[:, None, None]
        w = self._w
        if self._factor is not None:
            w = np.multiply(w, self._factor[:, :, None], out=states[:, :, 0])
        np.subtract(level, w, out=states[:, :, 1])
        np.add(level, w, out=states[:, :, 0])
        np.exp(states, out=states)
        np.multiply(states, self._roots[:, :, None], out=states)
        return states.reshape(self._shape[0], -1)


def _spots(v: Floats, factor: Floats | None, level: Floats, out: Floats) -> Floats:
    """exp(level + factor v), (assets, paths); if there is room for twice as many paths, exp(level - factor v) beside it."""
    drawn = v.shape[1]
    first, second = out[:, :drawn], out[:, drawn:]
    if factor is not None:
        v = np.multiply(v, factor, out=first)
    if second.size:
        np.subtract(level, v, out=second)
    np.add(level, v, out=first)
    return np.exp(out, out=out)


def _levels(model: Gbm, strike: float, times: Reals) -> Reals:
    """Of the logarithms of the spots, where W is 0, (dates, assets, 1)."""
    drifts = model.rate - model.dividends - 0.5 * model.volatilities**2
    return np.asarray(np.log(model.spots / strike) + times[:, None] * drifts)[:, :, None]


def _root(correlation: Reals) -> Reals:
    """A matrix whose square, A A', is the correlation, which may be singular."""
    try:
        return np.asarray(np.linalg.cholesky(correlation))
    except np.linalg.LinAlgError:
        variances, vectors = np.linalg.eigh(correlation)
        return np.asarray(vectors * np.sqrt(np.maximum(variances, 0)))
