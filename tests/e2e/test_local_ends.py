"""However a node, a job or its runner ends, nothing of it stays."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from batchhpc.jobs import JobState
from batchhpc.local import LocalRunner
from tests.e2e.local_jobs import (
    FOREVER,
    STUBBORN,
    local_runner,
    multinode,
    processes_of,
    texts,
    until,
    wait_for,
)


def test_a_node_ends_with_all_it_started(runner: LocalRunner, tmp_path: Path) -> None:
    """What a node's command left in the background, in a session of its own or without variables, ends with the node."""
    left = "setsid sleep 1000 </dev/null >/dev/null 2>&1 & env -i sleep 1000.73 >/dev/null 2>&1 & (sleep 1000 &) "
    gate = tmp_path / "gate"
    job = runner.submit(multinode([wait_for(gate), f"{left}; echo left; exit 0"], nodes=2, container={"mountPoints": []}))
    until(lambda: runner.status(f"{job.id}#1").state is JobState.SUCCEEDED)
    assert texts(runner, job.id) == ["1/1: left"]
    assert not [command for command in processes_of(job.id) if "sleep 1000" in command]
    assert not [process for process in Path("/proc").glob("[0-9]*") if "sleep\x001000.73" in _command_line(process)]
    gate.touch()
    assert runner.wait(job.id).state is JobState.SUCCEEDED


def _command_line(process: Path) -> str:
    try:
        return (process / "cmdline").read_text(errors="replace")
    except OSError:  # ended meanwhile
        return ""


def test_nodes_end_with_their_runner(tmp_path: Path) -> None:
    """When the runner's process is killed, no process of its jobs stays."""
    program = f"""
from pathlib import Path
from batchhpc.local import LocalRunner
from tests.e2e.local_jobs import multinode, STUBBORN
runner = LocalRunner(Path({str(tmp_path)!r}))
job = runner.submit(multinode(f"echo up; {{STUBBORN}}"))
for line in runner.logs(job.id, follow=True):
    print(job.id, flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        _, _, job_id = (process.stdout.readline().strip() for _ in range(3))
        assert processes_of(job_id)
        process.send_signal(signal.SIGKILL)
    until(lambda: not processes_of(job_id))


def test_leaving_the_runner_ends_its_jobs(tmp_path: Path) -> None:
    """An exception, Ctrl-C among them, that leaves the runner's block ends every job in order before it goes on."""
    jobs = []

    def interrupted() -> None:
        with local_runner(tmp_path / "state") as runner:
            job = runner.submit(multinode(f"trap 'echo ended; exit 0' TERM; echo up; {FOREVER}", nodes=2))
            jobs.append(job)
            until(lambda: len(texts(runner, job.id)) == 2)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    (job,) = jobs
    assert (job.status().state, job.status().status_reason) == (JobState.FAILED, "The local runner was closed")
    assert [line.text for line in job.logs()].count("ended") == 2


def test_ctrl_c_again_is_the_end_of_patience(tmp_path: Path) -> None:
    """Ctrl-C that leaves the runner's block while a job is being stopped already kills the job without more grace."""

    def interrupted() -> None:
        with local_runner(tmp_path / "state", batch_second=100.0) as runner:
            job = runner.submit(multinode(f"echo up; {STUBBORN}", nodes=2))
            until(lambda: len(texts(runner, job.id)) == 2)
            runner.terminate(job.id, "first Ctrl-C")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
