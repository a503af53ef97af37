"""What a template is made of: resources, and references between them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NotRequired, TypedDict

from batchhpc.compiler.environment import ENVIRONMENT_TAG, EnvironmentPlan
from batchhpc.spec import Memory

Value = dict[str, Any]
"""A reference or a function of CloudFormation: ``{"Ref": "Vpc"}``."""

ACCOUNT: Final = "${AWS::AccountId}"
PARTITION: Final = "${AWS::Partition}"
REGION: Final = "${AWS::Region}"


class Resource(TypedDict):
    """One resource of a template."""

    Type: str
    Properties: dict[str, Any]
    DependsOn: NotRequired[list[str]]
    DeletionPolicy: NotRequired[str]
    UpdateReplacePolicy: NotRequired[str]
    Metadata: NotRequired[dict[str, Any]]


Resources = dict[str, Resource]
"""Resources by their names in the template."""


def ref(name: str) -> Value:
    """The resource's own id or name."""
    return {"Ref": name}


def att(name: str, attribute: str) -> Value:
    """An attribute of a resource."""
    return {"Fn::GetAtt": [name, attribute]}


def sub(text: str) -> Value:
    """A text with ``${Name}`` and ``${Name.Attribute}`` filled in."""
    return {"Fn::Sub": text}


def arn(service: str, resource: str) -> Value:
    """The ARN of something in this account and Region."""
    return sub(f"arn:{PARTITION}:{service}:{REGION}:{ACCOUNT}:{resource}")


def tag_map(plan: EnvironmentPlan) -> dict[str, str]:
    """The environment's tags, as AWS Batch takes them."""
    return {**plan.spec.tags, ENVIRONMENT_TAG: plan.spec.name}


def tags(plan: EnvironmentPlan, name: str = "") -> list[dict[str, str]]:
    """The environment's tags, as most resources take them; with a Name to be told by in the console."""
    named = {"Name": f"{plan.stack} {name}"} if name and "Name" not in plan.spec.tags else {}
    return [{"Key": key, "Value": value} for key, value in sorted({**tag_map(plan), **named}.items())]


def lasting_tags(plan: EnvironmentPlan) -> dict[str, str]:
    """The one tag that never changes, for resources that would be replaced with another tag."""
    return {ENVIRONMENT_TAG: plan.spec.name}


def kept(resource: Resource) -> Resource:
    """A resource that holds data: neither an update nor the end of the stack deletes it; ``destroy`` does, after asking."""
    return {**resource, "DeletionPolicy": "RetainExceptOnCreate", "UpdateReplacePolicy": "Retain"}


def unchecked(resource: Resource, reasons: Mapping[str, str]) -> Resource:
    """A resource that checks of checkov do not fit, each with the reason."""
    skip = [{"id": check, "comment": reason} for check, reason in sorted(reasons.items())]
    return {**resource, "Metadata": {**resource.get("Metadata", {}), "checkov": {"skip": skip}}}


def gib(size: Memory) -> int:
    """Whole GiB, rounded up; that nothing was rounded is a rule's to check."""
    return -(-int(size) // 2**30)


def title(name: str) -> str:
    """A name of the spec as part of a resource's name: ``my-data`` is ``MyData``."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("-"))
