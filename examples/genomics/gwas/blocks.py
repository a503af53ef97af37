"""Variants in blocks of a fixed size: which are done, and which rank does which of the others.

Blocks do not depend on the number of ranks. Each rank has a contiguous range of them: results in the order of ranks are in that of
variants, and a run can be resumed on another number of ranks, where what is not done yet is dealt out evenly.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]
BLOCK = 128  # variants; with 5,000 people their dosages are 2.5 MB


class Blocks:
    """Of all variants, cut for so many ranks."""

    def __init__(self, variants: int, ranks: int, done: Iterable[tuple[int, int]] = ()) -> None:
        """Deal out.

        Args:
            variants: of the whole fileset.
            ranks: which share them.
            done: runs of blocks, (first, last), that an earlier run has done.
        """
        self.variants = variants
        self._done: Bools = np.zeros(-(-variants // BLOCK), np.bool_)
        for first, last in done:
            self._done[first:last] = True
        undone = np.concatenate([[0], np.cumsum(~self._done)])
        total = undone[-1] or len(self._done)
        shares = total * np.arange(1, ranks) // ranks
        cuts = np.searchsorted(undone, shares) if undone[-1] else shares
        self._cuts = [0, *cuts.tolist(), len(self._done)]
        self._todo = [first + np.flatnonzero(~self._done[first:last]) for first, last in pairwise(self._cuts)]
        self.rounds = max(len(blocks) for blocks in self._todo)

    def todo(self, rank: int) -> list[int]:
        """Blocks that this rank has to do, in order."""
        return [int(block) for block in self._todo[rank]]

    def variants_of(self, block: int) -> tuple[int, int]:
        """First and last variant of a block, the last one not included."""
        return BLOCK * block, min(self.variants, BLOCK * (block + 1))

    def range_of(self, rank: int) -> tuple[int, int]:
        """First and last variant of a rank, the last one not included."""
        return BLOCK * self._cuts[rank], min(self.variants, BLOCK * self._cuts[rank + 1])

    def done_after(self, rounds: int) -> Bools:
        """Which variants are done once each rank has done so many of its blocks."""
        return np.repeat(self._blocks_after(rounds), BLOCK)[: self.variants]

    def state(self, rounds: int) -> list[tuple[int, int]]:
        """The same as runs of blocks: the argument ``done`` of a later run."""
        edges = np.flatnonzero(np.diff(np.concatenate([[False], self._blocks_after(rounds), [False]]).astype(np.int8)))
        return [(int(first), int(last)) for first, last in edges.reshape(-1, 2)]

    def _blocks_after(self, rounds: int) -> Bools:
        done = self._done.copy()
        for blocks in self._todo:
            done[blocks[:rounds]] = True
        return done
