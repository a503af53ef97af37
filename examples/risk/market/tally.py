"""What a rank has found of the tail: its part of all that the figures are made from, and of a checkpoint.

Of most losses in the tail only the number is kept. Components are summed at once, exactly, by the quantiles' brackets that the loss
is beyond; they are kept of losses within a bracket, of which it is known in the end only on which side of the quantile they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from batchhpc.rank import ExactSum
from examples.risk.market.pilot import Plan

Reals = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Moves = npt.NDArray[np.float32]
WORST = 100
_PENDING = 2048  # rows that are added to the sums at a time
EXTRA = 3  # columns behind the components


@dataclass(frozen=True, slots=True)
class Layout:
    """Columns of a row: components by underlying, the loss, its square, and one.

    Attributes:
        underlyings: how many.
        factors: rows of scenarios.
    """

    underlyings: int
    factors: int

    @property
    def columns(self) -> int:
        """How many."""
        return self.underlyings + EXTRA


class Tally:
    """One rank's part.

    Args:
        plan: of the run.
        layout: of rows.

    Attributes:
        lowest: losses from here on are taken.
        surely: losses from here on are beyond a quantile, as far as the pilot can tell.
        revalued: scenarios with an exact valuation so far.
        done: blocks that are finished, (intervals, 2): first, and one behind the last.
    """

    def __init__(self, plan: Plan, layout: Layout) -> None:
        self._plan, self._layout = plan, layout
        self._low, self._high = np.array(plan.low), np.array(plan.high)
        self._tops = np.sort(self._high)
        self.lowest = float(self._low.min())
        first, last = plan.edges
        self._bins = len(plan.bin_edges()) - 1
        self._per_bin = self._bins / (last - first) if last > first else 0.0
        self._counts = np.zeros(self._bins, np.int64)
        self._losses: list[Reals] = []
        self._kept: list[Reals] = []
        self._pending: list[Reals] = []
        self._waiting = 0
        self._sums = [ExactSum(layout.columns) for _ in range(len(self._tops) + 1)]
        self._worst = np.empty((0, 2 + layout.factors))
        self._off: list[tuple[Reals, Integers, Moves]] = []
        self.surely = float(self._high.min()) if np.isfinite(self._low).all() else -np.inf
        self.revalued = 0
        self.done: Integers = np.empty((0, 2), np.int64)

    def count(self, profits: npt.NDArray[np.floating], chosen: npt.NDArray[np.bool_]) -> None:
        """Count the chosen ones in the histogram of losses; what is beyond its ends goes into the bins there."""
        with np.errstate(over="ignore"):  # a histogram may be so narrow that others' places are infinite
            places = profits * profits.dtype.type(-self._per_bin)
        np.subtract(places, profits.dtype.type(self._plan.edges[0] * self._per_bin), out=places)
        places.clip(0, self._bins - 1, out=places)
        np.copyto(places, self._bins, where=~chosen)
        self._counts += np.bincount(places.astype(np.intp), minlength=self._bins + 1)[:-1]

    def add(self, profits: Reals, losses: Reals, moves: npt.NDArray[np.floating], numbers: Integers) -> None:
        """Take scenarios that were valued: those in the tail.

        Args:
            profits: P&L by underlying, (underlyings, m).
            losses: of the book, (m,).
            moves: (factors, m).
            numbers: of the scenarios, counted through all blocks, (m,).
        """
        self.revalued += len(losses)
        tail = np.flatnonzero(losses >= self.lowest)
        if not len(tail):
            return
        found = losses[tail]
        rows = np.empty((len(found), self._layout.columns))
        np.negative(profits.take(tail, axis=1).T, out=rows[:, : self._layout.underlyings])
        rows[:, -3], rows[:, -2], rows[:, -1] = found, np.square(found), 1.0
        self._losses.append(found)
        self._pending.append(rows)
        self._waiting += len(rows)
        within = ((self._low <= found[:, None]) & (found[:, None] <= self._high)).any(axis=1)
        self._kept.append(rows[within])
        if self._waiting >= _PENDING:
            self._sum()
        near = found >= self._worst[-1, 0] if len(self._worst) == WORST else np.ones(len(found), np.bool_)
        if near.any():
            self._rank(found[near], numbers[tail[near]], moves[:, tail[near]])

    def _sum(self) -> None:
        """Add what is pending: losses above this many tops of brackets are surely beyond these levels' quantiles."""
        if self._pending:
            rows = np.concatenate(self._pending)
            above = np.searchsorted(self._tops, rows[:, -3], side="left")
            for number in range(1, len(self._sums)):
                self._sums[number].add(rows[above == number])
        self._pending, self._waiting = [], 0

    def _rank(self, losses: Reals, numbers: Integers, moves: npt.NDArray[np.floating]) -> None:
        """Keep the worst: of equal losses the scenario with the lower number."""
        rows = np.concatenate([self._worst, np.column_stack([losses, numbers, moves.T])])
        self._worst = rows[np.lexsort((rows[:, 1], -rows[:, 0]))[:WORST]]

    def put_off_some(self, losses: npt.NDArray[np.float32], numbers: Integers, moves: Moves) -> None:
        """Keep scenarios that need to be valued only if their losses, which are a screen's, turn out to be in the tail."""
        self._off.append((losses.astype(np.float64), numbers, moves))

    def put_off(self) -> tuple[Reals, Integers, Moves]:
        """Losses, numbers (n,) and moves (factors, n) of all these."""
        if not self._off:
            return np.empty(0), np.empty(0, np.int64), np.empty((self._layout.factors, 0), np.float32)
        losses, numbers, moves = zip(*self._off, strict=True)
        joined = np.concatenate(losses), np.concatenate(numbers), np.concatenate(moves, axis=1)
        self._off = [joined]
        return joined

    def raise_to(self, lowest: float) -> None:
        """Take losses from here on only, now that this is known to be enough."""
        self.lowest = max(self.lowest, lowest)

    @property
    def losses(self) -> Reals:
        """All that were taken."""
        return _joined(self._losses, (0,))

    @property
    def worst(self) -> Reals:
        """Loss, number and moves of the worst, (w, 2 + factors)."""
        return self._worst

    @property
    def counts(self) -> Integers:
        """The histogram."""
        return self._counts

    def beyond(self, levels_at: Mapping[int, float]) -> ExactSum:
        """Sums of the rows with a loss from each level's value at risk on, (levels, columns).

        Args:
            levels_at: value at risk by the level's place in the plan.
        """
        self._sum()
        kept = _joined(self._kept, (0, self._layout.columns))
        states = []
        for level, value in levels_at.items():
            top = self._high[level]
            total = ExactSum(self._layout.columns)
            for each in self._sums[int(np.searchsorted(self._tops, top, side="right")) :]:
                total.merge(each)
            total.add(kept[(kept[:, -3] >= value) & (kept[:, -3] <= top)])
            states.append(total.state()[:, :, None])
        return ExactSum.from_state(np.concatenate(states, axis=2))

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """All of it, as pieces of global arrays."""
        self._sum()
        off, numbers, moves = self.put_off()
        return {
            "put off": np.column_stack([off, numbers]),
            "moves": np.ascontiguousarray(moves.T),
            "losses": self.losses,
            "kept": _joined(self._kept, (0, self._layout.columns)),
            "worst": self._worst,
            "sums": np.concatenate([each.state()[:, :, None] for each in self._sums], axis=2),
            "counts": np.append(self._counts, self.revalued)[None],
            "done": self.done,
        }

    def take(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go on from a rank's share of such arrays."""
        self._losses, self._kept = [arrays["losses"]], [arrays["kept"]]
        off, numbers = arrays["put off"].T
        self._off = [(off, numbers.astype(np.int64), np.ascontiguousarray(arrays["moves"].T))]
        self._worst = arrays["worst"][np.lexsort((arrays["worst"][:, 1], -arrays["worst"][:, 0]))[:WORST]]
        self._sums = [ExactSum.from_state(arrays["sums"][:, :, number]) for number in range(len(self._sums))]
        counts = arrays["counts"].sum(axis=0)
        self._counts, self.revalued = counts[:-1], int(counts[-1])
        self.done = arrays["done"]


def missing(done: Integers, blocks: int) -> Integers:
    """Numbers of the blocks that are in no interval."""
    left = np.ones(blocks, np.bool_)
    for first, last in done.tolist():
        left[first:last] = False
    return np.flatnonzero(left).astype(np.int64)


def intervals(numbers: Integers) -> Iterator[tuple[int, int]]:
    """Ascending numbers as intervals."""
    if len(numbers):
        for run in np.split(numbers, np.flatnonzero(np.diff(numbers) != 1) + 1):
            yield int(run[0]), int(run[-1]) + 1


def _joined(parts: list[Reals], shape: tuple[int, ...]) -> Reals:
    """All of them as one, which takes their place."""
    joined = np.concatenate(parts) if parts else np.empty(shape)
    parts[:] = [joined]
    return joined
