"""The definition as a CloudFormation template, so that somebody else's tools can judge it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_OWN_KEYS: Final = ("tags", "parameters", "options")  # maps whose names are the user's, and stay as they are


def template(register: Mapping[str, Any]) -> dict[str, Any]:
    """A template with the RegisterJobDefinition request as its one resource."""
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"Job definition {register['jobDefinitionName']}",
        "Resources": {"JobDefinition": {"Type": "AWS::Batch::JobDefinition", "Properties": properties(register)}},
    }


def properties(value: Any) -> Any:
    """A request's value as CloudFormation writes it: the same words, each with a capital first letter."""
    if isinstance(value, Mapping):
        return {
            f"{name[:1].upper()}{name[1:]}": dict(inner) if name in _OWN_KEYS and isinstance(inner, Mapping) else properties(inner)
            for name, inner in value.items()
        }
    return [properties(item) for item in value] if isinstance(value, list) else value
