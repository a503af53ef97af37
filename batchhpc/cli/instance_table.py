"""Instance types as a table, of the columns that the screen has room for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from rich.table import Table

from batchhpc.compiler.instances import InstanceType

_GAP = 2  # columns of the screen between two of the table


@dataclass(frozen=True, slots=True)
class Cost:
    """What an hour of one type costs in US dollars; None where it is not known.

    Attributes:
        spot: in the cheapest zone; ``spot_high`` in the dearest.
    """

    on_demand: Decimal | None
    spot: Decimal | None
    spot_high: Decimal | None


Cell = Callable[[InstanceType], str]
# title, what is in it, how it is aligned; the most important first
_COLUMNS: tuple[tuple[str, Cell, Literal["left", "right"]], ...] = (
    ("vCPU", lambda each: str(each.vcpus), "right"),
    ("cores", lambda each: str(each.cores), "right"),
    ("memory", lambda each: f"{each.memory_mib / 1024:g} GiB", "right"),
    ("EFA", lambda each: str(each.efa or ""), "right"),
    ("GPUs", lambda each: f"{each.gpus} {each.gpu}" if each.gpus else each.gpu, "right"),
    ("Gbit/s", lambda each: f"{each.gbps:g}", "right"),
    ("Spot", lambda each: "yes" if each.spot else "", "left"),
    ("disks", lambda each: f"{each.disks} x {each.disk_gb} GB" if each.disks else "", "right"),
    ("arch", lambda each: " ".join(each.arch), "left"),
    ("cards", lambda each: str(len(each.card_slots)), "right"),
    ("ENIs", lambda each: str(each.slots), "right"),
)
_SHOWN_AS = ("vCPU", "cores", "memory", "GPUs", "EFA", "cards", "ENIs", "Gbit/s", "disks", "Spot", "arch")
_PRICED = ("$/h", "Spot $/h", "$/core-h")


def instance_table(types: Sequence[InstanceType], width: int, costs: Mapping[str, Cost] | None = None) -> Table:
    """One row per type; what a type does not have is left empty.

    Args:
        types: the rows.
        width: of the screen; the least important columns are left out until the rest fits (``--json`` has them all).
        costs: of the types by name, if they are to be shown.
    """
    columns = {title: (cell, align) for title, cell, align in _columns(costs)}
    wide = {title: max([len(title), *(len(cell(each)) for each in types)]) + _GAP for title, (cell, _) in columns.items()}
    room = width - max([len("type"), *(len(each.name) for each in types)]) - _GAP
    kept = list(columns)  # the most important first
    while kept and sum(wide[title] for title in kept) - _GAP > room:
        kept.pop()
    table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("type", no_wrap=True)
    order = [title for title in (*_SHOWN_AS, *_PRICED) if title in kept]
    for title in order:
        table.add_column(title, justify=columns[title][1], no_wrap=True)
    for each in types:
        table.add_row(each.name, *(columns[title][0](each) for title in order))
    return table


def _columns(costs: Mapping[str, Cost] | None) -> list[tuple[str, Cell, Literal["left", "right"]]]:
    if costs is None:
        return list(_COLUMNS)

    def listed(each: InstanceType) -> str:
        return _dollars(costs[each.name].on_demand)

    def spot(each: InstanceType) -> str:
        low, high = costs[each.name].spot, costs[each.name].spot_high
        if low is None or high is None:
            return "?" if each.spot else ""
        return _dollars(low) if low == high else f"{_dollars(low)}-{_dollars(high)}"

    def per_core(each: InstanceType) -> str:
        amount = core_hour(each, costs[each.name])
        return "?" if amount is None else f"{amount:.4f}"

    own: list[tuple[str, Cell, Literal["left", "right"]]] = [
        ("$/h", listed, "right"),
        ("Spot $/h", spot, "right"),
        ("$/core-h", per_core, "right"),
    ]
    return [*own[:2], *_COLUMNS[:3], own[2], *_COLUMNS[3:]]


def core_hour(kind: InstanceType, cost: Cost) -> Decimal | None:
    """US dollars for an hour of one core: as Spot where there is a price, else on demand."""
    amount = cost.on_demand if cost.spot is None else cost.spot
    return None if amount is None else amount / kind.cores


def _dollars(amount: Decimal | None) -> str:
    return "?" if amount is None else f"{amount:.4f}"
