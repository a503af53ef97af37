"""Array jobs here are AWS Batch's: children are jobs of their own, each with its own attempts and end."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path

import pytest

from batchhpc.errors import InvalidSpec, JobNotFound, WaitTimeout
from batchhpc.jobs import JobState, JobStatus
from batchhpc.local import LocalRunner
from tests.e2e.local_jobs import (
    CHILD,
    FOREVER,
    array,
    local_runner,
    node_states,
    processes_of,
    single,
    states,
    texts,
    until,
    wait_for,
)

ENDED = "Essential container in task exited"
SUCCEEDED, FAILED, RUNNING = JobState.SUCCEEDED, JobState.FAILED, JobState.RUNNING


def test_the_parent_is_pending_while_children_run(runner: LocalRunner, tmp_path: Path) -> None:
    """A parent goes SUBMITTED, PENDING, SUCCEEDED and is never anything else, while its children run (R60)."""
    gate = tmp_path / "gate"
    job = runner.submit(array(wait_for(gate)))
    seen = []
    for status in states(runner, job.id):
        seen.append(status.state)
        if node_states(status) == [RUNNING] * 3:
            assert status.state is JobState.PENDING
            gate.touch()
    assert [state for state in dict.fromkeys(seen) if state is not JobState.SUBMITTED] == [JobState.PENDING, SUCCEEDED]
    end = runner.status(job.id)
    assert [(node.index, node.main, node.exit_code) for node in end.nodes] == [(0, True, 0), (1, False, 0), (2, False, 0)]
    assert (end.exit_code, len(end.attempts), end.started_at) == (0, 1, end.nodes[0].started_at)
    assert end.stopped_at == max(node.stopped_at or 0.0 for node in end.nodes)


def test_children_have_batchs_variables(runner: LocalRunner) -> None:
    """Each child has an id, index and attempt of its own and knows the array's size, and no variable about nodes (R61)."""
    job = runner.submit(array("env | grep AWS_BATCH | sort", size=2))
    assert runner.wait(job.id).state is SUCCEEDED
    for child in (0, 1):
        assert [line.text for line in runner.logs(f"{job.id}:{child}")] == [
            "AWS_BATCH_CE_NAME=batchhpc-local",
            f"AWS_BATCH_JOB_ARRAY_INDEX={child}",
            "AWS_BATCH_JOB_ARRAY_SIZE=2",
            "AWS_BATCH_JOB_ATTEMPT=1",
            f"AWS_BATCH_JOB_ID={job.id}:{child}",
            "AWS_BATCH_JQ_NAME=queue",
        ]


def test_a_failed_child_touches_no_other_and_fails_the_parent(runner: LocalRunner, tmp_path: Path) -> None:
    """When a child fails the others go on to their ends, and only then the parent has failed; the first child speaks for it."""
    gate = tmp_path / "gate"
    job = runner.submit(array(f"[ {CHILD} = 1 ] && exit 9; {wait_for(gate)}"))
    assert runner.wait(f"{job.id}:1").exit_code == 9
    assert (runner.status(job.id).state, node_states(runner.status(job.id))[1]) == (JobState.PENDING, FAILED)
    until(lambda: Counter(node_states(runner.status(job.id)))[RUNNING] == 2)
    gate.touch()
    status = runner.wait(job.id)
    assert (status.state, status.status_reason) == (FAILED, "Array Child Job failed")
    assert node_states(status) == [SUCCEEDED, FAILED, SUCCEEDED]
    assert (status.exit_code, status.process_exit_code) == (0, 1)


def test_each_child_is_retried_by_itself(runner: LocalRunner) -> None:
    """Attempts and retry rules are each child's own: one fails twice and succeeds, one is not retried, one runs once (R60)."""
    script = f"echo try; [ {CHILD} = 0 ] && [ $AWS_BATCH_JOB_ATTEMPT != 3 ] && exit 7; [ {CHILD} = 2 ] && exit 8; exit 0"
    rules = [{"onExitCode": "7", "action": "RETRY"}, {"onReason": "*", "action": "EXIT"}]
    job = runner.submit(array(script, retryStrategy={"attempts": 5, "evaluateOnExit": rules}))
    status = runner.wait(job.id)
    codes = [[attempt.exit_code for attempt in runner.status(f"{job.id}:{child}").attempts] for child in range(3)]
    assert codes == [[7, 7, 0], [0], [8]]
    assert [attempt.exit_code for attempt in status.attempts] == codes[0]
    assert sorted(texts(runner, job.id)) == ["1/0: try", "1/1: try", "1/2: try", "2/0: try", "3/0: try"]


def test_the_time_limit_is_each_childs_own(runner: LocalRunner) -> None:
    """The time limit ends the children that take too long, each by itself, and rules out their retry (R38, R40, R60)."""
    script = f"[ {CHILD} = 1 ] && exit 0; trap 'exit 143' TERM; {FOREVER}"
    job = runner.submit(array(script, timeout={"attemptDurationSeconds": 60}, retryStrategy={"attempts": 3}))
    status = runner.wait(job.id)
    assert node_states(status) == [FAILED, SUCCEEDED, FAILED]
    assert status.nodes[0].status_reason == status.nodes[2].status_reason == "Job attempt duration exceeded timeout"
    assert [len(runner.status(f"{job.id}:{child}").attempts) for child in range(3)] == [1, 1, 1]


def test_terminate_ends_all_children(runner: LocalRunner) -> None:
    """Terminating the parent ends every child with the reason, one that would exit with 0 too; those that have ended stay (R44)."""
    job = runner.submit(array(f"[ {CHILD} = 2 ] && exit 0; trap 'exit 0' TERM; {FOREVER}", retryStrategy={"attempts": 3}))
    until(lambda: node_states(runner.status(job.id)) == [RUNNING, RUNNING, SUCCEEDED])
    runner.terminate(job.id, "enough")
    status = runner.wait(job.id)
    assert (status.state, status.status_reason) == (FAILED, "enough")
    assert [(node.state, node.status_reason) for node in status.nodes] == [
        (FAILED, "enough"), (FAILED, "enough"), (SUCCEEDED, ENDED)
    ]  # fmt: skip


def test_a_child_can_be_waited_for_and_terminated_alone(runner: LocalRunner) -> None:
    """A child is asked for, waited for, followed and terminated by its id; the others go on, unknown ids are not found (R42)."""
    job = runner.submit(array(f"echo {CHILD}; {FOREVER}"))
    child = f"{job.id}:1"
    with pytest.raises(WaitTimeout, match="it is R"):
        runner.wait(child, timeout=0.3)
    until(lambda: len(texts(runner, job.id)) == 3)
    runner.terminate(child, "this one")
    status = runner.wait(child)
    assert (status.id, status.state, status.status_reason, len(status.nodes)) == (child, FAILED, "this one", 1)
    assert node_states(runner.status(job.id)) == [RUNNING, FAILED, RUNNING]
    assert [line.text for line in runner.logs(child, follow=True)] == ["1"]
    last = list(runner.changes(child))[-1]
    assert isinstance(last, JobStatus)
    assert last == status
    for unknown in (f"{job.id}:3", f"{job.id}#1", f"{job.id}:x", "nobody:1"):
        with pytest.raises(JobNotFound, match="hint: "):
            runner.status(unknown)


def test_arrays_have_dependencies_and_are_some(runner: LocalRunner, tmp_path: Path) -> None:
    """A job waits for all children of an array it depends on, and fails if one failed; a waiting child can be terminated."""
    gate = tmp_path / "gate"
    first = runner.submit(array(wait_for(gate), size=2))
    second = runner.submit(array("exit $AWS_BATCH_JOB_ARRAY_INDEX", size=3, dependsOn=[{"jobId": first.id}]))
    third = runner.submit(single("true", dependsOn=[{"jobId": second.id}]))
    until(lambda: runner.status(second.id).state is JobState.PENDING)
    runner.terminate(f"{second.id}:2", "not this one")
    assert runner.wait(f"{second.id}:2").status_reason == "not this one"
    gate.touch()
    status = runner.wait(second.id)
    assert [node.exit_code for node in status.nodes] == [0, 1, None]
    assert runner.wait(third.id).status_reason == "Dependent Job failed"


def test_children_start_in_an_order_of_chance_that_the_seed_repeats(tmp_path: Path) -> None:
    """Children start in no certain order; the same seed gives the same one."""

    def order(seed: int, directory: Path) -> list[int]:
        with local_runner(directory, seed=seed) as runner:
            job = runner.submit(array("echo $PPID", size=6))
            runner.wait(job.id)
            first_processes = {int(line.text): line.node for line in runner.logs(job.id)}
            newest = max(first_processes)  # numbers may have begun anew at the smallest one meanwhile
            ages = {pid + (1 << 22 if newest - pid > 10_000 else 0): node for pid, node in first_processes.items()}
            return [node for _, node in sorted(ages.items())]

    orders = [order(seed, tmp_path / str(number)) for number, seed in enumerate((1, 1, 2))]
    assert sorted(orders[0]) == [0, 1, 2, 3, 4, 5]
    assert orders[0] == orders[1] != orders[2]


@pytest.mark.parametrize("size", [1, 10_001])
def test_an_array_of_a_size_that_batch_refuses_is_refused(runner: LocalRunner, size: int) -> None:
    """An array has 2 to 10,000 children (R60)."""
    with pytest.raises(InvalidSpec, match="R60"):
        runner.submit(array("true", size=size))


def test_a_hundred_children_run(runner: LocalRunner) -> None:
    """An array of a hundred children succeeds, each child once."""
    job = runner.submit(array(f"echo {CHILD}", size=100))
    assert runner.wait(job.id).state is SUCCEEDED
    assert sorted(int(line.text) for line in runner.logs(job.id)) == list(range(100))


def test_a_child_whose_first_process_is_killed_leaves_nothing(runner: LocalRunner, tmp_path: Path) -> None:
    """SIGKILL of a child's first process ends the child with 137 and all it started; the others are not touched."""
    gate = tmp_path / "gate"
    job = runner.submit(array(f"setsid sleep 1000 & echo $PPID; {wait_for(gate)}"))
    until(lambda: len(texts(runner, job.id)) == 3)
    (first,) = (int(line.text) for line in runner.logs(f"{job.id}:1"))
    os.kill(first, signal.SIGKILL)
    assert runner.wait(f"{job.id}:1").exit_code == 137
    assert not processes_of(f"{job.id}:1")
    assert len([command for command in processes_of(job.id) if command == "sleep 1000 "]) == 2
    gate.touch()
    assert node_states(runner.wait(job.id)) == [SUCCEEDED, FAILED, SUCCEEDED]
