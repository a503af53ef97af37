"""Faults strike the node, the moment and the attempt they name, and look as they would on AWS."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from batchhpc.errors import InvalidSpec, Unavailable
from batchhpc.jobs import JobState
from batchhpc.local import Fault, LocalRunner
from batchhpc.local.namespaces import check_delay, check_isolation
from tests.e2e.local_jobs import (
    FOREVER,
    INDEX,
    STUBBORN,
    local_runner,
    multinode,
    node_states,
    processes_of,
    single,
    texts,
    until,
    wait_for,
)

HOST_GONE = r"Host EC2 \(instance i-[0-9a-f]{17}\) terminated\."
POLL = """
import json, os, sys, time, urllib.error, urllib.request
endpoint = os.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"]
def ask(path, method="GET", **headers):
    request = urllib.request.Request(endpoint + path, method=method, headers=headers)
    with urllib.request.urlopen(request, timeout=5) as answer:
        return answer.read().decode()
try:
    ask("/latest/meta-data/spot/instance-action")
except urllib.error.HTTPError as error:
    print("without token", error.code, flush=True)
token = ask("/latest/api/token", "PUT", **{"X-aws-ec2-metadata-token-ttl-seconds": "60"})
said = set()
while True:
    try:
        answer = ask("/latest/meta-data/spot/instance-action", **{"X-aws-ec2-metadata-token": token})
        text = "notice " + json.loads(answer)["action"]
    except urllib.error.HTTPError as error:
        text = f"no notice {error.code}"
    if text not in said:
        print(text, flush=True)
        said.add(text)
    time.sleep(0.02)
"""
"""A program that asks the metadata service for a Spot notice until it is killed."""


@pytest.fixture(params=[False, pytest.param(True, marks=pytest.mark.isolate)], ids=["loopback", "isolated"])
def isolate(request: pytest.FixtureRequest) -> bool:
    """Both kinds of nodes; isolated ones only where the machine allows them."""
    if request.param:
        _need_isolation()
    return bool(request.param)


@pytest.fixture
def isolated(tmp_path: Path) -> Iterator[LocalRunner]:
    """A runner of isolated nodes."""
    _need_isolation()
    (tmp_path / "data").mkdir()
    with local_runner(tmp_path / "state", isolate=True, mounts={"/fsx": tmp_path / "data"}) as runner:
        yield runner


def _need_isolation() -> None:
    try:
        check_isolation()
    except Unavailable as error:
        pytest.skip(str(error))


def test_a_killed_node_is_a_lost_host(tmp_path: Path, isolate: bool) -> None:
    """A killed child ends at once with all its processes and without an exit code, and the main node is not told."""
    faults = [Fault.parse("kill:1@0.3s")]
    with local_runner(tmp_path / "state", faults=faults, isolate=isolate) as runner:
        job = runner.submit(multinode([FOREVER, f"setsid sleep $((1000 + {INDEX})) & {STUBBORN}"]))
        until(lambda: runner.status(f"{job.id}#1").state is JobState.FAILED)
        status = runner.status(job.id)
        assert node_states(status) == [JobState.RUNNING, JobState.FAILED, JobState.RUNNING]
        assert status.nodes[1].exit_code is None
        assert re.fullmatch(HOST_GONE, status.nodes[1].status_reason)
        assert [command for command in processes_of(job.id) if "sleep 100" in command] == ["sleep 1002 "]


def test_a_killed_main_node_is_retried_by_its_status_reason(tmp_path: Path, isolate: bool) -> None:
    """A lost host of the main node matches ``Host EC2*``; the fault strikes its attempt only, so that the next succeeds."""
    rules = [{"onStatusReason": "Host EC2*", "action": "RETRY"}, {"onReason": "*", "action": "EXIT"}]
    strategy = {"attempts": 3, "evaluateOnExit": rules}
    script = f"[ $AWS_BATCH_JOB_ATTEMPT = 2 ] || {{ {FOREVER}; }}"
    with local_runner(tmp_path / "state", faults=[Fault.parse("kill:0@0.1s")], isolate=isolate) as runner:
        status = runner.wait(runner.submit(multinode(script, retryStrategy=strategy)).id)
    assert status.state is JobState.SUCCEEDED
    assert [attempt.exit_code for attempt in status.attempts] == [None, 0]
    assert re.fullmatch(HOST_GONE, status.attempts[0].status_reason)


def test_a_fault_may_name_another_attempt(tmp_path: Path) -> None:
    """``/2`` strikes the second attempt, and not the first."""
    script = f"[ $AWS_BATCH_JOB_ATTEMPT = 1 ] && exit 3; {FOREVER}"
    with local_runner(tmp_path / "state", faults=[Fault.parse("kill:0@0s/2")]) as runner:
        status = runner.wait(runner.submit(single(script, retryStrategy={"attempts": 2})).id)
    assert [attempt.exit_code for attempt in status.attempts] == [3, None]
    assert status.state is JobState.FAILED


def test_a_late_node_starts_later(tmp_path: Path) -> None:
    """A late node starts after all others run, and then takes part."""
    with local_runner(tmp_path / "state", faults=[Fault.parse("late:1@0.5s")]) as runner:
        gate = tmp_path / "gate"
        job = runner.submit(multinode([wait_for(gate), f"echo here; {FOREVER}"]))
        until(lambda: node_states(runner.status(job.id)) == [JobState.RUNNING, JobState.RUNNABLE, JobState.RUNNING])
        until(lambda: len(texts(runner, job.id)) == 2)
        gate.touch()
        assert runner.wait(job.id).state is JobState.SUCCEEDED
        assert texts(runner, job.id) == ["1/2: here", "1/1: here"]


def test_a_node_that_never_comes_fails_with_the_job(tmp_path: Path) -> None:
    """A node that never starts stays RUNNABLE; when the main node ends it has failed without ever having run."""
    with local_runner(tmp_path / "state", faults=[Fault.parse("never:2")]) as runner:
        gate = tmp_path / "gate"
        job = runner.submit(multinode([wait_for(gate), FOREVER]))
        until(lambda: node_states(runner.status(job.id)) == [JobState.RUNNING, JobState.RUNNING, JobState.RUNNABLE])
        gate.touch()
        node = runner.wait(job.id).nodes[2]
    assert (node.state, node.started_at, node.exit_code) == (JobState.FAILED, None, None)
    assert "before this node started" in node.status_reason


def test_a_notice_is_seen_by_its_node_only_and_then_the_host_goes(tmp_path: Path, isolate: bool) -> None:
    """The metadata service wants a token, knows nothing before the notice, tells its node alone; then the host goes."""
    container = {"command": ["python3", "-c", POLL]}
    with local_runner(tmp_path / "state", faults=[Fault.parse("notice:1@0.5s")], isolate=isolate) as runner:
        job = runner.submit(multinode("", container=container))
        until(lambda: runner.status(f"{job.id}#1").state is JobState.FAILED)
        assert node_states(runner.status(job.id)) == [JobState.RUNNING, JobState.FAILED, JobState.RUNNING]
        lines = [line.partition(" ")[2] for line in texts(runner, job.id) if line.startswith("1/1: ")]
        assert lines == ["without token 401", "no notice 404", "notice terminate"]
        assert sum("notice terminate" in line for line in texts(runner, job.id)) == 1


@pytest.mark.parametrize("fault", ["partition:1@1s", "delay:1@50ms"])
def test_partitions_and_delays_need_isolated_nodes(tmp_path: Path, fault: str) -> None:
    """On loopback addresses a partition or a delay is refused before anything starts, with the remedy."""
    with local_runner(tmp_path / "state", faults=[Fault.parse(fault)]) as runner, pytest.raises(InvalidSpec, match="--isolate"):
        runner.submit(multinode("true"))


@pytest.mark.isolate
def test_isolated_nodes_have_a_machine_of_their_own(isolated: LocalRunner) -> None:
    """Each isolated node has its own host name, address, processes, /dev/shm and mounts, and this machine is left as it was."""
    container = {
        "volumes": [{"name": "v", "host": {"sourcePath": "/fsx"}}],
        "mountPoints": [
            {"sourceVolume": "v", "containerPath": "/not-here/fsx"},
            {"sourceVolume": "v", "containerPath": "/read-only", "readOnly": True},
        ],
        "linuxParameters": {
            "sharedMemorySize": 96,
            "devices": [{"hostPath": "/dev/infiniband/uverbs99", "permissions": ["READ", "WRITE", "MKNOD"]}],
        },
    }
    script = """
echo $(hostname) $(cat /proc/sys/kernel/hostname) $(ls /proc | grep -c '^[0-9]*$') $(df -m --output=size /dev/shm | tail -1)
echo $AWS_BATCH_JOB_NODE_INDEX > /not-here/fsx/$(hostname)
touch /read-only/x 2>/dev/null || echo read-only
"""
    job = isolated.submit(multinode(script + FOREVER, container=container))
    until(lambda: len(texts(isolated, job.id)) == 1 + 2 * 3)
    lines = texts(isolated, job.id)
    assert sum("/dev/infiniband/uverbs99" in line for line in lines) == 1
    for node in range(3):
        (machine,) = [line for line in lines if line.startswith(f"1/{node}: node-")]
        name, kernel_name, processes, shared_memory = machine.split()[1:]
        assert name == kernel_name == f"node-{node}"
        assert int(processes) <= 6
        assert shared_memory == "96"
        assert f"1/{node}: read-only" in lines
    isolated.terminate(job.id, "seen")
    isolated.wait(job.id)
    assert not Path("/not-here").exists()


SERVE = """
import os, socket, time
if os.environ["AWS_BATCH_JOB_NODE_INDEX"] == "0":
    server = socket.create_server(("0.0.0.0", 7700))
    connections = [server.accept()[0] for _ in range(2)]
    while True:
        time.sleep(1)
while True:
    try:
        link = socket.create_connection((os.environ["AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS"], 7700), 1)
        break
    except OSError:
        time.sleep(0.02)
print("connected", flush=True)
while True:
    try:
        socket.create_connection((os.environ["AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS"], 7700), 0.5).close()
        time.sleep(0.02)
    except OSError as error:
        print("cut off", type(error).__name__, flush=True)
        time.sleep(60)
"""
"""Children connect to the main node again and again, and say so when they cannot any more."""


@pytest.mark.isolate
def test_a_partition_is_silent(tmp_path: Path) -> None:
    """A partitioned node gets no answer and no error from the network, only time-outs; the others see nothing of it."""
    _need_isolation()
    with local_runner(tmp_path / "state", faults=[Fault.parse("partition:1@1s")], isolate=True) as runner:
        job = runner.submit(multinode("", container={"command": ["python3", "-c", SERVE]}))
        until(lambda: any("cut off" in line for line in texts(runner, job.id)))
        assert [line for line in texts(runner, job.id) if "cut off" in line] == ["1/1: cut off TimeoutError"]
        assert node_states(runner.status(job.id)) == [JobState.RUNNING] * 3


@pytest.mark.isolate
def test_a_delay_needs_the_kernels_help(tmp_path: Path) -> None:
    """A delay is applied where the kernel has netem, and refused with a remedy before the start where it has not."""
    _need_isolation()
    with local_runner(tmp_path / "state", faults=[Fault.parse("delay:1@5ms")], isolate=True) as runner:
        try:
            check_delay()
        except Unavailable:
            with pytest.raises(Unavailable, match="sch_netem"):
                runner.submit(multinode("true"))
        else:
            assert runner.wait(runner.submit(multinode("sleep 0.1")).id).state is JobState.SUCCEEDED


@pytest.mark.isolate
def test_a_mount_without_a_source_is_refused(tmp_path: Path) -> None:
    """An isolated node's mount whose source is not on this machine is refused before the start, naming the remedy."""
    _need_isolation()
    container = {
        "volumes": [{"name": "v", "efsVolumeConfiguration": {"fileSystemId": "fs-12345678"}}],
        "mountPoints": [{"sourceVolume": "v", "containerPath": "/data"}],
    }
    with local_runner(tmp_path / "state", isolate=True) as runner, pytest.raises(Unavailable, match=r"mounts=\{'fs-12345678'"):
        runner.submit(multinode("true", container=container))
