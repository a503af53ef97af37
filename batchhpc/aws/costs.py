"""What an environment costs, and what a job will and did: quantities of the plan times Amazon's list prices."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from batchhpc.compiler.environment import EnvironmentPlan

if TYPE_CHECKING:
    from batchhpc.aws.sdk import Clients


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that costs money by the hour.

    Attributes:
        text: what it is, with its numbers: ``NAT gateway``, ``node hpc7a.96xlarge, on demand``.
        quantity: how many of its unit.
        unit: what the price is for: ``hour``, ``GiB-month``.
        unit_price: US dollars for one unit; None if not known.
        per_hour: US dollars an hour; None if not known.
        unknown: why the price is not known; empty if it is.
    """

    text: str
    quantity: Decimal
    unit: str
    unit_price: Decimal | None
    per_hour: Decimal | None
    unknown: str = ""


@dataclass(frozen=True, slots=True)
class EnvironmentCosts:
    """What an environment costs by the hour.

    Attributes:
        idle: what is paid for while no job runs.
        nodes: what one node costs beside that, by instance type; each of the types that may be launched.
        by_use: what is paid by use, so that nobody can say how much.
    """

    idle: tuple[Line, ...]
    nodes: tuple[Line, ...]
    by_use: tuple[str, ...]

    def text(self) -> str:
        """A table for people, with a line for the sums."""
        return ""

    def to_data(self) -> dict[str, Any]:
        """The same for JSON: amounts as text, so that they stay exact; null for what is not known."""
        return {}


def environment_costs(plan: EnvironmentPlan, clients: Clients) -> EnvironmentCosts:
    """What an environment will cost. Never fails for lack of prices: those are None, and the line says why."""
    del plan, clients
    return EnvironmentCosts((), (), ())
