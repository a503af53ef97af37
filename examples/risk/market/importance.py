"""Value at risk and expected shortfall by importance sampling on scrambled Sobol' points, with errors from independent scrambles.

Each replicate is an estimate by itself: its losses, the largest first, count w_i / n each (see `tilt`), the quantile is the first
at which they add up to 1 - level, and expected shortfall is (Rockafellar and Uryasev 2000)

    ES = VaR + sum of w_i (L_i - VaR)+ / (n (1 - level)).

Which tilt is best is told by a pilot: a sample with weights v gives the second moment that another tilt with weights w would have,
E_w[(w g)^2] = E_v[v w g^2], for g = 1{L > VaR} and g = (L - VaR)+; that with the least is taken. The spreads of the other axes are
those of the pilot's tail, or a part of the way there (the cross-entropy method: Rubinstein and Kroese 2004). Plain, antithetic and
Sobol' draws without weights are there for comparison.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, product

import numpy as np
import numpy.typing as npt

from batchhpc.rank import Progress
from examples.risk.market.book import Book
from examples.risk.market.elliptical import Elliptical
from examples.risk.market.figures import ES_LEVEL, LEVELS
from examples.risk.market.scenarios import BLOCK, Moves
from examples.risk.market.screen import Screen
from examples.risk.market.screens import Screens
from examples.risk.market.sensitivities import sensitivities
from examples.risk.market.tilt import Axes, Tilt
from examples.risk.market.uniforms import Kind, Uniforms
from examples.risk.market.valuation import Valuation, total_loss
from examples.risk.numerics.estimates import Estimate
from examples.workload.communicator import Communicator

Reals = npt.NDArray[np.float64]
LIMIT = 20.0  # standard deviations that a factor moves at most; see `Sampler`
PILOT = -1  # the replicate whose draws choose the tilt
_PILOT_BLOCKS = 4
_PILOT_SCALE = 0.6  # large moves in all directions, so that all tilts can be judged
_SHIFTS = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
_SCALES = (0.7, 0.6, 0.5, 0.35, 0.2, 0.0)  # see `chi_square_scale`
_MARGIN = 2.0  # times the tail of the least level: so many losses are known exactly
_SPREADS = (0.0, 0.25, 0.5, 0.75, 1.0)  # how much of the tail's spread is taken on
_LEAST_SPREAD = 0.1
_VAR_LEVEL = 0.99  # whose quantile the tilt is to serve, besides expected shortfall at ES_LEVEL


@dataclass(frozen=True, slots=True)
class Sampled:
    """What replicates have in common, and how much they differ.

    Attributes:
        kind: of the draws.
        points: of a replicate.
        replicates: how many.
        levels: of the figures, ascending.
        value_at_risk, expected_shortfall: at each level.
        convergence: points, and expected shortfall at `ES_LEVEL` of the first 1, 2, 4 ... blocks of each replicate.
        tilt: as chosen.
        bound: what each figure may be off for losses that were screened only; 0 if all that count were valued.
        revalued: scenarios with an exact valuation.
    """

    kind: Kind
    points: int
    replicates: int
    levels: tuple[float, ...]
    value_at_risk: tuple[Estimate, ...]
    expected_shortfall: tuple[Estimate, ...]
    convergence: tuple[tuple[int, Estimate], ...]
    tilt: Tilt
    bound: float
    revalued: int


class Losses:
    """A book's losses: exact from a threshold on, and where the screen does not reach; elsewhere the screen's.

    Args:
        valuation: of the book.
        screen: of it; None to value everything.
        threshold: infinite to value only what is out of the screen's reach.

    Attributes:
        threshold: may be set.
        bound: no loss below the threshold is off by more.
        revalued: scenarios that were valued so far.
    """

    def __init__(self, valuation: Valuation, screen: Screen | None, threshold: float = math.inf) -> None:
        self._valuation, self._screen, self.threshold = valuation, screen, threshold
        self.bound = screen.bound if screen else 0.0
        self.revalued = 0
        self._profit, self._outside = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.bool_)

    def __call__(self, moves: Moves) -> Reals:
        """Of moves (factors, BLOCK), (BLOCK,)."""
        if self._screen is None:
            self.revalued += BLOCK
            return total_loss(self._valuation(moves))
        self._screen(moves, self._profit, self._outside)
        losses = -self._profit.astype(np.float64)
        chosen = np.flatnonzero(self._outside | (losses >= self.threshold - self.bound))
        losses[chosen] = total_loss(self._valuation(np.ascontiguousarray(moves[:, chosen])))
        self.revalued += len(chosen)
        return losses


class Sampler:
    """Draws of a model for a book, and their losses.

    Args:
        comm: the ranks, which prepare the screen together.
        book: what is held.
        covariance: of the factors over the horizon.
        degrees: of freedom; infinite for the normal distribution.
        seed: of the draws.
        exact: value all losses that count; else the screen serves for them, too, and the figures are off by its bound at most.
        limit: standard deviations that a factor moves at most. Under a t distribution of log-returns exp(x) has no mean, so a book
            that is short of anything has no expected shortfall; plain sampling does not show that, for it draws such moves too
            seldom, but draws that seek large moves do. At the default a factor is at the limit once in 100,000 draws of t4.
    """

    def __init__(
        self,
        comm: Communicator,
        book: Book,
        covariance: Reals,
        degrees: float,
        seed: int,
        *,
        exact: bool = True,
        limit: float = LIMIT,
    ) -> None:
        self.comm, self.seed, self.exact = comm, seed, exact
        valuation, scenarios = Valuation(book), Elliptical(covariance, degrees, seed)
        screens = Screens(comm, book, scenarios, valuation)
        self.losses = Losses(valuation, None if screens.reason else screens.screen(screens.second[-1]))
        spread = scenarios.scale if math.isinf(degrees) else scenarios.scale * math.sqrt((degrees - 2) / degrees)
        self.axes = Axes(covariance, degrees, sensitivities(book, valuation, spread), limit)

    def block(self, uniforms: Uniforms, number: int, tilt: Tilt) -> tuple[Reals, Reals]:
        """Losses and weights of a replicate's block, (BLOCK,) each."""
        drawn = self.axes.draw(uniforms.block(number), tilt)
        losses = self.losses(self.axes.moves(drawn, tilt.axis))
        return losses, tilt.weights(drawn.normals, drawn.chi_square(self.axes.degrees), self.axes.degrees)

    def pilot(self, least_level: float) -> tuple[Tilt, float]:
        """The best tilt, and a threshold that is safely below the quantile of a level; the same on all ranks."""
        return tuple(self.comm.bcast(self._pilot(least_level) if self.comm.rank == 0 else None))

    def _pilot(self, least_level: float) -> tuple[Tilt, float]:
        axes, self.losses.threshold = self.axes, math.inf
        neutral = Tilt(scale=chi_square_scale(_PILOT_SCALE, axes.degrees))
        uniforms = Uniforms("sobol", axes.dimensions, self.seed, PILOT)
        parts = []
        for number in range(_PILOT_BLOCKS):
            drawn = axes.draw(uniforms.block(number), neutral)
            chi_square = drawn.chi_square(axes.degrees)
            counts = neutral.weights(drawn.normals, chi_square, axes.degrees)
            squares = np.ones(BLOCK) if chi_square is None else chi_square
            parts.append(np.vstack([self.losses(axes.moves(drawn, 0)), counts, squares, drawn.normals]))
        losses, counts, squares, *rows = np.concatenate(parts, axis=1)
        normals = np.array(rows)
        normals_of = [normals, axes.rotations[1].T @ axes.rotations[0] @ normals]  # the same draws along the other axes
        targets = []
        for level, excess in ((_VAR_LEVEL, False), (ES_LEVEL, True)):
            at_risk = figures([(losses, counts)], len(losses), (level,))[0, 0]
            gain = np.maximum(losses - at_risk, 0.0) if excess else (losses > at_risk).astype(np.float64)
            targets.append(counts * gain * gain / (counts * gain).mean() ** 2)
        tail = counts * (losses >= at_risk)
        importance = sum(targets) / len(losses)
        chi_square = squares if math.isfinite(axes.degrees) else None

        def cost(tilt: Tilt) -> float:
            return float((importance * tilt.weights(normals_of[tilt.axis], chi_square, axes.degrees)).sum())

        tried = tilts(axes.degrees)
        best = min(tried, key=cost)
        spreads = (tail * np.square(normals_of[best.axis][1:])).sum(axis=1) / tail.sum()
        best = min((replace(best, spreads=_spreads(spreads, share)) for share in _SPREADS), key=cost)
        threshold = figures([(losses, counts)], len(losses), (1 - _MARGIN * (1 - least_level),))[0, 0]
        return best, float(threshold)


def _spreads(squares: Reals, share: float) -> tuple[float, ...]:
    """Deviations between 1 and those that the tail's draws have, of their mean squares."""
    kept = np.where(np.abs(squares - 1) > _LEAST_SPREAD, squares, 1.0) if share else np.ones(0)
    return tuple(np.sqrt(np.maximum(1 + share * (kept - 1), 0.5)).tolist())


def tilts(degrees: float) -> list[Tilt]:
    """All that are tried."""
    ways = ((False, 0), (True, 0), (True, 1))
    scales = sorted({chi_square_scale(each, degrees) for each in _SCALES})
    return [Tilt(shift, scale, both, axis) for shift, scale, (both, axis) in product(_SHIFTS, scales, ways)]


def chi_square_scale(change: float, degrees: float) -> float:
    """The scale theta that takes the mean of the chi-square down by so many times sqrt(2) of its standard deviations."""
    return max(0.25, 1 - 2 * change / math.sqrt(degrees))


def figures(parts: Sequence[tuple[Reals, Reals]], points: int, levels: Iterable[float]) -> Reals:
    """Value at risk and expected shortfall of each level, (2, levels), of losses and their weights.

    Raises:
        ValueError: the losses do not add up to a level's tail.
    """
    losses, weights = (np.concatenate(each) for each in zip(*parts, strict=True))
    order = np.argsort(-losses, kind="stable")
    losses, weights = losses[order], weights[order]
    passed = np.cumsum(weights)
    found = []
    for level in levels:
        tail = points * (1 - level) * (1 - 1e-12)
        last = int(np.searchsorted(passed, tail))
        if last == len(losses):
            raise ValueError(f"{points} points are too few for the level of {level}")
        at_risk = losses[last]
        found.append((at_risk, at_risk + float(np.sum(weights[:last] * (losses[:last] - at_risk))) / tail))
    return np.array(found).T


def measure_by_replicates(
    sampler: Sampler,
    blocks: int,
    replicates: int,
    *,
    kind: Kind = "importance",
    levels: tuple[float, ...] = LEVELS,
    tilt: Tilt | None = None,
) -> Sampled:
    """The figures, from so many independent replicates; collective, with the same bits on any number of ranks.

    Args:
        sampler: of the book and the model.
        blocks: of a replicate, each of `BLOCK` points; a power of 2, for Sobol' points are even then only.
        replicates: at least two.
        kind: of draws.
        levels: ascending.
        tilt: of kinds with weights; the pilot's choice if None.

    Raises:
        ValueError: blocks or replicates are not such numbers, or there are too few points for a level.
    """
    if blocks < 1 or blocks & (blocks - 1) or replicates < 2:
        raise ValueError(f"{replicates} replicates of {blocks} blocks: must be 2 or more, and a power of 2")
    comm, losses = sampler.comm, sampler.losses
    chosen, threshold = sampler.pilot(levels[0])
    used = (tilt or chosen) if kind.startswith("importance") else Tilt()
    losses.threshold, losses.revalued = threshold if sampler.exact else math.inf, 0
    shares = [rank * replicates * blocks // comm.size for rank in range(comm.size + 1)]
    outgoing: list[list[tuple[int, Reals, Reals]]] = [[] for _ in range(comm.size)]
    uniforms: Uniforms | None = None
    mine = range(shares[comm.rank], shares[comm.rank + 1])
    with Progress(len(mine) * BLOCK, "points", comm) as progress:
        for unit in mine:
            replicate, block = divmod(unit, blocks)
            if uniforms is None or uniforms.replicate != replicate:
                uniforms = Uniforms(kind, sampler.axes.dimensions, sampler.seed, replicate)
            drawn, weights = sampler.block(uniforms, block, used)
            tail = drawn >= threshold - losses.bound
            owner = int(np.searchsorted(shares, replicate * blocks, side="right")) - 1  # who has the replicate's first block
            outgoing[owner].append((replicate, drawn[tail], weights[tail]))
            progress.advance(BLOCK)
    own, outgoing[comm.rank] = outgoing[comm.rank], []
    incoming = comm.alltoall(outgoing)
    incoming[comm.rank] = own
    found = _of_replicates((part for parts in incoming for part in parts), blocks, replicates, levels)
    told = np.append(found, losses.revalued)
    total = np.empty_like(told)
    comm.Allreduce(told, total)  # a replicate's figures are one rank's, and 0 on all others
    return _concluded(sampler, total, blocks, kind, levels, used, threshold)


def _of_replicates(parts: Iterable[tuple[int, Reals, Reals]], blocks: int, replicates: int, levels: tuple[float, ...]) -> Reals:
    """Value at risk and expected shortfall of each level, then the latter of 1, 2, 4 ... blocks: (replicates, all these)."""
    found = np.zeros((replicates, 2 * len(levels) + blocks.bit_length()))
    for replicate, group in groupby(parts, key=lambda part: part[0]):
        tails = [(losses, weights) for _, losses, weights in group]
        whole = figures(tails, blocks * BLOCK, levels)
        first = [figures(tails[: 1 << power], BLOCK << power, (ES_LEVEL,))[1, 0] for power in range(blocks.bit_length())]
        found[replicate] = np.concatenate([whole.ravel(), first])
    return found


def _concluded(
    sampler: Sampler, total: Reals, blocks: int, kind: Kind, levels: tuple[float, ...], tilt: Tilt, threshold: float
) -> Sampled:
    """Of all ranks' figures, and in the end the scenarios that were valued."""
    count, powers = len(levels), blocks.bit_length()
    rows = total[:-1].reshape(-1, 2 * count + powers)
    estimates = [Estimate.of_replicates(column) for column in rows.T]
    complete = sampler.exact and float(rows[:, :count].min()) >= threshold
    return Sampled(
        kind=kind,
        points=blocks * BLOCK,
        replicates=len(rows),
        levels=levels,
        value_at_risk=tuple(estimates[:count]),
        expected_shortfall=tuple(estimates[count : 2 * count]),
        convergence=tuple((BLOCK << power, each) for power, each in enumerate(estimates[2 * count :])),
        tilt=tilt,
        bound=0.0 if complete else sampler.losses.bound,
        revalued=int(total[-1]),
    )
