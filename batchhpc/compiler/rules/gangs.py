"""What the user asks for of a gang, the nodes of which are children of one array (R60)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from batchhpc.agent import contract
from batchhpc.compiler.facts import MOST_DIGITS, REQUEST, Facts
from batchhpc.compiler.interruptions import chance_of_too_many
from batchhpc.compiler.plan import Plan
from batchhpc.compiler.rules.fabric import R63
from batchhpc.compiler.rules.retries import R38
from batchhpc.compiler.rules.rule import Finding
from batchhpc.compiler.rules.submission import R60
from batchhpc.compiler.sizing import node_type
from batchhpc.errors import Severity
from batchhpc.spec import Capacity, Shape

_LIKELY: Final = 0.01  # chance of failing for want of attempts that is worth a word
_MOST_ATTEMPTS: Final = 10  # R38
_OF_GANGS = {
    "min_nodes": "goes on with fewer nodes",
    "min_nodes_after": "goes on with fewer nodes",
    "reform_timeout": "waits for others in place of lost nodes",
}


@R60.plan
def gang_of_equals(plan: Plan) -> Iterator[Finding]:
    if plan.shape is not Shape.GANG:
        return
    if plan.spec.nodes < 2:
        message = f"is gang, an array of 2 to 10000 children, but nodes is {plan.spec.nodes}"
        yield Finding("shape", message, "shape: auto", topic="size")
    if plan.spec.node_groups:
        message = f"has {len(plan.spec.node_groups)} groups, but the nodes of a gang are children of one array, all alike"
        yield Finding("node_groups", message, "an on-demand environment, or no node_groups", waivable=False)


@R60.plan
def wishes_of_gangs(plan: Plan) -> Iterator[Finding]:
    if plan.shape is Shape.GANG:
        return
    for name, what in _OF_GANGS.items():
        given = getattr(plan.spec, name)
        if name in plan.spec.model_fields_set and given is not None and not (name == "min_nodes" and given == plan.spec.nodes):
            message = f"is {given}, but only a gang {what}, and this job is {plan.why.rstrip('.')}"
            yield Finding(name, message, "leave it out", Severity.WARNING)


@R60.plan
def records_have_a_place(plan: Plan) -> Iterator[Finding]:
    environment = plan.environment
    if plan.shape is not Shape.GANG or "queue" not in environment.model_fields_set:  # nothing can be submitted there
        return
    if environment.bucket is None:
        message = (
            f"is missing, but the nodes of a gang find each other through a bucket, and environment {environment.name} has none"
        )
        yield Finding("environment.bucket", message, "the name of one that the job role may read and write", waivable=False)
    if environment.job_role_arn is None:
        message = "is missing, but the nodes of a gang read and write their record in the bucket with it"
        hint = "the ARN of a role that may, unless the role of the instances themselves may"
        yield Finding("environment.job_role_arn", message, hint, Severity.WARNING)


@R60.plan
def waits_make_sense(plan: Plan) -> Iterator[Finding]:
    if plan.shape is not Shape.GANG:
        return
    spec, given = plan.spec, plan.spec.model_fields_set
    if spec.reform_timeout >= spec.time_limit:
        message = f"is {spec.reform_timeout}, not less than time_limit, {spec.time_limit}, of which waiting is a part"
        yield Finding(
            "reform_timeout", f"{message}: a gang that waits ends as a time-out", "less than time_limit", Severity.WARNING
        )
    if "min_nodes_after" not in given and plan.min_nodes == spec.nodes:
        return
    if plan.min_nodes == spec.nodes:
        message = f"is {spec.min_nodes_after}, but without min_nodes the gang always waits for all {spec.nodes} nodes"
        yield Finding("min_nodes_after", message, f"min_nodes: {max(1, spec.nodes // 2)}, or leave it out", Severity.WARNING)
        return
    for name, longest in (("join_timeout", plan.join_timeout), ("reform_timeout", spec.reform_timeout)):
        if spec.min_nodes_after >= longest:
            message = (
                f"is {spec.min_nodes_after}, not less than {name}, {longest}, so the gang gives up before it goes on with fewer"
            )
            yield Finding("min_nodes_after", message, f"less than {name}", Severity.WARNING)


@R60.document
def enough_children(facts: Facts) -> Iterator[Finding]:
    size = facts.submit.get("arrayProperties", {}).get("size")
    for container in facts.containers:
        told = {each.get("name"): each.get("value", "") for each in container.data.get("environment", [])}
        fewest = told.get(contract.MIN_NODES, "")
        if size is not None and fewest.isascii() and fewest.isdigit() and len(fewest) <= MOST_DIGITS and int(fewest) > size:
            message = f"is {size}, but {contract.MIN_NODES} is {fewest}: the gang never has nodes enough"
            yield Finding(f"{REQUEST}.arrayProperties.size", message, "min_nodes, or nodes where an overlay changes the size")


@R63.plan
def whole_instances(plan: Plan) -> Iterator[Finding]:
    if plan.shape is not Shape.GANG or plan.kind is None:
        return
    size = plan.size(None)
    for name in plan.environment.instance_types:
        kind = node_type(name, plan.environment)
        if kind and size.vcpus * 2 <= kind.vcpus and size.memory * 2 <= kind.memory_mib:
            message = f"{name} has room for two nodes of {size.vcpus} vCPU, which would be lost together"
            hint = f"types of one size, like {plan.kind.name}"
            yield Finding("environment.instance_types", message, hint, Severity.WARNING, topic="shared")


@R38.plan
def attempts_are_enough(plan: Plan) -> Iterator[Finding]:
    """Only where somebody stated how often nodes are taken back."""
    spec, rate = plan.spec, plan.environment.interruption_rate
    if rate is None or plan.environment.capacity is not Capacity.SPOT:
        return
    chance = chance_of_too_many(spec.nodes, rate, plan.time_limit, spec.attempts)
    if chance < _LIKELY:
        return
    who = f"each of the {spec.nodes} nodes has its own (R60)" if spec.nodes > 1 else "each time AWS takes the node back costs one"
    risk = (
        f"at {rate} the chance is {100 * chance:.0f} % that within {spec.time_limit} one is taken back as often, and the job fails"
    )
    less = "a shorter time_limit, fewer nodes, or several jobs one after the other"
    hint = f"attempts: {_MOST_ATTEMPTS}" if spec.attempts < _MOST_ATTEMPTS else less
    yield Finding("attempts", f"is {spec.attempts}, and {who}: {risk}", hint, Severity.WARNING)
