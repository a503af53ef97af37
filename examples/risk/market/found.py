"""What one run has found out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from examples.risk.market.backtest import Backtest
from examples.risk.market.figures import ES_LEVEL, Losses
from examples.risk.market.incremental import Incremental
from examples.risk.numerics.estimates import Estimate
from examples.risk.numerics.traffic import Traffic

if TYPE_CHECKING:
    from examples.risk.market.importance import Sampled  # whose Sobol' points take half a second to import


@dataclass(frozen=True, slots=True)
class Point:
    """Figures of so many scenarios, for the chart of convergence.

    Attributes:
        sampling: how they were drawn.
        scenarios: how many.
        shortfall: expected shortfall at `ES_LEVEL`.
    """

    sampling: str
    scenarios: int
    shortfall: Estimate


@dataclass(frozen=True, slots=True)
class Found:
    """All of it.

    Attributes:
        losses: of the portfolio.
        stressed: with the window of stress; None if there is none.
        sampled: by importance sampling; None if not asked for.
        incremental: None if not asked for.
        backtest: None if not asked for.
        convergence: ascending, Monte Carlo first; empty if no chart is asked for.
        traffic: of each phase, by name.
        seconds: of each phase, on rank 0.
    """

    losses: Losses
    stressed: Losses | None
    sampled: Sampled | None
    incremental: Incremental | None
    backtest: Backtest | None
    convergence: tuple[Point, ...]
    traffic: dict[str, Traffic]
    seconds: dict[str, float]

    @property
    def shortfall(self) -> Estimate:
        """Expected shortfall at `ES_LEVEL`."""
        return self.losses.at(ES_LEVEL).expected_shortfall
