"""Whether losses went beyond what was foretold as often, as independently and as far as they should.

Sources: Kupiec (1995), "Techniques for verifying the accuracy of risk measurement models"; Christoffersen (1998), "Evaluating
interval forecasts"; Acerbi and Szekely (2014), "Backtesting expected shortfall"; Basel framework MAR32 and MAR33.41-33.42.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import chdtrc, ndtri, stdtrit, xlogy

Reals = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
YEAR = 250  # trading days that the supervisor counts exceptions of
_GREEN, _RED = 4, 10  # exceptions at most, and at least, of the year
_MULTIPLIERS = (1.50,) * 5 + (1.70, 1.76, 1.83, 1.88, 1.92)  # by exceptions; from ten on 2
_TRIALS, _NODES = 20_000, 1 << 16  # of the simulation of Z2


@dataclass(frozen=True, slots=True)
class Test:
    """A likelihood ratio, and the probability of one as large if the model is right."""

    statistic: float
    p_value: float


@dataclass(frozen=True, slots=True)
class Light:
    """The supervisor's view of the last year.

    Attributes:
        exceptions: days among the last 250.
        zone: green, yellow (the framework's amber) or red.
        multiplier: of the capital charge.
    """

    exceptions: int
    zone: str
    multiplier: float


def kupiec(days: int, exceptions: int, chance: float) -> Test:
    """Proportion of failures: whether there are as many exceptions as days times their probability; chi2 of 1 degree."""
    found = exceptions / days
    ratio = 2 * (_likelihood(days, exceptions, found) - _likelihood(days, exceptions, chance))
    return _tested(ratio, 1)


def christoffersen(beyond: Flags) -> Test:
    """Independence: whether an exception is as probable after an exception as after none; chi2 of 1 degree."""
    before, after = beyond[:-1], beyond[1:]
    after_none, after_one = (int(np.count_nonzero(after[before == flag])) for flag in (False, True))
    none, one = (int(np.count_nonzero(before == flag)) for flag in (False, True))
    separate = _likelihood(none, after_none, after_none / max(1, none)) + _likelihood(one, after_one, after_one / max(1, one))
    together = _likelihood(none + one, after_none + after_one, (after_none + after_one) / max(1, none + one))
    return _tested(2 * (separate - together), 1)


def conditional(beyond: Flags, chance: float) -> Test:
    """Both at once: as many as there should be, and independent; chi2 of 2 degrees."""
    count = kupiec(len(beyond), int(np.count_nonzero(beyond)), chance)
    return _tested(count.statistic + christoffersen(beyond).statistic, 2)


def traffic_light(beyond: Flags) -> Light | None:
    """Zone and multiplier by the exceptions of the last 250 days; None if there are fewer."""
    if len(beyond) < YEAR:
        return None
    exceptions = int(np.count_nonzero(beyond[-YEAR:]))
    zone = "green" if exceptions <= _GREEN else "red" if exceptions >= _RED else "yellow"
    return Light(exceptions, zone, _MULTIPLIERS[exceptions] if exceptions < _RED else 2.0)


def shortfall_statistic(losses: Reals, value_at_risk: Reals, shortfall: Reals, chance: float) -> float:
    """Acerbi and Szekely's Z2 = 1 - sum of (loss / ES on days beyond VaR) / (days * chance); 0 in the mean, less if ES is low.

    Args:
        losses: of each day, (days,).
        value_at_risk: foretold for it, at the level of the shortfall.
        shortfall: foretold for it, above 0.
        chance: 1 - level.
    """
    beyond = losses > value_at_risk
    return float(1 - (losses[beyond] / shortfall[beyond]).sum() / (len(losses) * chance))


def critical_shortfall_statistic(days: int, chance: float, degrees: float) -> float:
    """What Z2 is below with probability 5 % if all was foretold right: by simulation of so many days.

    -0.7 for 250 days at 97.5 % and normal losses (their table), but -2.9 for 20, and -0.1 for thirty years. The number of days
    beyond VaR is binomial; their losses are drawn from a table of the tail, quantiles at the middles of equal probabilities. The
    trials have a seed of their own, so the value depends on the arguments only.

    Args:
        days: of the back-test.
        chance: 1 - level.
        degrees: of freedom of the losses, if they are a t; otherwise infinite: normal.
    """
    nodes = chance * (np.arange(_NODES) + 0.5) / _NODES
    tail = -(ndtri(nodes) if math.isinf(degrees) else stdtrit(degrees, nodes))
    draws = np.random.Generator(np.random.PCG64(1))
    counts = draws.binomial(days, chance, _TRIALS)
    sums = np.concatenate(([0.0], np.cumsum((tail / tail.mean())[draws.integers(_NODES, size=int(counts.sum()))])))
    ends = np.cumsum(counts)
    return float(np.quantile(1 - (sums[ends] - sums[ends - counts]) / (days * chance), 0.05))


def _likelihood(days: int, exceptions: int, chance: float) -> float:
    """Its logarithm."""
    return float(xlogy(days - exceptions, 1 - chance) + xlogy(exceptions, chance))


def _tested(ratio: float, degrees: int) -> Test:
    statistic = max(0.0, ratio)
    return Test(statistic, float(chdtrc(degrees, statistic)))
