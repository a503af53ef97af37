"""What AWS Batch describes becomes states, nodes, attempts and log streams; shapes by botocore's description of AWS Batch."""

from typing import Any

import pytest

from batchhpc.aws.jobs.describe import LOG_GROUP, Stream, drivers, job_status, node_ids, node_of, parent_of, streams
from batchhpc.jobs import JobState
from tests.unit.aws.fake_clients import check, operations
from tests.unit.aws.jobs_on_aws import Aws

JOB = {
    "jobId": "a",
    "jobName": "kmers",
    "jobQueue": "arn:aws:batch:eu-west-1:123456789012:job-queue/q",
    "status": "RUNNING",
    "jobDefinition": "arn:aws:batch:eu-west-1:123456789012:job-definition/d:1",
    "createdAt": 1_000_000,
    "startedAt": 2_000_000,
}


def detail(**changes: Any) -> dict[str, Any]:
    """A job as AWS describes it, and as it may be described."""
    made = {**JOB, **changes}
    check({"jobs": [made]}, operations("batch")["describe_jobs"].output_shape)
    return made


def test_a_container_job_is_its_own_only_node() -> None:
    """A container job has one node, the main node, with the job's state, times in seconds and exit code."""
    ended = detail(
        status="FAILED",
        statusReason="Essential container in task exited",
        stoppedAt=3_000_000,
        container={"exitCode": 3, "logStreamName": "s"},
        attempts=[{"container": {"exitCode": 3, "reason": "OutOfMemoryError"}, "startedAt": 2_000_000, "stoppedAt": 3_000_000}],
    )
    status = job_status(ended)
    (node,) = status.nodes
    assert (node.index, node.main, node.exit_code, node.stopped_at) == (0, True, 3, 3000.0)
    assert (status.exit_code, status.attempts[0].reason, status.created_at) == (3, "OutOfMemoryError", 1000.0)


@pytest.mark.parametrize("changes", [{"startedAt": 0}, {"startedAt": 0, "stoppedAt": 0}])
def test_what_has_not_happened_has_no_time(changes: dict[str, int]) -> None:
    """Zero, as AWS Batch gives for what has not happened, is no time."""
    status = job_status(detail(status="RUNNABLE", **changes))
    assert (status.started_at, status.stopped_at, status.exit_code) == (None, None, None)


def test_a_multinode_parent_tells_what_its_main_node_did() -> None:
    """The parent's attempts and times are the main node's, and each node has its own state and exit code (R42)."""
    aws = Aws()
    job, held = aws.submit(3)
    held.run()
    held.nodes[2].exit_code = 9
    aws.time.now += 60
    held.finish(4)
    status = job.status()
    assert (status.state, status.exit_code, status.stopped_at) == (JobState.FAILED, 4, aws.time.now)
    assert [(node.index, node.main, node.exit_code) for node in status.nodes] == [(0, True, 4), (1, False, 143), (2, False, 9)]


def test_nodes_that_do_not_exist_yet() -> None:
    """A node that AWS Batch does not describe is SUBMITTED while the job goes on, since children start last (R36)."""
    parent = detail(nodeProperties={"numNodes": 2, "mainNode": 0, "nodeRangeProperties": []})
    main = detail(jobId="a#0", nodeDetails={"nodeIndex": 0, "isMainNode": True})
    status = job_status(parent, {"a#0": main})
    assert [(node.index, node.main, node.state) for node in status.nodes] == [(0, True, "RUNNING"), (1, False, "SUBMITTED")]


def test_the_first_child_speaks_for_an_array() -> None:
    """An array's parent has no attempts of its own: those of child 0, a gang's leader, are told, the state stays PENDING (R60)."""
    aws = Aws()
    array = aws.array(3)
    array.run()
    array.children[0].finish(5)
    status = aws.runner.status(array.id)
    assert (status.state, status.exit_code) == (JobState.PENDING, 5)
    assert [(node.index, node.main, node.state) for node in status.nodes] == [
        (0, True, "FAILED"),
        (1, False, "RUNNING"),
        (2, False, "RUNNING"),
    ]


def test_a_node_or_child_can_be_asked_for_alone() -> None:
    """``ID#2`` and ``ID:2`` are that node or child alone (R42)."""
    aws = Aws()
    job, held = aws.submit(3)
    held.run()
    array = aws.array(3)
    assert [(s.id, len(s.nodes), s.nodes[0].index) for s in map(aws.runner.status, (f"{job.id}#2", f"{array.id}:1"))] == [
        (f"{job.id}#2", 1, 2),
        (f"{array.id}:1", 1, 1),
    ]


def test_ids() -> None:
    """Ids of nodes and children are made and read alike."""
    assert [parent_of(each) for each in ("a", "a#1", "a:12")] == ["a", "a", "a"]
    assert [node_of(each) for each in ("a", "a#1", "a:12")] == [None, 1, 12]
    assert node_ids(detail(arrayProperties={"size": 2})) == ["a:0", "a:1"]
    assert node_ids(detail(arrayProperties={"index": 2})) == []


def test_streams_of_every_attempt() -> None:
    """Each attempt's stream is known by AWS Batch's own name, the running one's too, in the group that the definition names."""
    attempts = [{"container": {"logStreamName": "one"}, "startedAt": 1, "stoppedAt": 2}]
    log = {"logDriver": "awslogs", "options": {"awslogs-group": "/batchhpc/x"}}
    running = detail(attempts=attempts, container={"logStreamName": "two", "logConfiguration": log})
    assert streams(running) == [Stream(0, 1, "/batchhpc/x", "one"), Stream(0, 2, "/batchhpc/x", "two")]


def test_an_attempt_that_runs_may_be_listed_already() -> None:
    """A running attempt among the attempts is the same as the job's own stream, and has not ended."""
    both = detail(attempts=[{"container": {"logStreamName": "one"}, "startedAt": 1}], container={"logStreamName": "one"})
    assert streams(both) == [Stream(0, 1, LOG_GROUP, "one")]
    assert job_status(both).attempts == ()


def test_streams_of_several_containers() -> None:
    """Each container of an ECS task has a stream of its own; the exit code is that of the one that failed."""
    containers = [{"name": "main", "logStreamName": "m", "exitCode": 0}, {"name": "side", "logStreamName": "s", "exitCode": 2}]
    ended = detail(
        status="FAILED",
        ecsProperties={"taskProperties": [{"containers": [{**each, "image": "i"} for each in containers]}]},
        attempts=[{"taskProperties": [{"containers": containers}], "startedAt": 1000, "stoppedAt": 2000}],
    )
    assert {(each.attempt, each.name) for each in streams(ended)} == {(1, "m"), (1, "s")}
    assert job_status(ended).exit_code == 2


def test_drivers() -> None:
    """The log driver is awslogs unless the definition names another."""
    splunk = {"logConfiguration": {"logDriver": "splunk"}}
    assert (drivers(detail()), drivers(detail(container=splunk))) == ({"awslogs"}, {"splunk"})
