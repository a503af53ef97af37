"""A job is submitted exactly once, whatever becomes of the answer."""

import pytest

from batchhpc.errors import InvalidSpec, Unavailable
from tests.unit.aws.jobs_on_aws import ENVIRONMENT, Aws, compiled


def test_a_submission() -> None:
    """The queue is asked, the definition registered, the job sent with a tag of its own: six calls in all."""
    aws = Aws()
    job, held = aws.submit(2)
    assert (job.status().state, held.request["tags"]["batchhpc:submission"]) == ("SUBMITTED", "token-1")
    del aws.fake.calls["DescribeJobs"]
    assert sum(aws.fake.calls.values()) == 6


def test_a_throttled_submission_is_tried_again() -> None:
    """A throttled call was refused, so it is tried again without a search."""
    aws = Aws()
    aws.fake.fault("SubmitJob", "TooManyRequestsException", times=3)
    aws.submit()
    assert (aws.fake.calls["SubmitJob"], aws.fake.calls["ListJobs"], len(aws.fake.jobs)) == (4, 0, 1)
    assert aws.time.slept == [1.0, 1.5, 2.25]


@pytest.mark.parametrize("code", ["lost", "ServerException"])
def test_an_answer_is_lost_after_the_job_arrived(code: str) -> None:
    """The job is found by its name and tag, not submitted again, and that is said."""
    aws = Aws()
    aws.submit()  # another job of the same name
    aws.fake.fault("SubmitJob", code, after=True)
    job, _ = aws.submit()
    assert (aws.fake.calls["SubmitJob"], len(aws.fake.jobs)) == (2, 2)
    assert job.id == list(aws.fake.jobs)[1]
    assert [each.text() for each in aws.warnings] == [
        f"warning: SubmitJob: the answer of AWS Batch was lost; the job had arrived as {job.id} and was not submitted again"
    ]


def test_a_request_is_lost_before_the_job_arrived() -> None:
    """The queue is searched for half a minute, then the job is submitted again, once, and that is said."""
    aws = Aws()
    aws.fake.fault("SubmitJob", "lost")
    aws.submit()
    assert (aws.fake.calls["SubmitJob"], aws.fake.calls["ListJobs"], len(aws.fake.jobs)) == (2, 8, 1)
    assert sum(aws.time.slept[:-1]) == 30.0
    assert aws.warnings[0].message.endswith("no such job is in the queue, so it is submitted again")


def test_it_is_not_known_whether_the_job_arrived() -> None:
    """If the queue cannot be searched either, there is no second try, and the error says how to find out."""
    aws = Aws()
    aws.fake.fault("SubmitJob", "lost", after=True)
    aws.fake.fault("ListJobs", "lost", times=-1)
    with pytest.raises(Unavailable, match=r"not known whether job kmers was submitted.*\n.*batchhpc list.*token-1"):
        aws.submit()
    assert (aws.fake.calls["SubmitJob"], len(aws.fake.jobs)) == (1, 1)


def test_a_refusal_is_final() -> None:
    """What AWS refuses is not tried again: expired credentials are said to be expired."""
    aws = Aws()
    aws.fake.fault("SubmitJob", "ExpiredTokenException")
    with pytest.raises(Unavailable, match="SubmitJob: the credentials have expired"):
        aws.submit()
    assert aws.fake.calls["SubmitJob"] == 1


def test_tries_end() -> None:
    """Throttling without end ends the submission with an error after six tries."""
    aws = Aws()
    aws.fake.fault("SubmitJob", "TooManyRequestsException", times=-1)
    with pytest.raises(Unavailable, match="throttled by AWS"):
        aws.submit()
    assert aws.fake.calls["SubmitJob"] == 6


def test_the_tag_counts() -> None:
    """Fifty tags leave no room for the submission's own, which is said before AWS Batch lets the job fail (R21)."""
    aws = Aws()
    with pytest.raises(InvalidSpec, match="R21"):
        aws.submit(tags={f"t{i}": "x" for i in range(47)})
    assert not aws.fake.calls


def test_share_priority_and_dependencies() -> None:
    """Share, priority and dependencies reach SubmitJob as compiled."""
    aws = Aws()
    first, _ = aws.submit()
    aws.fake.queue(schedulingPolicyArn="arn:aws:batch:eu-west-1:123456789012:scheduling-policy/p")
    environment = ENVIRONMENT.model_copy(update={"fair_share": True})
    job = aws.runner.submit(compiled(1, environment, share="genomics", priority=7, depends_on=(first.id,)))
    request = aws.fake.jobs[job.id].request
    assert (request["shareIdentifier"], request["schedulingPriorityOverride"]) == ("genomics", 7)
    assert request["dependsOn"] == [{"jobId": first.id}]
