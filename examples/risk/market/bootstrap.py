"""Historical simulation: what happened on days of the past, drawn again.

The change over a horizon of h days is the sum of the daily changes of h days, drawn with replacement, or of h / b blocks of b
consecutive days (moving blocks: Kuensch 1989), which keep what days in a row have to do with one another.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from examples.risk.market.scenarios import BLOCK, Moves
from examples.risk.numerics.philox import Philox

Reals = npt.NDArray[np.float64]
DAYS = 2  # stream of words, other than those of elliptical scenarios


class Bootstrap:
    """`Scenarios` of sums of past daily changes, less their mean: like elliptical ones they have no drift.

    The mean is that of all blocks of the same length, which count the days at both ends of the window less often than others.

    Args:
        changes: daily changes of the factors, (days, factors).
        horizon: days.
        days: of a block; the last block of a scenario is shorter if they do not divide the horizon.
        seed: of the draws.

    Attributes:
        factors, scale: see `Scenarios`.
    """

    def __init__(self, changes: Reals, horizon: int, days: int, seed: int) -> None:
        whole, rest = divmod(horizon, days)
        self.factors = changes.shape[1]
        sums = np.vstack((np.zeros(self.factors), np.cumsum(changes - changes.mean(axis=0), axis=0)))
        lengths = [days] * whole + [rest] * bool(rest)
        blocks = {length: sums[length:] - sums[:-length] for length in set(lengths)}
        blocks = {length: block - block.mean(axis=0) for length, block in blocks.items()}
        self.scale: Reals = np.sqrt(np.sum([blocks[length].var(axis=0) for length in lengths], axis=0))
        # rows of one factor each: the gathers of a row stay in the first cache
        tables = {length: np.ascontiguousarray(block.T, np.float32) for length, block in blocks.items()}
        self._tables = [tables[length] for length in lengths]
        self._stream = Philox(seed, DAYS)
        self._scaled, self._start = np.empty(BLOCK, np.uint64), np.empty((len(lengths), BLOCK), np.intp)
        self._drawn = np.empty(BLOCK, np.float32)

    def fill(self, block: int, out: Moves) -> Moves:
        """See `Scenarios`.

        A start is floor(n u), u the first 32 bits of half a word over 2**32: the chances of two starts differ by n / 2**32 at most,
        relatively.
        """
        words = self._stream.words(block, len(self._tables) * BLOCK // 2).view(np.uint32).reshape(len(self._tables), BLOCK)
        for table, half, start in zip(self._tables, words, self._start, strict=True):
            np.multiply(half, np.uint64(table.shape[1]), out=self._scaled)
            np.right_shift(self._scaled, np.uint64(32), out=self._scaled)
            np.copyto(start, self._scaled, casting="unsafe")
        take: Any = np.take  # numpy's types know no mode with out
        for factor in range(self.factors):
            take(self._tables[0][factor], self._start[0], out=out[factor], mode="clip")
            for table, start in zip(self._tables[1:], self._start[1:], strict=True):
                np.add(out[factor], take(table[factor], start, out=self._drawn, mode="clip"), out=out[factor])
        return out
