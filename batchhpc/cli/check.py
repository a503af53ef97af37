"""``batchhpc check``."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from batchhpc.agent.contract import CPUS_PER_RANK, RANKS_PER_NODE
from batchhpc.cli.check_environment import run as run_environment
from batchhpc.cli.inputs import FILES, STDIN, compiled, is_environment, job_of, read_data, read_environment
from batchhpc.cli.outlook import Outlook, outlook
from batchhpc.cli.screen import console, problem_table
from batchhpc.cli.wording import counted
from batchhpc.compiler import CompiledJob
from batchhpc.compiler.facts import DEFINITION, MOST_DIGITS, Container, Facts
from batchhpc.compiler.plan import Plan, make_plan
from batchhpc.compiler.ranges import NodeRange, winner
from batchhpc.spec import Capacity, Environment, JobSpec, Memory, Shape

if TYPE_CHECKING:
    from batchhpc.aws.prices.job_costs import Estimate
    from batchhpc.cli.deployed import Named


def run(args: argparse.Namespace) -> int:
    """Checks a job or an environment; problems are raised, all at once."""
    data, shown = read_data(args.job)
    if is_environment(data):
        return run_environment(data, shown, args)
    named = _named(args)
    environment = named.environment if named else read_environment(args)
    spec = job_of(data, shown, environment)
    job = compiled(spec, environment, args.job)
    spot = None
    if environment.capacity is Capacity.SPOT:
        spot = outlook(spec, environment, nodes_of(job), args, _prices(job, named) if named else None)
    if args.json:
        print(json.dumps({**_facts(spec, environment, job), "interruptions": spot and spot.to_data()}, indent=2))
    else:
        _show(spec, environment, job, spot)
    return 0


def _named(args: argparse.Namespace) -> Named | None:
    """The environment, if AWS is to be asked: where it is deployed, or for prices."""
    is_file = not args.environment or args.environment == STDIN or args.environment.endswith(FILES)
    if is_file and not (args.environment and args.price):
        return None
    from batchhpc.cli.deployed import named_environment  # noqa: PLC0415 - what asks AWS is for those who ask it

    named = named_environment(args, is_deployed=False)
    if not args.capacity:
        return named
    return replace(named, environment=named.environment.replace(capacity=Capacity(args.capacity)))


def _prices(job: CompiledJob, named: Named) -> Estimate:
    from batchhpc.cli.prices import estimated, hurried  # noqa: PLC0415 - likewise

    return estimated(job, named, hurried(named.clients.region))


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


def nodes_of(job: CompiledJob) -> int:
    """How many nodes the compiled documents mean, overlay included."""
    facts = _facts_of(job)
    return int(facts.nodes or 1) if facts.multinode else int(job.submit.get("arrayProperties", {}).get("size", 1))


def needs_of(job: CompiledJob) -> list[Needs]:
    """What the compiled documents ask for, overlay included, range by range (R5)."""
    facts, nodes = _facts_of(job), nodes_of(job)
    entries = [(f"{path}.", each["targetNodes"]) for path, each in facts.ranges] or [(f"{DEFINITION}.", "0:")]
    ranges = [NodeRange.parse(text) or NodeRange(0, None) for _, text in entries]
    winners = Counter(winner(ranges, node, nodes) for node in range(nodes))
    return [
        _needs(text, winners[i], [each for each in facts.containers if each.path.startswith(path)])
        for i, (path, text) in enumerate(entries)
    ]


def _facts_of(job: CompiledJob) -> Facts:
    return Facts(job.register, job.submit, Environment())


def _needs(nodes: str, count: int, containers: list[Container]) -> Needs:
    """The needs of a range; of its ECS containers, the first runs the ranks. An overlay may have left it none."""
    variables = {each["name"]: each.get("value", "") for each in containers[0].data.get("environment", [])} if containers else {}
    vcpus, memory, gpus = (sum(each.resource(kind) or 0 for each in containers) for kind in ("VCPU", "MEMORY", "GPU"))
    return Needs(
        nodes=nodes,
        count=count,
        ranks_per_node=_number(variables.get(RANKS_PER_NODE, "")),
        cpus_per_rank=_number(variables.get(CPUS_PER_RANK, "")),
        vcpus=vcpus,
        memory_mib=memory,
        gpus=gpus,
    )


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS else 1


def _facts(spec: JobSpec, environment: Environment, job: CompiledJob) -> dict[str, Any]:
    needs = needs_of(job)
    return {
        "job": spec.name,
        "shape": str(job.shape),
        "why": job.why,
        "nodes": nodes_of(job),
        "ranks": sum(each.count * each.ranks_per_node for each in needs),
        "ranges": [asdict(each) for each in needs],
        "instance_type": spec.instance_type,
        "time_limit": str(spec.time_limit),
        "attempts": spec.attempts,
        "environment": environment.name,
        "queue": environment.queue,
        "warnings": [asdict(warning) for warning in job.warnings],
    }


def _show(spec: JobSpec, environment: Environment, job: CompiledJob, spot: Outlook | None) -> None:
    screen = console()
    screen.print(Text.assemble((spec.name, "bold"), f" is fine: {job.why}"), soft_wrap=True)
    needs = needs_of(job)
    facts = Table(show_header=False, box=None, padding=(0, 2, 0, 0), pad_edge=False)
    facts.add_row("ranks", f"{sum(each.count * each.ranks_per_node for each in needs)} in all")
    for each in needs:
        what = f"{counted(each.count, 'node')} x {counted(each.ranks_per_node, 'rank')} x {counted(each.cpus_per_rank, 'cpu')}"
        gpus = f", {counted(each.gpus, 'GPU')}" if each.gpus else ""
        facts.add_row(f"nodes {each.nodes}", f"{what}, on each {each.vcpus} vCPU, {Memory(each.memory_mib * 2**20)}{gpus}")
    facts.add_row("instance type", spec.instance_type or ", ".join(environment.instance_types) or "not named")
    each_node = " of each node" if job.shape is Shape.GANG else ""
    facts.add_row("time limit", f"{spec.time_limit} an attempt, {spec.attempts} attempts{each_node} at most")
    facts.add_row("environment", f"{environment.name} ({environment.capacity}), queue {environment.queue}")
    if job.shape is Shape.GANG:
        facts.add_row("waits", _waits(make_plan(spec, environment)))
    for name, text in spot.rows() if spot else ():
        facts.add_row(name, text)
    screen.print(facts)
    if job.warnings:
        screen.print()
        screen.print(problem_table(job.warnings))


def _waits(plan: Plan) -> str:
    """How long a gang waits for whom."""
    fewest = f", after {plan.spec.min_nodes_after} with {plan.min_nodes}" if plan.min_nodes < plan.spec.nodes else ""
    first = f"{plan.join_timeout} for all nodes at first, {plan.spec.reform_timeout} for others in place of lost ones{fewest}"
    return f"{first}; then it gives back its instances"
