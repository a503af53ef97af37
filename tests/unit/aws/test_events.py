"""Events of a stack: each told once and in order, the first real failure among them, and an end to each wait."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from batchhpc.aws.environments.events import Event, Follower, current_operation, event_of, failure_text
from batchhpc.errors import StackFailed, Unavailable, WaitTimeout
from tests.unit.aws.fake_aws import Answer, FakeAws, Request
from tests.unit.aws.fake_clients import Time
from tests.unit.aws.fake_jobs import Refusal

STACK = "arn:aws:cloudformation:eu-west-1:123456789012:stack/batchhpc-genomics/1"
NESTED = "arn:aws:cloudformation:eu-west-1:123456789012:stack/batchhpc-genomics-Nested/2"
START = datetime(2027, 1, 15, 8, tzinfo=UTC)
KIND = "AWS::CloudFormation::Stack"


@dataclass
class Events:
    """DescribeStackEvents: newest first, so many on a page."""

    page: int = 100
    told: list[Answer] = field(default_factory=list)

    def add(
        self, logical: str, status: str, reason: str = "", *, kind: str = "AWS::EC2::VPC", physical: str = "id", by: str = "t"
    ) -> Events:
        """One more event, a second after the last; ``stack`` for the stack's own; ``by`` is the operation's token."""
        of_stack = {"LogicalResourceId": "batchhpc-genomics", "ResourceType": KIND, "PhysicalResourceId": STACK}
        of_resource = {"LogicalResourceId": logical, "ResourceType": kind, "PhysicalResourceId": physical}
        event: Answer = {
            "StackId": STACK,
            "StackName": "batchhpc-genomics",
            "EventId": str(len(self.told)),
            "Timestamp": START + timedelta(seconds=len(self.told)),
            "ResourceStatus": status,
            "ResourceStatusReason": reason,
            "ClientRequestToken": by,
            **(of_stack if logical == "stack" else of_resource),
        }
        self.told.append(event)
        return self

    def answer(self, request: Request) -> Answer:
        """One page."""
        newest, begin = self.told[::-1], int(request.get("NextToken", "0"))
        more = {"NextToken": str(begin + self.page)} if begin + self.page < len(newest) else {}
        return {"StackEvents": newest[begin : begin + self.page], **more}

    @property
    def aws(self) -> FakeAws:
        return FakeAws().on("cloudformation.DescribeStackEvents", self.answer)


def void(_: object) -> None:
    """For what is done for its effect."""


def follower(fake: FakeAws, time: Time, told: list[Event | str], **more: Any) -> Follower:
    """One whose pauses pass at once."""
    values = {"deadline": 3600.0, "token": "t", **more}
    return Follower(fake.clients, STACK, progress=told.append, pause=time.sleep, clock=lambda: time.now, **values)


def followed(events: Events, **more: Any) -> tuple[str, Follower, list[Event | str]]:
    """A stack followed to its end."""
    told: list[Event | str] = []
    one = follower(events.aws, Time(), told, **more)
    return one.run(), one, told


def test_the_operation_that_is_under_way_and_no_other() -> None:
    """Events are paged back to where the operation began, and not further."""
    events = Events(page=2).add("stack", "CREATE_IN_PROGRESS", by="old").add("stack", "CREATE_COMPLETE", by="old")
    events.add("stack", "UPDATE_IN_PROGRESS").add("Vpc", "UPDATE_IN_PROGRESS").add("Vpc", "UPDATE_COMPLETE")
    fake = events.aws
    found = current_operation(fake.clients, STACK)
    assert [(each.logical, each.status) for each in found] == [
        ("batchhpc-genomics", "UPDATE_IN_PROGRESS"),
        ("Vpc", "UPDATE_IN_PROGRESS"),
        ("Vpc", "UPDATE_COMPLETE"),
    ]
    assert len(fake.calls) == 2


def test_each_event_is_told_once_and_in_order() -> None:
    """However often events are looked at, each is told once, oldest first."""
    events, time, told = Events(page=3), Time(), list[Event | str]()
    coming = [
        ("Vpc", "CREATE_IN_PROGRESS"),
        ("Vpc", "CREATE_COMPLETE"),
        ("Subnet", "CREATE_COMPLETE"),
        ("stack", "CREATE_COMPLETE"),
    ]
    events.add("stack", "CREATE_IN_PROGRESS")
    time.on_sleep = lambda: void(events.add(*coming.pop(0)))
    assert follower(events.aws, time, told).run() == "CREATE_COMPLETE"
    assert [each.id for each in told if isinstance(each, Event)] == ["0", "1", "2", "3", "4"]
    assert max(time.slept) <= 5


def test_events_of_the_operation_before_are_none_of_ours() -> None:
    """Until an operation's own events are there, the end of the one before is not taken for its end."""
    events, time, told = Events(), Time(), list[Event | str]()
    events.add("stack", "CREATE_IN_PROGRESS", by="old").add("stack", "CREATE_COMPLETE", by="old")
    coming = ["UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"]
    time.on_sleep = lambda: void(events.add("stack", coming.pop(0)))
    assert follower(events.aws, time, told).run() == "UPDATE_COMPLETE"
    assert [each.status for each in told if isinstance(each, Event)] == ["UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"]


def test_the_first_real_failure_is_named() -> None:
    """What failed by itself is named; what was cancelled, and the stack's own summary, are echoes."""
    events = Events().add("stack", "CREATE_IN_PROGRESS")
    events.add("Queue", "CREATE_FAILED", "Resource creation cancelled")
    noise = "(Service: Ec2, Status Code: 400, Request ID: 1) (SDK Attempt Count: 1)"
    said = f'Resource handler returned message: "Quota is 5. {noise}" (RequestToken: 2, HandlerErrorCode: ServiceLimitExceeded)'
    events.add("Nat", "CREATE_FAILED", said, kind="AWS::EC2::NatGateway")
    events.add("Vpc", "CREATE_FAILED", "too late")
    events.add("stack", "ROLLBACK_IN_PROGRESS", "The following resource(s) failed to create: [Nat, Queue].")
    events.add("Nat", "DELETE_COMPLETE").add("stack", "ROLLBACK_COMPLETE")
    ended, one, _ = followed(events)
    assert ended == "ROLLBACK_COMPLETE"
    error = one.failure("environment genomics could not be made", "try again")
    assert isinstance(error, StackFailed)
    lines = str(error).split("\n")
    assert lines[0] == "environment genomics could not be made: Nat (AWS::EC2::NatGateway): Quota is 5"
    assert lines[1:] == ["  hint: ask for a higher limit in Service Quotas, or delete what is not used", "  hint: try again"]


def test_a_nested_stack_is_a_resource() -> None:
    """The end of a stack within the stack is not the stack's end; its failure is one of a resource."""
    events = Events().add("stack", "CREATE_IN_PROGRESS")
    events.add("Nested", "CREATE_FAILED", "Embedded stack failed", kind=KIND, physical=NESTED)
    time, told = Time(), list[Event | str]()
    time.on_sleep = lambda: void(events.add("stack", "ROLLBACK_COMPLETE"))
    one = follower(events.aws, time, told)
    assert one.run() == "ROLLBACK_COMPLETE"
    failure = one.first_failure()
    assert failure is not None
    assert (failure.logical, failure.of_stack) == ("Nested", False)
    assert len(time.slept) == 1


def test_nested_events_that_start_do_not_start_the_operation() -> None:
    """The creation of a stack within the stack is not where an update began."""
    events = Events().add("stack", "UPDATE_IN_PROGRESS").add("Nested", "CREATE_IN_PROGRESS", kind=KIND, physical=NESTED)
    assert len(current_operation(events.aws.clients, STACK)) == 2


def test_the_deadline() -> None:
    """The wait for CloudFormation ends at its deadline, and says that CloudFormation goes on."""
    events, time = Events().add("stack", "CREATE_IN_PROGRESS"), Time()
    begun = time.now
    with pytest.raises(WaitTimeout, match=r"still at work after 2 minutes\n  hint: it goes on by itself"):
        follower(events.aws, time, [], deadline=120.0).run()
    assert 120 < time.now - begun <= 125


def test_throttling_while_following() -> None:
    """Trouble with the connection is told once, and the stack followed on when it is over."""
    events = Events().add("stack", "CREATE_IN_PROGRESS").add("stack", "CREATE_COMPLETE")
    throttled = Refusal("Rate exceeded", "Throttling")
    fake = FakeAws().on("cloudformation.DescribeStackEvents", throttled, throttled, events.answer)
    told: list[Event | str] = []
    assert follower(fake, Time(), told).run() == "CREATE_COMPLETE"
    notes = [each for each in told if isinstance(each, str)]
    assert len(notes) == 1
    assert "throttled" in notes[0]
    assert notes[0].endswith("; trying again")


@pytest.mark.parametrize(
    ("refusal", "said"),
    [(Refusal("expired", "ExpiredToken", 403), "have expired"), (Refusal("gone", "InternalFailure", 500), "gone")],
)
def test_when_following_is_given_up(refusal: Refusal, said: str) -> None:
    """A refusal ends the following at once, a fault of AWS after ten minutes; CloudFormation goes on, and both say so."""
    time = Time()
    begun = time.now
    fake = FakeAws().on("cloudformation.DescribeStackEvents", refusal)
    with pytest.raises(Unavailable, match=rf"(?s){said}.*CloudFormation goes on by itself"):
        follower(fake, time, []).run()
    assert (time.now - begun > 600) is (refusal.status == 500)


@pytest.mark.parametrize(
    ("reason", "hint"),
    [
        ("User: kim is not authorized to perform: iam:CreateRole", "lacks that permission"),
        ("Queue already exists", "something of that name is left"),
        ("LimitExceeded: 5", "Service Quotas"),
        ("insufficient capacity", "another availability_zone"),
    ],
)
def test_known_causes_have_remedies(reason: str, hint: str) -> None:
    """Where the cause is known, the remedy is told."""
    event = event_of(Events().add("Vpc", "CREATE_FAILED", reason).told[0])  # type: ignore[arg-type]
    assert failure_text(event).startswith(f"Vpc (AWS::EC2::VPC): {reason}\n  hint: ")
    assert hint in failure_text(event)


def test_no_failure_at_all() -> None:
    """Where no event says why, that is said."""
    assert failure_text(None) == "CloudFormation does not say why"
