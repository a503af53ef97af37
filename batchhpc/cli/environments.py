"""``batchhpc environments``."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict

from rich.table import Table

from batchhpc.cli.screen import console
from batchhpc.cli.wording import counted

_FEW = 3  # types that a row names


def run(args: argparse.Namespace) -> int:
    """Lists what is deployed in a Region."""
    from batchhpc.aws.environments.deployed import environments  # noqa: PLC0415 - only what is needed
    from batchhpc.aws.sdk import Clients  # noqa: PLC0415 - likewise

    found = environments(Clients(args.region))
    if args.json:
        print(json.dumps({"environments": [asdict(each) for each in found]}, indent=2))
        return 0
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for title in ("name", "Region", "state", "queue", "capacity", "max nodes", "instance types"):
        table.add_column(title)
    for each in found:
        more = f" and {len(each.instance_types) - _FEW} more" if len(each.instance_types) > _FEW else ""
        types = f"{', '.join(each.instance_types[:_FEW])}{more}"
        nodes = "" if each.max_nodes is None else str(each.max_nodes)
        table.add_row(each.name, each.region, each.state, each.queue, each.capacity or "", nodes, types)
    if found:
        console().print(table)
    print(counted(len(found), "environment"), file=sys.stderr)
    return 0
