"""The standard normal distribution function by a table: within 2e-10 of scipy's ndtr, by operations that numpy has vectorized.

Each of 4,353 cells has a parabola through its three Chebyshev nodes. ndtr takes 8-11 ns a number, this 2-3.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

Reals = npt.NDArray[np.float64]
MAXIMUM_ERROR = 2e-10
_CELLS, _LIMIT = 256, 8.5  # a unit; beyond the limit the function is 0 or 1 to 1e-17
_COUNT = int(2 * _LIMIT * _CELLS) + 1


def _parabolas() -> tuple[npt.NDArray[np.complex128], Reals]:
    """Of each cell, for t from 0 to 1: coefficients of 1 and i times that of t, and that of t^2."""
    middles = (np.arange(_COUNT) - _LIMIT * _CELLS) / _CELLS
    node = math.sqrt(3) / 4
    low, middle, high = (ndtr(middles + at / _CELLS) for at in (-node, 0.0, node))
    slope, bend = (high - low) / (2 * node), (high + low - 2 * middle) / (2 * node**2)  # about t = 1/2
    return middle - slope / 2 + bend / 4 + 1j * (slope - bend), bend


class NormalCdf:
    """The function on arrays of one shape; elementwise, so the bits of each value depend on nothing else.

    Args:
        shape: of the arrays; their scratch space is kept.
    """

    def __init__(self, shape: int | tuple[int, ...]) -> None:
        self._value_and_slope, self._bend = _parabolas()
        self._place, self._term, self._floor = (np.empty(shape) for _ in range(3))
        self._two = np.empty(shape, np.complex128)
        self._narrow, self._cell = np.empty(shape, np.int32), np.empty(shape, np.intp)

    def __call__(self, x: Reals, out: Reals) -> Reals:
        """Phi(x) into ``out``, which may not be ``x``; (n, ...) with n at most that of the shape."""
        n = len(x)
        place, term, floor, two = self._place[:n], self._term[:n], self._floor[:n], self._two[:n]
        narrow, cell = self._narrow[:n], self._cell[:n]
        np.multiply(x, _CELLS, out=place)
        np.add(place, _LIMIT * _CELLS + 0.5, out=place)
        place.clip(0.5, _COUNT - 0.5, out=place)
        np.floor(place, out=floor)
        np.copyto(narrow, floor, casting="unsafe")  # by way of 32 bits, which is twice as quick: 0.3 of 4.6 ns
        np.copyto(cell, narrow)
        np.subtract(place, floor, out=place)
        self._bend.take(cell, out=term, mode="wrap")
        self._value_and_slope.take(cell, out=two, mode="wrap")  # two numbers for the price of one: 0.3 ns
        np.multiply(term, place, out=term)
        np.add(term, two.imag, out=term)
        np.multiply(term, place, out=term)
        return np.add(two.real, term, out=out)
