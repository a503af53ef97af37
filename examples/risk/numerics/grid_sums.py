"""Sums over blocks and ranks in one message, with the same bits on any number of ranks.

What a block adds is rounded to two grids known beforehand: whole multiples of a coarse power of two, and of what that leaves,
multiples of a fine one. Both are so coarse that adding them is exact in float64, so no order matters and one plain Allreduce does.
`batchhpc.rank.exact_sum` needs no bound on the sums, and takes two messages and four times as long.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from examples.workload.communicator import Communicator

Reals = npt.NDArray[np.float64]
_SIGNIFICAND = 52


class GridSums:
    """Sums that are being formed.

    The error of a sum is at most half a fine unit for each block: largest * 2**-103 * blocks**2 in all.

    Args:
        count: of sums.
        largest: no sum, nor any partial sum over some of the blocks, may be larger.
        blocks: at most so many are added, over all ranks.

    Attributes:
        state: (2, count), the sums so far on both grids; for checkpoints, and to be set from one.
    """

    def __init__(self, count: int, largest: float, blocks: int) -> None:
        self._largest = largest
        top = math.frexp(largest)[1] + 1
        self._coarse = math.ldexp(1.5, top)  # adding it leaves multiples of its last bit
        self._fine = math.ldexp(1.5, top - _SIGNIFICAND + max(1, blocks).bit_length())
        self.state = np.zeros((2, count))

    def add(self, parts: Reals) -> None:
        """Add (count,), or (blocks, count).

        Raises:
            OverflowError: a number is larger than the sums may be, or is none.
        """
        rows = np.asarray(parts, np.float64).reshape(-1, self.state.shape[1])
        most = np.abs(rows).max(initial=0.0)
        if not most <= self._largest:
            raise OverflowError(f"a part of {most:g} is beyond the bound of {self._largest:g}, or is not a number")
        upper = (rows + self._coarse) - self._coarse
        lower = rows - upper
        lower += self._fine
        lower -= self._fine
        self.state[0] += np.add.reduce(upper, axis=0)
        self.state[1] += np.add.reduce(lower, axis=0)

    def reduce(self, comm: Communicator) -> Reals:
        """The sums over all ranks, (count,); collective, 16 bytes a sum."""
        total = np.empty_like(self.state)
        comm.Allreduce(self.state, total)
        result: Reals = total[0] + total[1]
        return result
