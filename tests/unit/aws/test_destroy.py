"""Destroying an environment: what would be lost is said first, the order is right, and nothing else is touched."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from batchhpc.aws.environments.destroy import Destruction, destroy, survey
from batchhpc.errors import Refused, StackFailed, WaitTimeout
from tests.unit.aws.fake_aws import Answer, Request
from tests.unit.aws.fake_batch import ACCOUNT, FakeBatch
from tests.unit.aws.fake_jobs import Refusal
from tests.unit.aws.fake_stores import Bucket, Stores, tags

STACK = "arn:aws:cloudformation:eu-west-1:123456789012:stack/batchhpc-genomics/1"
QUEUE = f"{ACCOUNT}:job-queue/batchhpc-genomics"
LUSTRE, EFS, BUCKET = "fs-0123456789abcdef1", "fs-0123456789abcdef2", "batchhpc-genomics-bucket-1"
WHEN = datetime(2027, 1, 15, 8, tzinfo=UTC)


@dataclass
class FakeStack:
    """The stack of an environment, which goes at once when it is deleted, unless something fails."""

    status: str = "CREATE_COMPLETE"
    protected: bool = False
    environment: str = "genomics"
    fails: str = ""
    token: str = ""

    def DescribeStacks(self, request: Request) -> Answer:  # noqa: N802 - AWS's name
        if self.status == "DELETE_COMPLETE" and request["StackName"] != STACK:
            raise Refusal("Stack with id batchhpc-genomics does not exist", "ValidationError")
        one = {"StackName": "batchhpc-genomics", "StackId": STACK, "StackStatus": self.status, "CreationTime": WHEN}
        return {"Stacks": [{**one, "EnableTerminationProtection": self.protected, "Tags": tags(self.environment)}]}

    def ListStackResources(self, _: Request) -> Answer:  # noqa: N802 - likewise
        more = {"LastUpdatedTimestamp": WHEN, "ResourceStatus": "CREATE_COMPLETE"}
        queue = {"LogicalResourceId": "Queue", "ResourceType": "AWS::Batch::JobQueue", "PhysicalResourceId": QUEUE, **more}
        gone = {"LogicalResourceId": "Vpc", "ResourceType": "AWS::EC2::VPC", **more, "ResourceStatus": "DELETE_COMPLETE"}
        return {"StackResourceSummaries": [queue, gone]}

    def DeleteStack(self, request: Request) -> Answer:  # noqa: N802 - likewise
        self.status, self.token = "DELETE_FAILED" if self.fails else "DELETE_COMPLETE", request["ClientRequestToken"]
        return {}

    def DescribeStackEvents(self, _: Request) -> Answer:  # noqa: N802 - likewise
        if self.status == "DELETE_IN_PROGRESS":
            self.status = "DELETE_COMPLETE"
        told = [self._event(self.status, STACK), self._event("DELETE_IN_PROGRESS", STACK)]
        failed = {**self._event("DELETE_FAILED", "subnet-1"), "LogicalResourceId": "Subnet", "ResourceType": "AWS::EC2::Subnet"}
        return {"StackEvents": [told[0], *([{**failed, "ResourceStatusReason": self.fails}] if self.fails else []), told[1]]}

    def _event(self, status: str, physical: str) -> Answer:
        return {
            "StackId": STACK,
            "StackName": "batchhpc-genomics",
            "EventId": f"{status}-{physical}",
            "Timestamp": WHEN,
            "ResourceStatus": status,
            "ResourceType": "AWS::CloudFormation::Stack",
            "PhysicalResourceId": physical,
            "ClientRequestToken": self.token or "somebody's",
        }


@dataclass
class Account:
    """An environment with its stack, stores, jobs and definitions."""

    stack: FakeStack = field(default_factory=FakeStack)
    stores: Stores = field(default_factory=Stores)
    batch: FakeBatch = field(default_factory=FakeBatch)
    told: list[str] = field(default_factory=list)
    shown: list[Destruction] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.batch.queue("batchhpc-genomics")
        self.aws = self.stores.aws().serve("cloudformation", self.stack).on("batch.DeregisterJobDefinition", self._deregister)
        for name in ("ListJobs", "TerminateJob", "DescribeJobDefinitions"):
            self.aws.on(f"batch.{name}", partial(self.batch.call, name))

    def _deregister(self, request: Request) -> Answer:
        self.batch.definitions[request["jobDefinition"]]["status"] = "INACTIVE"
        return {}

    def with_data(self) -> Account:
        self.stores.s3.buckets[BUCKET] = Bucket(versions=[("key", "v", True, 1)])
        self.stores.efs.systems, self.stores.efs.targets = {EFS: "genomics"}, {}
        self.stores.fsx.systems = {LUSTRE: "genomics"}
        return self

    def definition(self, name: str, environment: str | None) -> str:
        labels = {"tags": {"batchhpc:environment": environment}} if environment else {}
        properties: dict[str, Any] = {"jobDefinitionName": name, "type": "container", "containerProperties": {}, **labels}
        return str(self.batch.call("RegisterJobDefinition", properties)["jobDefinitionArn"])

    def job(self) -> str:
        request = {"jobName": "kmers", "jobQueue": QUEUE, "jobDefinition": self.definition("running", None)}
        return str(self.batch.call("SubmitJob", request)["jobId"])

    def destroy(self, *, yes: bool = True, **options: bool) -> Destruction | None:
        """Destroys it; the answer to the question is given."""

        def confirm(found: Destruction) -> bool:
            self.shown.append(found)
            return yes

        def pause(seconds: float) -> None:
            self.pauses.append(seconds)
            assert len(self.pauses) < 2000, "waits for ever"

        return destroy(
            "genomics",
            self.aws.clients,
            confirm=confirm,
            progress=lambda event: self.told.append(event if isinstance(event, str) else event.status),
            pause=pause,
            **options,
        )

    @property
    def changed(self) -> list[str]:
        """What was done, in order."""
        doing = ("Delete", "Deregister", "Terminate")
        return [name for name in self.aws.names if name.partition(".")[2].startswith(doing)]


def test_what_there_is() -> None:
    """All that would go is found first: resources, data, jobs that have not ended, definitions."""
    account = Account().with_data()
    arn, job = account.definition("ours", "genomics"), account.job()
    found = survey("genomics", account.aws.clients)
    assert found.resources == (("Queue", "AWS::Batch::JobQueue", QUEUE),)
    assert [each.id for each in found.data] == [BUCKET, EFS, LUSTRE]
    assert (found.jobs, found.definitions, found.nothing, account.changed) == ((job,), (arn,), False, [])


def test_the_order() -> None:
    """Lustre goes before the stack, whose subnet it has interfaces in; buckets and EFS, which the stack leaves, go after it."""
    account = Account().with_data()
    left = account.destroy(delete_data=True)
    assert left is not None
    assert left.nothing
    assert account.changed == [
        "fsx.DeleteFileSystem",
        "cloudformation.DeleteStack",
        "s3.DeleteObjects",
        "s3.DeleteBucket",
        "efs.DeleteFileSystem",
    ]
    assert account.told[0] == f"deleting Lustre file system {LUSTRE}"


def test_the_stack_waits_for_lustre() -> None:
    """The stack is deleted only when the Lustre file system is gone."""
    account = Account().with_data()
    account.aws.on("cloudformation.DeleteStack", lambda request: _gone_first(account, request))
    account.destroy(delete_data=True)
    assert account.stack.status == "DELETE_COMPLETE"


def _gone_first(account: Account, request: Request) -> Answer:
    assert account.stores.fsx.systems == {}
    return account.stack.DeleteStack(request)


def test_data_are_not_deleted_by_the_way() -> None:
    """Without --delete-data nothing is done where data would be lost, and each store is named with what it holds."""
    account = Account().with_data()
    with pytest.raises(Refused) as caught:
        account.destroy(delete_data=False)
    text = str(caught.value)
    assert all(name in text for name in (BUCKET, EFS, LUSTRE, "1 object versions", "then --delete-data"))
    assert (account.changed, account.shown) == ([], [])


def test_an_empty_bucket_needs_no_permission() -> None:
    """A bucket that holds nothing is no data, and goes with the rest."""
    account = Account()
    account.stores.s3.buckets[BUCKET] = Bucket()
    left = account.destroy()
    assert left is not None
    assert left.nothing
    assert account.stores.s3.buckets == {}


def test_only_definitions_of_the_environment_are_deregistered() -> None:
    """Definitions of other environments, or of nobody's, stay; on whichever page they are."""
    account = Account()
    ours = {account.definition(f"ours-{i}", "genomics") for i in range(130)}
    others = {account.definition("theirs", "genomics-2"), account.definition("nobody's", None)}
    account.destroy()
    active = {arn for arn, each in account.batch.definitions.items() if each["status"] == "ACTIVE"}
    assert active == others
    assert {each["jobDefinition"] for each in account.aws.asked("batch.DeregisterJobDefinition")} == ours
    assert account.told[-1] == "130 job definitions deregistered"


def test_jobs_are_not_terminated_by_the_way() -> None:
    """Without --terminate-jobs nothing is done while jobs go on, and one of them is named."""
    account = Account()
    job = account.job()
    with pytest.raises(Refused, match=rf"1 jobs have not ended, {job} among them\n  hint: --terminate-jobs"):
        account.destroy()
    assert account.changed == []


def test_jobs_are_terminated_and_waited_for() -> None:
    """With --terminate-jobs all jobs are terminated, and the stack goes when they have ended."""
    account = Account()
    jobs = [account.job() for _ in range(3)]
    left = account.destroy(terminate_jobs=True)
    assert left is not None
    assert left.nothing
    assert sorted(each["jobId"] for each in account.aws.asked("batch.TerminateJob")) == sorted(jobs)
    assert account.changed.index("cloudformation.DeleteStack") > account.changed.index("batch.TerminateJob")


def test_jobs_that_do_not_end() -> None:
    """The wait for jobs ends after half an hour, and the stack stays."""
    account = Account()
    account.job()
    account.aws.on("batch.TerminateJob", {})
    with pytest.raises(WaitTimeout, match="have not ended within 30 minutes"):
        account.destroy(terminate_jobs=True)
    assert (sum(account.pauses), account.stack.status) == (1800, "CREATE_COMPLETE")


def test_all_reasons_at_once() -> None:
    """Protection, data and jobs are told together."""
    account = Account(FakeStack(protected=True)).with_data()
    account.job()
    with pytest.raises(Refused) as caught:
        account.destroy()
    assert str(caught.value).count("environment genomics is not destroyed: ") == 3


@pytest.mark.parametrize(
    ("stack", "said"),
    [
        (FakeStack(environment="risk"), "was not made by batchhpc"),
        (FakeStack("UPDATE_IN_PROGRESS"), "is being deployed since 2027-01-15 08:00:00 UTC"),
    ],
)
def test_stacks_that_are_left_alone(stack: FakeStack, said: str) -> None:
    """A stack that is somebody else's, or being deployed, is left alone, whatever is allowed."""
    account = Account(stack)
    with pytest.raises(Refused, match=said):
        account.destroy(delete_data=True, terminate_jobs=True)
    assert account.changed == []


def test_nothing_happens_without_a_yes() -> None:
    """What is not confirmed is not done."""
    account = Account().with_data()
    assert account.destroy(yes=False, delete_data=True) is None
    assert (len(account.shown), account.changed) == (1, [])


def test_destroying_twice() -> None:
    """An environment that is not there is destroyed already, without a question."""
    account = Account(FakeStack("DELETE_COMPLETE"))
    left = account.destroy()
    assert left is not None
    assert (left.nothing, account.shown) == (True, [])


def test_what_is_left_of_a_stack_that_is_gone() -> None:
    """Stores and definitions that outlived their stack are found by their tags and go."""
    account = Account(FakeStack("DELETE_COMPLETE")).with_data()
    account.definition("ours", "genomics")
    left = account.destroy(delete_data=True)
    assert left is not None
    assert left.nothing
    assert "cloudformation.DeleteStack" not in account.changed


def test_a_destruction_under_way_is_followed() -> None:
    """A stack that is being deleted is followed, not deleted again."""
    account = Account(FakeStack("DELETE_IN_PROGRESS"))
    left = account.destroy()
    assert left is not None
    assert left.nothing
    assert account.told[0] == "it is being destroyed already: following that"
    assert account.changed == []


def test_what_cannot_be_deleted() -> None:
    """A resource that cannot be deleted is named, and what would have gone after it stays."""
    account = Account(FakeStack(fails="has dependencies")).with_data()
    with pytest.raises(StackFailed, match=r"Subnet \(AWS::EC2::Subnet\): has dependencies"):
        account.destroy(delete_data=True)
    assert list(account.stores.s3.buckets) == [BUCKET]
