"""A stack's events while CloudFormation is at work: each once, in their order, and the first real failure among them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final

from batchhpc.aws.refusals import is_lost
from batchhpc.aws.sdk import sdk_errors
from batchhpc.errors import StackFailed, Unavailable, WaitTimeout

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import StackEventTypeDef

    from batchhpc.aws.sdk import Clients

_STACK_TYPE: Final = "AWS::CloudFormation::Stack"
_FIRST_PAUSE, _LONGEST_PAUSE, _LOST_FOR = 0.5, 5.0, 600.0  # seconds
# What CloudFormation says of resources that fail because another one did.
_ECHO = re.compile(r"^(Resource (creation|update|deletion) cancelled|The following resource\(s\) failed)", re.IGNORECASE)
_NOISE = re.compile(
    r"\s*\((RequestToken: [^)]*|Service: [^)]*|Request ID: [^)]*)\)|, HandlerErrorCode: \w+|\s*\(SDK Attempt[^)]*\)"
)
_HINTS: Final = (
    (
        r"not authorized|AccessDenied|UnauthorizedOperation",
        "the deploying user lacks that permission (docs/how-to/first-deploy.md)",
    ),
    (r"already exists", "something of that name is left from before, or is somebody else's: delete it, or choose another name"),
    (r"[Ll]imit ?[Ee]xceeded|maximum number|quota", "ask for a higher limit in Service Quotas, or delete what is not used"),
    (r"InsufficientInstanceCapacity|insufficient capacity", "another availability_zone or instance type, or later again"),
)


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a stack; ``reason`` is AWS's own text, without ids of requests."""

    id: str
    at: datetime
    logical: str
    type: str
    status: str
    reason: str
    physical: str
    token: str
    of_stack: bool

    @property
    def failed(self) -> bool:
        """Whether a resource failed by itself, not because another one did."""
        return self.status.endswith("_FAILED") and not self.of_stack and not _ECHO.match(self.reason)

    @property
    def starts(self) -> bool:
        """Whether the stack's creation, change or deletion begins with it."""
        begun = ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS")
        return self.of_stack and self.status in begun


def event_of(described: StackEventTypeDef) -> Event:
    """From DescribeStackEvents' words."""
    kind, physical = described.get("ResourceType", ""), described.get("PhysicalResourceId", "")
    return Event(
        id=described["EventId"],
        at=described["Timestamp"],
        logical=described.get("LogicalResourceId", ""),
        type=kind,
        status=described.get("ResourceStatus", ""),
        reason=" ".join(described.get("ResourceStatusReason", "").split()),
        physical=physical,
        token=described.get("ClientRequestToken", ""),
        of_stack=kind == _STACK_TYPE and physical == described["StackId"],
    )


def current_operation(clients: Clients, stack: str) -> list[Event]:
    """Events of what the stack does now, or did last, oldest first: paged back to where it began, and no further.

    Raises:
        Unavailable: AWS cannot be asked.
    """
    found: list[Event] = []
    with sdk_errors():
        for page in clients.cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack):
            for each in page["StackEvents"]:
                found.append(event_of(each))
                if found[-1].starts:
                    return found[::-1]
    return found[::-1]


@dataclass
class Follower:
    """Follows a stack until CloudFormation is done with it.

    Attributes:
        deadline: seconds to wait at most.
        progress: told of each event once, and of trouble with the connection as text.
        token: the operation's; until its events are there, those of the one before are none of ours. Empty: any.
        pause: waits some seconds.
        clock: seconds that pass.
    """

    clients: Clients
    stack_id: str
    deadline: float
    progress: Callable[[Event | str], None]
    token: str = ""
    pause: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    seen: dict[str, Event] = field(default_factory=dict)

    def run(self) -> str:
        """The stack's status at the end.

        Raises:
            WaitTimeout: CloudFormation goes on.
            Unavailable: AWS cannot be asked any more; CloudFormation goes on.
        """
        started, pause, lost_since = self.clock(), _FIRST_PAUSE, None
        while True:
            try:
                self._look()
                lost_since = None
            except Unavailable as error:
                lost_since = self._lost(error, lost_since)
            if (ended := self.ended()) is not None:
                return ended
            if self.clock() - started > self.deadline:
                text = f"CloudFormation is still at work after {self.deadline / 60:.0f} minutes"
                raise WaitTimeout(f"{text}\n  hint: it goes on by itself; the same command again follows it")
            self.pause(pause)
            pause = min(_LONGEST_PAUSE, pause * 1.5)

    def _look(self) -> None:
        for event in current_operation(self.clients, self.stack_id):
            if self.token not in ("", event.token):
                return
            if event.id not in self.seen:
                self.seen[event.id] = event
                self.progress(event)

    def _lost(self, error: Unavailable, since: float | None) -> float:
        cause = error.__cause__
        if cause is None or not is_lost(cause) or (since is not None and self.clock() - since > _LOST_FOR):
            raise Unavailable(f"{error}\n  hint: CloudFormation goes on by itself; the same command again follows it") from error
        if since is None:
            self.progress(f"cannot see what CloudFormation does at the moment: {str(error).splitlines()[0]}; trying again")
            return self.clock()
        return since

    def ended(self) -> str | None:
        """The stack's status if it does not change any more."""
        last = next((each for each in reversed(self.seen.values()) if each.of_stack), None)
        return None if last is None or last.status.endswith("_IN_PROGRESS") else last.status

    def first_failure(self) -> Event | None:
        """What failed first, by itself."""
        return min((each for each in self.seen.values() if each.failed), key=lambda each: each.at, default=None)

    def failure(self, what: str, after: str) -> StackFailed:
        """The error that names the first failure.

        Args:
            what: ``environment genomics could not be deployed``.
            after: what is left, and what to do.
        """
        return StackFailed(f"{what}: {failure_text(self.first_failure())}\n  hint: {after}")


def failure_text(event: Event | None) -> str:
    """Which resource failed, why, and what to do if that is known."""
    if event is None:
        return "CloudFormation does not say why"
    reason = _NOISE.sub("", event.reason).strip().rstrip(".")
    reason = re.sub(r'^Resource handler returned message: "(.*)"$', r"\1", reason).strip().rstrip(".")
    hint = next((f"\n  hint: {text}" for pattern, text in _HINTS if re.search(pattern, event.reason)), "")
    return f"{event.logical} ({event.type}): {reason}{hint}"
