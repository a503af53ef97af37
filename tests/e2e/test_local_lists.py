"""Several jobs of one local runner: listed, waited for together, and followed."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from batchhpc.errors import JobNotFound, WaitTimeout
from batchhpc.jobs import JobState, JobStatus, LogLine
from batchhpc.local import LocalRunner
from tests.e2e.local_jobs import FOREVER, multinode, single, wait_for


def test_jobs_are_listed_newest_first(runner: LocalRunner) -> None:
    """A list is newest first, of the states that are asked for, at most as long as asked for; it tells nodes and exit codes."""
    failed, runs = runner.submit(multinode("exit 3", nodes=2)), runner.submit(single(FOREVER))
    failed.wait()
    assert [job.id for job in runner.jobs()] == [runs.id, failed.id]
    assert [job.id for job in runner.jobs(limit=1)] == [runs.id]
    assert runner.jobs([JobState.SUCCEEDED]) == []
    (found,) = runner.jobs([JobState.FAILED])
    assert (found.id, found.name, found.queue, found.nodes, found.exit_code) == (failed.id, "job", "local", 2, 3)


def test_all_jobs_are_waited_for(runner: LocalRunner) -> None:
    """The ends of several jobs come in the order in which the jobs were named, whatever order they ended in."""
    ids = [runner.submit(single(f"exit {code}")).id for code in (3, 0, 4)]
    ended = runner.wait_all([*reversed(ids), ids[0]])
    assert [(status.id, status.process_exit_code) for status in ended] == [(ids[2], 4), (ids[1], 0), (ids[0], 3), (ids[0], 3)]
    assert runner.wait_all([]) == []


def test_waiting_for_all_has_one_deadline(runner: LocalRunner) -> None:
    """A wait for several jobs ends at its deadline if one of them goes on, and leaves it alone; unknown jobs are named."""
    ended, goes_on = runner.submit(single("exit 0")), runner.submit(single(FOREVER))
    ended.wait()
    with pytest.raises(WaitTimeout, match=goes_on.id):
        runner.wait_all([ended.id, goes_on.id], timeout=0.05)
    assert not goes_on.status().state.ended
    with pytest.raises(JobNotFound, match="nobody"):
        runner.wait_all([ended.id, "nobody"])


def test_changes_tell_all_lines_and_the_end(runner: LocalRunner, tmp_path: Path) -> None:
    """Every line is told once, each state before its successor, and the last thing told is the job's end."""
    gate = tmp_path / "gate"
    job = runner.submit(multinode([f"echo first; {wait_for(gate)}; echo last; exit 3", FOREVER], nodes=2))
    seen: list[LogLine | JobStatus] = []
    for change in runner.changes(job.id):
        seen.append(change)
        if isinstance(change, LogLine) and change.text == "first":
            gate.touch()
    assert [change.text for change in seen if isinstance(change, LogLine) and change.node == 0] == ["first", "last"]
    statuses = [change for change in seen if isinstance(change, JobStatus)]
    assert all(one != other for one, other in pairwise(statuses))
    assert seen[-1] is statuses[-1]
    assert (statuses[-1].state, statuses[-1].exit_code) == (JobState.FAILED, 3)


def test_changes_of_a_job_that_has_ended(runner: LocalRunner) -> None:
    """A job that has ended is told whole: its lines, then its end, once."""
    job = runner.submit(single("echo hello"))
    job.wait()
    line, end = runner.changes(job.id)
    assert isinstance(line, LogLine)
    assert isinstance(end, JobStatus)
    assert (line.text, end.state) == ("hello", JobState.SUCCEEDED)
