"""What is found out about a book."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from examples.risk.numerics.estimates import Estimate

Reals = npt.NDArray[np.float64]
LEVELS = (0.95, 0.975, 0.99, 0.999)
ES_LEVEL = 0.975  # of expected shortfall in the Basel framework, MAR33.3


@dataclass(frozen=True, slots=True)
class Measure:
    """The tail beyond one level.

    Attributes:
        level: as in 0.975.
        value_at_risk: the k-th largest loss of n scenarios, k = n (1 - level) rounded down.
        interval: 95 % confidence interval of it, by order statistics (binomial), exact for any distribution.
        expected_shortfall: mean of the losses from value_at_risk on.
        components: of expected shortfall, by underlying; they add up to it (Euler allocation: the mean of each one's loss in
            the same scenarios), (underlyings,).
    """

    level: float
    value_at_risk: float
    interval: tuple[float, float]
    expected_shortfall: Estimate
    components: Reals


@dataclass(frozen=True, slots=True)
class Screening:
    """How the tail was found.

    Attributes:
        orders: Chebyshev degrees of the first screen in spot and volatility, plus one; (0, 0) if there was none.
        bound: the proved greatest difference between screen and exact loss where the screen may be used.
        revalued: scenarios with an exact valuation.
        proved: whether scenarios were left out, all of them by a bound that was proved at run time; False if all were valued.
        reason: why every scenario was revalued, if it was; empty otherwise.
    """

    orders: tuple[int, int]
    bound: float
    revalued: int
    proved: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Losses:
    """The distribution of a book's loss over the horizon; gains are negative losses.

    Attributes:
        scenarios: how many.
        value: of the book today.
        measures: of each level, ascending.
        edges, counts: histogram of all losses, (bins + 1,) and (bins,), accurate to the screen's bound.
        worst: the largest losses, descending, (w,).
        worst_moves: risk factors of these, (factors, w).
        screening: how the tail was found.
    """

    scenarios: int
    value: float
    measures: tuple[Measure, ...]
    edges: Reals
    counts: npt.NDArray[np.int64]
    worst: Reals
    worst_moves: Reals
    screening: Screening

    def at(self, level: float) -> Measure:
        """The measure of one level."""
        return next(each for each in self.measures if each.level == level)
