"""Value at risk and expected shortfall by full revaluation of the tail alone: the same bits as if every scenario were valued.

A scenario passes a quick screen over a narrow range, then an accurate one over a wide range (see `screen`), and is valued only if
after that it may be in the tail still, or is out of reach. Whether that was enough is proved in the end: every scenario whose loss
is at least a threshold has been valued, and the wanted quantiles are not below it. If they are, all is done again with a lower one.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import bdtrik, betainc

from batchhpc.rank import Progress, order_statistics
from examples.risk.market.book import Book
from examples.risk.market.figures import LEVELS, Losses, Measure, Screening
from examples.risk.market.pilot import Plan, Sample, choose, sample
from examples.risk.market.scenarios import BLOCK, Scenarios
from examples.risk.market.screens import Screens
from examples.risk.market.stream import Stream
from examples.risk.market.tally import WORST, Layout, Tally, intervals, missing
from examples.risk.market.valuation import Valuation, value_today
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
    """Places beyond a level: k = n (1 - level) rounded down, whatever the rounding of 1 - level."""
    return math.floor(scenarios * (1 - level) * (1 + 1e-12))


def binomial_quantile(share: float, count: int, chance: float) -> int:
    """The least k with P(X <= k) >= share; scipy.stats has it, too, but takes half a second to import."""
    most = math.ceil(bdtrik(share, count, chance))
    one_less = most > 0 and betainc(count - most + 1, most, 1 - chance) >= share
    return most - bool(one_less)


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
        few, many = (binomial_quantile(each, count, 1 - level) for each in (outer, 1 - outer))
        return cls(tail_count(level, count), max(1, few), min(count, many + 1))


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
        self._worst = min(WORST, blocks * BLOCK)
        self._needed = max(self._worst, *(each.lower for each in self._places))
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
        screens = None
        if self._screens and plan.first and plan.second:
            screens = self._screens.screen(plan.first), self._screens.screen(plan.second)
        stream = Stream(self._scenarios, self._valuation, screens, tally)
        self._go_through(stream, tally, plan)
        counts = stream.settle(self._comm, self._needed)
        if counts is None:
            return None  # a wanted quantile is below the threshold
        return self._conclude(tally, plan, counts, max(each.bound for each in screens) if screens else 0.0)

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
        plan = choose(self._valuation, self._screens, self._sample, self._levels, count, margin=margin, reason=self._reason)
        plan = self._comm.bcast(plan)  # ranks on processors of two kinds must not differ in a threshold's last bit
        return Tally(plan, self._layout), plan

    def _go_through(self, stream: Stream, tally: Tally, plan: Plan) -> None:
        comm, before = self._comm, tally.done
        done = np.concatenate(comm.allgather(before)) if self._restart else before
        left = missing(done, self._blocks)
        if len(left) < self._blocks and comm.rank == 0:
            finished = (self._blocks - len(left)) * BLOCK
            print(
                f"goes on from a checkpoint: {finished:,} of {self._blocks * BLOCK:,} scenarios are done",
                file=sys.stderr,
                flush=True,
            )
        mine = left[len(left) * comm.rank // comm.size : len(left) * (comm.rank + 1) // comm.size]
        rounds = math.ceil(math.ceil(len(left) / comm.size) / _ROUND)  # the same on all ranks, which meet to save
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

    def _conclude(self, tally: Tally, plan: Plan, counts: Integers, bound: float) -> Losses | None:
        comm, count = self._comm, self._blocks * BLOCK
        places = [place for each in self._places for place in (each.tail, each.upper, each.lower)]
        found = order_statistics(tally.losses, -np.array([*places, self._worst]), comm)
        values, uppers, lowers = found[:-1].reshape(-1, 3).T
        if found.min() < tally.lowest:
            return None  # not all losses from there on are known
        if not all(low <= value <= high for low, value, high in zip(plan.low, values.tolist(), plan.high, strict=True)):
            return None  # components are not known of all losses beyond it
        sums = tally.beyond(dict(enumerate(values.tolist()))).reduce(comm).value()
        measures = tuple(
            _measure(level, value, (low, up), row)
            for level, value, low, up, row in zip(
                self._levels, values.tolist(), lowers.tolist(), uppers.tolist(), sums, strict=True
            )
        )
        rows, revalued = _largest(comm, tally.worst, float(found[-1]), tally.revalued)
        rows = rows[: self._worst]
        orders = plan.first[1:] if plan.first else (0, 0)
        screening = Screening(orders, bound, revalued, proved=bool(plan.first) and math.isfinite(bound), reason=plan.reason)
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


def _measure(level: float, value: float, interval: tuple[float, float], sums: Reals) -> Measure:
    """The figures of one level from its sums; the error of expected shortfall has the tail's variance and the quantile's."""
    total, squares, count = sums[-3:].tolist()
    mean = total / count
    variance = max(0.0, squares / count - mean * mean)
    error = math.sqrt((variance + level * (mean - value) ** 2) / count)
    return Measure(level, value, interval, Estimate(mean, error), sums[:-3] / count)


def _largest(comm: Communicator, mine: Reals, least: float, revalued: int) -> tuple[Reals, int]:
    """All ranks' rows from this loss on, in order, a hundred in all; and how many scenarios they valued."""
    rows, counts = zip(*comm.allgather((mine[mine[:, 0] >= least], revalued)), strict=True)
    found = np.concatenate(rows)
    return found[np.lexsort((found[:, 1], -found[:, 0]))], sum(counts)
