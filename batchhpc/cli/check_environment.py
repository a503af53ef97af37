"""``batchhpc check`` of an environment spec: what it becomes."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from rich.table import Table
from rich.text import Text

from batchhpc.cli.inputs import environment_from
from batchhpc.cli.screen import console, problem_table
from batchhpc.cli.wording import counted
from batchhpc.compiler import CompiledEnvironment
from batchhpc.compiler.environment import EnvironmentPlan
from batchhpc.compiler.instances import InstanceType
from batchhpc.compiler.sizing import node_type
from batchhpc.errors import InvalidSpec, Problem
from batchhpc.spec import Environment, Memory

_SHOWN = 8  # types of a family


def run(data: Any, shown: str, args: argparse.Namespace) -> int:
    """Checks an environment; problems are raised, all at once."""
    if args.environment:
        message = f"is for jobs, but {shown} is an environment spec itself"
        raise InvalidSpec([Problem("--environment", message, "leave it out")], "batchhpc check")
    made = environment_from(data, shown)
    if args.json:
        print(json.dumps(facts(made), indent=2))
    else:
        _show(made)
    return 0


def facts(made: CompiledEnvironment) -> dict[str, Any]:
    """What an environment becomes, as JSON types."""
    plan, spec = made.plan, made.plan.spec
    return {
        "environment": spec.name,
        "stack": plan.stack,
        "queue": plan.queue,
        "region": spec.region,
        "capacity": spec.capacity.value,
        "fabric": "efa" if plan.efa else "ena",
        "instance_types": [_type(kind, plan) for kind in plan.types],
        "min_nodes": spec.min_nodes,
        "max_nodes": spec.max_nodes,
        "min_vcpus": plan.min_vcpus,
        "max_vcpus": plan.max_vcpus,
        "interfaces": [asdict(each) for each in plan.interfaces],
        "placement_group": plan.placement_group,
        "image": spec.image_id or plan.image_type,
        "storage": [{"name": each.name, "kind": each.kind, "mount": each.mount} for each in spec.storage],
        "resources": len(made.template["Resources"]),
        "warnings": [asdict(warning) for warning in made.warnings],
    }


def _type(kind: InstanceType, plan: EnvironmentPlan) -> dict[str, Any]:
    seen = node_type(kind.name, Environment(hyperthreading=plan.spec.hyperthreading))
    return {
        "name": kind.name,
        "vcpus": seen.vcpus if seen else kind.vcpus,
        "cores": kind.cores,
        "memory_mib": kind.memory_mib,
        "gpus": kind.gpus,
        "gbps": kind.gbps,
    }


def _show(made: CompiledEnvironment) -> None:
    told, spec, screen = facts(made), made.plan.spec, console()
    what = f" is fine: {counted(told['resources'], 'resource')} in stack {told['stack']}, {spec.region}."
    screen.print(Text.assemble((spec.name, "bold"), what), soft_wrap=True)
    rows = Table(show_header=False, box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for i, text in enumerate(_types(told)):
        rows.add_row("" if i else "instance types", text)
    least = f"{spec.min_nodes} to " if spec.min_nodes else "at most "
    rows.add_row("nodes", f"{least}{counted(spec.max_nodes, 'node')}, {told['max_vcpus']} vCPU, {spec.capacity}")
    rows.add_row("fabric", _fabric(made.plan))
    rows.add_row("image", str(told["image"]))
    for i, each in enumerate(spec.storage):
        rows.add_row("" if i else "storage", f"{each.name}: {each.kind.replace('_', ' ')} at {each.mount}")
    rows.add_row("queue", f"{told['queue']}{', fair share' if spec.queue.fair_share else ''}")
    screen.print(rows)
    if made.warnings:
        screen.print()
        screen.print(problem_table(made.warnings))


def _types(told: dict[str, Any]) -> Iterator[str]:
    given = told["instance_types"]
    for each in given[:_SHOWN]:
        gpus = f", {counted(each['gpus'], 'GPU')}" if each["gpus"] else ""
        memory = Memory(each["memory_mib"] * 2**20)
        yield f"{each['name']}: {each['vcpus']} vCPU, {counted(each['cores'], 'core')}, {memory}{gpus}, {each['gbps']:g} Gbit/s"
    if len(given) > _SHOWN:
        yield f"and {len(given) - _SHOWN} more"


def _fabric(plan: EnvironmentPlan) -> str:
    """How the interfaces lie on the cards: ``2 EFA interfaces: card 0 efa, card 1 efa-only``."""
    if not plan.interfaces:
        return "TCP over ENA"
    cards = [f"card {each.card} {each.kind}" for each in plan.interfaces]
    shown = ", ".join([*cards[:3], *(["..."] if len(cards) > 4 else []), *cards[3:][-1:]])
    group = ", cluster placement group" if plan.placement_group else ""
    return f"{counted(plan.efa, 'EFA interface')}: {shown}{group}"
