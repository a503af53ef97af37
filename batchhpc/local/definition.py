"""What each node of a job runs, according to the RegisterJobDefinition and SubmitJob documents and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from batchhpc.compiler.parameters import REF
from batchhpc.compiler.ranges import NodeRange, winner
from batchhpc.errors import InvalidSpec, Problem, Unavailable
from batchhpc.local.retries import ExitRule, exit_rules


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


class Kind(StrEnum):
    """What AWS Batch takes a job for."""

    CONTAINER = "container"
    MULTINODE = "multinode"
    ARRAY = "array"


@dataclass(frozen=True, slots=True)
class JobPlan:
    """A job as Batch would run it.

    Attributes:
        main: the main node; of an array the first child, which speaks for it.
        nodes: what each of them runs; the children of an array are nodes.
        attempts: how often the job, or each child of an array, is started at most.
        time_limit: in seconds of an attempt; None for no limit.
    """

    name: str
    queue: str
    kind: Kind
    main: int
    nodes: tuple[NodePlan, ...]
    attempts: int
    rules: tuple[ExitRule, ...]
    time_limit: float | None
    depends_on: tuple[str, ...]

    @property
    def groups(self) -> tuple[range, ...]:
        """The nodes that are tried again together: all of a job, or each child of an array by itself (R38, R60)."""
        nodes = range(len(self.nodes))
        return tuple(nodes[node : node + 1] for node in nodes) if self.kind is Kind.ARRAY else (nodes,)

    def job_id(self, job: str, node: int) -> str:
        """Which job's id the node is told: its own if it is a child of an array, ``ID:2`` (R42)."""
        return f"{job}:{node}" if self.kind is Kind.ARRAY else job


def job_plan(register: Mapping[str, Any], submit: Mapping[str, Any]) -> JobPlan:
    """Reads both documents, overrides applied.

    Raises:
        InvalidSpec: AWS Batch would refuse them.
        Unavailable: AWS Batch would run them, but this runner cannot.
    """
    kind = _kind(register, submit)
    name = register["jobDefinitionName"]
    if submit["jobDefinition"].rpartition("/")[2].partition(":")[0] != name:
        message = f"is {submit['jobDefinition']!r}, but the definition beside it is {name!r}"
        raise InvalidSpec([Problem("submit.jobDefinition", message, "submit the definition that is registered")])

    if kind is Kind.MULTINODE:
        nodes, main = _multinode(register, submit)
    else:
        path = "register.containerProperties"
        container = _container(register, "register", "containerProperties")
        container = _overridden(container, path, submit.get("containerOverrides", {}), "submit.containerOverrides")
        count = submit["arrayProperties"]["size"] if kind is Kind.ARRAY else 1
        nodes, main = (_node(container, _parameters(register, submit), path),) * count, 0

    strategy = submit.get("retryStrategy") or register.get("retryStrategy") or {}
    limit = (submit.get("timeout") or register.get("timeout") or {}).get("attemptDurationSeconds")
    if limit is not None and limit < 60:
        raise InvalidSpec([Problem("timeout.attemptDurationSeconds", f"is {limit}, less than 60", "60 or more", "R40")])
    return JobPlan(
        name=submit["jobName"],
        queue=submit["jobQueue"].rpartition("/")[2],
        kind=kind,
        main=main,
        nodes=nodes,
        attempts=strategy.get("attempts", 1),
        rules=exit_rules(strategy.get("evaluateOnExit", ())),
        time_limit=limit,
        depends_on=_dependencies(submit),
    )


def _kind(register: Mapping[str, Any], submit: Mapping[str, Any]) -> Kind:
    told = register.get("type")
    if told not in ("container", "multinode"):
        raise InvalidSpec([Problem("register.type", f"is {told!r}", "container or multinode", "R1")])
    if "arrayProperties" not in submit:
        return Kind(told)
    if told == "multinode":
        message = "makes an array of multi-node parallel jobs, which AWS Batch does not describe"
        raise InvalidSpec([Problem("submit.arrayProperties", message, "submit several jobs", "R24")])
    size = submit["arrayProperties"].get("size")
    if not isinstance(size, int) or not 2 <= size <= 10_000:
        raise InvalidSpec([Problem("submit.arrayProperties.size", f"is {size!r}", "2 to 10000", "R60")])
    return Kind.ARRAY


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
    spans: list[NodeRange] = []
    for i, entry in enumerate(ranges):
        path = f"register.nodeProperties.nodeRangeProperties[{i}].targetNodes"
        span = NodeRange.parse(entry["targetNodes"])
        if span is None or not span.within(count) or span.within(count).stop > count:
            problems.append(
                Problem(path, f"is {entry['targetNodes']!r}, but the nodes are 0 to {count - 1}", "as in 0:3 or 4:", "R5")
            )
        spans.append(span or NodeRange(0, -1))
    inner = [winner(spans, node, count) for node in range(count)]
    if missing := [node for node, i in enumerate(inner) if i is None]:
        message = f"no range covers node {missing[0]}" + (f" and {len(missing) - 1} more" if missing[1:] else "")
        problems.append(Problem("register.nodeProperties.nodeRangeProperties", message, "cover 0 to numNodes - 1", "R5"))
    if problems:
        raise InvalidSpec(problems)

    parameters = _parameters(register, submit)
    plans = []
    for i, entry in enumerate(ranges):
        owner = f"register.nodeProperties.nodeRangeProperties[{i}]"
        path, change = f"{owner}.container", changes.get(entry["targetNodes"], {})
        container = _overridden(_container(entry, owner, "container"), path, change, "submit.nodeOverrides")
        plans.append(_node(container, parameters, path))
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


def _container(owner: Mapping[str, Any], path: str, member: str) -> Mapping[str, Any]:
    for other in ("ecsProperties", "eksProperties"):
        if other in owner:
            raise Unavailable(f"{path}.{other}: does not run locally\n  hint: one container per node, in {member}")
    if member not in owner:
        raise InvalidSpec([Problem(f"{path}.{member}", "is missing", "say what to run", "R6")])
    container: Mapping[str, Any] = owner[member]
    return container


def _overridden(container: Mapping[str, Any], path: str, overrides: Mapping[str, Any], overrides_path: str) -> Mapping[str, Any]:
    """The container with its command replaced, and variables replaced by name."""
    variables = {**_variables(container, path), **_variables(overrides, overrides_path)}
    environment = [{"name": name, "value": value} for name, value in variables.items()]
    return {**container, "command": overrides.get("command") or container.get("command", ()), "environment": environment}


def _variables(owner: Mapping[str, Any], path: str) -> dict[str, str]:
    entries = owner.get("environment", ())
    return {_needed(entry, "name", f"{path}.environment[{i}]"): entry.get("value", "") for i, entry in enumerate(entries)}


def _needed(entry: Mapping[str, Any], member: str, path: str) -> str:
    if member not in entry:
        raise InvalidSpec([Problem(f"{path}.{member}", "is missing")])
    value: str = entry[member]
    return value


def _parameters(register: Mapping[str, Any], submit: Mapping[str, Any]) -> Mapping[str, str]:
    return {**register.get("parameters", {}), **submit.get("parameters", {})}


def _node(container: Mapping[str, Any], parameters: Mapping[str, str], path: str) -> NodePlan:
    # Batch leaves a reference that nothing defines as it stands (R46).
    command = tuple(REF.sub(lambda found: parameters.get(found[1], found[0]), word) for word in container["command"])
    if not command:
        raise Unavailable(
            f"{path}.command: is empty, and there is no image here whose own command could run\n  hint: give a command"
        )
    environment = {variable["name"]: variable["value"] for variable in container["environment"]}
    if any("\0" in text for text in (*command, *environment, *environment.values())):
        raise InvalidSpec([Problem(path, "has a NUL character in its command or a variable, which no program can be given")])
    volumes = {_needed(volume, "name", f"{path}.volumes[{i}]"): volume for i, volume in enumerate(container.get("volumes", ()))}
    linux = container.get("linuxParameters", {})
    return NodePlan(
        command=command,
        environment=environment,
        secrets={secret["name"]: secret["valueFrom"] for secret in container.get("secrets", ())},
        mounts=tuple(
            _mount_point(volumes, point, f"{path}.mountPoints[{i}]") for i, point in enumerate(container.get("mountPoints", ()))
        ),
        devices=tuple(device["hostPath"] for device in linux.get("devices", ())),
        shared_memory=linux.get("sharedMemorySize", 64),
    )


def _mount_point(volumes: Mapping[str, Mapping[str, Any]], point: Mapping[str, Any], path: str) -> MountPoint:
    name, target = _needed(point, "sourceVolume", path), _needed(point, "containerPath", path)
    volume = volumes.get(name)
    if volume is None:
        raise InvalidSpec([Problem(f"{path}.sourceVolume", f"is {name!r}, which is no volume of the container")])
    if "efsVolumeConfiguration" in volume:
        source: str = volume["efsVolumeConfiguration"]["fileSystemId"]
    else:
        source = volume.get("host", {}).get("sourcePath") or target
    return MountPoint(source, target, point.get("readOnly", False))


def _dependencies(submit: Mapping[str, Any]) -> tuple[str, ...]:
    problems = []
    for i, dependency in enumerate(submit.get("dependsOn", ())):
        if "type" in dependency or "jobId" not in dependency:
            problems.append(Problem(f"submit.dependsOn[{i}]", "is a dependency between array children", "give a jobId only", "R47"))
    if problems:
        raise InvalidSpec(problems)
    return tuple(dependency["jobId"] for dependency in submit.get("dependsOn", ()))
