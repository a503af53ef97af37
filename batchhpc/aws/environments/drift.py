"""What was changed by hand since the last deployment, as far as CloudFormation can tell."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batchhpc.aws.sdk import sdk_errors
from batchhpc.errors import StackFailed, WaitTimeout

if TYPE_CHECKING:
    from batchhpc.aws.environments.stack import Stack
    from batchhpc.aws.sdk import Clients

_WITHIN, _POLL = 600.0, 2.0  # seconds


@dataclass(frozen=True, slots=True)
class Drifted:
    """A resource that is not as it was deployed.

    Attributes:
        state: ``MODIFIED`` or ``DELETED``.
        differences: path of the property, as deployed, as it is.
    """

    logical: str
    type: str
    physical: str
    state: str
    differences: tuple[tuple[str, str, str], ...]


def drift_of(stack: Stack, clients: Clients, pause: Callable[[float], None] = time.sleep) -> tuple[Drifted, ...]:
    """Asks CloudFormation to compare what it deployed with what is there; this takes minutes.

    Raises:
        StackFailed: CloudFormation could not compare.
        WaitTimeout: it did not within ten minutes.
        Unavailable: AWS cannot be asked.
    """
    with sdk_errors():
        detection = clients.cloudformation.detect_stack_drift(StackName=stack.id)["StackDriftDetectionId"]
    waited = 0.0
    while True:
        with sdk_errors():
            found = clients.cloudformation.describe_stack_drift_detection_status(StackDriftDetectionId=detection)
        if found["DetectionStatus"] == "DETECTION_COMPLETE":
            break
        if found["DetectionStatus"] == "DETECTION_FAILED" and not found.get("DriftedStackResourceCount"):
            raise StackFailed(f"stack {stack.name}: drift could not be detected: {found.get('DetectionStatusReason', '')}")
        if found["DetectionStatus"] == "DETECTION_FAILED":
            break  # some resources could not be compared; what differs is told
        if waited >= _WITHIN:
            raise WaitTimeout(f"stack {stack.name}: drift was not detected within {_WITHIN:.0f} s")
        pause(_POLL)
        waited += _POLL
    return _differences(stack, clients)


def _differences(stack: Stack, clients: Clients) -> tuple[Drifted, ...]:
    with sdk_errors():
        token: dict[str, Any] = {}
        drifted = []
        while True:
            page = clients.cloudformation.describe_stack_resource_drifts(
                StackName=stack.id, StackResourceDriftStatusFilters=["MODIFIED", "DELETED"], **token
            )
            drifted += page["StackResourceDrifts"]
            if not page.get("NextToken"):
                break
            token = {"NextToken": page["NextToken"]}
    return tuple(
        Drifted(
            logical=each["LogicalResourceId"],
            type=each["ResourceType"],
            physical=each.get("PhysicalResourceId", ""),
            state=each["StackResourceDriftStatus"],
            differences=tuple(
                (one["PropertyPath"], one["ExpectedValue"], one["ActualValue"]) for one in each.get("PropertyDifferences", [])
            ),
        )
        for each in drifted
    )
