"""Parts of a template, wherever they come from: what has not the right type is not there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

LAUNCH_TEMPLATE = "AWS::EC2::LaunchTemplate"
COMPUTE_ENVIRONMENT = "AWS::Batch::ComputeEnvironment"


def mapping(value: Any) -> Mapping[str, Any]:
    """The value, if it is a mapping."""
    return value if isinstance(value, Mapping) else {}


def items(value: Any) -> list[Any]:
    """The value, if it is a list."""
    return value if isinstance(value, list) else []


def resources(template: Mapping[str, Any], kind: str) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Path of the properties, name and properties of each resource of a type."""
    for name, resource in mapping(template.get("Resources")).items():
        if mapping(resource).get("Type") == kind:
            yield f"Resources.{name}.Properties", name, mapping(mapping(resource).get("Properties"))


def launch_templates(template: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Path and fields of the data of each launch template."""
    for path, _, properties in resources(template, LAUNCH_TEMPLATE):
        yield f"{path}.LaunchTemplateData", mapping(properties.get("LaunchTemplateData"))


def compute_resources(template: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Path and fields of the compute resources of each compute environment."""
    for path, _, properties in resources(template, COMPUTE_ENVIRONMENT):
        yield f"{path}.ComputeResources", mapping(properties.get("ComputeResources"))


def names(value: Any, resource: str) -> bool:
    """Whether a value is a reference to a resource: its id, or any attribute of it."""
    given = mapping(value)
    attribute = given.get("Fn::GetAtt")
    parts = attribute.split(".") if isinstance(attribute, str) else items(attribute)
    return given.get("Ref") == resource or bool(parts and parts[0] == resource)
