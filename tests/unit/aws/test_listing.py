"""Lists of jobs are newest first and take few calls."""

from batchhpc.aws.jobs.listing import our_queues
from batchhpc.jobs import JobState
from tests.unit.aws.fake_clients import clients
from tests.unit.aws.jobs_on_aws import Aws


def test_active_jobs_and_the_newest_others() -> None:
    """Without states, jobs that go on come before those that have ended where not all fit; the list is newest first."""
    aws = Aws()
    held = []
    for _ in range(5):
        held.append(aws.submit(2)[1])
        aws.time.now += 1
    for job in held[1:]:
        job.run()
        job.finish(3)
    assert [job.id for job in aws.runner.jobs()] == [job.id for job in reversed(held)]
    assert [job.id for job in aws.runner.jobs(limit=2)] == [held[4].id, held[0].id]
    (waiting,) = aws.runner.jobs([JobState.SUBMITTED])
    assert (waiting.id, waiting.nodes, waiting.queue, waiting.exit_code) == (held[0].id, 2, "batchhpc-test", None)


def test_ten_thousand_jobs() -> None:
    """Ten thousand jobs of one state are listed in ten calls; a hundred of them in one."""
    aws = Aws()
    arn = aws.fake.call("RegisterJobDefinition", {"jobDefinitionName": "d", "type": "container", "containerProperties": {}})
    request = {"jobName": "j", "jobQueue": "batchhpc-test", "jobDefinition": arn["jobDefinitionArn"]}
    aws.fake.record = False
    for _ in range(10_000):
        aws.fake.call("SubmitJob", request)
    aws.fake.calls.clear()
    assert len({job.id for job in aws.runner.jobs([JobState.SUBMITTED], limit=20_000)}) == 10_000
    assert aws.fake.calls == {"ListJobs": 10}
    assert len(aws.runner.jobs([JobState.SUBMITTED], limit=100)) == 100
    assert aws.fake.calls == {"ListJobs": 11}


def test_exit_codes_where_they_are_told() -> None:
    """A list tells the exit code of container jobs; of several nodes AWS Batch's list tells none."""
    aws = Aws()
    for nodes in (1, 2):
        _, held = aws.submit(nodes)
        held.run()
        held.finish(7)
    assert {(job.nodes, job.exit_code) for job in aws.runner.jobs()} == {(1, 7), (2, None)}


def test_our_queues() -> None:
    """Queues that batchhpc made are known by their names, over all pages."""
    aws = Aws()
    for i in range(150):
        aws.fake.queue(f"batchhpc-{i:03}" if i % 2 else f"other-{i}")
    assert len(our_queues(clients(aws.fake).batch)) == 76
