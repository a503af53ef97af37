"""The regression of one date: normal equations of all ranks' paths in one message, and their solution."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from examples.risk.american.basis import SPAN, Basis
from examples.risk.american.paths import Floats
from examples.risk.numerics.grid_sums import GridSums
from examples.workload.communicator import Communicator

Reals = npt.NDArray[np.float64]
_WORTH: Final = SPAN**3  # scales: what is paid on a path counts as no more in the regression
_LEAST_PATHS: Final = 4  # in the money, for each function
_RANKED: Final = {np.dtype(np.float64): 1e-12, np.dtype(np.float32): 1e-7}  # of the largest singular value: what is noise below


class NormalEquations:
    """Sums over the paths in the money of all products of two functions, and of a function and the value of going on.

    Each block's are one product of matrices of a fixed shape; what blocks add is summed exactly, so the order does not matter.

    Args:
        basis: the functions.
        paths: of a block.
        blocks: of this rank.
        all_blocks: of all ranks.
        dtype: of the paths.
    """

    def __init__(self, basis: Basis, paths: int, blocks: int, all_blocks: int, dtype: npt.DTypeLike) -> None:
        self._basis, self._type = basis, np.dtype(dtype)
        count = basis.count
        self._matrix = np.zeros((count + 1, paths), dtype)  # functions, then values
        self._in_money, self._weight = np.empty(paths, np.bool_), np.empty(paths, dtype)
        self._upper = tuple(index[:-1] for index in np.triu_indices(count + 1))  # all but the square of the values
        self._parts = np.empty((blocks, len(self._upper[0])))
        # products are at most SPAN**6, of three features each, or SPAN**3 times _WORTH
        self._largest, self._all_blocks = SPAN**6 * paths * all_blocks * 1.001, all_blocks
        self._rank = _RANKED[self._type]
        self.bytes = 16 * self._parts.shape[1]  # that a rank sends

    def add(self, block: int, features: Floats, values: Floats, scale: float) -> None:
        """A block's paths: features (features, paths) and what they pay later on (paths,), both in strikes."""
        basis, matrix, weight, real = self._basis, self._matrix, self._weight, self._type.type
        np.greater(features[0], 0, out=self._in_money)
        np.copyto(matrix[0], self._in_money)
        np.multiply(matrix[0], real(1 / scale), out=weight)  # scales and selects in one operation
        own = matrix[1 : 1 + basis.rows]
        if basis.above:
            np.minimum(features, real(SPAN * scale), out=own)
            features = own
        if basis.below:
            np.maximum(features, real(-SPAN * scale), out=own)
            features = own
        np.multiply(features, weight, out=own)
        basis.polynomials.multiply(matrix)
        if basis.above:
            np.minimum(values, real(_WORTH * scale), out=matrix[-1])
            values = matrix[-1]
        np.multiply(values, weight, out=matrix[-1])
        self._parts[block] = (matrix @ matrix.T)[self._upper]

    def solve(self, comm: Communicator, scale: float) -> Reals:
        """Coefficients of the functions of scaled features, (functions,), in strikes; nan if too few paths are in the money.

        One message. The columns are brought to the same length first, for then what is cut off as noise is noise.
        """
        sums = GridSums(len(self._upper[0]), self._largest, self._all_blocks)
        sums.add(self._parts)
        count = self._basis.count
        full = np.zeros((count + 1, count + 1))
        full[self._upper] = sums.reduce(comm)
        gram, right = full[:count, :count], full[:count, count]
        if gram[0, 0] < _LEAST_PATHS * count:
            return np.full(count, np.nan)
        gram = np.triu(gram) + np.triu(gram, 1).T
        lengths = 1 / np.sqrt(np.maximum(np.diag(gram), 1e-300))
        solution = np.linalg.lstsq(gram * lengths[:, None] * lengths, right * lengths, rcond=self._rank)[0]
        return np.asarray(solution * lengths * scale)
