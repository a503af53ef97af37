"""The local runner keeps AWS Batch's rules."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from batchhpc.errors import BatchHpcError, InvalidSpec, JobNotFound, Severity, Unavailable, WaitTimeout
from batchhpc.jobs import JobState
from batchhpc.local import Fault, LocalRunner, attempt
from tests.e2e.local_jobs import (
    FOREVER,
    INDEX,
    STUBBORN,
    local_runner,
    multinode,
    node_states,
    processes_of,
    single,
    states,
    texts,
    until,
    wait_for,
)

ENDED = "Essential container in task exited"
SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret"
ROLE = "arn:aws:iam::123456789012:role/batch"


def test_a_job_passes_through_batchs_states(runner: LocalRunner, tmp_path: Path) -> None:
    """A job goes from SUBMITTED to SUCCEEDED through Batch's states in their order, and its children start after its main node."""
    gate = tmp_path / "gate"
    job = runner.submit(multinode([wait_for(gate), FOREVER]))
    seen = []
    for status in states(runner, job.id):
        seen.append(status)
        if node_states(status) == [JobState.RUNNING] * 3:
            gate.touch()
    order = list(JobState)
    assert [order.index(status.state) for status in seen] == sorted(order.index(status.state) for status in seen)
    for status in seen:
        main, *children = node_states(status)
        assert main not in (JobState.RUNNABLE, JobState.STARTING) or set(children) == {JobState.RUNNABLE}
    assert (seen[-1].state, seen[-1].status_reason, seen[-1].exit_code) == (JobState.SUCCEEDED, ENDED, 0)
    main_node, *child_nodes = seen[-1].nodes
    assert main_node.started_at
    assert all(child.started_at and child.started_at >= main_node.started_at for child in child_nodes)


def test_children_start_in_an_order_of_chance_that_the_seed_repeats(tmp_path: Path) -> None:
    """Children start in no certain order (R36); the same seed gives the same one."""

    def order(seed: int, directory: Path) -> list[int]:
        with local_runner(directory, seed=seed) as runner:
            job = runner.submit(multinode([FOREVER, f"echo $PPID; {FOREVER}"], nodes=6))
            until(lambda: len(texts(runner, job.id)) == 5)
            first_processes = {int(line.text): line.node for line in runner.logs(job.id)}
            return [node for _, node in sorted(first_processes.items())]

    orders = [order(seed, tmp_path / str(number)) for number, seed in enumerate((1, 1, 2))]
    assert sorted(orders[0]) == [1, 2, 3, 4, 5]
    assert orders[0] == orders[1] != orders[2]


def test_nodes_have_batchs_variables_and_addresses_of_their_own(runner: LocalRunner) -> None:
    """Each node of a multi-node job has Batch's variables, and only the children know the main node's address (R41)."""
    script = 'env | grep -E "AWS_BATCH|NODE_ADDRESS"; [ $AWS_BATCH_JOB_NODE_INDEX != 0 ] || sleep 0.2'
    script = f"{script}; {FOREVER}"
    job = runner.submit(multinode(script))
    until(lambda: len(texts(runner, job.id)) == 8 + 9 + 9)
    variables: dict[int, dict[str, str]] = {0: {}, 1: {}, 2: {}}
    for line in runner.logs(job.id):
        name, _, value = line.text.partition("=")
        variables[line.node][name] = value
    for node, found in variables.items():
        assert found["AWS_BATCH_JOB_ID"] == job.id
        assert found["AWS_BATCH_JOB_NODE_INDEX"] == str(node)
        assert found.get("AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS") == (
            variables[0]["BATCHHPC_NODE_ADDRESS"] if node else None
        )
    assert len({found["BATCHHPC_NODE_ADDRESS"] for found in variables.values()}) == 3


def test_a_container_job_has_no_node_variables(runner: LocalRunner) -> None:
    """A job of one container sees no variable about nodes of Batch's (R41)."""
    job = runner.submit(single("env | grep AWS_BATCH | sort"))
    assert runner.wait(job.id).state is JobState.SUCCEEDED
    names = [line.text.partition("=")[0] for line in runner.logs(job.id)]
    assert names == ["AWS_BATCH_CE_NAME", "AWS_BATCH_JOB_ATTEMPT", "AWS_BATCH_JOB_ID", "AWS_BATCH_JQ_NAME"]


def test_every_node_has_a_short_temporary_directory_of_its_own(runner: LocalRunner) -> None:
    """TMPDIR differs between nodes, is short enough for a Unix socket's path, and is gone after the job."""
    job = runner.submit(multinode(["echo $TMPDIR; sleep 0.2", "echo $TMPDIR; sleep 60"], nodes=2))
    runner.wait(job.id)
    directories = {line.text for line in runner.logs(job.id)}
    assert len(directories) == 2
    assert all(len(directory) < 40 and not Path(directory).exists() for directory in directories)


def test_secrets_are_resolved_and_kept_off_the_disk(tmp_path: Path) -> None:
    """All nodes get one secret for the agent and the values given for other ARNs, and no file of the runner holds them."""
    secrets = [{"name": "BATCHHPC_SECRET", "valueFrom": f"{SECRET}:agent"}, {"name": "TOKEN", "valueFrom": f"{SECRET}:token"}]
    container = {"secrets": secrets, "executionRoleArn": ROLE}
    script = "[ ${#BATCHHPC_SECRET} -ge 32 ] && [ ${#TOKEN} = 6 ] && echo $BATCHHPC_SECRET | md5sum"
    with local_runner(tmp_path / "state", secrets={f"{SECRET}:token": "s3cr3t"}) as runner:
        job = runner.submit(multinode([f"{script}; sleep 0.2", script], nodes=3, container=container))
        runner.wait(job.id)
        sums = [line.text for line in runner.logs(job.id)]
    assert len(sums) >= 1
    assert len(set(sums)) == 1
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and b"s3cr3t" in path.read_bytes()]


def test_the_main_nodes_exit_stops_the_children(runner: LocalRunner, tmp_path: Path) -> None:
    """When the main node exits, children get SIGTERM, and SIGKILL after the grace; the job's state is the main node's (R37)."""
    ready = tmp_path / "ready"
    child = f"[ {INDEX} = 1 ] && trap 'echo stopped; exit 5' TERM || trap '' TERM; touch {ready}-{INDEX}; {FOREVER}"
    main = f"{wait_for(Path(f'{ready}-1'))}; {wait_for(Path(f'{ready}-2'))}"
    job = runner.submit(multinode([main, child]))
    status = runner.wait(job.id)
    assert status.state is JobState.SUCCEEDED
    assert [node.exit_code for node in status.nodes] == [0, 5, 137]
    assert texts(runner, job.id) == ["1/1: stopped"]


def test_a_childs_failure_changes_nothing_but_its_own_state(runner: LocalRunner, tmp_path: Path) -> None:
    """AWS Batch does nothing when a child dies (R37): the job goes on, succeeds, and is not retried."""
    gate = tmp_path / "gate"
    job = runner.submit(multinode([wait_for(gate), f"[ {INDEX} = 1 ] && exit 9; {FOREVER}"], retryStrategy={"attempts": 3}))
    until(lambda: runner.status(f"{job.id}#1").state is JobState.FAILED)
    assert runner.status(job.id).state is JobState.RUNNING
    gate.touch()
    status = runner.wait(job.id)
    assert (status.state, len(status.attempts)) == (JobState.SUCCEEDED, 1)
    assert status.nodes[1].exit_code == 9


@pytest.mark.parametrize(
    ("strategy", "codes"),
    [
        pytest.param({}, [7], id="one attempt by default"),
        pytest.param({"attempts": 2}, [7, 7], id="no rules: as often as allowed"),
        pytest.param({"attempts": 3, "evaluateOnExit": [{"onExitCode": "7", "action": "EXIT"}]}, [7], id="EXIT"),
        pytest.param({"attempts": 3, "evaluateOnExit": [{"onExitCode": "8", "action": "EXIT"}]}, [7, 7, 0], id="no match: RETRY"),
    ],
)
def test_a_failed_main_node_is_retried_by_the_rules(runner: LocalRunner, strategy: dict[str, Any], codes: list[int]) -> None:
    """Attempts are counted from 1, each runs the whole job again, and the rules decide whether there is another (R38, R39)."""
    job = runner.submit(multinode("echo try; [ $AWS_BATCH_JOB_ATTEMPT = 3 ] || exit 7", nodes=2, retryStrategy=strategy))
    status = runner.wait(job.id)
    assert [attempt.exit_code for attempt in status.attempts] == codes
    assert status.state is (JobState.FAILED if codes[-1] else JobState.SUCCEEDED)
    assert status.process_exit_code == codes[-1]
    assert {f"{number}/0: try" for number in range(1, len(codes) + 1)} <= set(texts(runner, job.id))


@pytest.mark.parametrize(("script", "code"), [(FOREVER, 143), (STUBBORN, 137)])
def test_the_time_limit_ends_all_nodes_and_rules_out_a_retry(runner: LocalRunner, script: str, code: int) -> None:
    """At the limit nodes get SIGTERM, after the grace SIGKILL; the job failed with Batch's reason and is not retried (R38, R40)."""
    job = runner.submit(
        multinode(f"trap 'exit 143' TERM; {script}", nodes=2, timeout={"attemptDurationSeconds": 60}, retryStrategy={"attempts": 3})
    )
    status = runner.wait(job.id)
    assert (status.state, status.status_reason) == (JobState.FAILED, "Job attempt duration exceeded timeout")
    assert [attempt.exit_code for attempt in status.attempts] == [code]
    assert {node.exit_code for node in status.nodes} == {code}


def test_a_terminated_job_fails_with_the_users_reason(runner: LocalRunner) -> None:
    """Terminate ends a running job, even one whose program then exits with 0, and it is not retried (R38, R44)."""
    job = runner.submit(multinode(f"trap 'echo bye; exit 0' TERM; echo up; {FOREVER}", retryStrategy={"attempts": 3}))
    until(lambda: len(texts(runner, job.id)) == 3)
    runner.terminate(job.id, "enough")
    runner.terminate(job.id, "a second reason")
    status = runner.wait(job.id)
    assert (status.state, status.status_reason, len(status.attempts)) == (JobState.FAILED, "enough", 1)
    assert texts(runner, job.id).count("1/0: bye") == 1
    runner.terminate(job.id, "too late")
    assert runner.status(job.id) == status


def test_a_job_waits_for_its_dependencies(runner: LocalRunner, tmp_path: Path) -> None:
    """A job is PENDING until the jobs it depends on have succeeded, and then runs."""
    gate = tmp_path / "gate"
    first = runner.submit(single(wait_for(gate)))
    second = runner.submit(single("true", dependsOn=[{"jobId": first.id}]))
    third = runner.submit(single("true", dependsOn=[{"jobId": second.id}, {"jobId": first.id}]))
    until(lambda: runner.status(third.id).state is JobState.PENDING)
    gate.touch()
    ended = [runner.wait(job.id) for job in (third, second, first)]
    assert {status.state for status in ended} == {JobState.SUCCEEDED}
    assert ended[0].started_at
    assert ended[1].stopped_at
    assert ended[0].started_at >= ended[1].stopped_at


def test_a_failed_dependency_fails_the_job(runner: LocalRunner) -> None:
    """A job whose dependency failed fails without an attempt, and so does what depends on it."""
    first = runner.submit(single("exit 1"))
    second = runner.submit(single("true", dependsOn=[{"jobId": first.id}]))
    third = runner.submit(single("true", dependsOn=[{"jobId": second.id}]))
    for job in (second, third):
        status = runner.wait(job.id)
        assert (status.state, status.status_reason, status.attempts) == (JobState.FAILED, "Dependent Job failed", ())
        assert status.process_exit_code == 1


def test_a_waiting_job_can_be_terminated(runner: LocalRunner) -> None:
    """Terminate ends a job that waits for another, without an attempt."""
    first = runner.submit(single(FOREVER))
    second = runner.submit(single("true", dependsOn=[{"jobId": first.id}]))
    runner.terminate(second.id, "not needed")
    status = runner.wait(second.id)
    assert (status.state, status.status_reason, status.attempts) == (JobState.FAILED, "not needed", ())


def test_a_command_that_is_not_there_fails_to_start(runner: LocalRunner) -> None:
    """A program that does not exist gives Batch's reasons, naming it, and no exit code."""
    job = runner.submit(multinode("true", nodes=2, container={"command": ["/no/such/program"]}))
    status = runner.wait(job.id)
    assert (status.state, status.status_reason, status.exit_code) == (JobState.FAILED, "Task failed to start", None)
    assert status.attempts[0].reason.startswith("CannotStartContainerError: ")
    assert "/no/such/program" in status.attempts[0].reason
    assert status.nodes[1].state is JobState.FAILED


def test_a_long_reason_for_not_starting_arrives(runner: LocalRunner) -> None:
    """Why a command did not start is told in full, however long it is."""
    program = f"/no/such/{'x' * 5000}"
    status = runner.wait(runner.submit(single("true", container={"command": [program]})).id)
    assert status.attempts[0].reason.startswith("CannotStartContainerError: ")
    assert program in status.attempts[0].reason


def test_a_time_limit_may_be_longer_than_the_kernel_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job whose time limit is more than 2^31 ms runs as any other, also when nothing else is waited for any more."""
    monkeypatch.setattr(attempt, "START_TIME", 2.0)
    with local_runner(tmp_path / "state", batch_second=1.0) as runner:
        job = runner.submit(single("echo ran; sleep 2.5", timeout={"attemptDurationSeconds": 400 * 86400}))
        assert runner.wait(job.id).state is JobState.SUCCEEDED
        assert texts(runner, job.id) == ["1/0: ran"]


@pytest.mark.parametrize("reason", ["", "x" * 1025])
def test_a_reason_that_batch_would_not_take_is_refused(runner: LocalRunner, reason: str) -> None:
    """Terminate wants a reason of 1 to 1,024 characters (R44); without one the job goes on."""
    job = runner.submit(single(FOREVER))
    with pytest.raises(InvalidSpec, match="R44"):
        runner.terminate(job.id, reason)
    until(lambda: runner.status(job.id).state is JobState.RUNNING)
    runner.terminate(job.id, "x" * 1024)
    assert runner.wait(job.id).status_reason == "x" * 1024


def test_stopped_nodes_get_sigterm_once(tmp_path: Path) -> None:
    """When a job is stopped, a child that takes its time gets one SIGTERM, though the main node ends meanwhile."""
    ready = tmp_path / "ready"
    child = f"trap 'echo term' TERM; touch {ready}; {FOREVER}"
    with local_runner(tmp_path / "state", batch_second=0.03) as runner:
        job = runner.submit(multinode([f"trap 'sleep 0.2; exit 1' TERM; {FOREVER}", child], nodes=2))
        until(ready.exists)
        until(lambda: node_states(runner.status(job.id)) == [JobState.RUNNING] * 2)
        runner.terminate(job.id, "enough")
        assert runner.wait(job.id).nodes[1].exit_code == 137
        assert texts(runner, job.id) == ["1/1: term"]


@pytest.mark.parametrize("inside", ["file", "file/below"])
def test_a_directory_that_cannot_be_made_is_unavailable(tmp_path: Path, inside: str) -> None:
    """A runner whose directory cannot be made says which and why."""
    (tmp_path / "file").touch()
    with LocalRunner(tmp_path / inside) as runner, pytest.raises(Unavailable, match=r"file.*: Not a directory\n  hint: "):
        runner.submit(single("true"))


def test_output_is_kept_by_attempt_and_node(runner: LocalRunner, tmp_path: Path) -> None:
    """Both streams of every node and attempt are kept as they came, and told line by line, the unfinished last line too."""
    job = runner.submit(single("echo out; echo err >&2; printf 'no\\377 end'; exit 1", retryStrategy={"attempts": 2}))
    followed = [(line.attempt, line.node, line.text) for line in runner.logs(job.id, follow=True)]
    assert followed == [(attempt, 0, text) for attempt in (1, 2) for text in ("out", "err", "no\ufffd end")]
    directory = tmp_path / "state" / "jobs" / job.id
    assert (directory / "attempt-2" / "node-0.log").read_bytes() == b"out\nerr\nno\xff end"
    assert json.loads((directory / "status.json").read_text())["state"] == "FAILED"
    assert json.loads((directory / "documents.json").read_text())["submit"]["jobName"] == "job"


def test_nodes_have_ids_of_their_own(runner: LocalRunner) -> None:
    """``id#n`` names a node: its state and its output can be asked for, and a node that is not there is not found (R42)."""
    job = runner.submit(multinode([f"echo main; {FOREVER}", "echo child; exit 4"], nodes=2))
    until(lambda: runner.status(f"{job.id}#1").state is JobState.FAILED)
    assert runner.status(f"{job.id}#1").nodes[0].exit_code == 4
    assert [line.text for line in runner.logs(f"{job.id}#1")] == ["child"]
    for unknown in ("nobody", f"{job.id}#2", f"{job.id}#x"):
        with pytest.raises(JobNotFound, match="hint: "):
            runner.status(unknown)


def test_a_wait_can_be_bounded(runner: LocalRunner) -> None:
    """A wait that ends before the job does is an error, and the job goes on."""
    job = runner.submit(single(FOREVER))
    with pytest.raises(WaitTimeout, match=job.id):
        runner.wait(job.id, timeout=0.05)
    assert not runner.status(job.id).state.ended


@pytest.mark.parametrize(
    ("options", "container", "submit", "error", "message"),
    [
        ({"faults": [Fault.parse("kill:7@1s")]}, {}, {}, InvalidSpec, "names node 7"),
        ({}, {"secrets": [{"name": "A", "valueFrom": f"{SECRET}:a"}], "executionRoleArn": ROLE}, {}, Unavailable, f"{SECRET}:a"),
        ({}, {}, {"dependsOn": [{"jobId": "nobody"}]}, InvalidSpec, "nobody"),
        ({}, {}, {"arrayProperties": {"size": 3}}, InvalidSpec, "R24"),
        (
            {},
            {
                "volumes": [{"name": "v", "host": {"sourcePath": "/x"}}],
                "mountPoints": [{"sourceVolume": "v", "containerPath": "/no/dir"}],
            },
            {},
            Unavailable,
            "--isolate",
        ),
    ],
)
def test_nothing_starts_before_all_checks_have_passed(
    *, tmp_path: Path, options: Any, container: Any, submit: Any, error: type[BatchHpcError], message: str
) -> None:
    """A job that cannot run here is refused with a remedy, and leaves neither a process nor a file."""
    with LocalRunner(tmp_path / "state", **options) as runner, pytest.raises(error, match="hint: ") as caught:
        runner.submit(multinode("true", container=container, **submit))
    assert message in str(caught.value)
    assert not (tmp_path / "state").exists()


def test_what_batch_would_refuse_is_refused(runner: LocalRunner) -> None:
    """Documents that AWS Batch would refuse are invalid here as well, with every error named."""
    with pytest.raises(InvalidSpec) as caught:
        runner.submit(multinode("true", container={"resourceRequirements": []}, colour="red"))
    for part in ("submit.colour", "has no VCPU", "has no MEMORY"):
        assert part in str(caught.value)


def test_a_waived_rule_does_not_refuse_the_job(runner: LocalRunner) -> None:
    """What AWS Batch would refuse by a rule that the user waived is not refused here."""
    job = single("true", timeout={"attemptDurationSeconds": 60}, retryStrategy={"attempts": 11})
    with pytest.raises(InvalidSpec) as caught:
        runner.submit(job)
    (problem,) = caught.value.problems
    job = replace(job, warnings=(replace(problem, severity=Severity.WARNING, waived="not known to be so"),))
    assert runner.wait(runner.submit(job).id).state is JobState.SUCCEEDED


def test_a_jobs_thread_that_fails_fails_its_job(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A job whose state cannot be written any more is FAILED with the reason: no process left, no traceback, no endless wait."""
    with local_runner(tmp_path / "state") as runner:
        job = runner.submit(multinode(f"echo up; {FOREVER}", nodes=2))
        until(lambda: len(texts(runner, job.id)) == 2)
        (tmp_path / "state" / "jobs" / job.id).rename(tmp_path / "elsewhere")
        runner.terminate(job.id, "done")
        status = runner.wait(job.id)
    assert status.state is JobState.FAILED
    assert status.status_reason.startswith("the local runner failed: FileNotFoundError")
    assert capfd.readouterr().err == ""
    assert not processes_of(job.id)
