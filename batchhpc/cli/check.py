"""``batchhpc check``."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from batchhpc.cli.inputs import compiled, read_environment, read_job
from batchhpc.cli.screen import console
from batchhpc.compiler import CompiledJob
from batchhpc.errors import Problem
from batchhpc.spec import Environment, JobSpec


def run(args: argparse.Namespace) -> int:
    """Checks a job; problems are raised, all at once."""
    spec, environment = read_job(args), read_environment(args)
    job = compiled(spec, environment, args.job)
    if args.json:
        print(json.dumps(_facts(spec, environment, job), indent=2))
    else:
        _show(console(), spec, environment, job)
    return 0


def _facts(spec: JobSpec, environment: Environment, job: CompiledJob) -> dict[str, Any]:
    return {
        "job": spec.name,
        "shape": str(job.shape),
        "why": job.why,
        "nodes": spec.nodes,
        "ranks_per_node": spec.ranks_per_node,
        "cpus_per_rank": spec.cpus_per_rank,
        "ranks": _ranks(spec),
        "instance_type": spec.instance_type,
        "resources": _resources(job),
        "time_limit": str(spec.time_limit),
        "attempts": spec.attempts,
        "environment": environment.name,
        "queue": environment.queue,
        "warnings": [asdict(warning) for warning in job.warnings],
    }


def _ranks(spec: JobSpec) -> int:
    """Ranks of the whole job; the narrowest group that covers a node has the say (R5)."""
    total = 0
    for node in range(spec.nodes):
        spans = [(group.bounds(spec.nodes), group) for group in spec.node_groups if group.ranks_per_node]
        inside = [(last - first, group.ranks_per_node) for (first, last), group in spans if first <= node <= last]
        total += min(inside, key=lambda one: one[0])[1] or 0 if inside else spec.ranks_per_node
    return total


def _resources(job: CompiledJob) -> list[dict[str, Any]]:
    """What AWS Batch is asked for, per range of nodes, as the compiled documents have it."""
    register = job.register
    ranges = register.get("nodeProperties", {}).get("nodeRangeProperties")
    if ranges is None:
        ranges = [{"targetNodes": "0:", "container": register.get("containerProperties", {})}]
    found = []
    for one in ranges:
        container = one.get("container") or _first_task_container(one, register)
        needs = {entry["type"]: entry["value"] for entry in container.get("resourceRequirements", [])}
        found.append({
            "nodes": one["targetNodes"],
            "vcpus": int(needs["VCPU"]) if "VCPU" in needs else None,
            "memory_mib": int(needs["MEMORY"]) if "MEMORY" in needs else None,
            "gpus": int(needs.get("GPU", 0)),
        })  # fmt: skip
    return found


def _first_task_container(one: dict[str, Any], register: dict[str, Any]) -> dict[str, Any]:
    tasks = (one.get("ecsProperties") or register.get("ecsProperties") or {}).get("taskProperties", [])
    containers = tasks[0].get("containers", []) if tasks else []
    return containers[0] if containers else {}


def _show(screen: Console, spec: JobSpec, environment: Environment, job: CompiledJob) -> None:
    screen.print(Text.assemble((spec.name, "bold"), " is fine: ", (f"{job.shape}", "bold"), f", {job.why}"), soft_wrap=True)
    total = _ranks(spec)
    facts = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    facts.add_row("nodes", f"{spec.nodes} x {spec.ranks_per_node} ranks x {spec.cpus_per_rank} cpus = {total} ranks")
    for needs in _resources(job):
        amounts = [f"{needs['vcpus'] or '?'} vCPU", f"{needs['memory_mib'] or '?'} MiB"]
        amounts += [f"{needs['gpus']} GPU"] if needs["gpus"] else []
        facts.add_row(f"  nodes {needs['nodes']}" if spec.nodes > 1 else "  resources", " · ".join(amounts) + " each")
    facts.add_row("instance type", spec.instance_type or "chosen by the environment")
    facts.add_row("time limit", f"{spec.time_limit} an attempt, {spec.attempts} attempts at most")
    facts.add_row("environment", f"{environment.name}, queue {environment.queue}, {environment.capacity}")
    screen.print(facts)
    if job.warnings:
        screen.print()
        screen.print(problem_table(job.warnings))


def problem_table(problems: tuple[Problem, ...]) -> Table:
    """Warnings and waived rules, one row each."""
    table = Table("rule", "where", "what", "remedy, or why waived", box=None, padding=(0, 2, 0, 0), header_style="bold")
    for problem in problems:
        remedy = f"waived: {problem.waived}" if problem.waived else problem.hint
        table.add_row(problem.rule or "-", problem.path, problem.message, remedy, style="yellow")
    return table
