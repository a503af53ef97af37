"""CloudFormation change sets: what a deployment would do, before it does it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from batchhpc.aws.environments.stack import Stack, find_stack
from batchhpc.aws.refusals import code_of
from batchhpc.aws.sdk import sdk_errors
from batchhpc.errors import InvalidSpec, Problem, StackFailed, WaitTimeout

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import ResourceChangeTypeDef

    from batchhpc.aws.sdk import Clients

MOST_TEMPLATE_BYTES: Final = 51_200  # that CreateChangeSet takes inline
_PREFIX: Final = "batchhpc-"
_STALE: Final = timedelta(hours=1)  # after which nobody is still looking at the plan it was made for
_MADE_WITHIN, _POLL = 300.0, 1.0  # seconds
_NO_CHANGES = ("didn't contain changes", "No updates are to be performed")
# What holds users' data: losing one takes an own permission.
DATA_STORES: Final = {
    "AWS::S3::Bucket": "bucket",
    "AWS::EFS::FileSystem": "EFS file system",
    "AWS::FSx::FileSystem": "Lustre file system",
}


class Action(StrEnum):
    """What happens to a resource."""

    ADD = "add"
    CHANGE = "change"
    REPLACE = "replace"
    MAY_REPLACE = "may replace"
    REMOVE = "remove"
    IMPORT = "import"


@dataclass(frozen=True, slots=True)
class Change:
    """What would happen to one resource.

    Attributes:
        logical: its name in the template.
        type: ``AWS::EC2::Subnet``.
        physical: its id in AWS; empty for what is not there yet.
        properties: those that change.
        why: of a replacement, the properties that cannot be changed otherwise.
        keeps: whether CloudFormation leaves the old one, which is then no part of the environment any more.
    """

    action: Action
    logical: str
    type: str
    physical: str = ""
    properties: tuple[str, ...] = ()
    why: tuple[str, ...] = ()
    keeps: bool = False

    @property
    def loses_data(self) -> bool:
        """Whether the environment would lose data that users put there."""
        return self.type in DATA_STORES and self.action in (Action.REPLACE, Action.MAY_REPLACE, Action.REMOVE)


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """A change set that is ready to be executed."""

    id: str
    name: str
    stack_id: str
    changes: tuple[Change, ...]


def mark_of(template: str, tags: Mapping[str, str]) -> str:
    """A short mark of what is deployed: two deployments of the same have the same."""
    return sha256(f"{template}{sorted(tags.items())}".encode()).hexdigest()[:12]


def name_for(mark: str) -> str:
    """A new name for a change set that carries a mark."""
    return f"{_PREFIX}{mark}-{uuid.uuid4().hex[:8]}"


def check_size(template: str) -> None:
    """Whether CloudFormation takes the template.

    Raises:
        InvalidSpec: it is too large.
    """
    size = len(template.encode())
    if size > MOST_TEMPLATE_BYTES:
        text = f"the template has {size:,} bytes, more than the {MOST_TEMPLATE_BYTES:,} that CloudFormation takes in a request"
        raise InvalidSpec([Problem("", text, "fewer instance types, storages or policies, or a smaller overlay")])


def make_change_set(
    clients: Clients,
    stack_name: str,
    template: str,
    *,
    new: bool,
    mark: str,
    parameters: Mapping[str, str | None],
    tags: Mapping[str, str],
    pause: Callable[[float], None] = time.sleep,
) -> ChangeSet | None:
    """Makes a change set and waits until CloudFormation has worked it out.

    Args:
        clients: the SDK's.
        stack_name: the stack, which need not be there.
        template: the template as JSON.
        new: whether the stack is to be created.
        mark: `mark_of` it.
        parameters: values; None for the one the stack has.
        tags: of the stack and all its resources.
        pause: waits some seconds.

    Returns:
        The change set; None if there is nothing to change.

    Raises:
        StackFailed: CloudFormation cannot work it out.
        WaitTimeout: it does not within minutes.
        Unavailable: AWS refuses.
    """
    with sdk_errors():
        made = clients.cloudformation.create_change_set(
            StackName=stack_name,
            ChangeSetName=name_for(mark),
            ChangeSetType="CREATE" if new else "UPDATE",
            TemplateBody=template,
            Capabilities=["CAPABILITY_IAM"],
            Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
            Parameters=[_parameter(key, value) for key, value in parameters.items()],
        )
    waited = 0.0
    while True:
        with sdk_errors():
            found = clients.cloudformation.describe_change_set(ChangeSetName=made["Id"], StackName=stack_name)
        if found["Status"] == "CREATE_COMPLETE":
            changes = _all_changes(clients, made["Id"], stack_name)
            return ChangeSet(made["Id"], found["ChangeSetName"], made["StackId"], changes)
        if found["Status"] == "FAILED":
            delete_change_set(clients, made["Id"], stack_name)
            _delete_if_empty(clients, stack_name)
            reason = found.get("StatusReason", "")
            if any(words in reason for words in _NO_CHANGES):
                return None
            raise StackFailed(f"stack {stack_name}: CloudFormation cannot plan this: {reason}")
        if waited >= _MADE_WITHIN:
            delete_change_set(clients, made["Id"], stack_name)
            _delete_if_empty(clients, stack_name)
            raise WaitTimeout(f"stack {stack_name}: CloudFormation has not planned this within {_MADE_WITHIN:.0f} s")
        pause(_POLL)
        waited += _POLL


def _parameter(key: str, value: str | None) -> Any:
    return {"ParameterKey": key, **({"UsePreviousValue": True} if value is None else {"ParameterValue": value})}


def _all_changes(clients: Clients, change_set: str, stack_name: str) -> tuple[Change, ...]:
    with sdk_errors():
        pages = clients.cloudformation.get_paginator("describe_change_set").paginate(ChangeSetName=change_set, StackName=stack_name)
        return tuple(change_of(each["ResourceChange"]) for page in pages for each in page["Changes"] if "ResourceChange" in each)


def change_of(described: ResourceChangeTypeDef) -> Change:
    """From DescribeChangeSet's words."""
    action = {"Add": Action.ADD, "Remove": Action.REMOVE, "Import": Action.IMPORT}.get(described["Action"], Action.CHANGE)
    if action is Action.CHANGE:
        replacement = {"True": Action.REPLACE, "Conditional": Action.MAY_REPLACE}
        action = replacement.get(described.get("Replacement", "False"), action)
    targets = [each.get("Target", {}) for each in described.get("Details", [])]
    named = [(each.get("Name") or each.get("Attribute", ""), each.get("RequiresRecreation", "Never")) for each in targets]
    return Change(
        action=action,
        logical=described["LogicalResourceId"],
        type=described["ResourceType"],
        physical=described.get("PhysicalResourceId", ""),
        properties=tuple(dict.fromkeys(name for name, _ in named)),
        why=tuple(dict.fromkeys(name for name, recreation in named if recreation != "Never")),
        keeps=described.get("PolicyAction", "") in ("Retain", "ReplaceAndRetain"),
    )


def delete_change_set(clients: Clients, change_set: str, stack_name: str) -> None:
    """Deletes a change set; harmless if it is gone.

    Raises:
        Unavailable: AWS refuses.
    """
    with sdk_errors():
        from botocore.exceptions import ClientError  # noqa: PLC0415 - half a second

        try:
            clients.cloudformation.delete_change_set(ChangeSetName=change_set, StackName=stack_name)
        except ClientError as error:
            if code_of(error) != "ChangeSetNotFound":
                raise


def discard_stale(clients: Clients, stack_name: str) -> int:
    """Deletes change sets of ours that nobody will execute, and says how many.

    Raises:
        Unavailable: AWS refuses.
    """
    with sdk_errors():
        pages = clients.cloudformation.get_paginator("list_change_sets").paginate(StackName=stack_name)
        found = [each for page in pages for each in page["Summaries"] if each["ChangeSetName"].startswith(_PREFIX)]
    too_old = datetime.now(UTC) - _STALE
    stale = [each for each in found if each.get("Status") == "FAILED" or each["CreationTime"].replace(tzinfo=UTC) < too_old]
    for each in stale:
        delete_change_set(clients, each["ChangeSetId"], stack_name)
    return len(stale)


def forget_plan(clients: Clients, change_set: ChangeSet, stack_name: str) -> None:
    """Deletes a change set, and the empty stack that it made if there is nothing else to it.

    Raises:
        Unavailable: AWS refuses.
    """
    delete_change_set(clients, change_set.id, stack_name)
    _delete_if_empty(clients, stack_name)


def _delete_if_empty(clients: Clients, stack_name: str) -> None:
    """A first change set makes a stack in REVIEW_IN_PROGRESS, which is nothing but its name."""
    stack = find_stack(clients, stack_name)
    if stack is not None and stack.status == "REVIEW_IN_PROGRESS" and not _change_sets(clients, stack):
        with sdk_errors():
            clients.cloudformation.delete_stack(StackName=stack.id)


def _change_sets(clients: Clients, stack: Stack) -> int:
    with sdk_errors():
        return len(clients.cloudformation.list_change_sets(StackName=stack.id)["Summaries"])
