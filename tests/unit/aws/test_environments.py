"""Environments that are deployed: found by name with what jobs must know, or told why they cannot be used."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from batchhpc.aws.environments.deployed import deployed, environments
from batchhpc.aws.environments.stack import NEVER_MADE, USABLE
from batchhpc.compiler.stack.compile import compile_environment
from batchhpc.errors import EnvironmentNotFound, Unavailable
from tests.unit.aws.account import spec
from tests.unit.aws.fake_aws import REGION, Answer, FakeAws
from tests.unit.aws.fake_jobs import Refusal

NOT_THERE = Refusal("Stack with id batchhpc-genomics does not exist", "ValidationError")
OUTPUTS = {
    "QueueArn": "arn:aws:batch:eu-west-1:123456789012:job-queue/batchhpc-genomics",
    "SecretArn": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:genomics-AbCdEf",
    "ExecutionRoleArn": "arn:aws:iam::123456789012:role/genomics-execution",
    "JobRoleArn": "arn:aws:iam::123456789012:role/genomics-job",
    "BucketName": "batchhpc-genomics-bucket-1",
}


def stack(name: str = "batchhpc-genomics", status: str = "CREATE_COMPLETE", reason: str = "") -> Answer:
    """One stack, in DescribeStacks' words."""
    one: Answer = {"StackName": name, "StackStatus": status, "CreationTime": datetime(2027, 1, 15, tzinfo=UTC)}
    one |= {"StackStatusReason": reason} if reason else {}
    return one | {"Outputs": [{"OutputKey": key, "OutputValue": value} for key, value in OUTPUTS.items()]}


def template(**changes: Any) -> Answer:
    """The template that an environment was deployed with."""
    return {"TemplateBody": json.dumps(compile_environment(spec(**changes)).template)}


def account(*stacks: Answer) -> FakeAws:
    """A Region with these stacks."""

    def describe(request: dict[str, Any]) -> Answer:
        found = [each for each in stacks if request.get("StackName", each["StackName"]) == each["StackName"]]
        if not found and "StackName" in request:
            raise NOT_THERE
        return {"Stacks": found}

    return FakeAws().on("cloudformation.DescribeStacks", describe).on("cloudformation.GetTemplate", template())


def test_what_jobs_must_know() -> None:
    """A deployed environment gives back its spec, and roles, secret and bucket from its outputs."""
    found, environment = deployed("genomics", account(stack()).clients)
    assert found == spec()
    assert (environment.name, environment.queue, environment.region) == ("genomics", "batchhpc-genomics", REGION)
    assert environment.instance_types == ("c7i.8xlarge", "c7i.16xlarge")
    assert environment.secret_arn == OUTPUTS["SecretArn"]
    assert (environment.execution_role_arn, environment.job_role_arn) == (OUTPUTS["ExecutionRoleArn"], OUTPUTS["JobRoleArn"])
    assert environment.bucket == OUTPUTS["BucketName"]


@pytest.mark.parametrize("status", sorted(USABLE))
def test_states_in_which_jobs_can_run(status: str) -> None:
    """An environment that is being updated, or whose update was taken back, takes jobs."""
    assert deployed("genomics", account(stack(status=status)).clients)[1].name == "genomics"


@pytest.mark.parametrize(
    ("status", "why"),
    [
        ("REVIEW_IN_PROGRESS", "was planned, but never deployed\n  hint: batchhpc deploy"),
        ("CREATE_IN_PROGRESS", "is still being deployed"),
        ("UPDATE_ROLLBACK_FAILED", "is stuck between two deployments"),
        ("DELETE_IN_PROGRESS", "is being destroyed"),
        ("DELETE_FAILED", "is half destroyed"),
        ("ROLLBACK_IN_PROGRESS", "could not be deployed"),
        *((status, "could not be deployed") for status in sorted(NEVER_MADE)),
    ],
)
def test_states_in_which_they_cannot(status: str, why: str) -> None:
    """An environment that cannot be used is told with its state, why, and what to do."""
    with pytest.raises(Unavailable) as caught:
        deployed("genomics", account(stack(status=status)).clients)
    assert str(caught.value).startswith(f"environment genomics ({status}) {why}")


@pytest.mark.parametrize(
    ("stacks", "there"),
    [
        ([], "there are none; batchhpc deploy ENV.yaml makes one"),
        ([stack("batchhpc-risk"), stack("batchhpc-kmers"), stack("other")], "there are kmers, risk"),
        ([stack("batchhpc-planned", "REVIEW_IN_PROGRESS")], "there are none"),
    ],
)
def test_a_name_that_is_not_there(stacks: list[Answer], there: str) -> None:
    """A name that is not there is told with the Region and the names that are."""
    with pytest.raises(EnvironmentNotFound) as caught:
        deployed("genomics", account(*stacks).clients)
    assert str(caught.value).startswith(f"genomics: no such environment in eu-west-1\n  hint: {there}")


def test_a_stack_of_somebody_else() -> None:
    """A stack whose template says nothing of batchhpc is told as somebody else's, in JSON or YAML."""
    for body in (json.dumps({"Resources": {}}), "Resources: {}\n"):
        fake = account(stack()).on("cloudformation.GetTemplate", {"TemplateBody": body})
        with pytest.raises(Unavailable, match="was not made by batchhpc"):
            deployed("genomics", fake.clients)


def test_a_stack_of_another_version() -> None:
    """A spec that this version does not read is told with what it does not read, and the remedy."""
    text = json.dumps({**spec().to_data(), "colour": "green"})
    body = json.dumps({"Metadata": {"batchhpc": {"environment": text}}, "Resources": {}})
    fake = account(stack()).on("cloudformation.GetTemplate", {"TemplateBody": body})
    with pytest.raises(Unavailable, match=r"(?s)deployed by another version of batchhpc: .*colour.*deploy it again"):
        deployed("genomics", fake.clients)


def test_a_refusal_is_not_an_absence() -> None:
    """Where AWS refuses to answer, an environment is not taken for missing."""
    fake = FakeAws().on("cloudformation.DescribeStacks", Refusal("no", "AccessDenied", 403))
    with pytest.raises(Unavailable, match="access denied"):
        deployed("genomics", fake.clients)


def test_all_environments() -> None:
    """All environments are listed by name, over all pages; of one that this version cannot read only what the stack tells."""
    fake = FakeAws()
    pages: list[Answer] = [
        {"Stacks": [stack("batchhpc-risk", "ROLLBACK_COMPLETE", "Nat failed"), stack("other")], "NextToken": "more"},
        {"Stacks": [stack(), stack("batchhpc-gone", "DELETE_COMPLETE")]},
    ]
    fake.on("cloudformation.DescribeStacks", *pages)

    def body(request: dict[str, Any]) -> Answer:
        return template(capacity="spot") if request["StackName"] == "batchhpc-genomics" else {"TemplateBody": "{}"}

    genomics, risk = environments(fake.on("cloudformation.GetTemplate", body).clients)
    assert (genomics.name, genomics.queue, genomics.capacity, genomics.max_nodes) == ("genomics", "batchhpc-genomics", "spot", 4)
    assert (risk.name, risk.state, risk.reason, risk.capacity) == ("risk", "ROLLBACK_COMPLETE", "Nat failed", None)
