"""Logs of all nodes and attempts come in the order of time, from pages, with little memory."""

from typing import Any

import pytest

from batchhpc.aws.jobs.describe import Stream
from batchhpc.aws.jobs.logs import Cursor, Tail, merged
from batchhpc.errors import Unavailable
from batchhpc.jobs import JobStatus, LogLine
from tests.unit.aws.fake_batch import FakeBatch
from tests.unit.aws.fake_clients import clients
from tests.unit.aws.jobs_on_aws import Aws

GROUP = "/aws/batch/job"


def texts(lines: Any) -> list[tuple[int, str]]:
    """Node and text of each line."""
    return [(line.node, line.text) for line in lines if isinstance(line, LogLine)]


def streams(count: int) -> list[Stream]:
    """So many streams, one for each node."""
    return [Stream(i, 1, GROUP, f"s{i}") for i in range(count)]


def test_lines_of_all_nodes_by_time() -> None:
    """Lines of several nodes come in the order of time, and nodes in their order where times are equal."""
    aws = Aws()
    job, held = aws.submit(3)
    held.run()
    aws.fake.logs.put(held.nodes[0].stream, (1, "a"), (4, "d"))
    aws.fake.logs.put(held.nodes[2].stream, (1, "b"), (3, "c"))
    assert texts(job.logs()) == [(0, "a"), (2, "b"), (2, "c"), (0, "d")]


def test_attempts_have_streams_of_their_own() -> None:
    """Lines know their attempt, and one attempt can be asked for alone."""
    aws = Aws()
    job, held = aws.submit(2)
    for number, code in enumerate((75, 0), 1):
        held.run()
        aws.fake.logs.put(held.nodes[0].stream, (number, f"attempt {number}"))
        held.finish(code)
    assert [(line.attempt, line.text) for line in job.logs()] == [(1, "attempt 1"), (2, "attempt 2")]
    assert [line.text for line in aws.runner.logs(job.id, attempt=2)] == ["attempt 2"]


def test_one_node() -> None:
    """``ID#1`` has the lines of that node only."""
    aws = Aws()
    job, held = aws.submit(2)
    held.run()
    for i, node in enumerate(held.nodes):
        aws.fake.logs.put(node.stream, (1, f"node {i}"))
    assert texts(aws.runner.logs(f"{job.id}#1")) == [(1, "node 1")]


def test_last_lines_are_of_the_main_node_and_its_newest_attempt() -> None:
    """The end of the main node's newest stream, whatever other nodes and attempts have put out; of a node, that node's."""
    aws = Aws()
    job, held = aws.submit(2)
    held.run()
    aws.fake.logs.put(held.nodes[0].stream, (1, "attempt 1"))
    held.finish(75)
    held.run()
    assert aws.runner.last_lines(job.id, 2) == []
    aws.fake.logs.put(held.nodes[0].stream, (1, "a"), (2, "b"), (3, "c\nd"))
    aws.fake.logs.put(held.nodes[1].stream, (9, "child"))
    assert aws.runner.last_lines(job.id, 2) == [LogLine(0, 2, text) for text in ("b", "c", "d")]
    assert aws.runner.last_lines(f"{job.id}#1", 5) == [LogLine(1, 2, "child")]


def test_last_lines_of_a_job_that_waits() -> None:
    """A job that has no stream yet has no lines."""
    aws = Aws()
    job, _ = aws.submit(2)
    assert aws.runner.last_lines(job.id, 2) == []


def test_nothing_written_yet() -> None:
    """A job that has not started, or a stream that does not exist yet, has no lines and is no error."""
    aws = Aws()
    job, held = aws.submit(2)
    assert texts(job.logs()) == []
    held.run()
    assert texts(job.logs()) == []


def test_pages_are_read_to_their_end() -> None:
    """Streams of many pages are read whole, each page once, although the last token stays the same."""
    fake = FakeBatch()
    fake.logs.page = 7
    for i in range(3):
        fake.logs.put(f"s{i}", *((i + 3 * k, str(i + 3 * k)) for k in range(50)))
    lines = list(merged(clients(fake).logs, streams(3), 1000.0))
    assert [line.text for line in lines] == [str(k) for k in range(150)]
    assert fake.calls["GetLogEvents"] == 3 * (8 + 1)


def test_memory_is_bounded() -> None:
    """A merge of many streams takes small pages: no more than 20,000 events at a time, and 50 of each stream at least."""
    fake = FakeBatch()
    for i in range(400):
        fake.logs.put(f"s{i}", (1, "x"))
    next(merged(clients(fake).logs, streams(400), 10.0))
    assert {request["limit"] for _, request in fake.requests} == {50}
    fake.requests.clear()
    next(merged(clients(fake).logs, streams(2), 10.0))
    assert {request["limit"] for _, request in fake.requests} == {10_000}


def test_a_token_that_expired() -> None:
    """After a token has expired a stream goes on at its newest event, whose equals in time are not told twice."""
    fake = FakeBatch()
    fake.logs.put("s0", (1, "a"), (2, "b"), (2, "c"))
    cursor = Cursor(clients(fake).logs, streams(1)[0], 100)
    first = cursor.read()
    fake.logs.expired.add("f/3")
    fake.logs.put("s0", (2, "d"), (3, "e"))
    assert [line.text for _, line in (*first, *cursor.read())] == ["a", "b", "c", "d", "e"]


def test_many_streams_take_turns() -> None:
    """A look at a thousand streams reads fifty; after twenty looks each was read once."""
    fake = FakeBatch()
    for i in range(1000):
        fake.logs.put(f"s{i}", (i, str(i)))
    tail = Tail(clients(fake, validate=False).logs)
    tail.add(streams(1000))
    looks = [tail.new_lines() for _ in range(20)]
    assert {len(look) for look in looks} == {50}
    assert {line.text for look in looks for line in look} == {str(i) for i in range(1000)}


def test_an_error_in_the_midst_loses_nothing() -> None:
    """Lines read before a call failed are told by the next look."""
    fake = FakeBatch()
    for i in range(2):
        fake.logs.put(f"s{i}", (i, str(i)))
    tail = Tail(clients(fake).logs)
    tail.add(streams(1))
    tail.new_lines()
    tail.add(streams(2))
    fake.logs.put("s0", (5, "late"))
    fake.faults.clear()
    fake.fault("GetLogEvents", "lost", after=True)
    with pytest.raises(Unavailable):
        tail.new_lines()
    assert sorted(texts(tail.new_lines())) == [(0, "late"), (1, "1")]


def test_following() -> None:
    """Lines come as they are written, each once, with every change of state, until the job has ended and its last line is there."""
    aws = Aws()
    job, held = aws.submit(2)
    steps = iter(
        [
            lambda: held.move("RUNNABLE"),
            held.run,
            lambda: aws.fake.logs.put(held.nodes[0].stream, (1, "one")),
            lambda: aws.fake.logs.put(held.nodes[1].stream, (2, "two")),
            held.finish,
            lambda: aws.fake.logs.put(held.nodes[0].stream, (3, "last")),
        ]
    )
    aws.time.on_sleep = lambda: next(steps, lambda: None)()  # noqa: PLW0108 - another step each time
    seen = list(aws.runner.changes(job.id))
    assert texts(seen) == [(0, "one"), (1, "two"), (0, "last")]
    assert [str(change.state) for change in seen if isinstance(change, JobStatus)] == [
        "SUBMITTED",
        "RUNNABLE",
        "RUNNING",
        "SUCCEEDED",
    ]
    assert isinstance(seen[-1], JobStatus)


def test_following_through_an_outage() -> None:
    """Throttled and lost calls are waited out while a job is followed, and told of once."""
    aws = Aws()
    job, held = aws.submit()
    held.run()
    aws.fake.logs.put(held.stream, (1, "one"))
    aws.fake.fault("DescribeJobs", "TooManyRequestsException", times=2)
    aws.fake.fault("GetLogEvents", "lost", times=1)
    aws.time.on_sleep = lambda: held.finish() if len(aws.time.slept) == 5 else None
    assert texts(aws.runner.logs(job.id, follow=True)) == [(0, "one")]
    assert len(aws.warnings) == 1


def test_logs_elsewhere() -> None:
    """A job that logs through another driver says so when it has ended."""
    aws = Aws()
    job, held = aws.submit(log={"driver": "splunk", "options": {"splunk-url": "https://splunk.example"}})
    held.run()
    held.stream = ""
    held.finish()
    with pytest.raises(Unavailable, match="logs through splunk"):
        job.logs()
