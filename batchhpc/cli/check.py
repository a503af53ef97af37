"""``batchhpc check``."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table
from rich.text import Text

from batchhpc.agent.contract import CPUS_PER_RANK, RANKS_PER_NODE
from batchhpc.cli.inputs import compiled, read_environment, read_job
from batchhpc.cli.screen import console
from batchhpc.cli.wording import counted
from batchhpc.compiler import CompiledJob
from batchhpc.compiler.ranges import NodeRange, winner
from batchhpc.errors import Problem
from batchhpc.spec import Environment, JobSpec, Memory


def run(args: argparse.Namespace) -> int:
    """Checks a job; problems are raised, all at once."""
    spec, environment = read_job(args), read_environment(args)
    job = compiled(spec, environment, args.job)
    if args.json:
        print(json.dumps(_facts(spec, environment, job), indent=2))
    else:
        _show(spec, environment, job)
    return 0


@dataclass(frozen=True, slots=True)
class Needs:
    """What each node of a range asks AWS Batch for."""

    nodes: str
    count: int
    ranks_per_node: int
    cpus_per_rank: int
    vcpus: int
    memory_mib: int
    gpus: int


def needs_of(job: CompiledJob, nodes: int) -> list[Needs]:
    """What the compiled documents ask for, overlay included, range by range (R5)."""
    several = job.register.get("nodeProperties", {}).get("nodeRangeProperties")
    entries = several or [{"targetNodes": "0:", **{k: v for k, v in job.register.items() if k.endswith("Properties")}}]
    ranges = [NodeRange.parse(entry["targetNodes"]) or NodeRange(0, None) for entry in entries]
    winners = [winner(ranges, node, nodes) for node in range(nodes)]
    return [_needs(entry, winners.count(i)) for i, entry in enumerate(entries)]


def _needs(entry: dict[str, Any], count: int) -> Needs:
    container = entry.get("container") or entry.get("containerProperties")
    if container is None:
        container = entry["ecsProperties"]["taskProperties"][0]["containers"][0]
    amounts = {each["type"]: int(each["value"]) for each in container.get("resourceRequirements", [])}
    variables = {each["name"]: each["value"] for each in container.get("environment", [])}
    return Needs(
        nodes=entry["targetNodes"],
        count=count,
        ranks_per_node=int(variables.get(RANKS_PER_NODE, 1)),
        cpus_per_rank=int(variables.get(CPUS_PER_RANK, 1)),
        vcpus=amounts.get("VCPU", 0),
        memory_mib=amounts.get("MEMORY", 0),
        gpus=amounts.get("GPU", 0),
    )


def _facts(spec: JobSpec, environment: Environment, job: CompiledJob) -> dict[str, Any]:
    needs = needs_of(job, spec.nodes)
    return {
        "job": spec.name,
        "shape": str(job.shape),
        "why": job.why,
        "nodes": spec.nodes,
        "ranks": sum(each.count * each.ranks_per_node for each in needs),
        "ranges": [asdict(each) for each in needs],
        "instance_type": spec.instance_type,
        "time_limit": str(spec.time_limit),
        "attempts": spec.attempts,
        "environment": environment.name,
        "queue": environment.queue,
        "warnings": [asdict(warning) for warning in job.warnings],
    }


def _show(spec: JobSpec, environment: Environment, job: CompiledJob) -> None:
    screen = console()
    screen.print(Text.assemble((spec.name, "bold"), f" is fine: {job.why}"), soft_wrap=True)
    needs = needs_of(job, spec.nodes)
    facts = Table(show_header=False, box=None, padding=(0, 2, 0, 0), pad_edge=False)
    facts.add_row("ranks", f"{sum(each.count * each.ranks_per_node for each in needs)} in all")
    for each in needs:
        what = f"{counted(each.count, 'node')} x {counted(each.ranks_per_node, 'rank')} x {counted(each.cpus_per_rank, 'cpu')}"
        gpus = f", {counted(each.gpus, 'GPU')}" if each.gpus else ""
        facts.add_row(f"nodes {each.nodes}", f"{what}, on each {each.vcpus} vCPU, {Memory(each.memory_mib * 2**20)}{gpus}")
    facts.add_row("instance type", spec.instance_type or ", ".join(environment.instance_types) or "not named")
    facts.add_row("time limit", f"{spec.time_limit} an attempt, {spec.attempts} attempts at most")
    facts.add_row("environment", f"{environment.name} ({environment.capacity}), queue {environment.queue}")
    screen.print(facts)
    if job.warnings:
        screen.print()
        screen.print(problem_table(job.warnings))


def problem_table(problems: Iterable[Problem]) -> Table:
    """Warnings and waived rules, one row each."""
    table = Table("warning", "where", "what", "remedy", box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for problem in problems:
        remedy = f"waived: {problem.waived}" if problem.waived else problem.hint
        table.add_row(problem.rule or "-", problem.path, problem.message, remedy, style="yellow")
    return table
