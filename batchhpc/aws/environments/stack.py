"""A CloudFormation stack as it is now."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from batchhpc.aws.refusals import code_of, message_of
from batchhpc.aws.sdk import sdk_errors
from batchhpc.compiler.environment import STACK_PREFIX

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import StackTypeDef

    from batchhpc.aws.sdk import Clients

# Words of CloudFormation's StackStatus, by what can be done.
USABLE: Final = frozenset(
    {
        "CREATE_COMPLETE",
        "UPDATE_COMPLETE",
        "UPDATE_ROLLBACK_COMPLETE",
        "UPDATE_IN_PROGRESS",
        "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
        "UPDATE_ROLLBACK_IN_PROGRESS",
        "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
        "IMPORT_COMPLETE",
        "IMPORT_ROLLBACK_COMPLETE",
    }
)
NEVER_MADE: Final = frozenset({"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED"})


@dataclass(frozen=True, slots=True)
class Stack:
    """What DescribeStacks tells of one stack.

    Attributes:
        changed_at: when it was created or last updated.
        change_set: id of the change set it was last made or changed by; empty if by none.
        protected: whether termination protection is on.
    """

    name: str
    id: str
    status: str
    reason: str
    changed_at: datetime
    change_set: str
    protected: bool
    outputs: Mapping[str, str]
    tags: Mapping[str, str]
    parameters: Mapping[str, str]

    @property
    def busy(self) -> bool:
        """Whether CloudFormation is at work on it. REVIEW_IN_PROGRESS is not: such a stack is only a change set's name."""
        return self.status.endswith("_IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"

    @property
    def environment(self) -> str:
        """The environment's name."""
        return self.name.removeprefix(STACK_PREFIX)


def find_stack(clients: Clients, name: str) -> Stack | None:
    """The stack of that name or id; None if there is none.

    Raises:
        Unavailable: AWS cannot be asked.
    """
    with sdk_errors():
        from botocore.exceptions import ClientError  # noqa: PLC0415 - half a second

        try:
            found = clients.cloudformation.describe_stacks(StackName=name)["Stacks"]
        except ClientError as error:
            if code_of(error) == "ValidationError" and "does not exist" in message_of(error):
                return None
            raise
    stacks = [stack_of(each) for each in found]
    # Asked by id, CloudFormation still knows deleted stacks.
    return next((each for each in stacks if each.status != "DELETE_COMPLETE"), None)


def our_stacks(clients: Clients) -> Iterator[Stack]:
    """All stacks of environments in the Region.

    Raises:
        Unavailable: AWS cannot be asked.
    """
    with sdk_errors():
        for page in clients.cloudformation.get_paginator("describe_stacks").paginate():
            for each in page["Stacks"]:
                if re.fullmatch(rf"{STACK_PREFIX}[a-z][a-z0-9-]*", each["StackName"]) and each["StackStatus"] != "DELETE_COMPLETE":
                    yield stack_of(each)


def template_of(clients: Clients, name: str) -> dict[str, Any]:
    """The template a stack was made of, or is being changed to.

    Raises:
        Unavailable: AWS cannot be asked.
    """
    with sdk_errors():
        body: Any = clients.cloudformation.get_template(StackName=name, TemplateStage="Original")["TemplateBody"]
    return dict(body) if isinstance(body, Mapping) else {}  # text where it is YAML, which ours are not


def stack_of(described: StackTypeDef) -> Stack:
    """From DescribeStacks' words."""
    return Stack(
        name=described["StackName"],
        id=described.get("StackId", ""),
        status=described["StackStatus"],
        reason=described.get("StackStatusReason", ""),
        changed_at=described.get("LastUpdatedTime") or described["CreationTime"],
        change_set=described.get("ChangeSetId", ""),
        protected=described.get("EnableTerminationProtection", False),
        outputs={each["OutputKey"]: each["OutputValue"] for each in described.get("Outputs", [])},
        tags={each["Key"]: each["Value"] for each in described.get("Tags", [])},
        parameters={each["ParameterKey"]: each.get("ParameterValue", "") for each in described.get("Parameters", [])},
    )
