"""A quick P&L of the whole book with a proved bound on its error: tells which scenarios cannot be in the tail.

Each position's P&L is a polynomial in Chebyshev's form (see `surface`), of few degrees and in float32; the sum over positions is
one product of matrices. The bound is the positions' proved errors and what rounding may add. With u = 2^-24, the unit roundoff:

* an argument t = x / X is off by 2 u; T_i turns that into 2 i^2 u at most, for |T_i'| <= i^2;
* the recurrence T_i = 2 t T_(i-1) - T_(i-2) adds 3 u in each step, which a later step amplifies by |U_m| <= m + 1: 1.5 i^2 u;
* a product with K terms in any order, and rounded coefficients, add (K + 1) u sum |c|, whatever BLAS does (Higham, "Accuracy and
  Stability of Numerical Algorithms", 2002, section 3.1); so do the n terms in the index's degrees.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from examples.risk.market.scenarios import Moves

Reals = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
_UNIT = 2.0**-24
_WITHIN = np.float32(1 - 2.0**-20)  # 2 t^2 - 1 is not above this: then |t| < 1, whatever its rounding
_ROWS = 7  # of a product: from 8 on OpenBLAS for AVX2 without AVX-512 (Haswell, Zen) gives a column bits by its place in the batch
_CACHED = 170_000  # float32 numbers of scratch that stay in a core's L2 cache


def rounding(coefficients: Reals) -> float:
    """What float32 may add to the error, for coefficients (underlyings, orders in x, orders in v)."""
    held, by_x, by_v = coefficients.shape
    i, j = np.arange(by_x)[:, None], np.arange(by_v)
    weights = 3.6 * (i * i + j * j) + (by_x - 1) * held + by_v + 8
    return 1.01 * _UNIT * float((np.abs(coefficients).sum(axis=0) * weights).sum()) + 1e-30


def width(orders: tuple[int, int], underlyings: int) -> int:
    """How many scenarios are screened at a time: a power of two, 512 to 4,096; with fewer, calls would take most of the time."""
    room = _CACHED // (orders[0] * underlyings)
    return min(4096, max(512, 1 << max(0, room.bit_length() - 1)))


class Screen:
    """The quick P&L.

    Args:
        coefficients: of T_i(x / X) T_j(v / V), (underlyings, orders in x, orders in v), three orders in x at least.
        reach: X of each underlying, then V if there is an index, (factors,).
        errors: of each position's polynomial against its valuation.

    Attributes:
        bound: the difference to the valuation is nowhere larger within the reach.
        width: scenarios that are screened at a time.
    """

    def __init__(self, coefficients: Reals, reach: Reals, errors: Sequence[float]) -> None:
        held, by_x, by_v = coefficients.shape
        self.bound = (sum(errors) + rounding(coefficients)) * (1 + 1e-12)
        self._index = len(reach) > held
        self.width = width((by_x, by_v), held)
        self._constant = coefficients[:, 0].sum(axis=0)[:, None].astype(np.float32)
        self._factors = np.ascontiguousarray(coefficients[:, 1:].transpose(2, 1, 0).reshape(by_v, -1)).astype(np.float32)
        # Of as few rows as a scenario's bits need to be its own, whatever stands beside it; as even as can be.
        cuts = [by_v * part // -(-by_v // _ROWS) for part in range(-(-by_v // _ROWS) + 1)]
        self._parts = [slice(*each) for each in pairwise(cuts)]
        self._per_reach = (1 / reach)[:, None].astype(np.float32)
        # Rows of the index's argument, then of T_1 of each underlying, of T_2, ...: all but the first go into one product.
        self._rows = np.empty((1 + (by_x - 1) * held, self.width), np.float32)
        self._powers = np.ones((by_v, self.width), np.float32)
        self._twice = np.empty((held, self.width), np.float32)
        self._sums = np.empty((by_v, self.width), np.float32)

    def __call__(self, moves: Moves, profit: Singles, outside: npt.NDArray[np.bool_]) -> None:
        """Write each scenario's P&L, and whether it is out of reach, where the P&L means nothing.

        Args:
            moves: (factors, m), m a multiple of the width.
            profit: (m,).
            outside: (m,).
        """
        with np.errstate(over="ignore", invalid="ignore"):
            for start in range(0, moves.shape[1], self.width):
                part = slice(start, start + self.width)
                self._some(moves[:, part], profit[part], outside[part])

    def _some(self, moves: Moves, profit: Singles, outside: npt.NDArray[np.bool_]) -> None:
        held, rows, twice = len(self._twice), self._rows, self._twice
        np.multiply(moves[:held], self._per_reach[:held], out=rows[1 : 1 + held])
        before, last = None, rows[1 : 1 + held]
        np.add(last, last, out=twice)
        for start in range(1 + held, len(rows), held):
            following = rows[start : start + held]
            np.multiply(twice, last, out=following)
            np.subtract(following, np.float32(1) if before is None else before, out=following)
            before, last = last, following
        furthest = rows[1 + held : 1 + 2 * held].max(axis=0)  # T_2 = 2 t^2 - 1 tells how far |t| goes, without another pass
        sums = self._sums
        for part in self._parts:
            np.matmul(self._factors[part], rows[1:], out=sums[part])
        np.add(sums, self._constant, out=sums)
        if self._index:
            self._in_index(moves[held], furthest)
        np.add.reduce(sums, axis=0, out=profit)
        np.less_equal(furthest, _WITHIN, out=outside)
        np.logical_not(outside, out=outside)  # so that no number is outside, too

    def _in_index(self, change: Singles, furthest: Singles) -> None:
        powers, argument = self._powers, self._rows[0]
        np.multiply(change, self._per_reach[-1], out=argument)
        twice = argument + argument
        second = twice * argument - np.float32(1)
        np.maximum(furthest, second, out=furthest)
        for degree, row in enumerate(powers):
            if degree == 1:
                row[:] = argument
            elif degree == 2:
                row[:] = second
            elif degree > 2:
                np.multiply(twice, powers[degree - 1], out=row)
                np.subtract(row, powers[degree - 2], out=row)
        np.multiply(self._sums, powers, out=self._sums)
