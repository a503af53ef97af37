"""Rules about instance types, and the vCPUs, memory and GPUs asked of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from batchhpc.compiler.facts import DEFINITION, MOST_DIGITS, REQUEST, Container, Facts
from batchhpc.compiler.instances import InstanceType, close_match, instance_type
from batchhpc.compiler.rules.rule import Finding, Rule
from batchhpc.compiler.sizing import fitted_memory, whole_mib
from batchhpc.errors import Severity
from batchhpc.spec import Environment

R7 = Rule(
    "R7", "All node ranges name the same one instance type; container jobs name none; types exist, and meet what is required."
)
R8 = Rule("R8", "The environment can launch the instance type.")
R9 = Rule("R9", "Each node asks once for VCPU (1 or more) and MEMORY (4 MiB or more), in whole numbers that its type has.")
R22 = Rule("R22", "A container asks for no more GPUs than its instance type has.")
R26 = Rule("R26", "A container leaves memory to the host: less than the type's, and better not more than 95 % of it.")
R27 = Rule(
    "R27", "The environment's vCPUs hold all nodes at once, counted as its types have them by default; better types of one size."
)

_LEAST_MEMORY = 4
_TIGHT = 95  # per cent


def unknown_type(name: str) -> tuple[str, str]:
    """Message and remedy for a type that the catalogue does not have."""
    near = close_match(name)
    return f"is {name}, which the catalogue of instance types does not have", f"did you mean {near}?" if near else ""


@R7.document
def one_type(facts: Facts) -> Iterator[Finding]:
    for path, each in facts.ranges:
        if len(each.get("instanceTypes", [])) > 1:
            yield Finding(f"{path}.instanceTypes", f"has {len(each['instanceTypes'])} types, but exactly one may be named")
    stated = [(path, name) for path, name in facts.stated_types if name]
    first = stated[0][1] if stated else ""
    for path, name in stated:
        if instance_type(name) is None:
            yield Finding(path, *unknown_type(name), topic="unknown")
        elif name != first:
            yield Finding(path, f"is {name}, but {stated[0][0]} is {first}: all nodes have the same type")
    only = facts.register.get("containerProperties", {}).get("instanceType")
    if only:
        message = f"is {only}, but a container job takes whatever instance its queue gives it"
        yield Finding(f"{DEFINITION}.containerProperties.instanceType", message, "leave it out")


@R7.document
def one_type_overridden(facts: Facts) -> Iterator[Finding]:
    last = facts.effective_types
    for path, name in last:
        if not path.startswith(REQUEST):
            continue
        if instance_type(name) is None:
            yield Finding(path, *unknown_type(name))
        elif other := next(((where, each) for where, each in last if each and each != name), None):
            yield Finding(path, f"is {name}, but {other[0]} is {other[1]}: all nodes have the same type")


@R8.document
def launchable(facts: Facts) -> Iterator[Finding]:
    allowed = facts.environment.instance_types
    overriding = [(path, name) for path, name in facts.effective_types if path.startswith(REQUEST)]
    for path, name in (*facts.stated_types, *overriding):
        if name and allowed and name not in allowed:
            yield Finding(path, *not_launched(name, facts.environment), topic="launch")


def not_launched(name: str, environment: Environment) -> tuple[str, str]:
    """Message and remedy for a type that the environment does not launch."""
    return f"is {name}, but environment {environment.name} launches {', '.join(environment.instance_types)} only", ""


@R9.document
def vcpu_and_memory(facts: Facts) -> Iterator[Finding]:
    for container in facts.containers:
        given = container.data.get("resourceRequirements", [])
        path = f"{container.path}.resourceRequirements"
        for kind, old, least, unit in (("VCPU", "vcpus", 1, ""), ("MEMORY", "memory", _LEAST_MEMORY, " MiB")):
            entries = [(i, each) for i, each in enumerate(given) if each.get("type") == kind]
            if old in container.data:
                yield _deprecated(f"{container.path}.{old}", kind, mixed=bool(entries))
            elif not entries:
                yield Finding(path, f"has no {kind}, but every node must say how much it needs")
            if len(entries) > 1:
                yield Finding(path, f"has {kind} {len(entries)} times")
            for i, each in entries:
                yield from _amount(f"{path}[{i}].value", each.get("value"), kind, least, unit)
        yield from _too_many_vcpus(path, container)
    for container in facts.overridden:
        yield from _too_many_vcpus(f"{container.path}.resourceRequirements", container)
    yield from _override_amounts(facts)


def _deprecated(path: str, kind: str, *, mixed: bool) -> Finding:
    if mixed:
        return Finding(path, f"is given beside {kind} in resourceRequirements, and the two must not be mixed", "leave it out")
    return Finding(path, "is deprecated", f"{kind} in resourceRequirements", Severity.WARNING)


def _amount(path: str, value: str | None, kind: str, least: int, unit: str) -> Iterator[Finding]:
    if value is None:
        return
    if not (value.isascii() and value.isdigit() and len(value) <= MOST_DIGITS):
        value = value if len(value) <= 40 else f"{value[:40]}..."
        yield Finding(path, f"is {value!r}, but {kind} must be a whole number{unit and ' of' + unit}")
    elif int(value) < least:
        yield Finding(path, f"is {value}{unit}, but {kind} must be at least {least}{unit}")


def _too_many_vcpus(path: str, container: Container) -> Iterator[Finding]:
    asked, kind = container.resource("VCPU"), container.largest
    if kind and asked is not None and asked > kind.vcpus:
        yield Finding(path, f"asks for {asked} vCPU, but {vcpus_of(kind)}", topic="vcpus")


def vcpus_of(kind: InstanceType) -> str:
    """How many vCPUs a node has, and why not as many as its type."""
    whole = instance_type(kind.name)
    less = whole is not None and kind.vcpus < whole.vcpus
    return f"{kind.name} has {kind.vcpus}{' without hyper-threading' if less else ''}"


def _override_amounts(facts: Facts) -> Iterator[Finding]:
    overrides: list[tuple[str, dict[str, Any]]] = [
        (f"{REQUEST}.containerOverrides", facts.submit.get("containerOverrides", {})),
        *(
            (f"{REQUEST}.nodeOverrides.nodePropertyOverrides[{i}].containerOverrides", each.get("containerOverrides", {}))
            for i, each in enumerate(facts.submit.get("nodeOverrides", {}).get("nodePropertyOverrides", []))
        ),
    ]
    for path, override in overrides:
        for name, kind in (("vcpus", "VCPU"), ("memory", "MEMORY")):
            if name in override:
                yield Finding(f"{path}.{name}", "cannot override resourceRequirements", f"{kind} in resourceRequirements")
        for i, each in enumerate(override.get("resourceRequirements", [])):
            kind = each.get("type", "")
            least, unit = {"VCPU": (1, ""), "MEMORY": (_LEAST_MEMORY, " MiB")}.get(kind, (0, ""))
            yield from _amount(f"{path}.resourceRequirements[{i}].value", each.get("value"), kind, least, unit)


@R22.document
def gpus(facts: Facts) -> Iterator[Finding]:
    for container in (*facts.containers, *facts.overridden):
        asked = container.resource("GPU")
        most = max(container.kinds, key=lambda kind: kind.gpus, default=None)
        if asked and most and asked > most.gpus:
            message = f"asks for {asked} GPUs, but {most.name} has {most.gpus}"
            yield Finding(f"{container.path}.resourceRequirements", message, topic="gpus")
        for i, each in enumerate(container.data.get("resourceRequirements", [])):
            if each.get("type") == "GPU" and container.resource("GPU") is None:
                path = f"{container.path}.resourceRequirements[{i}].value"
                yield Finding(path, f"is {each.get('value', '')!r}, but GPU must be a whole number")


@R26.document
def memory_for_the_host(facts: Facts) -> Iterator[Finding]:
    for container in (*facts.containers, *facts.overridden):
        asked = container.resource("MEMORY")
        most = max(container.kinds, key=lambda kind: kind.memory_mib, default=None)
        if asked is not None and most is not None:
            path = f"{container.path}.resourceRequirements"
            yield from too_much_memory(path, "asks for ", asked, most, facts.environment)


def too_much_memory(path: str, verb: str, asked: int, kind: InstanceType, environment: Environment) -> Iterator[Finding]:
    """What there is to say about that many MiB on that type."""
    reserved = whole_mib(environment.reserved_memory)
    hint = f"{fitted_memory(kind, environment.reserved_memory)} MiB surely fits"
    if asked > kind.memory_mib - reserved or asked >= kind.memory_mib:
        message = f"{verb}{asked} MiB, but {kind.name} has {kind.memory_mib} MiB, of which {reserved} MiB are reserved for the host"
        yield Finding(path, message, hint, topic="memory")
    elif asked * 100 > kind.memory_mib * _TIGHT:
        part = f"{asked * 100 / kind.memory_mib:.1f} % of the {kind.memory_mib} MiB of {kind.name}"
        message = f"{verb}{asked} MiB, {part}: it may never start"
        yield Finding(path, message, hint, Severity.WARNING, topic="memory")


@R27.document
def room_for_all_nodes(facts: Facts) -> Iterator[Finding]:
    most = facts.environment.max_vcpus
    array_size = facts.submit.get("arrayProperties", {}).get("size")
    nodes = facts.nodes if facts.multinode else array_size if facts.array else 1
    # The type's default vCPUs, whatever hyper-threading leaves of them
    types = [kind for each in facts.containers for one in each.possible if (kind := instance_type(one.name))]
    smallest = min(types, key=lambda kind: kind.vcpus, default=None)
    if most is None or nodes is None or smallest is None:
        return
    if nodes * smallest.vcpus > most:
        path = (
            f"{DEFINITION}.nodeProperties.numNodes"
            if facts.multinode
            else f"{REQUEST}.{'arrayProperties.size' if facts.array else 'jobQueue'}"
        )
        yield Finding(
            path,
            f"{nodes} nodes x {smallest.vcpus} vCPU of {smallest.name} = {nodes * smallest.vcpus} vCPU, "
            f"but environment {facts.environment.name} has at most {most}",
            f"at most {most // smallest.vcpus} nodes, or a larger max_vcpus",
        )
