"""Gangs on AWS: one at a time in a queue, each an array whose leader speaks for it and whose nodes are tried again alone."""

from typing import Any

import pytest

from batchhpc.errors import InvalidSpec
from batchhpc.jobs import Job, JobState, LogLine
from batchhpc.spec import Capacity
from tests.unit.aws.fake_jobs import FakeJob
from tests.unit.aws.jobs_on_aws import ENVIRONMENT, Aws, compiled

SPOT = ENVIRONMENT.model_copy(
    update={
        "capacity": Capacity.SPOT,
        "bucket": "batchhpc-test",
        "job_role_arn": "arn:aws:iam::123456789012:role/batchhpc-test",
    }
)


@pytest.fixture
def aws() -> Aws:
    made = Aws()
    made.fake.queue(kind="SPOT")
    return made


def gang(aws: Aws, nodes: int = 3, *, alongside: bool = False, **changes: Any) -> tuple[Job, FakeJob]:
    """A gang of so many nodes, and what AWS Batch knows of it."""
    job = aws.runner.submit(compiled(nodes, SPOT, **changes), alongside=alongside)
    return job, aws.fake.jobs[job.id]


def waits_for(held: FakeJob) -> list[str]:
    return [each["jobId"] for each in held.request.get("dependsOn", [])]


def test_a_gang_is_an_array_with_the_tag_of_one(aws: Aws) -> None:
    """The first gang of a queue waits for nobody; it is an array of its nodes, and its tag says what it is. Eight calls."""
    _, held = gang(aws)
    assert (len(held.children), held.request["tags"]["batchhpc:shape"], waits_for(held)) == (3, "gang", [])
    assert (aws.fake.calls["ListJobs"], aws.fake.calls["DescribeJobs"], sum(aws.fake.calls.values())) == (2, 0, 8)
    assert aws.warnings == []


def test_a_gang_waits_for_the_one_before_it(aws: Aws) -> None:
    """The second waits for the first and the third for the second, in whatever state they are; whoever submits is told."""
    first, held = gang(aws)
    held.run()
    aws.time.now += 1
    second, waiting = gang(aws, 2)
    aws.time.now += 1
    _, last = gang(aws)
    assert (waits_for(waiting), waits_for(last)) == ([first.id], [second.id])
    told = (
        "warning: queue batchhpc-test: has gang {0} (kmers), {1}: this job starts when that one has succeeded, "
        "and AWS Batch fails it if that one fails or is cancelled (R47)\n"
        "  hint: submit --alongside does not wait; the two then share the instances, and give up if neither gets all of its own"
    )
    assert [each.text() for each in aws.warnings] == [told.format(first.id, "PENDING"), told.format(second.id, "SUBMITTED")]
    waiting.move("PENDING")
    found = aws.runner.waiting(second.id)
    assert found
    assert [(each.path, each.message) for each in found.causes] == [
        (f"depends on {first.id}", "(kmers), which is PENDING"),
        ("array", "is PENDING until all its children have ended; they are: 2 PENDING"),
    ]


def test_a_gang_waits_for_no_other_kind_of_job(aws: Aws) -> None:
    """Gangs that have ended, arrays of somebody else, jobs of one node and gangs of another queue are not waited for."""
    _, ended = gang(aws)
    ended.run()
    ended.finish(0)
    aws.array(2)
    aws.submit()
    aws.fake.queue("other", kind="SPOT")
    other, _ = aws.runner.submit(compiled(2, SPOT.model_copy(update={"queue": "other"}))), None
    _, held = gang(aws)
    assert waits_for(held) == []
    assert other.id in aws.fake.jobs
    assert aws.warnings == []


def test_a_gang_may_start_alongside(aws: Aws) -> None:
    """Who says so does not wait, and the queue is not searched."""
    gang(aws)
    before = aws.fake.calls["ListJobs"]
    _, held = gang(aws, alongside=True)
    assert (waits_for(held), aws.fake.calls["ListJobs"], aws.warnings) == ([], before, [])


def test_other_dependencies_stay(aws: Aws) -> None:
    """The gang before comes behind the jobs that the spec names, once, and counts as one of at most twenty (R47)."""
    plain, _ = aws.submit()
    first, _ = gang(aws)
    aws.time.now += 1
    _, held = gang(aws, depends_on=(plain.id,))
    assert waits_for(held) == [plain.id, first.id]
    _, again = gang(aws, depends_on=(aws.fake.jobs[held.id].id,))
    assert waits_for(again) == [held.id]
    with pytest.raises(InvalidSpec, match=r"dependsOn: has 21 jobs, but at most 20 may be \(R47\)"):
        gang(aws, depends_on=(plain.id,) * 20)


def test_a_gang_among_many_arrays_is_found(aws: Aws) -> None:
    """The queue is read page by page and described a hundred at a time, newest first."""
    first, _ = gang(aws)
    for _ in range(150):
        aws.time.now += 1
        aws.array(2)
    aws.fake.calls.clear()
    _, held = gang(aws)
    assert (waits_for(held), aws.fake.calls["ListJobs"], aws.fake.calls["DescribeJobs"]) == ([first.id], 2, 2)


def test_a_gang_larger_than_the_queue_is_refused(aws: Aws) -> None:
    """A gang with more vCPUs than the queue's environment may have can never run, and nothing is registered (R27)."""
    aws.fake.queue(kind="SPOT", max_vcpus=64)
    with pytest.raises(InvalidSpec, match=r"at most 64 vCPUs, but the job takes 3 x 32 = 96 \(R27\)"):
        gang(aws)
    assert aws.fake.calls["RegisterJobDefinition"] == 0


def test_a_gang_that_may_be_spread_is_warned_of(aws: Aws) -> None:
    """Several subnets or compute environments may put the nodes of a gang apart (R33); one node does not mind."""
    aws.fake.environments["batchhpc-test"]["computeResources"]["subnets"] = ["subnet-1", "subnet-2"]
    gang(aws)
    assert [(each.path, each.rule) for each in aws.warnings] == [("compute environment batchhpc-test", "R33")]
    aws.warnings.clear()
    aws.runner.submit(compiled(1, SPOT))
    assert aws.warnings == []


def test_waiting_for_gangs_ends_with_the_leaders_code(aws: Aws) -> None:
    """Who waits for many jobs gets a gang's own exit code, the leader's, from one call more; an outage is waited out."""
    job, held = gang(aws)
    held.run()
    held.children[1].finish(1)
    held.children[2].finish(1)
    held.children[0].finish(9)
    aws.fake.fault("DescribeJobs", "lost", times=2)
    (status,) = aws.runner.wait_all([job.id])
    assert (status.state, status.exit_code, status.process_exit_code) == (JobState.FAILED, 9, 9)
    assert status.started_at is not None


def test_each_node_of_a_gang_has_attempts_of_its_own(aws: Aws) -> None:
    """A reclaimed node's attempts are its own; while it waits for another instance it has not started."""
    job, held = gang(aws)
    held.run()
    aws.time.now += 100
    held.children[1].finish(None, "", "Host EC2 (instance i-1) terminated.")
    (leader, lost, _) = job.status().nodes
    assert (lost.state, lost.started_at, len(lost.earlier), leader.earlier) == (JobState.RUNNABLE, None, 1, ())
    aws.time.now += 50
    held.children[1].run()
    assert job.status().nodes[1].started_at == aws.time.now
    aws.time.now += 50
    held.finish(0)
    nodes = job.status().nodes
    assert [(each.state, len(each.earlier)) for each in nodes] == [("SUCCEEDED", 0), ("SUCCEEDED", 1), ("SUCCEEDED", 0)]
    assert [each.stopped_at - each.started_at for each in nodes if each.stopped_at and each.started_at] == [200, 50, 200]


def test_logs_of_a_gang_are_those_of_all_nodes_and_attempts(aws: Aws) -> None:
    """Every child's lines are told by its index, those of a lost instance, too."""
    job, held = gang(aws, 2)
    held.run()
    for child in held.children:
        aws.fake.logs.put(child.stream, (aws.time.now, f"one of {child.index}"))
    held.children[1].finish(None, "", "Host EC2 (instance i-1) terminated.")
    aws.time.now += 10
    held.children[1].run()
    aws.fake.logs.put(held.children[1].stream, (aws.time.now, "two of 1"))
    lines = sorted(aws.runner.logs(job.id), key=lambda line: (line.attempt, line.node))
    assert lines == [LogLine(0, 1, "one of 0"), LogLine(1, 1, "one of 1"), LogLine(1, 2, "two of 1")]


def test_who_ends_a_gang_is_told_which_others_fail_with_it(aws: Aws) -> None:
    """Gangs behind the cancelled one, and behind those, are named; one alongside is not, and a refusal to list is no error."""
    ids = []
    for alongside in (False, False, True, False):
        ids.append(gang(aws, alongside=alongside)[0].id)
        aws.time.now += 1
    assert waits_for(aws.fake.jobs[ids[3]]) == [ids[2]]
    assert aws.runner.cancel(ids[3], "no") == "terminated"
    behind, _ = gang(aws, depends_on=(ids[1],), alongside=True)
    assert aws.runner.cancel(ids[0], "no") == f"terminated; what waited for it fails, too (R47): {ids[1]}, {behind.id}"
    aws.fake.fault("ListJobs", "AccessDeniedException")
    assert aws.runner.cancel(ids[2], "no") == "terminated"


def test_a_gang_is_ended_whole(aws: Aws) -> None:
    """Cancelling a gang ends all its children, those that run and those that wait for an instance."""
    job, held = gang(aws)
    held.children[0].run()
    assert aws.runner.cancel(job.id, "wrong input") == "terminated"
    assert {each.status for each in held.children} == {"FAILED"}
