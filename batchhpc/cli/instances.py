"""``batchhpc instances``."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from operator import attrgetter
from pathlib import Path

from rich.table import Table

from batchhpc.cli.screen import console
from batchhpc.cli.wording import counted
from batchhpc.compiler import instances
from batchhpc.compiler.instances import InstanceType, close_match, instance_type, search
from batchhpc.errors import InvalidSpec, Problem
from batchhpc.spec import Memory

FEW = 40  # rows that fit a terminal
_ANY_WIDTH = 1000  # columns: more than any row has
_SORT = {"memory": "memory_mib"}


def run(args: argparse.Namespace) -> int:
    """Searches the catalogue, or fetches it anew."""
    if args.refresh:
        return _refresh(args)
    found = _found(args)
    limit = args.limit if args.limit is not None else FEW if sys.stdout.isatty() and not args.json else len(found)
    shown = found[: max(0, limit)]
    if args.json:
        print(json.dumps({"found": len(found), "instances": [asdict(each) for each in shown]}, indent=2))
        return 0
    screen = console()
    wide = instance_table(shown, cards=True)
    fits = screen.measure(wide, options=screen.options.update(max_width=_ANY_WIDTH)).maximum <= screen.width
    screen.print(wide if fits else instance_table(shown, cards=False))
    rest = f", {len(shown)} shown (--limit {len(found)} shows all)" if len(shown) < len(found) else ""
    print(f"{counted(len(found), 'instance type')}{rest}", file=sys.stderr)
    return 0


def _found(args: argparse.Namespace) -> list[InstanceType]:
    if not any(sign in args.name for sign in "*?[") and instance_type(args.name) is None:
        near = close_match(args.name)
        raise InvalidSpec(
            [Problem(args.name, "is not in the catalogue", f"did you mean {near}?" if near else "patterns: 'c7i.*', 'hpc*'")],
            "batchhpc instances",
        )
    found = search(
        name=args.name,
        efa=args.efa or None,
        spot=args.spot or None,
        cluster=args.cluster or None,
        gpus=args.gpus,
        arch=args.arch,
        min_vcpus=args.min_vcpus,
        min_memory_mib=_mebibytes(args.min_memory),
        min_efa=args.min_efa,
        min_gbps=args.min_gbps,
        min_disks=args.min_disks,
    )
    return sorted(found, key=attrgetter(_SORT.get(args.sort, args.sort)), reverse=args.reverse)


def _mebibytes(text: str) -> int:
    try:
        return -int(-Memory.parse(text).mib // 1)
    except ValueError as error:
        raise InvalidSpec(
            [Problem("--min-memory", str(error), "write it with its unit: '64 GiB'")], "batchhpc instances"
        ) from error


def instance_table(types: list[InstanceType], *, cards: bool) -> Table:
    """One row per type; what a type does not have is left empty.

    Args:
        types: the rows.
        cards: show how many network cards a type has, and how many network interfaces (ENIs) fit on all of them.
    """
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("type", no_wrap=True)
    for title in ("vCPU", "cores", "memory", "GPUs", "EFA", *(("cards", "ENIs") if cards else ()), "Gbit/s", "disks"):
        table.add_column(title, justify="right", no_wrap=True)
    for title in ("Spot", "arch"):
        table.add_column(title, no_wrap=True)
    for each in types:
        table.add_row(
            each.name,
            str(each.vcpus),
            str(each.cores),
            f"{each.memory_mib / 1024:g} GiB",
            f"{each.gpus} {each.gpu}" if each.gpus else each.gpu,
            str(each.efa or ""),
            *((str(len(each.card_slots)), str(each.slots)) if cards else ()),
            f"{each.gbps:g}",
            f"{each.disks} x {each.disk_gb} GB" if each.disks else "",
            "yes" if each.spot else "",
            " ".join(each.arch),
        )
    return table


def _refresh(args: argparse.Namespace) -> int:
    from batchhpc.aws.catalogue import refresh  # noqa: PLC0415 - the AWS SDK is for this only
    from batchhpc.aws.sdk import Clients, sdk_errors  # noqa: PLC0415

    path = Path(instances.__file__).with_name("instances.csv")
    with sdk_errors():
        count = refresh(path, Clients(args.region).ec2)
    print(json.dumps({"file": str(path), "types": count}, indent=2) if args.json else f"{count} instance types in {path}")
    return 0
