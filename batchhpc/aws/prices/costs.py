"""What an environment costs by the hour: what its template has, times Amazon's list prices."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from batchhpc.aws.prices.cache import cache_file
from batchhpc.aws.prices.prices import Prices
from batchhpc.compiler.billing import HOURS_A_MONTH, Item, idle_items, paid_by_use, volume_items
from batchhpc.compiler.environment import EnvironmentPlan
from batchhpc.compiler.stack.template import overlaid_template
from batchhpc.spec import Capacity

if TYPE_CHECKING:
    from batchhpc.aws.sdk import Clients

_SHOWN: Final = 8  # instance types in the table
_DIGITS: Final = 10  # of list prices, behind the point
LIST_PRICES: Final = "List prices of AWS in US dollars: without discounts, Savings Plans and taxes."


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that costs money by the hour.

    Attributes:
        text: what it is, with its numbers: ``NAT gateway``, ``hpc7a.96xlarge on demand``.
        quantity: how many of its unit; None if only the stack knows.
        unit: what the price is for: ``hour``, ``GiB-month``.
        unit_price: US dollars for one unit; None if not known.
        per_hour: US dollars an hour; None if not known.
        unknown: why the price is not known; empty if it is.
    """

    text: str
    quantity: Decimal | None
    unit: str
    unit_price: Decimal | None
    per_hour: Decimal | None
    unknown: str = ""


@dataclass(frozen=True, slots=True)
class Total:
    """A sum in US dollars; ``at_least`` if a part of it is not known, None if nothing is."""

    usd: Decimal | None
    at_least: bool

    def text(self, suffix: str = "") -> str:
        """The sum for people: ``at least $1.23``."""
        if self.usd is None:
            return "unknown"
        return f"{'at least ' if self.at_least else ''}{dollars(self.usd)}{suffix}"


@dataclass(frozen=True, slots=True)
class EnvironmentCosts:
    """What an environment costs by the hour.

    Attributes:
        idle: what is paid for while no job runs.
        instances: what one instance costs, by type; a node is one of them, with all volumes.
        volumes: what is paid for each node beside its instance.
        by_use: what is paid by use, so that nobody can say how much.
    """

    idle: tuple[Line, ...]
    instances: tuple[Line, ...]
    volumes: tuple[Line, ...]
    by_use: tuple[str, ...]

    @property
    def idle_total(self) -> Total:
        """An hour without a job."""
        return total(self.idle)

    @property
    def node_total(self) -> Total:
        """An hour of one node with the dearest of the types whose price is known."""
        known = [line.per_hour for line in self.instances if line.per_hour is not None]
        volumes = total(self.volumes)
        if not known:
            return Total(None, at_least=True)
        return Total(max(known) + (volumes.usd or 0), volumes.at_least or len(known) < len(self.instances))

    def text(self) -> str:
        """A table for people, with a line for each sum, and what is not known last."""
        rows: list[tuple[str, str, str, str]] = [("while no job runs", "", "", "an hour"), *map(_row, self.idle)]
        month = self.idle_total.usd
        monthly = f", {dollars(month * HOURS_A_MONTH)} a month" if month is not None else ""
        rows.append(("  in all", "", "", self.idle_total.text(monthly)))
        rows += [("", "", "", ""), ("each node, while it runs", "", "", "an hour"), *map(_row, self._shown())]
        if (rest := len(self.instances) - _SHOWN) > 0:
            rows.append((f"  and {rest} more types", "", "", ""))
        rows += [*map(_row, self.volumes), ("  in all, with the dearest type", "", "", self.node_total.text())]
        lines = [_aligned(rows), "", f"paid by use: {', '.join(self.by_use)}", LIST_PRICES]
        return "\n".join([*lines, *unknowns((*self.idle, *self.instances, *self.volumes))])

    def _shown(self) -> Sequence[Line]:
        return self.instances[:_SHOWN]

    def to_data(self) -> dict[str, Any]:
        """The same for JSON: amounts as text, so that they stay exact; null for what is not known."""
        return {
            "currency": "USD",
            "idle": [plain(line) for line in self.idle],
            "idle_per_hour": plain(self.idle_total),
            "instances": [plain(line) for line in self.instances],
            "volumes": [plain(line) for line in self.volumes],
            "node_per_hour": plain(self.node_total),
            "by_use": list(self.by_use),
        }


def environment_costs(plan: EnvironmentPlan, clients: Clients, prices: Prices | None = None) -> EnvironmentCosts:
    """What an environment will cost. Never fails for lack of prices: those are None, and the line says why.

    Args:
        plan: the environment.
        clients: of its Region.
        prices: where prices come from; AWS, and the cache of the user's, if left out.
    """
    prices = prices or Prices(clients, cache_file(plan.spec.region))
    made = overlaid_template(plan)
    instances = _instances(plan, prices)
    idle, volumes = priced(idle_items(made), prices), priced(volume_items(made), prices)
    if plan.spec.min_nodes:
        idle += _kept(plan.spec.min_nodes, instances, volumes)
    return EnvironmentCosts(tuple(idle), tuple(instances), tuple(volumes), tuple(paid_by_use(made)))


def priced(items: Iterable[Item], prices: Prices) -> list[Line]:
    """Items with their prices."""
    items = list(items)
    found = prices.products(item.product for item in items if item.product)
    lines = []
    for item in items:
        price = found[item.product] if item.product else None
        usd, unknown = (price.usd, price.unknown) if price else (None, "batchhpc does not know how the price list calls it")
        hour = None if usd is None else item.per_hour(usd)
        if usd is not None and hour is None:
            unknown = "how much of it there is, only the stack knows"
        lines.append(Line(item.text, item.quantity, item.unit, usd, hour, unknown))
    return lines


def _instances(plan: EnvironmentPlan, prices: Prices) -> list[Line]:
    names = [kind.name for kind in plan.types]
    lines = []
    if plan.spec.capacity is Capacity.SPOT:
        spot = prices.spot(names)
        for name in names:
            usd = spot[name].at_most(plan.spec.availability_zone)
            lines.append(Line(f"{name} on Spot, now", Decimal(1), "hour", usd, usd, spot[name].unknown))
    else:
        listed = prices.on_demand(names)
        for name in names:
            usd = listed[name].usd
            lines.append(Line(f"{name} on demand", Decimal(1), "hour", usd, usd, listed[name].unknown))
    return lines


def _kept(count: int, instances: Sequence[Line], volumes: Sequence[Line]) -> list[Line]:
    """The nodes that are there without a job; AWS Batch chooses their type, so that at least the cheapest is paid (R71)."""
    known = [line for line in instances if line.per_hour is not None]
    text = f"{count} {'node that is' if count == 1 else 'nodes that are'} kept (min_nodes)"
    disks = total(volumes)
    unknown = next((line.unknown for line in volumes if line.unknown), "")
    each = None if disks.at_least else disks.usd
    beside = Line("volumes of kept nodes", Decimal(count), "hour", each, None if each is None else count * each, unknown)
    if not known:
        why = instances[0].unknown if instances else "no instance type fits"
        return [Line(text, Decimal(count), "hour", None, None, why), beside]
    cheapest = min(known, key=lambda line: line.per_hour or 0)
    usd = cheapest.per_hour or Decimal(0)
    return [Line(f"{text}, as {cheapest.text}", Decimal(count), "hour", usd, count * usd), beside]


def total(lines: Iterable[Line]) -> Total:
    """The sum of what is known."""
    amounts = [line.per_hour for line in lines]
    known = [amount for amount in amounts if amount is not None]
    if amounts and not known:
        return Total(None, at_least=True)
    return Total(sum(known, Decimal(0)), len(known) < len(amounts))


def dollars(amount: Decimal) -> str:
    """US dollars for people: whole cents from 10 up, four places below; less than that is not shown as nothing."""
    if not amount:
        return "$0"
    if amount < Decimal("0.0001"):
        return "under $0.0001"
    return f"${amount:,.2f}" if amount >= 10 else f"${amount:.4f}"


def plain(value: Line | Total) -> dict[str, Any]:
    """For JSON; amounts as text."""
    return {name: f"{each:f}" if isinstance(each, Decimal) else each for name, each in asdict(value).items()}


def unknowns(lines: Iterable[Line]) -> list[str]:
    """Why prices are not known, each reason once."""
    reasons: dict[str, list[str]] = {}
    for line in lines:
        if line.unknown:
            reasons.setdefault(line.unknown, []).append(line.text)
    few = 3
    return [
        f"unknown: {', '.join(texts[:few])}{f' and {len(texts) - few} more' if len(texts) > few else ''}: {why}"
        for why, texts in reasons.items()
    ]


def _row(line: Line) -> tuple[str, str, str, str]:
    of = line.unit.removesuffix("-month") if line.unit != "hour" else ""
    quantity = "" if line.quantity is None else f"{_number(line.quantity)} {of}".rstrip()
    price = "" if line.unit_price is None else f"x ${_number(round(line.unit_price, _DIGITS))} per {line.unit}"
    return f"  {line.text}", quantity, price, "unknown" if line.per_hour is None else dollars(line.per_hour)


def _number(amount: Decimal) -> str:
    """An exact number without needless zeros: 2,400, 0.045."""
    return f"{amount.normalize():,f}"


def _aligned(rows: Sequence[tuple[str, str, str, str]]) -> str:
    wide = [max(len(row[i]) for row in rows) for i in range(3)]
    return "\n".join(f"{a:<{wide[0]}}  {b:>{wide[1]}}  {c:<{wide[2]}}  {d}".rstrip() for a, b, c, d in rows)
