"""The fields of the two requests and their types, and what of a document is well typed.

Rules look only at what is well typed, so that a document broken by hand ends as a problem and never as a crash. EKS jobs
are not batchhpc's: their fields are known, and not looked into.

The table is written from the API's own description (botocore, batch 2016-08-10); a contract test compares the two.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from batchhpc.errors import Problem


@dataclass(frozen=True, slots=True)
class Words:
    """Text that is one of a few words, and the rule that says so."""

    rule: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MapOf:
    """A mapping whose names are the user's own."""

    value: Any


ANYTHING: Final = object()
TEXTS: Final = MapOf(str)

# A field's type is str, int or bool, [type] for a list, a mapping of field names for a structure, or one of the above. A
# name that ends in ! must be there.
_PAIRS = [{"name": str, "value": str}]
_SECRETS = [{"name!": str, "valueFrom!": str}]
_RESOURCES = [{"type!": Words("R9", ("GPU", "VCPU", "MEMORY")), "value!": str}]
_CONSUMABLE = {"consumableResourceList": [{"consumableResource": str, "quantity": int}]}
_ON_OFF = ("ENABLED", "DISABLED")
_VOLUMES = [
    {
        "name": str,
        "host": {"sourcePath": str},
        "efsVolumeConfiguration": {
            "fileSystemId!": str,
            "rootDirectory": str,
            "transitEncryption": Words("R23", _ON_OFF),
            "transitEncryptionPort": int,
            "authorizationConfig": {"accessPointId": str, "iam": Words("R23", _ON_OFF)},
        },
        "s3filesVolumeConfiguration": {
            "fileSystemArn!": str,
            "rootDirectory": str,
            "transitEncryptionPort": int,
            "accessPointArn": str,
        },
    }
]
_IN_TASK = {
    "command": [str],
    "environment": _PAIRS,
    "linuxParameters": {
        "devices": [{"hostPath!": str, "containerPath": str, "permissions": [Words("R18", ("READ", "WRITE", "MKNOD"))]}],
        "initProcessEnabled": bool,
        "sharedMemorySize": int,
        "tmpfs": [{"containerPath!": str, "size!": int, "mountOptions": [str]}],
        "maxSwap": int,
        "swappiness": int,
    },
    "logConfiguration": {"logDriver!": str, "options": TEXTS, "secretOptions": _SECRETS},
    "mountPoints": [{"containerPath": str, "readOnly": bool, "sourceVolume": str}],
    "privileged": bool,
    "readonlyRootFilesystem": bool,
    "repositoryCredentials": {"credentialsParameter!": str},
    "resourceRequirements": _RESOURCES,
    "secrets": _SECRETS,
    "ulimits": [{"name!": str, "softLimit!": int, "hardLimit!": int}],
    "user": str,
}
_FARGATE = {
    "networkConfiguration": {"assignPublicIp": Words("R13", _ON_OFF)},
    "ephemeralStorage": {"sizeInGiB!": int},
    "runtimePlatform": {"operatingSystemFamily": str, "cpuArchitecture": str},
}
_CONTAINER = {
    **_IN_TASK,
    **_FARGATE,
    "image": str,
    "vcpus": int,
    "memory": int,
    "jobRoleArn": str,
    "executionRoleArn": str,
    "volumes": _VOLUMES,
    "instanceType": str,
    "fargatePlatformConfiguration": {"platformVersion": str},
    "enableExecuteCommand": bool,
}
_TASKS = {
    "taskProperties!": [
        {
            **_FARGATE,
            "containers!": [
                {
                    **_IN_TASK,
                    "image!": str,
                    "name": str,
                    "essential": bool,
                    "dependsOn": [{"containerName": str, "condition": str}],
                    "firelensConfiguration": {"type!": Words("R20", ("fluentd", "fluentbit")), "options": TEXTS},
                    "startTimeout": int,
                    "stopTimeout": int,
                }
            ],
            "executionRoleArn": str,
            "platformVersion": str,
            "ipcMode": Words("R6", ("host", "task", "none")),
            "pidMode": Words("R6", ("host", "task")),
            "taskRoleArn": str,
            "volumes": _VOLUMES,
            "enableExecuteCommand": bool,
            "networkMode": str,
        }
    ]
}
_RETRY = {
    "attempts": int,
    "evaluateOnExit": [{"onStatusReason": str, "onReason": str, "onExitCode": str, "action!": str}],
}
_TIMEOUT = {"attemptDurationSeconds": int}

REGISTER: Final[dict[str, Any]] = {
    "jobDefinitionName!": str,
    "type!": Words("R1", ("container", "multinode")),
    "parameters": TEXTS,
    "schedulingPriority": int,
    "containerProperties": _CONTAINER,
    "nodeProperties": {
        "numNodes!": int,
        "mainNode!": int,
        "nodeRangeProperties!": [
            {
                "targetNodes!": str,
                "container": _CONTAINER,
                "instanceTypes": [str],
                "ecsProperties": _TASKS,
                "eksProperties": ANYTHING,
                "consumableResourceProperties": _CONSUMABLE,
            }
        ],
    },
    "retryStrategy": _RETRY,
    "propagateTags": bool,
    "timeout": _TIMEOUT,
    "tags": TEXTS,
    "platformCapabilities": [str],
    "eksProperties": ANYTHING,
    "ecsProperties": _TASKS,
    "consumableResourceProperties": _CONSUMABLE,
}

_OVERRIDES = {
    "vcpus": int,
    "memory": int,
    "command": [str],
    "instanceType": str,
    "environment": _PAIRS,
    "resourceRequirements": _RESOURCES,
}
_TASK_OVERRIDES = {
    "taskProperties": [{"containers": [{"command": [str], "environment": _PAIRS, "name": str, "resourceRequirements": _RESOURCES}]}]
}
SUBMIT: Final[dict[str, Any]] = {
    "jobName!": str,
    "jobQueue!": str,
    "jobDefinition!": str,
    "shareIdentifier": str,
    "schedulingPriorityOverride": int,
    "arrayProperties": {"size": int},
    "dependsOn": [{"jobId": str, "type": Words("R47", ("N_TO_N", "SEQUENTIAL"))}],
    "parameters": TEXTS,
    "containerOverrides": _OVERRIDES,
    "nodeOverrides": {
        "numNodes": int,
        "nodePropertyOverrides": [
            {
                "targetNodes!": str,
                "containerOverrides": _OVERRIDES,
                "ecsPropertiesOverride": _TASK_OVERRIDES,
                "eksPropertiesOverride": ANYTHING,
                "instanceTypes": [str],
                "consumableResourcePropertiesOverride": _CONSUMABLE,
            }
        ],
    },
    "retryStrategy": _RETRY,
    "propagateTags": bool,
    "timeout": _TIMEOUT,
    "tags": TEXTS,
    "eksPropertiesOverride": ANYTHING,
    "ecsPropertiesOverride": _TASK_OVERRIDES,
    "consumableResourcePropertiesOverride": _CONSUMABLE,
}

_NAMES = {str: "text", int: "a whole number", bool: "true or false"}
_WRONG: Final = object()


def well_typed(document: object, fields: Mapping[str, Any], path: str) -> tuple[dict[str, Any], list[Problem]]:
    """What of a document has the right types, and a problem for each part that has not.

    Items of lists are kept in place: one of a wrong type becomes an empty structure, so that paths stay true.
    """
    problems: list[Problem] = []
    kept = _kept(document, fields, path, problems)
    return (kept if isinstance(kept, dict) else {}), problems


def _kept(value: object, kind: Any, path: str, problems: list[Problem]) -> Any:
    if kind is ANYTHING:
        return value
    if isinstance(kind, Words):
        return _word(value, kind, path, problems)
    if isinstance(kind, list):
        return _list(value, kind[0], path, problems)
    if isinstance(kind, (MapOf, Mapping)):
        return _mapping(value, kind, path, problems)
    right = isinstance(value, kind) and not (kind is int and isinstance(value, bool))
    return value if right else _wrong(value, _NAMES[kind], path, problems)


def _word(value: object, kind: Words, path: str, problems: list[Problem]) -> object:
    if not isinstance(value, str):
        return _wrong(value, "text", path, problems)
    if value in kind.words:
        return value
    problems.append(Problem(path, f"is {value!r}, which is not one of {', '.join(kind.words)}", rule=kind.rule))
    return _WRONG


def _list(value: object, kind: Any, path: str, problems: list[Problem]) -> object:
    if not isinstance(value, list):
        return _wrong(value, "a list", path, problems)
    items = [_kept(item, kind, f"{path}[{i}]", problems) for i, item in enumerate(value)]
    return [({} if isinstance(kind, dict) else "") if item is _WRONG else item for item in items]


def _mapping(value: object, kind: MapOf | Mapping[str, Any], path: str, problems: list[Problem]) -> object:
    if not isinstance(value, Mapping):
        return _wrong(value, "a mapping of names to values", path, problems)
    if not isinstance(kind, MapOf):
        return _structure(value, kind, path, problems)
    pairs = {str(name): _kept(item, kind.value, f"{path}.{name}", problems) for name, item in value.items()}
    return {name: item for name, item in pairs.items() if item is not _WRONG}


def _structure(value: Mapping[Any, Any], fields: Mapping[str, Any], path: str, problems: list[Problem]) -> dict[str, Any]:
    kinds = {name.removesuffix("!"): kind for name, kind in fields.items()}
    problems += [Problem(f"{path}.{name}", "is missing") for name in _required(fields) if name not in value]
    made = {}
    for name, item in value.items():
        if name not in kinds:
            near = get_close_matches(str(name), kinds, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known fields: {', '.join(sorted(kinds))}"
            problems.append(Problem(f"{path}.{name}", "is not a field of this request", hint))
        elif (kept := _kept(item, kinds[name], f"{path}.{name}", problems)) is not _WRONG:
            made[name] = kept
    return made


def _required(fields: Mapping[str, Any]) -> Iterator[str]:
    return (name[:-1] for name in fields if name.endswith("!"))


def _wrong(value: object, wanted: str, path: str, problems: list[Problem]) -> object:
    problems.append(Problem(path, f"must be {wanted}, but is {_shown(value)}"))
    return _WRONG


def _shown(value: object) -> str:
    text = "null" if value is None else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
