"""What a job can cost, before it is submitted: node-hours times prices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any, Final

from batchhpc.aws.prices.costs import dollars, priced, total
from batchhpc.aws.prices.price_list import NOT_LISTED
from batchhpc.aws.prices.prices import NO_SPOT, Prices
from batchhpc.compiler import CompiledJob
from batchhpc.compiler.billing import Item
from batchhpc.compiler.facts import Facts
from batchhpc.spec import Capacity

LEAST: Final = Decimal(60)  # seconds that are paid at least of an instance
HOUR: Final = Decimal(3600)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a job can cost, its instances running no longer than it.

    Attributes:
        nodes: of each attempt.
        hours: longest time of one attempt.
        attempts: how often it may be started.
        capacity: what its environment buys.
        kind: the instance type it is counted with: of those it may get, the dearest; empty if not known.
        on_demand: US dollars for one node-hour on demand; None if not known.
        spot: the same as Spot now, in the dearest zone.
        volumes: US dollars for the volumes of one node for an hour; None if not known.
        unknown: why ``at_most`` is not known; empty if it is.
    """

    nodes: int
    hours: Decimal
    attempts: int
    capacity: Capacity
    kind: str
    on_demand: Decimal | None
    spot: Decimal | None
    volumes: Decimal | None
    unknown: str

    @property
    def per_hour(self) -> Decimal | None:
        """US dollars for an hour of all nodes."""
        instance = self.spot if self.capacity is Capacity.SPOT else self.on_demand
        return None if instance is None or self.volumes is None or self.unknown else self.nodes * (instance + self.volumes)

    @property
    def once(self) -> Decimal | None:
        """US dollars for one attempt that takes all its time."""
        return None if self.per_hour is None else self.per_hour * self.hours

    @property
    def at_most(self) -> Decimal | None:
        """US dollars if every attempt takes all its time."""
        return None if self.once is None else self.once * self.attempts

    def text(self) -> str:
        """One line for people."""
        where = "on Spot" if self.capacity is Capacity.SPOT else "on demand"
        if self.at_most is None or self.once is None or self.per_hour is None:
            return f"cost: unknown: {self.unknown}"
        tries = f" ({dollars(self.once)} for each of {self.attempts} attempts)" if self.attempts > 1 else ""
        nodes = f"{self.nodes} x {self.kind} {where}, {dollars(self.per_hour)} an hour, {_time(self.hours)} at most"
        return f"cost: at most {dollars(self.at_most)}{tries}: {nodes}{self._compared()}"

    def _compared(self) -> str:
        """What the other capacity would cost, where both prices are known."""
        if not self.on_demand or self.spot is None:
            return ""
        less = round(100 * (1 - self.spot / self.on_demand))
        return f"; Spot is {less} % cheaper than on demand now"

    def to_data(self) -> dict[str, Any]:
        """The same for JSON; amounts as text."""
        amounts = {"per_hour": self.per_hour, "once": self.once, "at_most": self.at_most}
        return {"currency": "USD"} | {
            name: f"{value:f}" if isinstance(value, Decimal) else value for name, value in (asdict(self) | amounts).items()
        }


def estimate(job: CompiledJob, prices: Prices, volumes: Sequence[Item] = ()) -> Estimate:
    """What a job can cost: all nodes for all of the time limit, in every attempt.

    Args:
        job: as it would be submitted, overlay included.
        prices: of the environment's Region.
        volumes: those of each node (`billing.volume_items`), if its environment's template is known.
    """
    facts = Facts(job.register, job.submit, job.environment)
    nodes = facts.nodes or 1 if facts.multinode else int(job.submit.get("arrayProperties", {}).get("size", 1))
    seconds = _override(job, "timeout").get("attemptDurationSeconds", 0)
    capacity = job.environment.capacity
    kind, on_demand, spot, unknown = _dearest(_kinds(facts), capacity, prices)
    disks = priced(volumes, prices)
    if not unknown and total(disks).at_least:
        unknown = next(line.unknown for line in disks if line.per_hour is None)
    if not seconds:
        unknown = "the job has no time limit"
    return Estimate(
        nodes=nodes,
        hours=max(Decimal(seconds), LEAST) / HOUR,
        attempts=int(_override(job, "retryStrategy").get("attempts", 1)),
        capacity=capacity,
        kind=kind,
        on_demand=on_demand,
        spot=spot,
        volumes=None if total(disks).at_least else total(disks).usd,
        unknown=unknown,
    )


def _override(job: CompiledJob, name: str) -> dict[str, Any]:
    """A field that the request may override."""
    found: dict[str, Any] = {**job.register.get(name, {}), **job.submit.get(name, {})}
    return found


def _kinds(facts: Facts) -> list[str]:
    """The types that nodes may be: those that are named, else those of the environment that have the vCPUs."""
    named = [name for _, name in facts.effective_types]
    return list(dict.fromkeys(named or [kind.name for each in facts.containers for kind in each.possible]))


def _dearest(kinds: list[str], capacity: Capacity, prices: Prices) -> tuple[str, Decimal | None, Decimal | None, str]:
    """Of the types that are sold, the dearest, its prices on demand and as Spot, and what is not known."""
    if not kinds:
        return "", None, None, "no instance type is named\n  hint: --environment, or instance_type in the job spec"
    spot, listed = prices.spot(kinds), prices.on_demand(kinds)
    is_spot = capacity is Capacity.SPOT
    own = {kind: spot[kind].at_most() if is_spot else listed[kind].usd for kind in kinds}
    why = {kind: spot[kind].unknown if is_spot else listed[kind].unknown for kind in kinds}
    sold = [kind for kind in kinds if why[kind] not in (NOT_LISTED, NO_SPOT)]
    unknown = next((f"{kind}: {why[kind]}" for kind in sold or kinds if own[kind] is None), "")
    kind = max(sold or kinds, key=lambda kind: own[kind] or Decimal(0))
    return kind, listed[kind].usd, spot[kind].at_most(), unknown


def _time(hours: Decimal) -> str:
    minutes = hours * 60
    return f"{minutes.normalize():f} min" if minutes < 120 else f"{hours.quantize(Decimal('0.01')).normalize():f} h"
