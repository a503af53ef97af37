"""The words of IAM policies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from batchhpc.compiler.stack.resource import ref

Statement = dict[str, Any]


def statement(
    actions: Sequence[str], resources: Sequence[Any], condition: Mapping[str, Mapping[str, Any]] | None = None
) -> Statement:
    """One thing that is allowed."""
    made: Statement = {"Effect": "Allow", "Action": list(actions), "Resource": list(resources)}
    return {**made, "Condition": condition} if condition else made


def document(*statements: Statement) -> dict[str, Any]:
    """A policy document."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def policy(name: str, *statements: Statement) -> dict[str, Any]:
    """A policy within a role."""
    return {"PolicyName": name, "PolicyDocument": document(*statements)}


def trusted(service: str, *, this_account: bool = True) -> dict[str, Any]:
    """Who may take a role: a service, on behalf of this account only where the service says on whose behalf it comes."""
    made: Statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    if this_account:
        made["Condition"] = {"StringEquals": {"aws:SourceAccount": ref("AWS::AccountId")}}
    return document(made)
