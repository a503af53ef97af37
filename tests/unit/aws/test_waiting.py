"""Why a job waits is said with what to do; each reason of AWS Batch's catalogue has words (R48)."""

from typing import Any

import pytest

from batchhpc.aws.jobs.waiting import REASONS, Waiting, explained
from tests.unit.aws.fake_jobs import FakeJob
from tests.unit.aws.jobs_on_aws import Aws


def waiting(aws: Aws, job: FakeJob) -> Waiting:
    """Why it waits; it does."""
    found = aws.runner.waiting(job.id)
    assert found
    return found


def texts(found: Waiting) -> list[str]:
    """Each cause in one line."""
    return [f"{each.path}: {each.message}" for each in found.causes]


@pytest.mark.parametrize("reason", list(REASONS))
def test_reasons_of_the_catalogue(reason: str) -> None:
    """Each reason has a meaning and a remedy, and is never taken for the job's death: AWS Batch may change its mind."""
    aws = Aws()
    _, held = aws.submit(2)
    held.move("RUNNABLE", f"{reason} - some words of AWS")
    (cause, *_) = waiting(aws, held).causes
    assert cause.message.startswith(f"{reason} - some words of AWS: ")
    assert cause.hint.endswith("AWS Batch looks again every few minutes and may say something else then")
    assert (cause.rule, cause.severity) == ("R48", "warning")


def test_other_words() -> None:
    """A reason that is in no catalogue is passed on as it is."""
    aws = Aws()
    _, held = aws.submit()
    held.move("RUNNABLE", "The moon is full")
    assert texts(waiting(aws, held)) == ["AWS Batch: The moon is full"]
    assert explained("Essential container in task exited") is None


def test_time_and_place() -> None:
    """The time since it was submitted, and its place among those that are next, are told."""
    aws = Aws()
    held = [aws.submit()[1] for _ in range(3)]
    for job in held:
        job.move("RUNNABLE")
    aws.time.now += 90
    found = waiting(aws, held[1])
    assert (found.seconds, found.position, found.listed, found.position_seconds) == (90, 2, 3, 90)


def test_a_place_beyond_the_first_hundred() -> None:
    """A job that is not among the hundred that AWS Batch lists has no place."""
    aws = Aws()
    held = [aws.submit()[1] for _ in range(102)]
    for job in held:
        job.move("RUNNABLE")
    assert (waiting(aws, held[-1]).position, waiting(aws, held[-1]).listed) == (None, 100)


def test_causes_in_the_queue() -> None:
    """What is wrong with the compute environments now is told beside AWS Batch's own reason."""
    aws = Aws()
    _, held = aws.submit(2)
    held.move("RUNNABLE", "ACTION_REQUIRED - CE(s) associated with the job queue are invalid.")
    aws.fake.environments["batchhpc-test"].update(status="INVALID", statusReason="launch template is gone")
    assert texts(waiting(aws, held))[1:] == ["compute environment batchhpc-test: is INVALID: launch template is gone"]


def test_a_multinode_job_on_spot() -> None:
    """A multi-node job in a Spot queue, which AWS Batch says nothing about, is told never to start (R11)."""
    aws = Aws()
    _, held = aws.submit(2)
    held.move("RUNNABLE")
    aws.fake.environments["batchhpc-test"]["computeResources"]["type"] = "SPOT"
    (cause,) = waiting(aws, held).causes
    assert (cause.rule, cause.severity) == ("R11", "error")


def test_too_large_for_the_environment() -> None:
    """A job that needs more vCPUs than there can be is told with the numbers (R27)."""
    aws = Aws()
    _, held = aws.submit(2)
    held.move("RUNNABLE", "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE - x")
    aws.fake.environments["batchhpc-test"]["computeResources"]["maxvCpus"] = 32
    assert "has at most 32 vCPUs, but the job takes 2 x 32 = 64" in texts(waiting(aws, held))[1]


def test_the_queues_time_limit() -> None:
    """A queue that cancels jobs for the very reason says so (R49)."""
    aws = Aws()
    _, held = aws.submit(2)
    held.move("RUNNABLE", "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY - x")
    action: dict[str, Any] = {"reason": "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY", "state": "RUNNABLE", "action": "CANCEL"}
    aws.fake.queues["batchhpc-test"]["jobStateTimeLimitActions"] = [{**action, "maxTimeSeconds": 600}]
    assert texts(waiting(aws, held))[1] == "queue batchhpc-test: cancels a job that waits 600 s for this reason"


@pytest.mark.parametrize(("dwelt", "said"), [(30, "instances take some minutes"), (3600, "no reason after 60 minutes")])
def test_no_reason(dwelt: float, said: str) -> None:
    """Without any reason a short wait is nothing unusual, and a long one has usual causes."""
    aws = Aws()
    _, held = aws.submit()
    held.move("RUNNABLE")
    aws.time.now += dwelt
    (text,) = texts(waiting(aws, held))
    assert said in text


def test_dependencies() -> None:
    """A PENDING job tells what it waits for, and that it will not start if that has failed (R47)."""
    aws = Aws()
    (one, first), (two, second) = aws.submit(), aws.submit()
    _, held = aws.submit(depends_on=(one.id, two.id))
    held.move("PENDING")
    first.run()
    second.run()
    second.finish(1)
    assert texts(waiting(aws, held)) == [
        f"depends on {one.id}: (kmers), which is RUNNING",
        f"depends on {two.id}: (kmers), which has FAILED, so this job will not start",
    ]


def test_an_array() -> None:
    """An array tells how its children are (R60), and why the first waits."""
    aws = Aws()
    array = aws.array(4)
    array.move("RUNNABLE", "UNDETERMINED - Batch job is blocked, root cause is undetermined.")
    found = texts(waiting(aws, array))
    assert found[0] == "array: is PENDING until all its children have ended; they are: 4 RUNNABLE"
    assert found[1].startswith("AWS Batch: UNDETERMINED")


@pytest.mark.parametrize(("state", "said"), [("SUBMITTED", "dependencies"), ("STARTING", "once the main node runs (R36)")])
def test_other_states(state: str, said: str) -> None:
    """SUBMITTED and STARTING have words of their own."""
    aws = Aws()
    _, held = aws.submit(2)
    held.move(state)
    assert said in texts(waiting(aws, held))[0]


def test_a_job_that_runs_does_not_wait() -> None:
    """Jobs that run or have ended wait for nothing."""
    aws = Aws()
    job, held = aws.submit()
    held.run()
    assert aws.runner.waiting(job.id) is None
    held.finish()
    assert aws.runner.waiting(job.id) is None


def test_what_may_not_be_asked_is_left_out() -> None:
    """Without permission to look at queues the reason of AWS Batch is told all the same."""
    aws = Aws()
    _, held = aws.submit()
    held.move("RUNNABLE", "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY - x")
    for operation in ("DescribeJobQueues", "GetJobQueueSnapshot"):
        aws.fake.fault(operation, "AccessDeniedException", times=-1)
    found = waiting(aws, held)
    assert (len(found.causes), found.position) == (1, None)
