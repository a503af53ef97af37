"""Definitions are registered once for each content."""

import copy

from batchhpc.aws.jobs.definitions import definition_arn, same
from tests.unit.aws.fake_batch import FakeBatch
from tests.unit.aws.fake_clients import clients
from tests.unit.aws.jobs_on_aws import Aws, compiled


def test_an_equal_definition_is_used_again() -> None:
    """A second job of the same content registers nothing, although AWS Batch gives the definition back filled in and reordered."""
    aws = Aws()
    arns = [definition_arn(aws.runner._clients.batch, compiled(3, env={"A": "1", "B": ""}).register) for _ in range(3)]
    assert len(set(arns)) == 1
    assert (aws.fake.calls["RegisterJobDefinition"], aws.fake.calls["DescribeJobDefinitions"]) == (1, 3)


def test_the_revision_is_part_of_the_arn() -> None:
    """Jobs are submitted with the definition's ARN and revision."""
    aws = Aws()
    job, _ = aws.submit()
    request = next(request for name, request in aws.fake.requests if name == "SubmitJob")
    assert request["jobDefinition"] == aws.fake.jobs[job.id].definition["jobDefinitionArn"]
    assert request["jobDefinition"].endswith(":1")


def test_somebody_elses_definition_of_that_name_is_not_ours() -> None:
    """Another content under our name is left alone, and ours becomes the next revision."""
    fake = FakeBatch()
    ours = compiled().register
    theirs = copy.deepcopy(ours)
    theirs["containerProperties"]["image"] = "somebody/else:1"
    fake.call("RegisterJobDefinition", theirs)
    assert definition_arn(clients(fake).batch, ours).endswith(":2")


def test_an_inactive_definition_is_not_used() -> None:
    """A deregistered definition is registered anew."""
    fake = FakeBatch()
    arn = definition_arn(clients(fake).batch, compiled().register)
    fake.definitions[arn]["status"] = "INACTIVE"
    assert definition_arn(clients(fake).batch, compiled().register).endswith(":2")


def test_looking_is_bounded() -> None:
    """However many revisions somebody has made of the name, three pages are looked at."""
    fake = FakeBatch()
    other = {**compiled().register, "timeout": {"attemptDurationSeconds": 61}}
    for _ in range(350):
        fake.call("RegisterJobDefinition", other)
    definition_arn(clients(fake).batch, compiled().register)
    assert fake.calls["DescribeJobDefinitions"] == 3


def test_what_same_means() -> None:
    """Empty members and order of named lists do not count; anything said does."""
    variables = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    sent = {"environment": variables, "command": ["a", "b"]}
    held = {"environment": variables[::-1], "command": ["a", "b"], "volumes": [], "vcpus": 0}
    assert same(sent, held)
    assert not same(sent, {**held, "command": ["b", "a"]})
    assert not same({"container": sent}, {"container": {**held, "user": "root"}})
    assert not same({"container": sent}, {"container": {"command": ["a", "b"]}})
    assert not same({"privileged": True}, {"privileged": False})
    assert same({"evaluateOnExit": [{"action": "RETRY"}]}, {"evaluateOnExit": [{"action": "retry"}]})
