"""Normal and multivariate t scenarios of a given covariance.

    x = c L z g,    g = sqrt(nu / chi2),    c = sqrt((nu - 2) / nu)

with L L' the covariance, z standard normals, chi2 of nu degrees of freedom; c makes the covariance of the multivariate t that of L.
For normal scenarios c g = 1. (McNeil, Frey and Embrechts, "Quantitative risk management", 2015, section 6.2.)
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import gammainccinv, gammaincinv, ndtr

from examples.risk.market.scenarios import BLOCK, Moves
from examples.risk.numerics.normals import Normals
from examples.risk.numerics.philox import Philox

Reals = npt.NDArray[np.float64]
LEAST_DEGREES = 2.5  # at 2 the variance is infinite, and nearly so a little above
NORMALS, MIXING = 0, 1  # streams of words
_CELLS, _LIMIT = 256, 8.0  # of the table, a unit; beyond that no draw in 1e15 is
_COUNT = int(2 * _LIMIT * _CELLS) + 1


def mixing(normals: Reals, degrees: float) -> Reals:
    """The factor c g of the scenarios, as a decreasing function of one standard normal.

    It is the inverse distribution function of chi2 at Phi(z), so that one normal makes one factor, whatever the degrees: uniforms
    of which -2 log of a product is chi2 serve even degrees only, and rejection has no address.
    """
    if math.isinf(degrees):
        return np.ones_like(normals)
    below = gammaincinv(degrees / 2, ndtr(np.minimum(normals, 0.0)))
    above = gammainccinv(degrees / 2, ndtr(-np.maximum(normals, 0.0)))  # by the other tail: 1 - 1e-17 is not 1
    return np.asarray(np.sqrt((degrees - 2) / 2 / np.where(normals < 0, below, above)))


class Mixing:
    """The same by a table of parabolas, within 1e-8 of it, relatively: 7 ns a draw, where inverting takes 750 and more.

    chi2 ** (1/3) is nearly normal (Wilson and Hilferty 1931), so the factor is smooth in the normal: three nodes a cell are enough.

    Args:
        degrees: of freedom, finite.
        count: of draws made at a time.
    """

    def __init__(self, degrees: float, count: int) -> None:
        middles = (np.arange(_COUNT) - _LIMIT * _CELLS) / _CELLS
        node = math.sqrt(3) / 4
        low, middle, high = (mixing(middles + at / _CELLS, degrees) for at in (-node, 0.0, node))
        self._table = middle, (high - low) / (2 * node), (high + low - 2 * middle) / (2 * node**2)
        self._place, self._term = np.empty(count), np.empty(count)
        self._cell = np.empty(count, np.intp)

    def __call__(self, normals: Reals, out: Reals) -> Reals:
        """The factors of so many normals; ``out`` may not be ``normals``."""
        place, term, cell, take = self._place, self._term, self._cell, _take
        value, first, second = self._table
        np.multiply(normals, _CELLS, out=place)
        np.add(place, _LIMIT * _CELLS + 0.5, out=place)
        np.clip(place, 0.5, _COUNT - 0.5, out=place)
        np.copyto(cell, place, casting="unsafe")
        np.subtract(place, cell, out=place)
        np.subtract(place, 0.5, out=place)
        take(second, cell, out=term, mode="clip")
        take(first, cell, out=out, mode="clip")
        np.multiply(term, place, out=term)
        np.add(term, out, out=term)
        np.multiply(term, place, out=term)
        take(value, cell, out=out, mode="clip")
        return np.add(out, term, out=out)


_take: Any = np.take  # numpy's types know no mode with out


class Elliptical:
    """`Scenarios` of a multivariate t, or of a normal distribution, without drift.

    Args:
        covariance: of the factors over the horizon, positive definite, (factors, factors).
        degrees: of freedom, 2.5 or more; infinite for the normal distribution.
        seed: of the draws.

    Attributes:
        factors, scale: see `Scenarios`.
        root: L, lower triangular, (factors, factors).
        degrees: of freedom.
    """

    def __init__(self, covariance: Reals, degrees: float, seed: int) -> None:
        if not degrees >= LEAST_DEGREES:
            raise ValueError(f"{degrees} degrees of freedom: must be at least {LEAST_DEGREES}")
        self.factors, self.degrees = len(covariance), degrees
        self.scale: Reals = np.sqrt(np.diag(covariance))
        self.root: Reals = np.asarray(np.linalg.cholesky(covariance), np.float64)
        self._root32 = np.ascontiguousarray(self.root, np.float32)
        self._normals = Normals(Philox(seed, NORMALS), self.factors * BLOCK, np.float32)
        self._mixers = Normals(Philox(seed, MIXING), BLOCK)
        self._mixing = None if math.isinf(degrees) else Mixing(degrees, BLOCK)
        self._independent = np.empty((self.factors, BLOCK), np.float32)
        self._mixer, self._factor = np.empty(BLOCK), np.empty(BLOCK)
        self._factor32 = np.empty(BLOCK, np.float32)

    def fill(self, block: int, out: Moves) -> Moves:
        """See `Scenarios`; the product has one shape always, so the bits of a block do not depend on others."""
        self._normals.fill(block, self._independent)
        np.matmul(self._root32, self._independent, out=out)
        if self._mixing:
            self._mixers.fill(block, self._mixer)
            np.copyto(self._factor32, self._mixing(self._mixer, self._factor), casting="same_kind")
            np.multiply(out, self._factor32, out=out)
        return out
