"""What a job cost, by the times its containers ran: node-hours times prices. An estimate; the bill comes from AWS."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from decimal import ROUND_UP, Decimal
from typing import TYPE_CHECKING, Any

from batchhpc.aws.environments.deployed import deployed
from batchhpc.aws.jobs.describe import Detail
from batchhpc.aws.prices.costs import dollars
from batchhpc.aws.prices.job_costs import HOUR, LEAST
from batchhpc.aws.prices.prices import Prices
from batchhpc.compiler.environment import STACK_PREFIX, plan_environment
from batchhpc.errors import EnvironmentNotFound, Unavailable
from batchhpc.jobs import JobStatus
from batchhpc.spec import Capacity, EnvironmentSpec

if TYPE_CHECKING:
    from batchhpc.aws.sdk import Clients


@dataclass(frozen=True, slots=True)
class Spent:
    """What a job cost so far, by the times its containers ran: an estimate, not the bill, since instances live longer.

    Attributes:
        node_hours: of all attempts.
        kind: instance type; empty if not known.
        usd: US dollars; None if not known.
        lowest: with a zone that is not known, what it cost at least; else the same.
        unknown: why the price is not known; empty if it is.
    """

    node_hours: Decimal
    kind: str
    usd: Decimal | None
    lowest: Decimal | None
    unknown: str = ""

    def text(self) -> str:
        """One line for people."""
        hours = f"{self.node_hours:.2f} node-hours"
        if self.usd is None or self.lowest is None:
            return f"cost: {hours}, price unknown: {self.unknown}"
        amount = dollars(self.usd) if self.usd == self.lowest else f"{dollars(self.lowest)} to {dollars(self.usd)}"
        return f"cost: about {amount}: {hours} of {self.kind} by the times of its containers; instances live longer"

    def to_data(self) -> dict[str, Any]:
        """The same for JSON; amounts as text."""
        return {"currency": "USD"} | {
            name: f"{value:f}" if isinstance(value, Decimal) else value for name, value in asdict(self).items()
        }


def spent(status: JobStatus, kind: str, capacity: Capacity | None, prices: Prices, zone: str | None = None) -> Spent:
    """What a job cost so far, all attempts together, nodes that still run included.

    Args:
        status: of the job.
        kind: the instance type of its nodes; empty if not known.
        capacity: what its environment buys; None if not known.
        prices: of its Region; on demand they are today's, since AWS tells no others.
        zone: that the nodes were in.
    """
    times = list(_times(status, prices.now()))
    hours = sum((max(Decimal(str(end - begin)), LEAST) for begin, end in times), Decimal(0)) / HOUR
    hours = hours.quantize(Decimal("0.0001"), ROUND_UP)
    if not times:
        return Spent(hours, kind, Decimal(0), Decimal(0))
    if not kind:
        return Spent(hours, kind, None, None, "its instance type is not known")
    if capacity is None:
        return Spent(hours, kind, None, None, "it is not known whether it ran on Spot or on demand")
    if capacity is Capacity.SPOT:
        price = prices.spot_mean(kind, min(begin for begin, _ in times), max(end for _, end in times))
        most, least, why = price.at_most(zone), price.zones.get(zone or "", price.lowest), price.unknown
    else:
        listed = prices.on_demand([kind])[kind]
        most, least, why = listed.usd, listed.usd, listed.unknown
    if most is None or least is None:
        return Spent(hours, kind, None, None, why)
    return Spent(hours, kind, hours * most, hours * least)


def _times(status: JobStatus, now: float) -> list[tuple[float, float]]:
    """Begin and end of every node of every attempt.

    Of ended attempts AWS Batch tells the main node's times only (R37); nodes of a gang have attempts of their own (R60).
    """
    nodes = [
        (each.started_at, each.stopped_at if each.stopped_at is not None else now)
        for each in status.nodes
        if each.started_at is not None
    ]
    own = [
        (attempt.started_at, attempt.stopped_at)
        for each in status.nodes
        for attempt in each.earlier
        if attempt.started_at is not None
    ]
    if own:
        return [*nodes, *own]
    newest = min((begin for begin, _ in nodes), default=None)
    count = max(1, len(status.nodes))
    earlier = [
        (each.started_at, each.stopped_at)
        for each in status.attempts
        if each.started_at is not None and (newest is None or each.stopped_at <= newest)
    ]
    return [*nodes, *(each for each in earlier for _ in range(count))]


def spent_by(detail: Detail, status: JobStatus, clients: Clients, prices: Prices) -> Spent:
    """What a job cost so far, its instance type and capacity found in what AWS Batch and its environment's stack tell.

    Args:
        detail: of the job, as DescribeJobs gives it.
        status: the same with all nodes.
        clients: of its Region.
        prices: of its Region.
    """
    spec = _environment(detail, clients)
    kind, capacity = _kind(detail, spec), spec.capacity if spec else None
    if "nodeProperties" in detail:
        capacity = Capacity.ON_DEMAND  # multi-node parallel jobs run on nothing else (R11)
    return spent(status, kind, capacity, prices, spec.availability_zone if spec else None)


def _environment(detail: Detail, clients: Clients) -> EnvironmentSpec | None:
    """The spec of the environment whose queue the job is in; None if it is another's queue, or gone."""
    queue = str(detail.get("jobQueue", "")).rpartition("/")[2]
    if not queue.startswith(STACK_PREFIX):
        return None
    try:
        spec, _ = deployed(queue.removeprefix(STACK_PREFIX).removesuffix("-fair-share"), clients)
    except (EnvironmentNotFound, Unavailable):
        return None
    return spec


def _kind(detail: Detail, spec: EnvironmentSpec | None) -> str:
    """The instance type: the definition's, else the only one of the environment; empty if there are several (R7)."""
    ranges = detail.get("nodeProperties", {}).get("nodeRangeProperties", [])
    named = {each.get("container", {}).get("instanceType") or next(iter(each.get("instanceTypes", [])), "") for each in ranges}
    if len(named) == 1 and "" not in named:
        return str(named.pop())
    types = plan_environment(spec).types if spec else ()
    return types[0].name if len(types) == 1 else ""
