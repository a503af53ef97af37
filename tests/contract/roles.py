"""What the roles of a template are allowed, as lines to read and as policies to ask."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tests.contract.template_values import resolved


def roles(template: Mapping[str, Any], region: str) -> dict[str, dict[str, Any]]:
    """Properties of each role, with references filled in."""
    found = {name: each["Properties"] for name, each in template["Resources"].items() if each["Type"] == "AWS::IAM::Role"}
    return {name: resolved(template, properties, region) for name, properties in found.items()}


def statements(role: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All statements of a role's own policies."""
    return [each for policy in role.get("Policies", []) for each in policy["PolicyDocument"]["Statement"]]


def granted(role: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Action, resource and condition of all that a role's own policies allow."""
    for each in statements(role):
        assert each["Effect"] == "Allow"
        condition = json.dumps(each["Condition"], sort_keys=True) if "Condition" in each else ""
        yield from ((action, resource, condition) for action in each["Action"] for resource in each["Resource"])


def roles_text(template: Mapping[str, Any], region: str) -> str:
    """Everything that the roles of a template may do, and who may take them, one line each."""
    lines = []
    for name, role in sorted(roles(template, region).items()):
        lines.append(name)
        for each in role["AssumeRolePolicyDocument"]["Statement"]:
            condition = f" if {json.dumps(each['Condition'], sort_keys=True)}" if "Condition" in each else ""
            lines.append(f"  taken by {each['Principal']['Service']}{condition}")
        lines += [f"  managed: {arn}" for arn in role.get("ManagedPolicyArns", [])]
        lines += sorted(
            f"  {action} on {resource}{condition and f' if {condition}'}" for action, resource, condition in granted(role)
        )
    return "\n".join(lines) + "\n"
