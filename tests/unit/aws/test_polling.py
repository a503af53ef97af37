"""Waiting for many jobs takes few calls, goes through outages, and ends."""

import pytest

from batchhpc.aws.jobs.polling import LONGEST_WAIT
from batchhpc.errors import JobNotFound, Unavailable, WaitTimeout
from tests.unit.aws.jobs_on_aws import Aws


def test_a_hundred_jobs_a_call() -> None:
    """250 jobs that have ended are known after three calls, whatever order and repeats they are named in."""
    aws = Aws()
    held = [aws.submit()[1] for _ in range(250)]
    aws.fake.calls.clear()
    for job in held:
        job.run()
        job.finish()
    ids = [job.id for job in held]
    assert [status.id for status in aws.runner.wait_all([*reversed(ids), ids[3]])] == [*reversed(ids), ids[3]]
    assert aws.fake.calls == {"DescribeJobs": 3}


def test_each_job_as_it_ends() -> None:
    """Jobs are told in the order of their ends, and those that have ended are asked for no more."""
    aws = Aws()
    (_, one), (_, two) = aws.submit(), aws.submit()
    for job in (one, two):
        job.run()
    aws.time.on_sleep = lambda: two.finish(3) if two.status == "RUNNING" else one.finish(0)
    aws.fake.requests.clear()
    assert [(status.id, status.process_exit_code) for status in aws.runner.as_ended([one.id, two.id])] == [(two.id, 3), (one.id, 0)]
    assert [request["jobs"] for _, request in aws.fake.requests] == [[one.id, two.id], [one.id, two.id], [one.id]]


def test_pauses_grow_and_change_makes_them_short() -> None:
    """Pauses grow to the longest while nothing happens, and begin anew after a change of state."""
    aws = Aws()
    _, held = aws.submit()

    def later() -> None:
        if len(aws.time.slept) == 12:
            held.move("RUNNABLE")
        if len(aws.time.slept) == 14:
            held.run()
            held.finish()

    aws.time.on_sleep = later
    list(aws.runner.as_ended([held.id]))
    assert aws.time.slept[:4] == [1.0, 1.5, 2.25, 3.375]
    assert (aws.time.slept[10], aws.time.slept[11], aws.time.slept[12]) == (30.0, 30.0, 1.0)


def test_many_calls_lengthen_the_pause() -> None:
    """A look of many calls is followed by a pause that keeps the rate of calls down."""
    aws = Aws()
    held = [aws.submit()[1] for _ in range(1500)]

    def end_all() -> None:
        for job in held:
            job.run()
            job.finish()

    aws.time.on_sleep = end_all
    list(aws.runner.as_ended([job.id for job in held]))
    assert aws.time.slept == [1.5]


def test_a_deadline() -> None:
    """The wait ends at its deadline, not a pause later, and names the jobs and what they are."""
    aws = Aws()
    ids = [aws.submit()[0].id for _ in range(7)]
    with pytest.raises(WaitTimeout, match=rf"within 10 s: {ids[0]} is SUBMITTED.* and 2 more\n.*go on"):
        aws.runner.wait_all(ids, 10)
    assert sum(aws.time.slept) == pytest.approx(10)


def test_no_deadline_is_seven_days() -> None:
    """A wait without deadline ends when AWS Batch might begin to forget jobs (R43)."""
    aws = Aws()
    job, _ = aws.submit()
    with pytest.raises(WaitTimeout):
        job.wait()
    assert sum(aws.time.slept) == pytest.approx(LONGEST_WAIT)


def test_throttling_is_waited_out() -> None:
    """A throttled look ends there and is gone on with after a longer pause; each outage is told of once."""
    aws = Aws()
    held = [aws.submit()[1] for _ in range(150)]
    for job in held:
        job.run()
        job.finish()
    aws.fake.calls.clear()
    aws.fake.fault("DescribeJobs", "TooManyRequestsException", times=3)
    assert len(aws.runner.wait_all([job.id for job in held])) == 150
    assert (aws.fake.calls["DescribeJobs"], aws.time.slept) == (5, [1.0, 1.5, 2.25])
    assert [each.message for each in aws.warnings] == [
        "AWS cannot be asked now, so it is tried again: AWS, DescribeJobs: throttled by AWS (TooManyRequestsException)"
    ]


@pytest.mark.parametrize("code", ["lost", "ServerException"])
def test_outages_are_waited_out(code: str) -> None:
    """Lost connections and faults of AWS do not end a wait."""
    aws = Aws()
    job, held = aws.submit()
    held.run()
    held.finish()
    aws.fake.fault("DescribeJobs", code, times=5)
    assert job.wait().process_exit_code == 0


def test_an_expired_credential_ends_the_wait() -> None:
    """What waiting cannot cure is said at once."""
    aws = Aws()
    job, _ = aws.submit()
    aws.fake.fault("DescribeJobs", "ExpiredTokenException")
    with pytest.raises(Unavailable, match=r"credentials have expired.*\n.*sign in again"):
        job.wait()


def test_unknown_jobs_are_named() -> None:
    """A job that AWS Batch does not know is named, with where to look."""
    aws = Aws()
    job, _ = aws.submit()
    with pytest.raises(JobNotFound, match=r"knows no job x, y in this Region\n.*--region"):
        aws.runner.wait_all(["x", job.id, "y"])
    with pytest.raises(JobNotFound, match="knows no job z"):
        aws.runner.status("z")
