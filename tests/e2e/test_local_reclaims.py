"""Instances come and go: what a child of an array knows of its own, and what happens when it is taken."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from batchhpc.cli.main import main
from batchhpc.errors import Unavailable
from batchhpc.jobs import JobState
from batchhpc.local import Chaos, Fault, LocalRunner
from batchhpc.local.namespaces import IsolatedNetwork, check_isolation
from tests.e2e.local_jobs import (
    CHILD,
    FOREVER,
    STUBBORN,
    array,
    local_runner,
    multinode,
    node_states,
    processes_of,
    texts,
    until,
    wait_for,
)

HOST_GONE = r"Host EC2 \(instance i-[0-9a-f]{17}\) terminated\."
RETRY_RECLAIMED: dict[str, Any] = {
    "attempts": 5,
    "evaluateOnExit": [{"onStatusReason": "Host EC2*", "action": "RETRY"}, {"onReason": "*", "action": "EXIT"}],
}
SUCCEEDED, FAILED, RUNNING, RUNNABLE = JobState.SUCCEEDED, JobState.FAILED, JobState.RUNNING, JobState.RUNNABLE


@pytest.fixture(params=[False, pytest.param(True, marks=pytest.mark.isolate)], ids=["loopback", "isolated"])
def isolate(request: pytest.FixtureRequest) -> bool:
    """Both kinds of nodes; isolated ones only where the machine allows them."""
    if request.param:
        _need_isolation()
    return bool(request.param)


def _need_isolation() -> None:
    try:
        check_isolation()
    except Unavailable as error:
        pytest.skip(str(error))


def faults(*written: str) -> list[Fault]:
    return [Fault.parse(text) for text in written]


# --- Instances ------------------------------------------------------------------------------------------------------------

IDENTITY = """
import json, os, sys, urllib.error, urllib.request
endpoint = os.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"]
def ask(path, method="GET", **headers):
    request = urllib.request.Request(endpoint + "/latest/" + path, method=method, headers=headers)
    with urllib.request.urlopen(request, timeout=5) as answer:
        return answer.read().decode()
token = ask("api/token", "PUT", **{"X-aws-ec2-metadata-token-ttl-seconds": "60"})
def tell(name):
    try:
        return ask("meta-data/" + name, **{"X-aws-ec2-metadata-token": token})
    except urllib.error.HTTPError as error:
        return str(error.code)
import socket, time
struck = os.environ["AWS_BATCH_JOB_ARRAY_INDEX"] + os.environ["AWS_BATCH_JOB_ATTEMPT"] == "11"
while struck and tell("spot/instance-action") == "404":
    time.sleep(0.02)
notice = tell("spot/instance-action")[:10]
print(tell("instance-id"), tell("local-ipv4"), notice, socket.gethostname(), os.environ["TMPDIR"], flush=True)
while struck:
    time.sleep(1)
"""
"""Says what it knows of its instance; child 1 waits for the notice before, and for the end of its instance after."""


def test_a_replacement_is_another_instance(tmp_path: Path, isolate: bool) -> None:
    """Each attempt has an address, instance id and directory of its own, and knows of no older notice."""
    chaos = Chaos(notice=60.0)
    with local_runner(tmp_path / "state", faults=faults("reclaim:1@2s"), chaos=chaos, isolate=isolate) as runner:
        job = runner.submit(array("", container={"command": ["python3", "-c", IDENTITY]}, retryStrategy=RETRY_RECLAIMED))
        assert runner.wait(job.id).state is SUCCEEDED, "\n".join(texts(runner, job.id))
        told = {(line.node, line.attempt): line.text.split() for line in runner.logs(job.id)}
        reclaimed = runner.status(f"{job.id}:1").attempts[0]
    assert sorted(told) == [(0, 1), (1, 1), (1, 2), (2, 1)]
    for which in (0, 1, 4 if isolate else 1):
        assert len({words[which] for words in told.values()}) == len(told)
    assert len({words[-1] for words in told.values()}) == len(told)
    assert told[1, 1][0] in reclaimed.status_reason
    assert told[1, 1][2].startswith('{"action":')
    assert {words[2] for key, words in told.items() if key != (1, 1)} == {"404"}
    if isolate:
        assert [words[-2] for _, words in sorted(told.items())] == ["node-0", "node-1", "node-1-2", "node-2"]


MEET = """
import os, pathlib, socket, sys, time
place = pathlib.Path(os.environ["MEETING"])
if os.environ["AWS_BATCH_JOB_ARRAY_INDEX"] == "0":
    with socket.create_server((sys.argv[1] if len(sys.argv) > 1 else os.environ["BATCHHPC_NODE_ADDRESS"], 7700)) as server:
        (place / "new").write_text(server.getsockname()[0])
        (place / "new").rename(place / "address")
        for _ in range(3):
            link = server.accept()[0]
            print("met", link.recv(1).decode(), flush=True)
else:
    me = os.environ["AWS_BATCH_JOB_ARRAY_INDEX"]
    while not (place / "address").exists():
        time.sleep(0.02)
    link = socket.create_connection(((place / "address").read_text(), 7700), 10)
    link.send(me.encode())
    print("there", flush=True)
    while me + os.environ["AWS_BATCH_JOB_ATTEMPT"] == "21":
        time.sleep(1)
"""
"""The first child listens and is met by the others; child 2 stays until its instance is taken, and comes again."""


def test_children_and_replacements_reach_each_other(tmp_path: Path, isolate: bool) -> None:
    """All children of an array, a replacement too, connect to an address that the first one tells."""
    (tmp_path / "meeting").mkdir()
    command = ["python3", "-c", MEET, *(["10.77.0.1"] if isolate else [])]
    container = {"command": command, "environment": [{"name": "MEETING", "value": str(tmp_path / "meeting")}]}
    with local_runner(tmp_path / "state", faults=faults("reclaim:2@2s"), isolate=isolate) as runner:
        job = runner.submit(array("", container=container, retryStrategy=RETRY_RECLAIMED))
        assert runner.wait(job.id, timeout=60).state is SUCCEEDED, "\n".join(texts(runner, job.id))
        assert sorted(line.text for line in runner.logs(f"{job.id}:0")) == ["met 1", "met 2", "met 2"]


@pytest.mark.isolate
def test_more_nodes_than_can_be_isolated_are_refused() -> None:
    """A bridge has 1,023 ports and its network 65,533 addresses: more nodes or attempts are unavailable, with a remedy."""
    for nodes, attempts in ((1024, 1), (1000, 66)):
        with pytest.raises(Unavailable, match=f"{nodes} nodes x {attempts} attempts .*\n  hint: run without --isolate"):
            IsolatedNetwork(nodes, attempts)


def records(value: str) -> dict[str, Any]:
    return {"environment": [{"name": "BATCHHPC_RECORDS", "value": value}]}


def test_a_directory_of_the_job_stands_for_the_records_of_gangs(runner: LocalRunner, tmp_path: Path) -> None:
    """A definition's address of records becomes a directory of the job, which exists; a job without one is told nothing."""
    job = runner.submit(array("echo $BATCHHPC_RECORDS", container=records("s3://bucket/gangs")))
    other = runner.submit(array("echo ${BATCHHPC_RECORDS-none}"))
    runner.wait_all([job.id, other.id])
    own = tmp_path / "state" / "jobs" / job.id / "records"
    assert {line.text for line in runner.logs(job.id)} == {str(own)}
    assert own.is_dir()
    assert {line.text for line in runner.logs(other.id)} == {"none"}
    assert not (tmp_path / "state" / "jobs" / other.id / "records").exists()


@pytest.mark.parametrize("place", ["s3://bucket/elsewhere", "here/records"])
def test_records_may_be_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """A runner may name another address for records, or another directory, which is made if it is not there."""
    monkeypatch.chdir(tmp_path)
    with local_runner(tmp_path / "state", records=place) as runner:
        job = runner.submit(array("echo $BATCHHPC_RECORDS", container=records("s3://bucket/gangs")))
        runner.wait(job.id)
        told = {line.text for line in runner.logs(job.id)}
    assert told == {place if "://" in place else str(tmp_path / place)}
    assert (tmp_path / place).is_dir() is ("://" not in place)


# --- Faults and reclaims --------------------------------------------------------------------------------------------------


def test_a_reclaimed_child_comes_back_and_the_others_stay(tmp_path: Path, isolate: bool) -> None:
    """A reclaim takes one child's instance with all its processes; it waits for its replacement while the others run on."""
    gate = tmp_path / "gate"
    script = f"setsid sleep 1000 & [ $AWS_BATCH_JOB_ATTEMPT = 2 ] || {{ [ {CHILD} = 1 ] && {{ {STUBBORN}; }}; }}; {wait_for(gate)}"
    with local_runner(tmp_path / "state", faults=faults("reclaim:1@0.3s"), chaos=Chaos(replacement=1.0), isolate=isolate) as runner:
        job = runner.submit(array(script, retryStrategy=RETRY_RECLAIMED))
        until(lambda: len(runner.status(f"{job.id}:1").attempts) == 1)
        assert node_states(runner.status(job.id))[1] is RUNNABLE
        assert not [command for command in processes_of(f"{job.id}:1") if "sleep" in command]
        until(lambda: node_states(runner.status(job.id)) == [RUNNING] * 3)
        gate.touch()
        status = runner.wait(job.id)
        child = runner.status(f"{job.id}:1")
    assert (status.state, len(status.attempts)) == (SUCCEEDED, 1)
    assert [attempt.exit_code for attempt in child.attempts] == [None, 0]
    assert re.fullmatch(HOST_GONE, child.attempts[0].status_reason)
    assert (child.started_at or 0.0) - child.attempts[0].stopped_at >= 1.0


def test_an_instance_may_shut_down_in_order(tmp_path: Path) -> None:
    """A container gets SIGTERM when its instance shuts down (R70): what it then ends with is told, or the host is gone under it."""
    rules = [{"onExitCode": "75", "action": "RETRY"}, *RETRY_RECLAIMED["evaluateOnExit"]]
    again = f"[ $AWS_BATCH_JOB_ATTEMPT = 2 ] && exit 0; [ {CHILD} = 0 ] && trap 'exit 75' TERM || trap 'echo term' TERM; {FOREVER}"
    strikes = faults("reclaim:0@0.8s", "reclaim:1@0.8s")
    with local_runner(tmp_path / "state", faults=strikes, chaos=Chaos(shutdown=0.5, replacement=0.2)) as runner:
        job = runner.submit(array(again, size=2, retryStrategy={"attempts": 2, "evaluateOnExit": rules}))
        assert runner.wait(job.id).state is SUCCEEDED
        orderly, stubborn = (runner.status(f"{job.id}:{child}") for child in (0, 1))
        assert texts(runner, job.id) == ["1/1: term"]
    assert [attempt.exit_code for attempt in orderly.attempts] == [75, 0]
    assert re.fullmatch(HOST_GONE, stubborn.attempts[0].status_reason)
    assert all((child.started_at or 0.0) - child.attempts[0].stopped_at >= 0.2 for child in (orderly, stubborn))


def test_faults_name_the_childs_own_attempt(tmp_path: Path) -> None:
    """``/2`` strikes a child's second attempt only; one that has ended by then is not struck, nor is another child."""
    script = f"[ {CHILD}$AWS_BATCH_JOB_ATTEMPT = 11 ] && exit 7; [ {CHILD} = 1 ] && {{ {FOREVER}; }}; exit 0"
    rules = [{"onExitCode": "7", "action": "RETRY"}, {"onReason": "*", "action": "EXIT"}]
    with local_runner(tmp_path / "state", faults=faults("kill:1@0.2s/2", "kill:0@5s", "kill:2@0s/2")) as runner:
        job = runner.submit(array(script, retryStrategy={"attempts": 3, "evaluateOnExit": rules}))
        status = runner.wait(job.id)
        child = runner.status(f"{job.id}:1")
    assert node_states(status) == [SUCCEEDED, FAILED, SUCCEEDED]
    assert [attempt.exit_code for attempt in child.attempts] == [7, None]
    assert re.fullmatch(HOST_GONE, child.status_reason)


def test_a_late_replacement(tmp_path: Path) -> None:
    """``late`` holds back the start of the attempt it names, a first one or a replacement."""
    with local_runner(tmp_path / "state", faults=faults("late:0@0.5s", "late:2@0.7s/2", "kill:2@0s")) as runner:
        job = runner.submit(
            array(f"[ {CHILD}$AWS_BATCH_JOB_ATTEMPT = 21 ] && {{ {FOREVER}; }}; exit 0", retryStrategy=RETRY_RECLAIMED)
        )
        until(lambda: node_states(runner.status(job.id))[:2] == [RUNNABLE, SUCCEEDED])
        assert runner.wait(job.id).state is SUCCEEDED
        late, other, replaced = (runner.status(f"{job.id}:{child}") for child in range(3))
    assert (late.started_at or 0.0) - late.created_at >= 0.5
    assert (other.started_at or 0.0) < (late.started_at or 0.0)
    assert (replaced.started_at or 0.0) - replaced.attempts[0].stopped_at >= 0.7


def test_a_child_that_never_starts_starts_when_there_is_nothing_else(tmp_path: Path) -> None:
    """``never`` keeps a child, or its replacement, RUNNABLE as long as others run; then there are instances for it."""
    gate = tmp_path / "gate"
    with local_runner(tmp_path / "state", faults=faults("never:1", "kill:0@0s", "never:0/2")) as runner:
        script = f"[ {CHILD}$AWS_BATCH_JOB_ATTEMPT = 01 ] && {{ {FOREVER}; }}; echo here; {wait_for(gate)}"
        job = runner.submit(array(script, retryStrategy=RETRY_RECLAIMED))
        until(
            lambda: len(runner.status(job.id).attempts) == 1 and node_states(runner.status(job.id)) == [RUNNABLE, RUNNABLE, RUNNING]
        )
        gate.touch()
        assert runner.wait(job.id).state is SUCCEEDED
        assert texts(runner, job.id)[0] == "1/2: here"
        assert sorted(texts(runner, job.id)[1:]) == ["1/1: here", "2/0: here"]


def test_an_array_whose_child_waits_can_be_terminated(tmp_path: Path) -> None:
    """A child that waits for an instance fails with the reason when its job is terminated."""
    with local_runner(tmp_path / "state", faults=faults("never:1", "late:2@60s")) as runner:
        job = runner.submit(array(FOREVER))
        until(lambda: node_states(runner.status(job.id)) == [RUNNING, RUNNABLE, RUNNABLE])
        runner.terminate(job.id, "enough")
        status = runner.wait(job.id)
    assert [(node.status_reason, node.started_at is None) for node in status.nodes] == [
        ("enough", False), ("enough", True), ("enough", True)
    ]  # fmt: skip


def test_a_reclaimed_multi_node_job_is_tried_again_as_a_whole(tmp_path: Path) -> None:
    """A reclaim of the main node of a multi-node job is a lost host, and the next attempt waits for the replacement."""
    with local_runner(tmp_path / "state", faults=faults("reclaim:0@0.1s"), chaos=Chaos(replacement=0.5)) as runner:
        job = runner.submit(multinode(f"[ $AWS_BATCH_JOB_ATTEMPT = 2 ] || {{ {FOREVER}; }}", retryStrategy=RETRY_RECLAIMED))
        status = runner.wait(job.id)
    assert status.state is SUCCEEDED
    assert re.fullmatch(HOST_GONE, status.attempts[0].status_reason)
    assert (status.attempts[1].started_at or 0.0) - status.attempts[0].stopped_at >= 0.5


def test_chaos_wears_a_job_out_until_its_attempts_are_used_up(tmp_path: Path) -> None:
    """Children that are reclaimed again and again use up their attempts, and the job fails for a stated reason."""
    with local_runner(tmp_path / "state", chaos=Chaos(rate=30.0, seed=3)) as runner:
        job = runner.submit(array(FOREVER, retryStrategy={**RETRY_RECLAIMED, "attempts": 3}))
        status = runner.wait(job.id, timeout=60)
        children = [runner.status(f"{job.id}:{child}") for child in range(3)]
    assert (status.state, status.status_reason) == (FAILED, "Array Child Job failed")
    assert [len(child.attempts) for child in children] == [3, 3, 3]
    assert all(re.fullmatch(HOST_GONE, attempt.status_reason) for child in children for attempt in child.attempts)


@pytest.mark.parametrize("seed", range(3))
def test_work_that_is_kept_survives_chaos(tmp_path: Path, isolate: bool, seed: int) -> None:
    """Children that keep what they have done end with all of it done, whichever instances were taken from them and when."""
    count = f"cd {tmp_path}; while [ $(cat {CHILD} 2>/dev/null | wc -l) -lt 20 ]; do echo x >> {CHILD}; sleep 0.05; done"
    with local_runner(tmp_path / "state", chaos=Chaos(rate=1.5, seed=seed, notice=0.2), isolate=isolate) as runner:
        job = runner.submit(array(count, retryStrategy={**RETRY_RECLAIMED, "attempts": 10}))
        assert runner.wait(job.id, timeout=60).state is SUCCEEDED
    assert [len((tmp_path / str(child)).read_text().split()) for child in range(3)] == [20, 20, 20]
    assert not list(Path("/tmp").glob(f"bhpc-{os.getpid()}-*"))


def test_leaving_the_runner_ends_all_children(tmp_path: Path) -> None:
    """Ctrl-C ends children that run, that wait for a replacement, and that have not started, and leaves no directory."""
    jobs = []

    def interrupted() -> None:
        with local_runner(tmp_path / "state", faults=faults("late:2@60s", "kill:1@0s"), chaos=Chaos(replacement=60.0)) as runner:
            job = runner.submit(array(f"echo up; {STUBBORN}", retryStrategy=RETRY_RECLAIMED))
            jobs.append(job)
            until(lambda: node_states(job.status()) == [RUNNING, RUNNABLE, RUNNABLE] and bool(texts(runner, job.id)))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    (job,) = jobs
    assert node_states(job.status()) == [FAILED] * 3
    assert not list(Path("/tmp").glob(f"bhpc-{os.getpid()}-*"))


# --- The command line -----------------------------------------------------------------------------------------------------

SPEC = """
name: gang
image: none
command: ["sh", "-c", "echo attempt $AWS_BATCH_JOB_ATTEMPT of $AWS_BATCH_JOB_ARRAY_INDEX; sleep 3"]
nodes: 2
launcher: none
time_limit: 2m
"""


def test_run_makes_a_gang_on_spot_and_reclaims_its_nodes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``run --capacity spot --reclaim 1@1s`` runs an array, takes a child's instance and gives it another."""
    (tmp_path / "gang.yaml").write_text(SPEC)
    options = ["--capacity", "spot", "--reclaim", "1@1s", "--directory", str(tmp_path / "state"), "--quiet"]
    assert main(["run", str(tmp_path / "gang.yaml"), *options]) == 0
    shown = capsys.readouterr().out
    assert "gang SUCCEEDED" in shown
    assert "[node 1] attempt 2 of 1" in shown
    assert "[node 0] attempt 2 of 0" not in shown
