"""Value at risk and expected shortfall by full revaluation of the tail alone: the same bits as if every scenario were valued.

A scenario passes a quick screen over a narrow range, then an accurate one over a wide range (see `screen`), and is valued only if
after that it may be in the tail still, or is out of reach. Whether that was enough is proved in the end: every scenario whose loss
is at least a threshold has been valued, and the wanted quantiles are not below it. If they are, all is done again with a lower one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import binom

from batchhpc.rank import Progress, order_statistics
from examples.risk.market.book import Book
from examples.risk.market.figures import LEVELS, Losses, Measure, Screening
from examples.risk.market.pilot import Plan, Sample, Screens, choose, sample, total_loss
from examples.risk.market.scenarios import BLOCK, Moves, Scenarios
from examples.risk.market.screen import Screen
from examples.risk.market.tally import WORST, Layout, Tally, intervals, missing
from examples.risk.market.valuation import WIDTH, Valuation, value_today
from examples.risk.numerics.estimates import LEVEL, Estimate
from examples.workload.communicator import Communicator
from examples.workload.restart import Restart

Reals = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
VERSION = "1"  # of what checkpoints hold
_MARGINS = (5.0, 20.0, math.inf)  # standard deviations of chance that thresholds allow for, one after the other
_ROUND = 64  # blocks between two looks whether to save: a quarter of a second


def measure(
    comm: Communicator,
    book: Book,
    scenarios: Scenarios,
    blocks: int,
    *,
    levels: tuple[float, ...] = LEVELS,
    brute_force: bool = False,
    restart: Restart | None = None,
) -> Losses:
    """The distribution of a book's loss, from so many blocks of scenarios; collective.

    Args:
        comm: the ranks; they share out the blocks.
        book: what is held.
        scenarios: a function of the block's number.
        blocks: how many, of `BLOCK` scenarios each.
        levels: of the measures, ascending; each must have a scenario beyond it.
        brute_force: value every scenario.
        restart: where to save and go on from; its inputs must tell the book, the scenarios, the blocks and the levels.

    Raises:
        ValueError: there are too few scenarios for a level, or scenarios of other factors than the book's.
    """
    count = blocks * BLOCK
    if scenarios.factors != book.factors:
        raise ValueError(f"scenarios have {scenarios.factors} factors, but the book depends on {book.factors}")
    if tail_count(levels[-1], count) < 1:
        raise ValueError(
            f"{count} scenarios have none beyond the level of {levels[-1]}: at least {1 / (1 - levels[-1]):.0f} are needed"
        )
    run = _Run(comm, book, scenarios, blocks, levels, brute_force, restart)
    for margin in _MARGINS:
        if found := run.with_margin(margin):
            return found
    raise AssertionError("with an infinite margin every loss is kept")


def tail_count(level: float, scenarios: int) -> int:
    """k = n (1 - level) rounded down, whatever the rounding of 1 - level."""
    return math.floor(scenarios * (1 - level) * (1 + 1e-12))


@dataclass(frozen=True, slots=True)
class _Places:
    """Places of a level's losses, counted from the largest, which is 1: the value at risk, and the ends of its interval."""

    tail: int
    upper: int
    lower: int

    @classmethod
    def of(cls, level: float, count: int) -> _Places:
        """How many losses are beyond the true quantile is binomial: the two ends have probabilities for that."""
        outer = (1 - LEVEL) / 2
        few, many = binom.ppf([outer, 1 - outer], count, 1 - level).tolist()
        return cls(tail_count(level, count), max(1, int(few)), min(count, int(many) + 1))


class _Run:
    """One call of `measure`."""

    def __init__(
        self,
        comm: Communicator,
        book: Book,
        scenarios: Scenarios,
        blocks: int,
        levels: tuple[float, ...],
        brute_force: bool,
        restart: Restart | None,
    ) -> None:
        self._comm, self._book, self._scenarios, self._blocks, self._levels = comm, book, scenarios, blocks, levels
        self._restart, self._valuation = restart, Valuation(book)
        self._layout = Layout(len(book.names), book.factors)
        self._places = [_Places.of(level, blocks * BLOCK) for level in levels]
        self._loaded = restart.load() if restart else None
        self._screens: Screens | None = None
        self._reason = "asked for"
        self._sample: Sample | None = None
        if not brute_force:
            screens = Screens(comm, book, scenarios, self._valuation)
            self._reason = screens.reason
            self._screens = None if screens.reason else screens

    def with_margin(self, margin: float) -> Losses | None:
        """The figures; None if thresholds turn out to be too high."""
        tally, plan = self._begin(margin)
        first, second = (self._screens.screen(each) if self._screens and each else None for each in (plan.first, plan.second))
        stream = _Stream(self._scenarios, self._valuation, first, second, tally)
        self._go_through(stream, tally, plan)
        return self._conclude(tally, plan, second.bound if second else 0.0, first.bound if first else 0.0)

    def _begin(self, margin: float) -> tuple[Tally, Plan]:
        if self._loaded and self._loaded.state:
            plan = Plan.of(self._loaded.state)
            tally = Tally(plan, self._layout)
            tally.take(self._loaded.arrays)
            self._loaded = None
            return tally, plan
        if self._sample is None:
            self._sample = sample(self._comm, self._scenarios, self._valuation, self._screens, self._blocks)
        count = self._blocks * BLOCK
        plan = choose(self._book, self._screens, self._sample, self._levels, count, margin=margin, reason=self._reason)
        return Tally(plan, self._layout), plan

    def _go_through(self, stream: _Stream, tally: Tally, plan: Plan) -> None:
        comm, before = self._comm, tally.done
        done = np.concatenate(comm.allgather(before)) if self._restart else before
        left = missing(done, self._blocks)
        mine = left[len(left) * comm.rank // comm.size : len(left) * (comm.rank + 1) // comm.size]
        rounds = -(-(-(-len(left) // comm.size)) // _ROUND)  # the same on all ranks, which meet to save
        with Progress(len(mine) * BLOCK, "scenarios", comm) as progress:
            for number in range(rounds):
                for block in mine[number * _ROUND : (number + 1) * _ROUND].tolist():
                    stream.block(block)
                    progress.advance(BLOCK)
                if self._restart and self._restart.due():
                    stream.flush()
                    through = mine[: (number + 1) * _ROUND]
                    tally.done = np.concatenate([before, np.array(list(intervals(through)), np.int64).reshape(-1, 2)])
                    self._restart.save(number, arrays=tally.arrays(), state=plan.told())
        stream.flush()

    def _conclude(self, tally: Tally, plan: Plan, second: float, first: float) -> Losses | None:
        comm, count = self._comm, self._blocks * BLOCK
        losses = tally.losses
        told = np.concatenate([tally.counts, [tally.revalued, len(losses)]])
        total = np.empty_like(told)
        comm.Allreduce(told, total)
        counts, revalued, taken = total[:-2], int(total[-2]), int(total[-1])
        needed = max(max(each.lower, each.tail) for each in self._places)
        if taken < max(needed, min(WORST, count)):
            return None  # a wanted quantile is below the threshold
        worst = min(WORST, count)
        places = [place for each in self._places for place in (each.tail, each.upper, each.lower)]
        found = order_statistics(losses, -np.array([*places, worst]), comm)
        values, uppers, lowers = found[:-1].reshape(-1, 3).T
        if not all(low <= value <= high for low, value, high in zip(plan.low, values.tolist(), plan.high, strict=True)):
            return None  # components are not known of all losses beyond it
        sums = tally.beyond(dict(enumerate(values.tolist()))).reduce(comm).value()
        measures = tuple(
            _measure(level, value, (low, up), row, tally.origin)
            for level, value, low, up, row in zip(
                self._levels, values.tolist(), lowers.tolist(), uppers.tolist(), sums, strict=True
            )
        )
        rows = _largest(comm, tally.worst, float(found[-1]))[:worst]
        screening = Screening(
            plan.first[1:] if plan.first else (0, 0), max(first, second), revalued, proved=True, reason=plan.reason
        )
        return Losses(
            scenarios=count,
            value=float(value_today(self._book).sum()),
            measures=measures,
            edges=plan.bin_edges(),
            counts=counts,
            worst=rows[:, 0],
            worst_moves=rows[:, 2:].T,
            screening=screening,
        )


def _measure(level: float, value: float, interval: tuple[float, float], sums: Reals, origin: float) -> Measure:
    """The figures of one level from its sums; the error of expected shortfall has the tail's variance and the quantile's."""
    total, squares, count = sums[-3:].tolist()
    mean = total / count
    variance = max(0.0, squares / count - (mean - origin) ** 2)
    error = math.sqrt((variance + level * (mean - value) ** 2) / count)
    return Measure(level, value, interval, Estimate(mean, error), sums[:-3] / count)


def _largest(comm: Communicator, mine: Reals, least: float) -> Reals:
    """All ranks' rows from this loss on, in order: each puts its own into its place of one sum."""
    rows = mine[mine[:, 0] >= least]
    told = np.zeros(comm.size, np.int64)
    told[comm.rank] = len(rows)
    counts = np.empty_like(told)
    comm.Allreduce(told, counts)
    sent = np.zeros((int(counts.sum()), mine.shape[1]))
    start = int(counts[: comm.rank].sum())
    sent[start : start + len(rows)] = rows
    found = np.empty_like(sent)
    comm.Allreduce(sent, found)
    return found[np.lexsort((found[:, 1], -found[:, 0]))]


class _Waiting:
    """Scenarios that wait until a batch is full.

    Args:
        factors: rows.
        width: of a batch.
        take: is given the moves (factors, n), numbers and whether they are counted, (n,) each: n is the width, but at the end.
    """

    def __init__(self, factors: int, width: int, take: Callable[[Moves, Integers, npt.NDArray[np.bool_]], None]) -> None:
        self._moves, self._take, self._width = np.zeros((factors, width), np.float32), take, width
        self._numbers, self._counted = np.zeros(width, np.int64), np.zeros(width, np.bool_)
        self._filled = 0

    def push(self, moves: Moves, numbers: Integers, counted: npt.NDArray[np.bool_]) -> None:
        """Let some wait."""
        start = 0
        while start < len(numbers):
            stop = min(len(numbers), start + self._width - self._filled)
            place = slice(self._filled, self._filled + stop - start)
            self._moves[:, place], self._numbers[place] = moves[:, start:stop], numbers[start:stop]
            self._counted[place] = counted[start:stop]
            self._filled, start = place.stop, stop
            if self._filled == self._width:
                self.flush()

    def flush(self) -> None:
        """Let none wait any longer."""
        filled, self._filled = self._filled, 0
        if filled:
            self._take(self._moves, self._numbers[:filled], self._counted[:filled])


class _Stream:
    """The way of a scenario: first screen, second screen, valuation, tally."""

    def __init__(
        self, scenarios: Scenarios, valuation: Valuation, first: Screen | None, second: Screen | None, tally: Tally
    ) -> None:
        self._scenarios, self._valuation, self._tally = scenarios, valuation, tally
        self._first, self._second = first, second
        factors = scenarios.factors
        self._moves = np.empty((factors, BLOCK), np.float32)
        self._profit, self._outside = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.bool_)
        self._numbers = np.arange(BLOCK, dtype=np.int64)
        self._to_value = _Waiting(factors, WIDTH, self._value)
        self._to_screen = _Waiting(factors, WIDTH, self._look_again)
        self._limits = [_limit(each, tally.lowest) for each in (first, second) if each]

    def block(self, number: int) -> None:
        """Take a block's scenarios."""
        moves = self._scenarios.fill(number, self._moves)
        numbers = self._numbers + number * BLOCK
        if not self._first:
            self._to_value.push(moves, numbers, np.zeros(BLOCK, np.bool_))
            return
        profit, outside = self._profit, self._outside
        self._first(moves, profit, outside)
        left_out = np.flatnonzero(outside)
        chosen = np.flatnonzero((profit <= self._limits[0]) | outside)
        counted = ~outside[chosen]
        profit[left_out] = np.inf
        self._tally.count(-profit[np.isfinite(profit)] if len(left_out) else -profit)
        self._to_screen.push(moves[:, chosen], numbers[chosen], counted)

    def flush(self) -> None:
        """Let no scenario wait."""
        self._to_screen.flush()
        self._to_value.flush()

    def _look_again(self, moves: Moves, numbers: Integers, counted: npt.NDArray[np.bool_]) -> None:
        if not self._second:
            raise AssertionError("a first screen has a second")
        self._second(moves, self._profit[:WIDTH], self._outside[:WIDTH])
        profit, outside = self._profit[: len(numbers)], self._outside[: len(numbers)]
        self._tally.count(-profit[~(outside | counted)])
        chosen = np.flatnonzero((profit <= self._limits[1]) | outside)
        self._to_value.push(moves[:, chosen], numbers[chosen], (counted | ~outside)[chosen])

    def _value(self, moves: Moves, numbers: Integers, counted: npt.NDArray[np.bool_]) -> None:
        moves = moves[:, : len(numbers)]
        profits = self._valuation(moves)
        losses = total_loss(profits)
        self._tally.count(losses[~counted])
        self._tally.add(profits, losses, moves, numbers)


def _limit(screen: Screen, lowest: float) -> np.float32:
    """A quick P&L above this means a loss below the lowest threshold."""
    return np.nextafter(np.float32(screen.bound - lowest), np.float32(np.inf), dtype=np.float32)
