"""What the user asks for, held against what was decided: the same rules, with the spec's own words and numbers."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from fractions import Fraction

from batchhpc.compiler.instances import instance_type
from batchhpc.compiler.plan import Plan
from batchhpc.compiler.ranges import NodeRange, unclear
from batchhpc.compiler.rules.containers import R18, R23
from batchhpc.compiler.rules.definition import R11, on_spot
from batchhpc.compiler.rules.fabric import R32, R67, R87, not_spot, slots_for
from batchhpc.compiler.rules.nodes import R3, R5, overlap
from batchhpc.compiler.rules.resources import R7, R8, R9, R22, R26, not_launched, too_much_memory, unknown_type, vcpus_of
from batchhpc.compiler.rules.retries import R40
from batchhpc.compiler.rules.rule import Finding
from batchhpc.errors import Severity
from batchhpc.spec import Capacity, Fabric, Memory, NodeGroup, Shape

_LARGER = "or a larger type in the environment's instance_types"


def _groups(plan: Plan) -> Iterator[tuple[str, NodeGroup | None]]:
    yield "", None
    for i, group in enumerate(plan.spec.node_groups):
        yield f"node_groups[{i}].", group


@R7.plan
def type_exists(plan: Plan) -> Iterator[Finding]:
    name = plan.spec.instance_type
    if name is not None and plan.kind is None:
        yield Finding("instance_type", *unknown_type(name), topic="unknown")


@R7.plan
def types_of_the_environment_exist(plan: Plan) -> Iterator[Finding]:
    for name in plan.environment.instance_types:
        if instance_type(name) is None:
            yield Finding("environment.instance_types", *unknown_type(name))


@R7.plan
def type_is_a_measure(plan: Plan) -> Iterator[Finding]:
    name, others = plan.spec.instance_type, [each for each in plan.environment.instance_types if each != plan.spec.instance_type]
    if name and others and plan.shape is not Shape.MULTINODE:
        message = f"sizes the nodes for {name}, but a {plan.shape.value} may find itself on {', '.join(others)} as well"
        yield Finding("instance_type", message, "", Severity.WARNING)


@R8.plan
def type_launchable(plan: Plan) -> Iterator[Finding]:
    name = plan.spec.instance_type
    if name and plan.environment.instance_types and name not in plan.environment.instance_types:
        yield Finding("instance_type", *not_launched(name, plan.environment), topic="launch")


@R9.plan
def ranks_fit(plan: Plan) -> Iterator[Finding]:
    for prefix, group in _groups(plan):
        if group and not (group.ranks_per_node or group.cpus_per_rank):
            continue
        size = plan.size(group)
        if plan.kind and size.busy_vcpus > plan.kind.vcpus:
            word = prefix + ("ranks_per_node" if not group or group.ranks_per_node else "cpus_per_rank")
            fitting = plan.kind.vcpus // size.cpus_per_rank
            product = f"{size.ranks} ranks x {size.cpus_per_rank} cpus = {size.busy_vcpus} vCPU per node"
            hint = f"ranks_per_node: {fitting}, {_LARGER}" if fitting else _LARGER.removeprefix("or ")
            yield Finding(word, f"{product}, but {vcpus_of(plan.kind)}", hint, topic="vcpus")


@R9.plan
def whole_mebibytes(plan: Plan) -> Iterator[Finding]:
    for prefix, group in _groups(plan):
        yield from _whole(f"{prefix}memory_per_node", (group or plan.spec).memory_per_node)


@R18.plan
def whole_shared_mebibytes(plan: Plan) -> Iterator[Finding]:
    for prefix, group in _groups(plan):
        yield from _whole(f"{prefix}shared_memory", (group or plan.spec).shared_memory)


def _whole(path: str, memory: Memory | None) -> Iterator[Finding]:
    if memory is None or memory.mib.denominator == 1:
        return
    near = Memory.parse(f"{max(4, memory.mib.numerator // memory.mib.denominator)} MiB")
    message = f"{memory} is {_decimal(memory.mib)} MiB, but AWS Batch counts whole MiB"
    yield Finding(path, message, f"{near}, or an amount in GiB")


def _decimal(amount: Fraction) -> str:
    return f"{float(amount):.2f}" if amount >= Fraction(1, 100) else f"{float(amount):.2g}"


@R26.plan
def memory_fits(plan: Plan) -> Iterator[Finding]:
    for prefix, group in _groups(plan):
        asked = (group or plan.spec).memory_per_node
        if asked is not None and asked.mib.denominator == 1 and plan.kind:
            mib = plan.size(group).memory
            written = "" if str(asked) == f"{mib} MiB" else f"{asked} = "
            yield from too_much_memory(f"{prefix}memory_per_node", written, mib, plan.kind, plan.environment)


@R22.plan
def gpus_fit(plan: Plan) -> Iterator[Finding]:
    for prefix, group in _groups(plan):
        asked = (group or plan.spec).gpus_per_node
        if asked and plan.kind and asked > plan.kind.gpus:
            has = f"{plan.kind.gpus} ({plan.kind.gpu})" if plan.kind.gpus else "none"
            message = f"{asked} GPU{'s' if asked > 1 else ''} per node, but {plan.kind.name} has {has}"
            yield Finding(f"{prefix}gpus_per_node", message, topic="gpus")


@R23.plan
def storage_there(plan: Plan) -> Iterator[Finding]:
    there, name = plan.environment.storage, plan.environment.name
    for prefix, group in _groups(plan):
        for i, mount in enumerate((group or plan.spec).mounts):
            if mount.storage is None or mount.storage in there:
                continue
            has = f"storage {', '.join(there)} only" if there else "no storage"
            hint = f"storage: {close}" if (close := next(iter(get_close_matches(mount.storage, there, n=1)), "")) else ""
            hint = hint or ("" if there else "--environment names the environment spec that has it")
            message = f"is {mount.storage}, but environment {name} has {has}"
            yield Finding(f"{prefix}mounts[{i}].storage", message, hint, topic="storage", waivable=False)


@R11.plan
def shape_on_spot(plan: Plan) -> Iterator[Finding]:
    if plan.shape is Shape.MULTINODE and plan.environment.capacity is Capacity.SPOT:
        yield Finding("shape", *on_spot(plan.environment.name), topic="spot")


@R3.plan
def shape_for_nodes(plan: Plan) -> Iterator[Finding]:
    nodes = plan.spec.nodes
    if plan.shape is Shape.CONTAINER and nodes > 1:
        message = f"is container, which has one node, but nodes is {nodes}"
        yield Finding("shape", message, "shape: auto", waivable=False)


@R5.plan
def groups_apart(plan: Plan) -> Iterator[Finding]:
    groups = plan.spec.node_groups
    ranges = [NodeRange(*group.bounds(plan.spec.nodes)) for group in groups]
    for one, two in unclear(ranges, plan.spec.nodes):
        yield overlap(f"node_groups[{two}].nodes", groups[one].nodes, groups[two].nodes)


@R67.plan
def type_sold_as_spot(plan: Plan) -> Iterator[Finding]:
    if plan.kind and plan.environment.capacity is Capacity.SPOT and not plan.kind.spot:
        yield Finding("instance_type", *not_spot(plan.kind.name, plan.environment), topic="spot")


@R87.plan
def type_has_efa(plan: Plan) -> Iterator[Finding]:
    environment, kind = plan.environment, plan.kind
    if plan.spec.nodes == 1 or environment.fabric is Fabric.ENA or kind is None:
        return
    most, wanted = kind.efa, environment.efa_interfaces
    if environment.fabric is Fabric.EFA and not most:
        message = f"{kind.name} has no EFA, but environment {environment.name} has fabric efa"
        yield Finding("instance_type", message, "a type with EFA (batchhpc instances --efa), or fabric: ena", topic="there")
    elif most and wanted is not None and wanted > most:
        message = f"{kind.name} has at most {most} EFA interfaces, but environment {environment.name} has efa_interfaces {wanted}"
        yield Finding("instance_type", message, f"efa_interfaces: {kind.efa_beside_task}", topic="there")


@R32.plan
def slots_left(plan: Plan) -> Iterator[Finding]:
    if plan.shape is Shape.MULTINODE and plan.kind and plan.devices and plan.devices <= plan.kind.efa:
        yield from slots_for("instance_type", plan.devices, plan.kind, plan.environment)


@R40.plan
def whole_seconds(plan: Plan) -> Iterator[Finding]:
    limit = plan.spec.time_limit
    if limit.seconds.denominator != 1:
        yield Finding(
            "time_limit",
            f"{limit} is {float(limit.seconds):g} s, but AWS Batch counts whole seconds",
            f"{-(-int(limit) // 1000)}s",
        )


@R40.plan
def missing_nodes_are_noticed(plan: Plan) -> Iterator[Finding]:
    wait, limit = plan.join_timeout, plan.spec.time_limit
    if plan.spec.nodes > 1 and wait >= limit:
        message = f"is {wait}, not less than time_limit, {limit}: a node that never joins ends as a time-out, which is not retried"
        yield Finding("join_timeout", message, "less than time_limit", Severity.WARNING)
