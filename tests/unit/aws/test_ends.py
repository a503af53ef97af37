"""Jobs are cancelled before they start and terminated afterwards (R44)."""

from typing import Any

import pytest

from batchhpc.errors import InvalidSpec, JobNotFound
from tests.unit.aws.jobs_on_aws import Aws


@pytest.mark.parametrize("state", ["SUBMITTED", "RUNNABLE"])
def test_a_job_that_has_not_started_is_cancelled(state: str) -> None:
    """Before STARTING CancelJob is enough, and the reason is kept."""
    aws = Aws()
    job, held = aws.submit(2)
    held.move(state)
    assert aws.runner.cancel(job.id, "wrong input") == "cancelled"
    assert (aws.fake.calls["CancelJob"], aws.fake.calls["TerminateJob"]) == (1, 0)
    assert (job.status().state, job.status().status_reason) == ("FAILED", "wrong input")


@pytest.mark.parametrize("state", ["STARTING", "RUNNING"])
def test_a_job_that_has_started_is_terminated(state: str) -> None:
    """From STARTING on it takes TerminateJob, and there is no other attempt (R38)."""
    aws = Aws()
    job, held = aws.submit(2, attempts=3)
    held.run()
    held.move(state)
    assert aws.runner.cancel(job.id, "enough") == "terminated"
    assert (aws.fake.calls["CancelJob"], aws.fake.calls["TerminateJob"]) == (0, 1)
    assert job.status().state == "FAILED"


def test_a_job_that_starts_meanwhile_is_terminated() -> None:
    """CancelJob does nothing to a job that has just started, and says yes all the same: it is looked at again."""
    aws = Aws()
    job, held = aws.submit()
    held.move("RUNNABLE")
    plain = aws.fake.call

    def call(operation: str, request: Any) -> Any:
        if operation == "CancelJob":
            held.run()
        return plain(operation, request)

    aws.fake.call = call  # type: ignore[method-assign]
    assert aws.runner.cancel(job.id, "stop") == "terminated"
    assert (job.status().state, aws.fake.calls["CancelJob"]) == ("FAILED", 1)


def test_a_job_that_waits_for_others() -> None:
    """A PENDING job is cancelled only once the jobs it depends on have ended, and that is said."""
    aws = Aws()
    first, _ = aws.submit()
    second, held = aws.submit(depends_on=(first.id,))
    held.move("PENDING")
    assert aws.runner.cancel(second.id, "no") == "to be cancelled once the jobs it depends on have ended"


def test_an_array_is_terminated() -> None:
    """An array's parent is PENDING while its children run (R60), so all of them are terminated."""
    aws = Aws()
    array = aws.array(3)
    array.children[0].run()
    assert aws.runner.cancel(array.id, "stop") == "terminated"
    assert {each.status for each in array.children} == {"FAILED"}


def test_a_node_means_its_job() -> None:
    """A node of a multi-node job cannot end alone, so its job does."""
    aws = Aws()
    job, held = aws.submit(2)
    held.run()
    aws.runner.terminate(f"{job.id}#1", "stop")
    assert job.status().state == "FAILED"


def test_a_job_that_has_ended_is_left_alone() -> None:
    """Nothing is sent for a job that has ended."""
    aws = Aws()
    job, held = aws.submit()
    held.run()
    held.finish()
    assert aws.runner.cancel(job.id, "late") == "ended before"
    assert job.status().state == "SUCCEEDED"
    assert (aws.fake.calls["CancelJob"], aws.fake.calls["TerminateJob"]) == (0, 0)


@pytest.mark.parametrize("reason", ["", "x" * 1025])
def test_reasons(reason: str) -> None:
    """A reason is 1 to 1,024 characters (R44)."""
    with pytest.raises(InvalidSpec, match=f"has {len(reason)} characters"):
        Aws().runner.cancel("a", reason)


def test_an_unknown_job() -> None:
    """AWS Batch would say yes to an unknown id; we say that there is none."""
    with pytest.raises(JobNotFound):
        Aws().runner.cancel("nope", "why not")
