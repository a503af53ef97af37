"""Change sets: made, waited for, read page by page, thrown away when nobody needs them; what a change would destroy."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from batchhpc.aws.environments.change_set import (
    MOST_TEMPLATE_BYTES,
    Action,
    ChangeSet,
    change_of,
    check_size,
    delete_change_set,
    discard_stale,
    forget_plan,
    make_change_set,
    mark_of,
    name_for,
)
from batchhpc.errors import InvalidSpec, StackFailed, Unavailable, WaitTimeout
from tests.unit.aws.fake_aws import Answer, FakeAws
from tests.unit.aws.fake_jobs import Refusal

STACK = "batchhpc-genomics"
STACK_ID = "arn:aws:cloudformation:eu-west-1:123456789012:stack/batchhpc-genomics/1"
SET_ID = "arn:aws:cloudformation:eu-west-1:123456789012:changeSet/batchhpc-abc/1"
GONE = Refusal(f"Stack with id {STACK} does not exist", "ValidationError")


def resource(action: str = "Add", logical: str = "Bucket", kind: str = "AWS::S3::Bucket", **more: Any) -> Answer:
    """One change, in DescribeChangeSet's words."""
    return {
        "Type": "Resource",
        "ResourceChange": {"Action": action, "LogicalResourceId": logical, "ResourceType": kind, **more},
    }


def detail(name: str, recreation: str = "Never", attribute: str = "Properties") -> Answer:
    """Why a resource changes."""
    target = {"Attribute": attribute, "RequiresRecreation": recreation}
    return {"Target": {**target, **({"Name": name} if name else {})}}


def described(status: str, *changes: Answer, reason: str = "", token: str = "") -> Answer:
    """An answer of DescribeChangeSet."""
    answer: Answer = {"ChangeSetName": "batchhpc-abc", "ChangeSetId": SET_ID, "StackId": STACK_ID, "Status": status}
    answer |= {"StatusReason": reason} if reason else {}
    return answer | {"Changes": list(changes)} | ({"NextToken": token} if token else {})


def stack(status: str) -> Answer:
    """An answer of DescribeStacks."""
    one = {"StackName": STACK, "StackId": STACK_ID, "StackStatus": status, "CreationTime": datetime.now(UTC)}
    return {"Stacks": [one]}


def aws(*answers: Answer) -> FakeAws:
    """A CloudFormation that makes a change set and describes it so."""
    fake = FakeAws().on("cloudformation.CreateChangeSet", {"Id": SET_ID, "StackId": STACK_ID})
    fake.on("cloudformation.DescribeChangeSet", *answers).on("cloudformation.DeleteChangeSet", {})
    fake.on("cloudformation.DescribeStacks", GONE).on("cloudformation.ListChangeSets", {"Summaries": []})
    return fake.on("cloudformation.DeleteStack", {})


def made(fake: FakeAws, pauses: list[float] | None = None, *, new: bool = True) -> ChangeSet | None:
    """Makes one."""
    return make_change_set(
        fake.clients,
        STACK,
        "{}",
        new=new,
        mark="abc",
        parameters={"Zone": None, "Size": "3"},
        tags={"team": "kmers"},
        pause=(pauses if pauses is not None else []).append,
    )


def test_a_change_set_is_waited_for_and_read_to_its_last_page() -> None:
    """A change set is asked for until it is worked out, and its changes come from all its pages."""
    first, second = resource(logical="Bucket"), resource(logical="Vpc", kind="AWS::EC2::VPC")
    fake = aws(
        described("CREATE_PENDING"),
        described("CREATE_IN_PROGRESS"),
        described("CREATE_COMPLETE"),
        described("CREATE_COMPLETE", first, token="more"),
        described("CREATE_COMPLETE", second),
    )
    pauses: list[float] = []
    change_set = made(fake, pauses)
    assert change_set is not None
    assert (change_set.id, change_set.stack_id, len(pauses)) == (SET_ID, STACK_ID, 2)
    assert [each.logical for each in change_set.changes] == ["Bucket", "Vpc"]
    assert fake.asked("cloudformation.DescribeChangeSet")[-1]["NextToken"] == "more"


@pytest.mark.parametrize(("new", "kind"), [(True, "CREATE"), (False, "UPDATE")])
def test_what_is_asked_for(new: bool, kind: str) -> None:
    """Parameters without a value keep the one they have; tags and the mark are in the request."""
    fake = aws(described("CREATE_COMPLETE"))
    made(fake, new=new)
    (request,) = fake.asked("cloudformation.CreateChangeSet")
    assert (request["ChangeSetType"], request["Tags"]) == (kind, [{"Key": "team", "Value": "kmers"}])
    assert request["ChangeSetName"].startswith("batchhpc-abc-")
    assert request["Parameters"] == [
        {"ParameterKey": "Zone", "UsePreviousValue": True},
        {"ParameterKey": "Size", "ParameterValue": "3"},
    ]


@pytest.mark.parametrize(
    "reason",
    ["The submitted information didn't contain changes. Submit different information.", "No updates are to be performed."],
)
def test_no_changes_are_no_failure(reason: str) -> None:
    """Where nothing changes there is no change set, and the failed one does not stay."""
    fake = aws(described("FAILED", reason=reason))
    assert made(fake, new=False) is None
    assert fake.asked("cloudformation.DeleteChangeSet") == [{"ChangeSetName": SET_ID, "StackName": STACK}]


def test_a_change_set_that_fails_leaves_nothing() -> None:
    """A failure is told in CloudFormation's words; neither the change set nor the stack that it made stays."""
    fake = aws(described("FAILED", reason="Template error: no such parameter"))
    fake.on("cloudformation.DescribeStacks", stack("REVIEW_IN_PROGRESS"))
    with pytest.raises(StackFailed, match=f"stack {STACK}: CloudFormation cannot plan this: Template error: no such parameter"):
        made(fake)
    assert fake.names[-1] == "cloudformation.DeleteStack"


def test_a_change_set_that_takes_too_long() -> None:
    """The wait for a change set ends after five minutes, and says so."""
    pauses: list[float] = []
    fake = aws(described("CREATE_IN_PROGRESS"))
    with pytest.raises(WaitTimeout, match="has not planned this within 300 s"):
        made(fake, pauses)
    assert sum(pauses) == 300
    assert "cloudformation.DeleteChangeSet" in fake.names


def test_a_deployed_stack_outlives_a_forgotten_plan() -> None:
    """Forgetting a plan deletes the stack only where it is nothing but the name of that plan."""
    plan = ChangeSet(SET_ID, "batchhpc-abc", STACK_ID, ())
    summary = {"Summaries": [{"ChangeSetId": "other", "ChangeSetName": "somebody-else"}]}
    for status, others, deleted in (
        ("REVIEW_IN_PROGRESS", {"Summaries": []}, True),
        ("REVIEW_IN_PROGRESS", summary, False),
        ("CREATE_COMPLETE", {"Summaries": []}, False),
    ):
        fake = aws().on("cloudformation.DescribeStacks", stack(status)).on("cloudformation.ListChangeSets", others)
        forget_plan(fake.clients, plan, STACK)
        assert ("cloudformation.DeleteStack" in fake.names) is deleted


def test_deleting_twice_is_harmless() -> None:
    """A change set that is gone already is no error; a refusal is."""
    fake = FakeAws().on("cloudformation.DeleteChangeSet", Refusal("gone", "ChangeSetNotFound", 404), Refusal("no", "AccessDenied"))
    delete_change_set(fake.clients, SET_ID, STACK)
    with pytest.raises(Unavailable, match="access denied"):
        delete_change_set(fake.clients, SET_ID, STACK)


def test_stale_change_sets_are_discarded() -> None:
    """Change sets of ours that failed or are older than an hour go, on whichever page; fresh and foreign ones stay."""

    def summary(name: str, minutes: int, status: str = "CREATE_COMPLETE") -> Answer:
        created = datetime.now(UTC) - timedelta(minutes=minutes)
        return {"ChangeSetId": f"id-of-{name}", "ChangeSetName": name, "Status": status, "CreationTime": created}

    first = [summary("batchhpc-old", 61), summary("batchhpc-fresh", 59), summary("console", 6000)]
    second = [summary("batchhpc-failed", 1, "FAILED")]
    fake = aws().on("cloudformation.ListChangeSets", {"Summaries": first, "NextToken": "more"}, {"Summaries": second})
    assert discard_stale(fake.clients, STACK) == 2
    deleted = [each["ChangeSetName"] for each in fake.asked("cloudformation.DeleteChangeSet")]
    assert deleted == ["id-of-batchhpc-old", "id-of-batchhpc-failed"]


@pytest.mark.parametrize(
    ("action", "more", "expected", "loses"),
    [
        ("Add", {}, Action.ADD, False),
        ("Import", {}, Action.IMPORT, False),
        ("Remove", {}, Action.REMOVE, True),
        ("Modify", {}, Action.CHANGE, False),
        ("Modify", {"Replacement": "False"}, Action.CHANGE, False),
        ("Modify", {"Replacement": "True"}, Action.REPLACE, True),
        ("Modify", {"Replacement": "Conditional"}, Action.MAY_REPLACE, True),
    ],
)
@pytest.mark.parametrize("kind", ["AWS::S3::Bucket", "AWS::EFS::FileSystem", "AWS::FSx::FileSystem", "AWS::EC2::Subnet"])
def test_what_loses_data(action: str, more: Answer, expected: Action, loses: bool, kind: str) -> None:
    """Replacing or removing a bucket or file system loses data, perhaps counts as yes; other resources hold none."""
    change = change_of(resource(action, kind=kind, **more)["ResourceChange"])
    assert (change.action, change.loses_data) == (expected, loses and kind != "AWS::EC2::Subnet")


def test_why_a_resource_is_replaced() -> None:
    """Each changed property is named once, and those that force the replacement apart; a retained resource is told."""
    details = [detail("CidrBlock", "Always"), detail("CidrBlock", "Always")]
    details += [detail("", attribute="Tags"), detail("Vpc", "Conditionally")]
    described_change = resource("Modify", Replacement="True", Details=details, PolicyAction="ReplaceAndRetain")
    change = change_of(described_change["ResourceChange"])
    assert (change.properties, change.why, change.keeps) == (("CidrBlock", "Tags", "Vpc"), ("CidrBlock", "Vpc"), True)


def test_the_size_of_templates() -> None:
    """The largest template CloudFormation takes passes; one byte more is refused with both numbers. Bytes count, not letters."""
    check_size("x" * MOST_TEMPLATE_BYTES)
    for template in ("x" * (MOST_TEMPLATE_BYTES + 1), "é" * (MOST_TEMPLATE_BYTES // 2) + "x"):
        with pytest.raises(InvalidSpec, match="the template has 51,201 bytes, more than the 51,200"):
            check_size(template)


def test_marks() -> None:
    """The same template and tags have the same mark, whatever the order; names for it differ each time."""
    assert mark_of("{}", {"a": "1", "b": "2"}) == mark_of("{}", {"b": "2", "a": "1"})
    assert len({mark_of("{}", {}), mark_of("{ }", {}), mark_of("{}", {"a": "1"})}) == 3
    assert name_for("abc") != name_for("abc")
