"""From a place in the compiled documents to the field of the spec that put it there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from batchhpc.compiler.definition import targets
from batchhpc.compiler.plan import Plan

_CONTAINER = re.compile(
    r"register\.(?:containerProperties|nodeProperties\.nodeRangeProperties\[(?P<range>\d+)\]\.container)\.(?P<rest>.+)"
)
_PART = re.compile(r"(?P<name>\w+)(?:\[(?P<index>\d+)\])?(?P<rest>.*)")

_FIELDS = {
    "register.nodeProperties.numNodes": "nodes",
    "submit.arrayProperties.size": "nodes",
    "register.nodeProperties.nodeRangeProperties": "node_groups",
    "register.timeout.attemptDurationSeconds": "time_limit",
    "register.retryStrategy.attempts": "attempts",
    "register.type": "shape",
    "register.tags": "tags",
    "submit.tags": "tags",
    "submit.parameters": "parameters",
    "submit.dependsOn": "depends_on",
    "submit.shareIdentifier": "share",
    "submit.schedulingPriorityOverride": "priority",
    "submit.jobName": "name",
}
_IN_CONTAINER = {
    "command": "command",
    "image": "image",
    "user": "user",
    "instanceType": "instance_type",
    "logConfiguration.logDriver": "log.driver",
    "logConfiguration.options": "log.options",
    "logConfiguration.secretOptions": "log.secret_options",
    "linuxParameters.sharedMemorySize": "shared_memory",
    "linuxParameters.devices": "instance_type",
    "resourceRequirements": "memory_per_node",
}

_EFS = ".efsVolumeConfiguration"
_IN_VOLUME = {
    f"{_EFS}.rootDirectory": ".efs.root_directory",
    f"{_EFS}.transitEncryption": ".efs.transit_encryption",
    f"{_EFS}.transitEncryptionPort": ".efs.transit_encryption_port",
    f"{_EFS}.authorizationConfig.iam": ".efs.iam",
}
# Named as a whole: what stands deeper in them is not in the spec.
_WHOLE = ("resourceRequirements", "linuxParameters.devices", "register.nodeProperties.nodeRangeProperties")


def in_words(path: str, plan: Plan, register: Mapping[str, Any]) -> str:
    """The spec's path for a document's, or the document's own where no field of the spec stands behind it."""
    match = _CONTAINER.fullmatch(path)
    if not match:
        return _range_words(path, plan) or _renamed(path, _FIELDS) or path
    group = _group(plan, match["range"])
    part = _PART.fullmatch(match["rest"])
    assert part
    i = int(part["index"] or 0)
    if part["name"] in ("environment", "secrets"):
        name = _container(register, match["range"])[part["name"]][i].get("name")
        return _variable(str(name), part["name"], plan, group) or path
    if part["name"] in ("volumes", "mountPoints"):
        own = len(plan.spec.mounts)
        mount = f"mounts[{i}]" if i < own else f"node_groups[{group}].mounts[{i - own}]"
        return mount + _IN_VOLUME.get(part["rest"], "")
    word = _renamed(match["rest"], _IN_CONTAINER)
    if word is None:
        return path
    if group is not None and getattr(plan.spec.node_groups[group], word, None) is not None:
        return f"node_groups[{group}].{word}"
    return word


def _renamed(path: str, names: Mapping[str, str]) -> str | None:
    for document, word in names.items():
        if path == document:
            return word
        if path.startswith((f"{document}.", f"{document}[")):
            return word if document in _WHOLE else word + path.removeprefix(document)
    return None


def _group(plan: Plan, index: str | None) -> int | None:
    """Which node group of the spec a range stands for; None for the nodes in no group."""
    if index is None:
        return 0 if plan.spec.node_groups and plan.spec.nodes == 1 else None
    made = targets(plan.spec.node_groups, plan.spec.nodes)
    group = made[int(index)][1] if int(index) < len(made) else None
    return next((i for i, each in enumerate(plan.spec.node_groups) if each is group), None)


def _range_words(path: str, plan: Plan) -> str | None:
    match = re.fullmatch(r"register\.nodeProperties\.nodeRangeProperties\[(\d+)\](\.targetNodes)?", path)
    group = _group(plan, match[1]) if match else None
    return None if group is None else f"node_groups[{group}].nodes"


def _container(register: Mapping[str, Any], index: str | None) -> Any:
    if index is None:
        return register["containerProperties"]
    return register["nodeProperties"]["nodeRangeProperties"][int(index)]["container"]


def _variable(name: str, list_name: str, plan: Plan, group: int | None) -> str | None:
    field = "env" if list_name == "environment" else "secrets"
    if group is not None and field == "env" and name in plan.spec.node_groups[group].env:
        return f"node_groups[{group}].env.{name}"
    return f"{field}.{name}" if name in getattr(plan.spec, field) else None
