"""``batchhpc instances``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from decimal import Decimal
from operator import attrgetter
from pathlib import Path
from typing import Any

from batchhpc.cli.instance_table import Cost, core_hour, instance_table
from batchhpc.cli.screen import console
from batchhpc.cli.wording import counted
from batchhpc.compiler import instances
from batchhpc.compiler.instances import InstanceType, close_match, search
from batchhpc.errors import InvalidSpec, Problem, Unavailable
from batchhpc.spec.environment_spec import Requirements

FEW = 40  # rows that fit a terminal
_SORT = {"memory": "memory_mib"}
_BY_PRICE = ("price", "core-price")
_TRIES = 2  # of each call to AWS: what it says is nice to have
_DEAREST = Decimal("Infinity")  # what is not known comes last


def run(args: argparse.Namespace) -> int:
    """Searches the catalogue, or fetches it anew."""
    if args.refresh:
        return _refresh(args)
    found, unknown = _found(args), []
    costs: dict[str, Cost] | None = None
    if args.region or args.zone:
        found, why = _offered(found, args)
        unknown += [f"what {args.zone or args.region} offers is unknown, so all types are shown: {why}"] if why else []
    if args.price or args.sort in _BY_PRICE:
        costs, why = _costs(found, args)
        unknown += [f"prices are unknown: {why}"] if why else []
    if costs is not None and args.sort in (None, *_BY_PRICE):
        found = _by_price(found, costs, args)
    else:
        found = sorted(found, key=attrgetter(_SORT.get(args.sort, args.sort or "vcpus")), reverse=args.reverse)
    limit = args.limit if args.limit is not None else FEW if sys.stdout.isatty() and not args.json else len(found)
    shown = found[: max(0, limit)]
    if args.json:
        print(json.dumps(_data(found, shown, costs, unknown), indent=2))
        return 0
    screen = console()
    screen.print(instance_table(shown, screen.width, costs))
    rest = f", {len(shown)} shown (--limit {len(found)} shows all)" if len(shown) < len(found) else ""
    print("\n".join([f"{counted(len(found), 'instance type')}{rest}", *unknown]), file=sys.stderr)
    return 0


def _found(args: argparse.Namespace) -> list[InstanceType]:
    everything = search(args.name, Requirements())
    if not everything and not any(sign in args.name for sign in "*?["):
        near = close_match(args.name)
        raise InvalidSpec(
            [Problem(args.name, "is not in the catalogue", f"did you mean {near}?" if near else "patterns: 'c7i.*', 'hpc*'")],
            "batchhpc instances",
        )
    found = search(args.name, _requirements(args))
    return sorted(
        (
            each
            for each in found
            if (each.efa or not args.efa) and (each.spot or not args.spot) and (each.cluster or not args.cluster)
        ),
        key=lambda each: (each.vcpus, each.memory_mib, each.name),
    )


def _requirements(args: argparse.Namespace) -> Requirements:
    """What types must have; the fields of an environment spec's ``requirements`` are the options."""
    given = {name: value for name in Requirements.model_fields if (value := getattr(args, name)) is not None}
    try:
        return Requirements(**given)
    except InvalidSpec as error:
        problems = [Problem(f"--{each.path.replace('_', '-')}", each.message, each.hint) for each in error.problems]
        raise InvalidSpec(problems, "batchhpc instances") from error


def _prices(args: argparse.Namespace) -> Any:
    from batchhpc.aws.prices.cache import cache_file  # noqa: PLC0415 - the AWS SDK is for those who ask for prices
    from batchhpc.aws.prices.prices import Prices  # noqa: PLC0415
    from batchhpc.aws.sdk import Clients  # noqa: PLC0415

    clients = Clients(args.region, tries=_TRIES)
    return Prices(clients, cache_file(clients.region))


def _offered(found: list[InstanceType], args: argparse.Namespace) -> tuple[list[InstanceType], str]:
    """Those of the types that the Region or zone offers; all of them if that is not known, and then why."""
    try:
        names, why = _prices(args).offered(args.zone)
    except Unavailable as error:
        names, why = None, str(error).partition("\n")[0]
    return (found if names is None else [each for each in found if each.name in names]), why


def _costs(found: list[InstanceType], args: argparse.Namespace) -> tuple[dict[str, Cost], str]:
    """What each type costs, and why prices are not known if none is."""
    names = [each.name for each in found]
    try:
        prices = _prices(args)
        listed, spot = prices.on_demand(names), prices.spot(each.name for each in found if each.spot)
    except Unavailable as error:
        return dict.fromkeys(names, Cost(None, None, None)), str(error).partition("\n")[0]
    costs = {}
    for name in names:
        zones = spot[name].zones if name in spot else {}
        here = {args.zone: zones[args.zone]} if args.zone in zones else zones
        costs[name] = Cost(listed[name].usd, min(here.values(), default=None), max(here.values(), default=None))
    why = [listed[name].unknown for name in names] + [each.unknown for each in spot.values()]
    return costs, "; ".join(dict.fromkeys(reason for reason in why if reason))


def _by_price(found: list[InstanceType], costs: Mapping[str, Cost], args: argparse.Namespace) -> list[InstanceType]:
    """Cheapest first: as Spot if Spot was asked for, else on demand; what is not known comes last either way."""

    def price(each: InstanceType) -> Decimal | None:
        cost = costs[each.name]
        own = cost.spot if args.spot else cost.on_demand
        if args.sort == "core-price" and own is not None:
            return own / each.cores
        return own

    sign = -1 if args.reverse else 1
    return sorted(found, key=lambda each: _DEAREST if (own := price(each)) is None else sign * own)


def _data(
    found: list[InstanceType], shown: list[InstanceType], costs: Mapping[str, Cost] | None, unknown: list[str]
) -> dict[str, Any]:
    rows = [asdict(each) for each in shown]
    if costs is not None:
        for row, each in zip(rows, shown, strict=True):
            amounts = {**asdict(costs[each.name]), "core_hour": core_hour(each, costs[each.name])}
            row["usd"] = {name: None if amount is None else f"{amount:f}" for name, amount in amounts.items()}
    return {"found": len(found), "instances": rows, **({"unknown": unknown} if unknown else {})}


def _refresh(args: argparse.Namespace) -> int:
    from batchhpc.aws.catalogue import refresh  # noqa: PLC0415 - the AWS SDK is for this only
    from batchhpc.aws.sdk import Clients, sdk_errors  # noqa: PLC0415

    path = Path(instances.__file__).with_name("instances.csv")
    with sdk_errors():
        count = refresh(path, Clients(args.region).ec2)
    print(json.dumps({"file": str(path), "types": count}, indent=2) if args.json else f"{count} instance types in {path}")
    return 0
