"""What a few scenarios tell: which screens are quickest for this book, and about where its quantiles are.

Nothing that is found here can make a result wrong. Screens carry their proved bounds, whichever is chosen; thresholds are checked
against the quantiles in the end. All is decided by counts of scenarios and of operations, and by no clock: the same on all ranks.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from examples.risk.market.scenarios import BLOCK, Scenarios
from examples.risk.market.screen import Screen
from examples.risk.market.screens import REACHES, Screens
from examples.risk.market.valuation import WIDTH, Valuation, total_loss
from examples.workload.communicator import Communicator

Reals = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
_STEPS = 1024  # bins of the pilot's losses of each sign, on a logarithmic scale
_DEPTH = 1e5  # ratio of the largest to the least of these
_BLOCKS = 8  # of the pilot: what a vague threshold leaves open is decided before it is valued, so few are enough
_DEAR = 32  # a pilot without screens takes one block of so many, for it costs as much as these
_BINS = 200  # of the histogram


@dataclass(frozen=True, slots=True)
class Plan:
    """How a run goes.

    Attributes:
        levels: ascending.
        low, high: between these each level's quantile is expected.
        edges: first and last edge of the histogram.
        first, second: (reach, orders in x, orders in v) of the screens; None to value everything.
        reason: why everything is valued, if it is.
    """

    levels: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    edges: tuple[float, float]
    first: tuple[float, int, int] | None
    second: tuple[float, int, int] | None
    reason: str

    def told(self) -> dict[str, Any]:
        """For a checkpoint's state."""
        return asdict(self)

    @classmethod
    def of(cls, told: dict[str, Any]) -> Self:
        """What was told."""
        held: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in told.items()}
        return cls(**held)

    def bin_edges(self) -> Reals:
        """Of the histogram."""
        return np.linspace(*self.edges, _BINS + 1)


@dataclass(frozen=True, slots=True)
class Sample:
    """What the pilot's scenarios tell; the same on all ranks.

    Attributes:
        scenarios: how many.
        losses: how many are in each bin between ``edges``, ascending.
        edges: of these.
        outside: how many are out of reach of screens with each of `REACHES`.
        error: of their losses, at most.
    """

    scenarios: int
    losses: Counts
    edges: Reals
    outside: Counts
    error: float

    def beyond(self, loss: float) -> float:
        """About the share of losses that are larger."""
        first = int(np.searchsorted(self.edges, loss, side="right")) - 1
        return float(self.losses[max(0, first) :].sum()) / self.scenarios

    def bracket(self, level: float, scenarios: int, margin: float) -> tuple[float, float]:
        """Where the quantile of so many scenarios is, but for chance beyond so many standard deviations."""
        if math.isinf(margin):
            return -math.inf, math.inf
        share = 1 - level
        reach = margin * math.sqrt(share * level * self.scenarios * (1 + self.scenarios / scenarios)) + 1
        low, high = self.edge(share * self.scenarios + reach, 0), self.edge(share * self.scenarios - reach, 1)
        return low - self.error, high + self.error

    def edge(self, place: float, side: int) -> float:
        """The lower (0) or upper (1) edge of the bin with the loss of this place from the largest; infinite if there is none."""
        if place < 1:
            return math.inf
        if place > self.scenarios:
            return -math.inf
        row = len(self.losses) - 1 - int(np.searchsorted(np.cumsum(self.losses[::-1]), place))
        return float(self.edges[row + side])


def sample(comm: Communicator, scenarios: Scenarios, valuation: Valuation, screens: Screens | None, blocks: int) -> Sample:
    """Look at the first blocks, each rank at its share: through the most accurate screen, or by valuing them."""
    count = min(blocks, _BLOCKS) if screens else max(1, min(_BLOCKS, blocks // _DEAR))
    moves = np.empty((scenarios.factors, BLOCK), np.float32)
    screen = screens.screen(screens.second[-1]) if screens else None
    largest = float(np.abs(_losses(scenarios.fill(0, moves), valuation, screen)).max())
    edges = _edges(8 * largest or 1.0)
    losses, outside = [np.empty(0)], np.zeros(len(REACHES), np.int64)
    left_out = [np.empty((scenarios.factors, 0), np.float32)]
    for block in range(count * comm.rank // comm.size, count * (comm.rank + 1) // comm.size):
        scenarios.fill(block, moves)
        if not screens or not screen:
            left_out.append(moves.copy())
            continue
        known, beyond = _screened(moves, screen)
        losses.append(known[~beyond])
        left_out.append(moves[:, beyond])
        outside += screens.outside(moves)
    losses.append(total_loss(valuation(np.concatenate(left_out, axis=1))))
    told = np.concatenate([np.histogram(np.clip(np.concatenate(losses), edges[0], edges[-1]), edges)[0], outside])
    total = np.empty_like(told)
    comm.Allreduce(told, total)
    return Sample(count * BLOCK, total[: len(edges) - 1], edges, total[len(edges) - 1 :], screen.bound if screen else 0.0)


def _screened(moves: npt.NDArray[np.float32], screen: Screen) -> tuple[Reals, npt.NDArray[np.bool_]]:
    """Losses of a block, and which of them mean nothing, for the scenario is out of reach."""
    profit, outside = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.bool_)
    screen(moves, profit, outside)
    return -profit.astype(np.float64), outside


def _losses(moves: npt.NDArray[np.float32], valuation: Valuation, screen: Screen | None) -> Reals:
    """Of a block's scenarios: of those within reach, or of all by valuing a few."""
    if screen:
        losses, outside = _screened(moves, screen)
        return losses[~outside]
    return total_loss(valuation(moves[:, :WIDTH]))


def _edges(largest: float) -> Reals:
    """Bins for losses of both signs, as wide as they are large."""
    upper = np.geomspace(largest / _DEPTH, largest, _STEPS + 1)
    return np.concatenate([-upper[::-1], upper])


def choose(
    valuation: Valuation,
    screens: Screens | None,
    found: Sample,
    levels: tuple[float, ...],
    scenarios: int,
    *,
    margin: float,
    reason: str,
) -> Plan:
    """The plan whose operations cost least, in nanoseconds as measured on one core (Zen 4).

    Args:
        valuation: of the book.
        screens: that may be used; None if everything shall be valued.
        found: by the pilot.
        levels: of the figures.
        scenarios: how many there will be.
        margin: standard deviations of chance that thresholds allow for; infinite: all losses are kept.
        reason: why there are no screens.
    """
    low, high = zip(*(found.bracket(level, scenarios, margin) for level in levels), strict=True)
    least, largest = found.edge(0.9995 * found.scenarios, 0), found.edge(max(1.0, 0.0005 * found.scenarios), 1)
    spread = least, largest + max(0.25 * (largest - least), 1e-9 * abs(largest), 1e-30)
    first = second = None
    if screens:
        first, second, cost = min(
            (
                (one, two, _cost(valuation, screens, found, one, two, (min(low), min(high))))
                for one in screens.first
                for two in screens.second
            ),
            key=lambda each: each[2],
        )
        if cost >= (everything := _valued(valuation)):
            reason = f"no screen is worth its cost: {cost:.0f} ns a scenario are predicted with one, and {everything:.0f} without"
            first = second = None
    return Plan(levels, low, high, spread, first, second, reason)


def _cost(
    valuation: Valuation,
    screens: Screens,
    found: Sample,
    one: tuple[float, int, int],
    two: tuple[float, int, int],
    near: tuple[float, float],
) -> float:
    outside = [float(found.outside[REACHES.index(which[0])]) / found.scenarios for which in (one, two)]
    passed = [
        min(1.0, share + found.beyond(near[0] - screens.bound(which))) for share, which in zip(outside, (one, two), strict=True)
    ]
    gather, held = 3.0 * len(screens.reach(1.0)), len(valuation.positions)
    again = max(0.0, passed[0] - found.beyond(near[1]))  # what is well beyond is not screened twice
    return _quick(held, one) + again * (gather + _quick(held, two)) + min(passed) * (gather + _valued(valuation))


def _quick(underlyings: int, which: tuple[float, int, int]) -> float:
    """Of one scenario: two array operations a degree and underlying, and the product."""
    _, by_x, by_v = which
    return underlyings * (0.5 * (by_x - 1) + 0.016 * by_x * by_v) + 10


def _valued(valuation: Valuation) -> float:
    return 12.5 * valuation.series + 10.0 * len(valuation.positions)
