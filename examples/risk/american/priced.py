"""What was found out about a trade, phase by phase; each as plain words too, for checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from examples.risk.american.policy import Policy
from examples.risk.american.trades import Trade
from examples.risk.numerics.estimates import Estimate
from examples.risk.numerics.traffic import Traffic

Convergence = tuple[tuple[int, Estimate], ...]  # so many paths, and the estimate from them


@dataclass(frozen=True, slots=True)
class Bound:
    """Of the price, in money, today.

    Attributes:
        value: with its error; that of exercise at once has none.
        paths: in all.
        convergence: from the first so many of them.
        traffic: of its phase.
    """

    value: Estimate
    paths: int
    convergence: Convergence
    traffic: Traffic

    def words(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "value": _pair(self.value),
            "paths": self.paths,
            "convergence": [[paths, *_pair(estimate)] for paths, estimate in self.convergence],
            "traffic": [self.traffic.collectives, self.traffic.bytes],
        }

    @classmethod
    def of(cls, words: Mapping[str, Any]) -> Self:
        """From JSON."""
        convergence = tuple((paths, Estimate(value, error)) for paths, value, error in words["convergence"])
        return cls(Estimate(*words["value"]), words["paths"], convergence, Traffic(*words["traffic"]))


@dataclass(frozen=True, slots=True)
class Going:
    """What the second phase says beside the lower bound.

    Attributes:
        exercised_today: whether exercise at once is worth more than the policy.
        value: of going on under the policy, in money, today.
        greeks: by name, in money, one figure an asset; empty if they were not asked for.
        controls: variates that took noise from the lower bound.
        coefficients: how many of each.
    """

    exercised_today: bool
    value: Estimate
    greeks: dict[str, tuple[Estimate, ...]] = field(default_factory=dict)
    controls: tuple[str, ...] = ()
    coefficients: tuple[float, ...] = ()

    def words(self) -> dict[str, Any]:
        """For JSON."""
        greeks = {name: [_pair(each) for each in figures] for name, figures in self.greeks.items()}
        return {
            "exercised_today": self.exercised_today,
            "value": _pair(self.value),
            "greeks": greeks,
            "controls": list(self.controls),
            "coefficients": list(self.coefficients),
        }

    @classmethod
    def of(cls, words: Mapping[str, Any]) -> Self:
        """From JSON."""
        greeks = {name: tuple(Estimate(*each) for each in figures) for name, figures in words["greeks"].items()}
        return cls(
            words["exercised_today"], Estimate(*words["value"]), greeks, tuple(words["controls"]), tuple(words["coefficients"])
        )


@dataclass(frozen=True, slots=True)
class Priced:
    """A trade between its bounds.

    Attributes:
        trade: what was priced.
        policy: when it is exercised.
        sweep: what finding the policy sent; None: it was given.
        lower: bound.
        going: what else the second phase says.
        upper: bound; None if it was not asked for.
    """

    trade: Trade
    policy: Policy
    sweep: Traffic | None
    lower: Bound
    going: Going
    upper: Bound | None

    @property
    def bracket(self) -> tuple[float, float] | None:
        """From the lower end of one bound's 95 % interval to the upper end of the other's; it may miss as often as one of these."""
        return None if self.upper is None else (self.lower.value.interval()[0], self.upper.value.interval()[1])

    @property
    def gap(self) -> float | None:
        """Between the bounds, as a share of the lower one."""
        return None if self.upper is None or not self.lower.value.value else self.upper.value.value / self.lower.value.value - 1

    @property
    def holds(self) -> bool | None:
        """Whether the reference is in the bracket; None if either is not there."""
        bracket, reference = self.bracket, self.trade.reference
        return None if bracket is None or reference is None else bracket[0] <= reference <= bracket[1]


def in_money(estimate: Estimate, strike: float) -> Estimate:
    """What is given in strikes."""
    return Estimate(estimate.value * strike, estimate.error * strike)


def _pair(estimate: Estimate) -> list[float]:
    return [estimate.value, estimate.error]
