"""What each node of a job runs, according to the RegisterJobDefinition and SubmitJob documents and nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from batchhpc.errors import InvalidSpec, Problem, Unavailable
from batchhpc.local.retries import ExitRule, exit_rules

_RANGE = re.compile(r"(\d+)?(?:(:)(\d+)?)?")
_REFERENCE = re.compile(r"Ref::([A-Za-z0-9_-]+)")


@dataclass(frozen=True, slots=True)
class MountPoint:
    """A directory that the node's program sees.

    Attributes:
        source: path on the host, or the id of an EFS file system.
        target: path the program sees.
        read_only: whether it may only read.
    """

    source: str
    target: str
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class NodePlan:
    """What one node runs; ``secrets`` are names to ARNs, ``shared_memory`` is in MiB (Docker's own default: 64)."""

    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[MountPoint, ...] = ()
    devices: tuple[str, ...] = ()
    shared_memory: int = 64


@dataclass(frozen=True, slots=True)
class JobPlan:
    """A job as Batch would run it; ``time_limit`` is in seconds of an attempt, None for no limit."""

    name: str
    queue: str
    multinode: bool
    main: int
    nodes: tuple[NodePlan, ...]
    attempts: int
    rules: tuple[ExitRule, ...]
    time_limit: float | None
    depends_on: tuple[str, ...]


def job_plan(register: Mapping[str, Any], submit: Mapping[str, Any]) -> JobPlan:
    """Reads both documents, overrides applied.

    Raises:
        InvalidSpec: AWS Batch would refuse them.
        Unavailable: AWS Batch would run them, but this runner cannot.
    """
    if "arrayProperties" in submit:
        raise Unavailable(
            "array jobs (the gang shape) do not run locally in this release\n"
            "  hint: shape: multinode runs the same program on the same number of local nodes"
        )
    kind = register.get("type")
    if kind not in ("container", "multinode"):
        raise InvalidSpec([Problem("register.type", f"is {kind!r}", "container or multinode", "R1")])
    name = register["jobDefinitionName"]
    if submit["jobDefinition"].rpartition("/")[2].partition(":")[0] != name:
        message = f"is {submit['jobDefinition']!r}, but the definition beside it is {name!r}"
        raise InvalidSpec([Problem("submit.jobDefinition", message, "submit the definition that is registered")])

    if kind == "multinode":
        nodes, main = _multinode(register, submit)
    else:
        container = _overridden(_container(register, "register", "containerProperties"), submit.get("containerOverrides", {}))
        nodes, main = (_node(container, _parameters(register, submit), "register.containerProperties"),), 0

    strategy = submit.get("retryStrategy") or register.get("retryStrategy") or {}
    limit = (submit.get("timeout") or register.get("timeout") or {}).get("attemptDurationSeconds")
    if limit is not None and limit < 60:
        raise InvalidSpec([Problem("timeout.attemptDurationSeconds", f"is {limit}, less than 60", "60 or more", "R40")])
    return JobPlan(
        name=submit["jobName"],
        queue=submit["jobQueue"].rpartition("/")[2],
        multinode=kind == "multinode",
        main=main,
        nodes=nodes,
        attempts=strategy.get("attempts", 1),
        rules=exit_rules(strategy.get("evaluateOnExit", ())),
        time_limit=limit,
        depends_on=_dependencies(submit),
    )


def _multinode(register: Mapping[str, Any], submit: Mapping[str, Any]) -> tuple[tuple[NodePlan, ...], int]:
    properties = register.get("nodeProperties")
    if not properties:
        raise InvalidSpec([Problem("register.nodeProperties", "is missing in a multinode definition", rule="R2")])
    ranges: Sequence[Mapping[str, Any]] = properties["nodeRangeProperties"]
    overrides = submit.get("nodeOverrides", {})
    count: int = overrides.get("numNodes", properties["numNodes"])
    main: int = properties["mainNode"]
    problems = []
    if count != properties["numNodes"] and not any(r["targetNodes"].endswith(":") for r in ranges):
        hint = f"end the last range with a colon, as in {ranges[-1]['targetNodes'].partition(':')[0] or '0'}:"
        problems.append(
            Problem("submit.nodeOverrides.numNodes", f"is {count}, but no range of the definition is open", hint, "R45")
        )
    if not 0 <= main < count:
        problems.append(Problem("register.nodeProperties.mainNode", f"is {main}, but the nodes are 0 to {count - 1}", rule="R2"))
    changes = _changes(overrides, [entry["targetNodes"] for entry in ranges], problems)
    spans: list[tuple[int, int]] = []
    for i, entry in enumerate(ranges):
        path = f"register.nodeProperties.nodeRangeProperties[{i}].targetNodes"
        span = _bounds(entry["targetNodes"], count)
        if span is None or span[0] > span[1] or span[0] >= count or span[1] >= count:
            problems.append(
                Problem(path, f"is {entry['targetNodes']!r}, but the nodes are 0 to {count - 1}", "as in 0:3 or 4:", "R5")
            )
        spans.append(span or (0, -1))
    inner = [_innermost(spans, node) for node in range(count)]
    if missing := [node for node, i in enumerate(inner) if i is None]:
        message = f"no range covers node {missing[0]}" + (f" and {len(missing) - 1} more" if missing[1:] else "")
        problems.append(Problem("register.nodeProperties.nodeRangeProperties", message, "cover 0 to numNodes - 1", "R5"))
    if problems:
        raise InvalidSpec(problems)

    parameters = _parameters(register, submit)
    plans = []
    for i, entry in enumerate(ranges):
        path = f"register.nodeProperties.nodeRangeProperties[{i}]"
        container = _overridden(_container(entry, path, "container"), changes.get(entry["targetNodes"], {}))
        plans.append(_node(container, parameters, f"{path}.container"))
    return tuple(plans[i] for i in inner if i is not None), main


def _changes(overrides: Mapping[str, Any], targets: Sequence[str], problems: list[Problem]) -> dict[str, Mapping[str, Any]]:
    """What SubmitJob changes of each range's container, by the range's own words (R45)."""
    changes = {}
    for i, change in enumerate(overrides.get("nodePropertyOverrides", ())):
        path, target = f"submit.nodeOverrides.nodePropertyOverrides[{i}]", change["targetNodes"]
        if target not in targets:
            message = f"NodeOverride targets should match job definition. Non matching targets - {target}"
            problems.append(Problem(f"{path}.targetNodes", message, f"one of {', '.join(targets)}", "R45"))
        if "ecsPropertiesOverride" in change:
            raise Unavailable(f"{path}: ecsPropertiesOverride does not run locally\n  hint: use containerOverrides")
        changes[target] = change.get("containerOverrides", {})
    return changes


def _bounds(target: str, count: int) -> tuple[int, int] | None:
    """First and last node of a range (R5): ``a:b``, ``:b``, ``a:``, ``:`` or ``a``."""
    match = _RANGE.fullmatch(target)
    if not match or not target:
        return None
    first = int(match[1] or 0)
    if not match[2]:
        return first, first
    return first, int(match[3]) if match[3] else count - 1


def _innermost(spans: Sequence[tuple[int, int]], node: int) -> int | None:
    """Index of the narrowest range around a node: the inner range wins (R5)."""
    around = [(last - first, i) for i, (first, last) in enumerate(spans) if first <= node <= last]
    return min(around)[1] if around else None


def _container(owner: Mapping[str, Any], path: str, member: str) -> Mapping[str, Any]:
    for other in ("ecsProperties", "eksProperties"):
        if other in owner:
            raise Unavailable(f"{path}.{other}: does not run locally\n  hint: one container per node, in {member}")
    if member not in owner:
        raise InvalidSpec([Problem(f"{path}.{member}", "is missing", "say what to run", "R6")])
    container: Mapping[str, Any] = owner[member]
    return container


def _overridden(container: Mapping[str, Any], overrides: Mapping[str, Any]) -> Mapping[str, Any]:
    """The container with its command replaced, and variables replaced by name."""
    variables = {v["name"]: v.get("value", "") for v in (*container.get("environment", ()), *overrides.get("environment", ()))}
    environment = [{"name": name, "value": value} for name, value in variables.items()]
    return {**container, "command": overrides.get("command") or container.get("command", ()), "environment": environment}


def _parameters(register: Mapping[str, Any], submit: Mapping[str, Any]) -> Mapping[str, str]:
    return {**register.get("parameters", {}), **submit.get("parameters", {})}


def _node(container: Mapping[str, Any], parameters: Mapping[str, str], path: str) -> NodePlan:
    # Batch leaves a reference that nothing defines as it stands (R46).
    command = tuple(_REFERENCE.sub(lambda found: parameters.get(found[1], found[0]), word) for word in container["command"])
    if not command:
        raise Unavailable(
            f"{path}.command: is empty, and there is no image here whose own command could run\n  hint: give a command"
        )
    volumes = {volume["name"]: volume for volume in container.get("volumes", ())}
    linux = container.get("linuxParameters", {})
    return NodePlan(
        command=command,
        environment={variable["name"]: variable["value"] for variable in container["environment"]},
        secrets={secret["name"]: secret["valueFrom"] for secret in container.get("secrets", ())},
        mounts=tuple(
            MountPoint(_source(volumes, point, f"{path}.mountPoints[{i}]"), point["containerPath"], point.get("readOnly", False))
            for i, point in enumerate(container.get("mountPoints", ()))
        ),
        devices=tuple(device["hostPath"] for device in linux.get("devices", ())),
        shared_memory=linux.get("sharedMemorySize", 64),
    )


def _source(volumes: Mapping[str, Mapping[str, Any]], point: Mapping[str, Any], path: str) -> str:
    volume = volumes.get(point["sourceVolume"])
    if volume is None:
        raise InvalidSpec([Problem(f"{path}.sourceVolume", f"is {point['sourceVolume']!r}, which is no volume of the container")])
    if "efsVolumeConfiguration" in volume:
        file_system: str = volume["efsVolumeConfiguration"]["fileSystemId"]
        return file_system
    path_on_host: str = volume.get("host", {}).get("sourcePath") or point["containerPath"]
    return path_on_host


def _dependencies(submit: Mapping[str, Any]) -> tuple[str, ...]:
    problems = []
    for i, dependency in enumerate(submit.get("dependsOn", ())):
        if "type" in dependency or "jobId" not in dependency:
            problems.append(Problem(f"submit.dependsOn[{i}]", "is a dependency between array children", "give a jobId only", "R47"))
    if problems:
        raise InvalidSpec(problems)
    return tuple(dependency["jobId"] for dependency in submit.get("dependsOn", ()))
