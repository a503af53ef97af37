"""The requests that AWS gets, to the letter: botocore's Stubber refuses any other, and any that AWS does not describe."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.stub import Stubber

from batchhpc.aws.jobs.definitions import definition_arn
from batchhpc.aws.jobs.ends import end
from batchhpc.aws.jobs.submission import Submission, send
from batchhpc.aws.sdk import Clients
from tests.unit.aws.fake_clients import Time
from tests.unit.aws.jobs_on_aws import ENVIRONMENT, compiled

JOB = "5ba5f0ee-0000-4000-8000-00c0ffee0001"
ACCOUNT = "arn:aws:batch:eu-west-1:123456789012"


class Stubs:
    """A real client of AWS Batch that speaks to nobody, and the calls it is to get."""

    def __init__(self) -> None:
        session = boto3.session.Session(aws_access_key_id="testing", aws_secret_access_key="testing")
        client: Any = session.client("batch", region_name="eu-west-1", config=Config(retries={"total_max_attempts": 1}))
        self.batch, self.stub = client, Stubber(client)
        self.clients = Clients("eu-west-1")
        self.clients.__dict__.update(batch=client, batch_once=client)

    def expect(self, method: str, request: dict[str, Any], answer: dict[str, Any] | None = None) -> None:
        """The next call, and what AWS says to it."""
        self.stub.add_response(method, answer or {}, request)

    def detail(self, status: str, **more: Any) -> None:
        """The next look at the job."""
        shown = {"jobId": JOB, "jobName": "kmers", "jobQueue": "q", "status": status, "startedAt": 0, "jobDefinition": "d", **more}
        self.expect("describe_jobs", {"jobs": [JOB]}, {"jobs": [shown]})


@pytest.fixture
def stubs() -> Iterator[Stubs]:
    """Fails the test if a call that was expected did not come."""
    made = Stubs()
    with made.stub:
        yield made
        made.stub.assert_no_pending_responses()


def test_a_definition_is_looked_for_and_registered(stubs: Stubs) -> None:
    """DescribeJobDefinitions asks for ACTIVE ones of that name, a hundred; RegisterJobDefinition sends the compiled document."""
    register = compiled(2).register
    name = register["jobDefinitionName"]
    stubs.expect(
        "describe_job_definitions", {"jobDefinitionName": name, "status": "ACTIVE", "maxResults": 100}, {"jobDefinitions": []}
    )
    arn = f"{ACCOUNT}:job-definition/{name}:1"
    stubs.expect("register_job_definition", dict(register), {"jobDefinitionName": name, "jobDefinitionArn": arn, "revision": 1})
    assert definition_arn(stubs.batch, register) == arn
    assert register["type"] == "multinode"
    assert register["nodeProperties"]["numNodes"] == 2
    assert {each["targetNodes"] for each in register["nodeProperties"]["nodeRangeProperties"]} == {"0:"}


def test_a_job_is_submitted(stubs: Stubs) -> None:
    """SubmitJob sends the compiled request, share, priority and dependencies included, with one more tag."""
    environment = ENVIRONMENT.model_copy(update={"fair_share": True})
    job = compiled(2, environment, share="genomics", priority=7, depends_on=(JOB,), tags={"project": "kmers"})
    request = {**job.submit, "jobDefinition": f"{ACCOUNT}:job-definition/kmers:1"}
    stubs.expect(
        "submit_job",
        {**request, "tags": {**job.submit["tags"], "batchhpc:submission": "token"}},
        {"jobName": "kmers", "jobId": JOB, "jobArn": f"{ACCOUNT}:job/{JOB}"},
    )
    assert send(stubs.clients, Submission(request, "token"), Time().pace, lambda _: None) == JOB
    assert (request["jobName"], request["jobQueue"], request["tags"]["project"]) == ("kmers", "batchhpc-test", "kmers")
    assert (request["shareIdentifier"], request["schedulingPriorityOverride"]) == ("genomics", 7)
    assert request["dependsOn"] == [{"jobId": JOB}]


def test_a_lost_submission_is_searched_by_name_and_tag(stubs: Stubs) -> None:
    """After AWS's own fault the queue is listed by the job's name, and the jobs found are looked at for the tag (R42)."""
    request = {"jobName": "kmers", "jobQueue": "batchhpc-test", "jobDefinition": "kmers:1"}
    stubs.stub.add_client_error("submit_job", "ServerException", "internal", 500)
    time = Time()
    stubs.expect(
        "list_jobs",
        {"jobQueue": "batchhpc-test", "filters": [{"name": "JOB_NAME", "values": ["kmers"]}], "maxResults": 100},
        {"jobSummaryList": [{"jobId": JOB, "jobName": "kmers", "createdAt": int(time.now * 1000)}]},
    )
    stubs.detail("SUBMITTED", tags={"batchhpc:submission": "token"})
    assert send(stubs.clients, Submission(request, "token"), time.pace, lambda _: None) == JOB


def test_a_job_that_runs_is_terminated(stubs: Stubs) -> None:
    """TerminateJob gets the id and the reason, after one look (R44)."""
    stubs.detail("RUNNING")
    stubs.expect("terminate_job", {"jobId": JOB, "reason": "wrong input"})
    assert end(stubs.batch, f"{JOB}#1", "wrong input") == "terminated"


def test_a_job_that_waits_is_cancelled(stubs: Stubs) -> None:
    """CancelJob gets the same, between two looks (R44)."""
    stubs.detail("RUNNABLE")
    stubs.expect("cancel_job", {"jobId": JOB, "reason": "wrong input"})
    stubs.detail("FAILED", statusReason="wrong input")
    assert end(stubs.batch, JOB, "wrong input") == "cancelled"


def test_an_array_is_terminated(stubs: Stubs) -> None:
    """An array's parent that is PENDING gets TerminateJob at once, for its children may run (R60)."""
    stubs.detail("PENDING", arrayProperties={"size": 3, "statusSummary": {"RUNNING": 3}})
    stubs.expect("terminate_job", {"jobId": JOB, "reason": "stop"})
    assert end(stubs.batch, JOB, "stop") == "terminated"
