"""Exposures over numbered blocks of paths; ranks only share the blocks out.

A date's exposure counts after the payments of the date. With a margin agreement the collateral is that of the margin period before
the date: cash of what the value was beyond the threshold then, with the interest of the period.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from batchhpc.rank import Progress
from examples.risk.exposure.credit import default_weights
from examples.risk.exposure.hull_white import HullWhite
from examples.risk.exposure.trades import MONTHS, Counterparties, Swaps
from examples.risk.exposure.values import NettingSets, Slice
from examples.risk.numerics.grid_sums import GridSums
from examples.risk.numerics.normals import Normals
from examples.risk.numerics.philox import Philox
from examples.workload.communicator import Communicator
from examples.workload.restart import Restart

Reals = npt.NDArray[np.float64]
BLOCK = 4096  # paths
KEPT = "1"  # version of what a checkpoint holds
_ROUND = 16  # blocks between two looks at the clock; the same for any number of ranks
_STREAM = 11
_LARGEST = 1e4  # mean exposures of a block and their squares, in gross notionals, may not be larger in sum over the blocks
_WITHOUT = 1e300  # threshold that nothing passes
_FIGURES = 4  # of each date and netting set: positive and negative exposure, and their squares


@dataclass(frozen=True, slots=True)
class Plan:
    """What is simulated.

    Attributes:
        swaps: of all netting sets.
        counterparties: one netting set each.
        model: of rates.
        own_spread: of this side's CDS, per year.
        own_recovery: what this side pays of a claim after its default.
        step: months between two dates of exposure.
        margin: years of the margin period, not longer than a step: a date's collateral is called after the date before.
        paths: a multiple of `BLOCK`; half of them mirror the others.
        seed: of all draws.
    """

    swaps: Swaps
    counterparties: Counterparties
    model: HullWhite
    own_spread: float
    own_recovery: float
    step: int
    margin: float
    paths: int
    seed: int


@dataclass(frozen=True, slots=True)
class Exposures:
    """What was found; money of today.

    Attributes:
        months: dates, the first is today, (dates,).
        positive, negative: discounted expected exposures, and those of the other side, (dates, netting sets).
        positive_error, negative_error: their standard errors, from the blocks' means.
        cva, dva: (netting sets,).
        cva_error, dva_error: their standard errors.
        values: of the netting sets today.
    """

    months: npt.NDArray[np.int64]
    positive: Reals
    negative: Reals
    positive_error: Reals
    negative_error: Reals
    cva: Reals
    dva: Reals
    cva_error: Reals
    dva_error: Reals
    values: Reals


@dataclass(frozen=True, slots=True)
class _Date:
    """One date of the simulation, in ascending order.

    Attributes:
        time: years from today.
        slice: what values the netting sets; None if the date only fixes rates.
        row: of the exposures; -1 if it has none.
        margin: whether collateral is called.
        reset: month in which rates are fixed; 0 if none are.
    """

    time: float
    slice: Slice | None
    row: int
    margin: bool
    reset: int


class Simulation:
    """The paths.

    Args:
        plan: what is simulated.

    Attributes:
        sets: the netting sets.
        months: dates of exposure, today first, (dates,).
        values_today: of the netting sets, in money.
        scale: of figures: gross notionals, (netting sets,).
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.sets = NettingSets(plan.swaps, len(plan.counterparties.names), plan.model)
        self.months = np.arange(0, self.sets.last + plan.step, plan.step)  # so that defaults until the last payment count
        self.values_today = self.sets.values_today()
        self._dates = self._schedule()
        self.scale = np.maximum(self.sets.gross, 1e-300)
        weights = default_weights(plan.counterparties.spread, plan.counterparties.recovery, self.months / MONTHS)
        own = np.broadcast_to([plan.own_spread, plan.own_recovery], (len(self.scale), 2)).T
        self._defaults = weights, default_weights(own[0], own[1], self.months / MONTHS)

    def _schedule(self) -> list[_Date]:
        rows = {float(month): row for row, month in enumerate(self.months.tolist()) if month}
        agreed = np.isfinite(self.plan.counterparties.threshold).any()
        margins = {month - self.plan.margin * MONTHS for month in rows if month > self.plan.margin * MONTHS} if agreed else set()
        resets = set(map(float, self.sets.resets()))
        return [
            _Date(
                month / MONTHS,
                self.sets.slice(month) if month in rows or month in margins else None,
                rows.get(month, -1),
                month in margins,
                int(month) if month in resets else 0,
            )
            for month in sorted({*rows, *margins, *resets})
        ]

    def run(self, comm: Communicator, restart: Restart) -> Exposures:
        """All blocks; collective."""
        blocks = self.plan.paths // BLOCK
        dates, sets = len(self.months), len(self.scale)
        sums = GridSums(_FIGURES * (dates + 1) * sets, _LARGEST * blocks, blocks)
        done = 0
        if found := restart.load():
            done = found.step
            if comm.rank == 0:
                sums.state[:] = found.shared["sums"]
        block = _Block(self)
        with Progress(blocks, "blocks of paths", comm) as progress:
            progress.reach(done)
            for start, stop in _rounds(done, blocks, comm.size):
                count = stop - start
                for number in range(start + count * comm.rank // comm.size, start + count * (comm.rank + 1) // comm.size):
                    sums.add(block.simulate(number).ravel())
                progress.reach(stop)
                if restart.due():
                    total = np.empty_like(sums.state)
                    comm.Allreduce(sums.state, total)
                    restart.save(stop, shared={"sums": total})
        return self._exposures(sums.reduce(comm).reshape(_FIGURES, dates + 1, sets), blocks)

    def _exposures(self, sums: Reals, blocks: int) -> Exposures:
        """From sums over blocks of means and their squares; the last row of dates holds CVA and DVA."""
        means = sums[:2] / blocks
        spread = np.maximum(sums[2:] / blocks - means**2, 0.0)
        errors = np.sqrt(spread / max(1, blocks - 1))
        means, errors = means * self.scale, errors * self.scale
        return Exposures(
            self.months,
            means[0, :-1],
            means[1, :-1],
            errors[0, :-1],
            errors[1, :-1],
            means[0, -1],
            means[1, -1],
            errors[0, -1],
            errors[1, -1],
            self.values_today,
        )


def _rounds(done: int, blocks: int, ranks: int) -> Iterator[tuple[int, int]]:
    """Ranges of blocks; each is done on all ranks before the next begins."""
    for start in range(done, blocks, _ROUND * ranks):
        yield start, min(blocks, start + _ROUND * ranks)


class _Block:
    """Space for the paths of one block."""

    def __init__(self, simulation: Simulation) -> None:
        self._of, plan = simulation, simulation.plan
        dates = simulation._dates  # noqa: SLF001 - one class in two
        self._normals = Normals(Philox(plan.seed, _STREAM), BLOCK // 2)
        self._z, self._draws = np.empty(BLOCK), np.empty(BLOCK // 2)
        self._basis = np.empty((max((each.slice.weights.shape[1] for each in dates if each.slice), default=1), BLOCK))
        self._values, self._collateral = (np.zeros((len(simulation.scale), BLOCK)) for _ in range(2))
        self._within = np.empty_like(self._values)
        self._fixed = {each.reset: np.empty(BLOCK) for each in dates if each.reset}
        self._fixed[0] = np.zeros(BLOCK)
        self._called, self._then = 0.0, np.zeros(BLOCK)  # when collateral was called, in months, and the process then
        self._agreed = np.isfinite(plan.counterparties.threshold)
        self._limit = np.where(self._agreed, plan.counterparties.threshold, _WITHOUT)[:, None]

    def simulate(self, number: int) -> Reals:
        """Means over the block's paths in gross notionals: (figures, dates + 1, netting sets); the last row is CVA and DVA."""
        simulation, half = self._of, BLOCK // 2
        plan, scale = simulation.plan, simulation.scale
        figures = np.zeros((_FIGURES, len(simulation.months) + 1, len(scale)))
        today = simulation.values_today
        held = np.where(self._agreed, today - np.clip(today, -plan.counterparties.threshold, plan.counterparties.threshold), 0.0)
        figures[0, 0], figures[1, 0] = np.maximum(today - held, 0.0) / scale, np.maximum(held - today, 0.0) / scale
        self._z[:] = 0.0
        self._collateral[self._agreed] = held[self._agreed, None]
        self._called, self._then[:] = 0.0, 0.0
        before = 0.0
        for index, date in enumerate(simulation._dates):  # noqa: SLF001 - one class in two
            variance = float(plan.model.variance(date.time))
            self._normals.fill(number, self._draws, date=index)
            np.multiply(self._draws, np.sqrt(variance - before), out=self._draws)
            self._z[:half] += self._draws
            self._z[half:] -= self._draws  # antithetic paths
            before = variance
            if date.reset:
                self._fixed[date.reset][:] = self._z
            if date.slice:
                values = self._value(date.slice)
                if date.margin and not plan.margin:  # what is called is there at once
                    self._call_margin(values, date.slice)
                if date.row >= 0:
                    self._count(values, figures[:, date.row], date.time)
                if date.margin and plan.margin:
                    self._call_margin(values, date.slice)
        for side, weights in enumerate(simulation._defaults):  # noqa: SLF001 - one class in two
            figures[side, -1] = (weights * figures[side, :-1]).sum(axis=0)
        figures[2:] = figures[:2] ** 2
        return figures

    def _value(self, of: Slice) -> Reals:
        """Deflated values of all netting sets, (netting sets, BLOCK)."""
        basis = self._basis[: of.weights.shape[1]]
        of.fill(self._z, self._fixed, basis)
        return np.matmul(of.weights, basis, out=self._values)

    def _count(self, values: Reals, figures: Reals, time: float) -> None:
        """Mean positive and negative exposures of the block."""
        exposed = values
        if self._agreed.any():
            exposed = np.subtract(values, np.multiply(self._collateral, self._growth(time), out=self._within), out=self._within)
        whole = np.add.reduce(exposed, axis=1)
        positive = np.add.reduce(np.maximum(exposed, 0.0, out=self._within), axis=1)
        figures[0], figures[1] = positive / BLOCK / self._of.scale, (positive - whole) / BLOCK / self._of.scale

    def _growth(self, time: float) -> Reals:
        """Collateral in units of the numeraire, then as now: cash of then bears the interest 1 / P(then, now)."""
        then, model = self._called / MONTHS, self._of.plan.model
        if then == time:
            return np.ones(BLOCK)
        constant, now, before = model.fixed_coupon(time, then, time)
        growth: Reals = np.exp(constant + now * self._z + before * self._then) / model.deflator(then, self._then)
        return growth

    def _call_margin(self, values: Reals, of: Slice) -> None:
        """Collateral held from now on: the value beyond the threshold, either way."""
        self._called, self._then[:] = of.month, self._z
        limit = np.multiply(self._limit, self._of.plan.model.deflator(of.time, self._z), out=self._within)
        np.minimum(values, limit, out=self._collateral)
        np.negative(limit, out=limit)
        np.maximum(self._collateral, limit, out=self._collateral)
        np.subtract(values, self._collateral, out=self._collateral)
