"""Rules about what is in a container: variables, secrets, limits, logs, mounts, kernel settings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from batchhpc.agent import contract
from batchhpc.compiler.facts import REQUEST, Container, Facts
from batchhpc.compiler.rules.rule import Finding, Rule
from batchhpc.errors import Severity

R16 = Rule("R16", "Variables do not start with AWS_BATCH, and no word of an overriding command is empty.")
R17 = Rule("R17", "Secrets are ARNs of Secrets Manager or SSM, with a role to fetch them; no variable is given twice.")
R18 = Rule("R18", "Kernel settings hold together: shared memory within memory, swappiness 0 to 100 with maxSwap.")
R19 = Rule("R19", "A ulimit has a name that Docker knows.")
R20 = Rule("R20", "The log driver is one that AWS Batch takes.")
R23 = Rule("R23", "Every mount point names a volume, and EFS volumes keep EFS's conditions.")

_ULIMITS = (
    "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss", "rtprio", "rttime",
    "sigpending", "stack",
)  # fmt: skip
_DRIVERS = (
    "awsfirelens", "awslogs", "fluentd", "gelf", "json-file", "journald", "logentries", "splunk", "syslog",
)  # fmt: skip
_SECRET_ARN = re.compile(r"arn:aws[a-z-]*:(secretsmanager:[a-z0-9-]+:\d{12}:secret:.+|ssm:[a-z0-9-]+:\d{12}:parameter/.+)")
_VOLUME = re.compile(r"[A-Za-z0-9_-]{1,255}", re.ASCII)


def _variables(facts: Facts) -> Iterator[tuple[str, dict[str, str]]]:
    for path, holder in _overridable(facts):
        yield from _listed(path, holder, "environment")


def _listed(path: str, holder: dict[str, Any], *names: str) -> Iterator[tuple[str, dict[str, str]]]:
    for name in names:
        for i, each in enumerate(holder.get(name, [])):
            yield f"{path}.{name}[{i}]", each


def _overridable(facts: Facts) -> Iterator[tuple[str, dict[str, Any]]]:
    for container in facts.containers:
        yield container.path, container.data
    yield from _overrides(facts)


def _overrides(facts: Facts) -> Iterator[tuple[str, dict[str, Any]]]:
    yield f"{REQUEST}.containerOverrides", facts.submit.get("containerOverrides", {})
    for i, each in enumerate(facts.submit.get("nodeOverrides", {}).get("nodePropertyOverrides", [])):
        yield f"{REQUEST}.nodeOverrides.nodePropertyOverrides[{i}].containerOverrides", each.get("containerOverrides", {})


@R16.document
def variable_names(facts: Facts) -> Iterator[Finding]:
    for holder_path, holder in _overridable(facts):
        for path, each in _listed(holder_path, holder, "environment", "secrets"):
            if each.get("name", "").startswith("AWS_BATCH"):
                yield Finding(f"{path}.name", f"is {each['name']}, but names that start with AWS_BATCH are AWS Batch's own")
    for path, override in _overrides(facts):
        if "" in override.get("command", []):
            yield Finding(f"{path}.command", "has an empty word")


@R17.document
def secrets(facts: Facts) -> Iterator[Finding]:
    for container in facts.containers:
        here = [(f"{container.path}.secrets", container.data.get("secrets", []))]
        log = container.data.get("logConfiguration", {})
        here.append((f"{container.path}.logConfiguration.secretOptions", log.get("secretOptions", [])))
        for path, given in here:
            for i, each in enumerate(given):
                yield from _value_from(f"{path}[{i}].valueFrom", each.get("valueFrom"))
        outer_path, outer = container.outer
        if any(given for _, given in here) and not outer.get("executionRoleArn"):
            yield Finding(f"{outer_path}.executionRoleArn", "is missing, but somebody must fetch the secrets")
    for path, variable in _variables(facts):
        if variable.get("name") == contract.SECRET:
            yield Finding(
                f"{path}.name", f"is {contract.SECRET}, which everybody who may see the job could read there", "leave it out"
            )


@R17.document
def one_value_each(facts: Facts) -> Iterator[Finding]:
    for holder_path, holder in _overridable(facts):
        seen: dict[str, str] = {}
        for path, each in _listed(holder_path, holder, "environment", "secrets"):
            first = seen.setdefault(each.get("name", path), path)
            if first != path:
                yield Finding(f"{path}.name", f"is {each['name']}, which {first} is already", "a variable has one value")


def _value_from(path: str, value: str | None) -> Iterator[Finding]:
    if value is None or _SECRET_ARN.fullmatch(value):
        return
    wanted = "the full ARN of a Secrets Manager secret or an SSM parameter"
    if value and not value.startswith("arn:"):
        yield Finding(path, f"is {value!r}: a name works in the job's own Region only", wanted, Severity.WARNING)
    else:
        yield Finding(path, f"is {value!r}, but must be {wanted}")


@R18.document
def kernel_settings(facts: Facts) -> Iterator[Finding]:
    for container in facts.containers:
        linux, path = container.data.get("linuxParameters", {}), f"{container.path}.linuxParameters"
        memory, shared = container.resource("MEMORY"), linux.get("sharedMemorySize")
        if shared is not None and shared < 1:
            yield Finding(f"{path}.sharedMemorySize", f"is {shared} MiB, but must be at least 1 MiB")
        elif shared is not None and memory is not None and shared > memory:
            yield Finding(f"{path}.sharedMemorySize", f"is {shared} MiB, but the container has {memory} MiB in all")
        swappiness, swap = linux.get("swappiness"), linux.get("maxSwap")
        if swappiness is not None and not 0 <= swappiness <= 100:
            yield Finding(f"{path}.swappiness", f"is {swappiness}, but must be 0 to 100")
        if swappiness is not None and swap is None:
            yield Finding(f"{path}.swappiness", "has no effect without maxSwap", severity=Severity.WARNING)
        if swap is not None and swap < 0:
            yield Finding(f"{path}.maxSwap", f"is {swap} MiB, but must be 0 or more")
        for i, each in enumerate(linux.get("tmpfs", [])):
            if each.get("size", 1) < 1:
                yield Finding(f"{path}.tmpfs[{i}].size", f"is {each['size']} MiB, but must be at least 1 MiB")


@R19.document
def ulimits(facts: Facts) -> Iterator[Finding]:
    for container in facts.containers:
        for i, each in enumerate(container.data.get("ulimits", [])):
            if "name" in each and each["name"] not in _ULIMITS:
                yield Finding(
                    f"{container.path}.ulimits[{i}].name", f"is {each['name']!r}, which is not one of {', '.join(_ULIMITS)}"
                )


@R20.document
def log_drivers(facts: Facts) -> Iterator[Finding]:
    for container in facts.containers:
        driver = container.data.get("logConfiguration", {}).get("logDriver")
        if driver is not None and driver not in _DRIVERS:
            yield Finding(
                f"{container.path}.logConfiguration.logDriver", f"is {driver!r}, which is not one of {', '.join(_DRIVERS)}"
            )


@R23.document
def mounts(facts: Facts) -> Iterator[Finding]:
    seen = set()
    for container in facts.containers:
        path, outer = container.outer
        given = outer.get("volumes", [])
        if path not in seen:
            seen.add(path)
            for i, volume in enumerate(given):
                yield from _volume(f"{path}.volumes[{i}]", volume, outer)
        yield from _mount_points(container, [volume.get("name") for volume in given])


def _mount_points(container: Container, volumes: list[str | None]) -> Iterator[Finding]:
    for i, point in enumerate(container.data.get("mountPoints", [])):
        path, source = f"{container.path}.mountPoints[{i}]", point.get("sourceVolume")
        if source not in volumes:
            shown = "missing" if source is None else repr(source)
            yield Finding(f"{path}.sourceVolume", f"is {shown}, but the volumes are {', '.join(map(str, volumes)) or 'none'}")


def _volume(path: str, volume: dict[str, Any], outer: dict[str, Any]) -> Iterator[Finding]:
    name = volume.get("name")
    if name is not None and not _VOLUME.fullmatch(name):
        yield Finding(f"{path}.name", f"is {name!r}, but a name is 1 to 255 letters, digits, - and _")
    sources = [kind for kind in ("host", "efsVolumeConfiguration", "s3filesVolumeConfiguration") if kind in volume]
    if len(sources) > 1:
        yield Finding(path, f"has {' and '.join(sources)}, but a volume has one source")
    efs = volume.get("efsVolumeConfiguration")
    if efs is None:
        return
    here, allowed = f"{path}.efsVolumeConfiguration", efs.get("authorizationConfig", {})
    point, iam = allowed.get("accessPointId"), allowed.get("iam") == "ENABLED"
    if point and efs.get("rootDirectory", "/") != "/":
        yield Finding(f"{here}.rootDirectory", f"is {efs['rootDirectory']!r}, but with an access point it must be / or left out")
    if (point or iam) and efs.get("transitEncryption") != "ENABLED":
        why = "an access point" if point else "IAM authorisation"
        yield Finding(f"{here}.transitEncryption", f"is not enabled, but {why} needs it")
    if iam and not (outer.get("jobRoleArn") or outer.get("taskRoleArn")):
        yield Finding(
            f"{here}.authorizationConfig.iam",
            "is enabled, but there is no job role to authorise",
            "job_role_arn in the environment",
        )
    if not 0 <= efs.get("transitEncryptionPort", 0) <= 65535:
        yield Finding(f"{here}.transitEncryptionPort", f"is {efs['transitEncryptionPort']}, but a port is 0 to 65535")
