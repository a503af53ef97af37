"""The regression of one date: normal equations of all ranks' paths in one message, and their solution."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from examples.risk.american.basis import SPAN, Basis
from examples.risk.american.paths import Floats
from examples.risk.american.polynomials import products, spanning
from examples.risk.numerics.grid_sums import GridSums
from examples.workload.communicator import Communicator

Reals = npt.NDArray[np.float64]
_WORTH: Final = SPAN**3  # scales: what is paid on a path counts as no more in the regression
_LEAST_PATHS: Final = 4  # in the money, for each function
_SMALL: Final = 1_000_000  # multiplications: OpenBLAS has a path for products below, which takes a third of the time
_RANKED: Final = {np.dtype(np.float64): 1e-12, np.dtype(np.float32): 1e-7}  # of the largest eigenvalue: what is less is noise


class NormalEquations:
    """Sums over the paths in the money of all products of two functions, and of a function and what the path pays.

    Each block's are products of matrices of fixed shapes; what blocks add is summed exactly, so the order does not matter.
    Products of two functions that are the same monomial are formed once: see `polynomials.spanning`.

    Args:
        basis: the functions.
        paths: of a block.
        blocks: of this rank.
        all_blocks: of all ranks.
        dtype: of the paths.
    """

    def __init__(self, basis: Basis, paths: int, blocks: int, all_blocks: int, dtype: npt.DTypeLike) -> None:
        self._basis = basis
        self._real: Callable[[float], Any] = np.dtype(dtype).type
        exponents, count = basis.polynomials.exponents, basis.count
        few = spanning(exponents)
        order = [*(each for each in range(count) if each not in few), *few]  # so that the few are side by side with the values
        row = {function: place for place, function in enumerate(order)}
        self._matrix = np.zeros((count + 1, paths), dtype)  # functions in that order, then values
        self._functions = [self._matrix[row[function]] for function in range(count)]
        self._left, self._right = self._matrix[:count], self._matrix[count - len(few) :]
        self._pieces = _pieces(paths, count * len(self._right))
        self._in_money, self._weight = np.empty(paths, np.bool_), np.empty(paths, dtype)
        self._entry = np.empty((count, count), np.intp)  # of the normal equations: which of the sums it is
        picked = []
        for number, pairs in enumerate(products(exponents).values()):
            picked.append(next((row[one], few.index(other)) for one, other in pairs if other in few))
            for pair in pairs:
                self._entry[pair] = number
        picked += [(row[function], len(few)) for function in range(count)]
        self._picked = tuple(np.array(picked).T)
        self._parts = np.empty((blocks, len(picked)))
        # products of two functions are at most SPAN**6, those of a function and a value SPAN**3 times _WORTH
        self._largest, self._all_blocks = SPAN**6 * paths * all_blocks * 1.001, all_blocks
        self._rank = _RANKED[np.dtype(dtype)]
        self.bytes = 16 * self._parts.shape[1]  # that a rank sends

    def add(self, block: int, features: Floats, values: Floats, scale: float) -> None:
        """A block's paths: features (features, paths) and what they pay later on (paths,), both in strikes."""
        basis, weight, real = self._basis, self._weight, self._real
        constant, own, paid = self._functions[0], self._functions[1 : 1 + basis.rows], self._matrix[-1]
        np.greater(features[0], 0, out=self._in_money)
        np.copyto(constant, self._in_money)
        np.multiply(constant, real(1 / scale), out=weight)  # scales and selects in one operation
        for feature, out in zip(features, own, strict=True):
            kept = feature
            if basis.above:
                kept = np.minimum(kept, real(SPAN * scale), out=out)
            if basis.below:
                kept = np.maximum(kept, real(-SPAN * scale), out=out)
            np.multiply(kept, weight, out=out)
        basis.polynomials.multiply(self._functions)
        np.multiply(np.minimum(values, real(_WORTH * scale), out=paid) if basis.above else values, weight, out=paid)
        sums = sum(self._left[:, piece] @ self._right[:, piece].T for piece in self._pieces)
        self._parts[block] = np.asarray(sums)[self._picked]

    def solve(self, comm: Communicator, scale: float) -> Reals:
        """Coefficients of the functions of scaled features, (functions,), in strikes; nan if too few paths are in the money.

        One message. The columns are brought to the same length first, for then what is cut off as noise is noise.
        """
        sums = GridSums(self._parts.shape[1], self._largest, self._all_blocks)
        sums.add(self._parts)
        totals = sums.reduce(comm)
        count = self._basis.count
        gram, right = totals[self._entry], totals[-count:]
        if gram[0, 0] < _LEAST_PATHS * count:
            return np.full(count, np.nan)
        lengths = 1 / np.sqrt(np.maximum(gram.diagonal(), 1e-300))
        values, vectors = np.linalg.eigh(gram * lengths[:, None] * lengths)  # as lstsq does, in 60 us instead of 100
        kept = values > self._rank * values[-1]
        weights = (vectors.T @ (right * lengths))[kept] / values[kept]
        return np.asarray((vectors[:, kept] @ weights) * lengths * scale)


def _pieces(paths: int, rows: int) -> list[slice]:
    """Of a block's paths: as few equal ones as keep the product of matrices small."""
    count = next(count for count in range(1, paths + 1) if paths % count == 0 and rows * (paths // count) <= _SMALL)
    return [slice(start, start + paths // count) for start in range(0, paths, paths // count)]
