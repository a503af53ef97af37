"""The real `batchhpc` command, as a user starts it."""

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e import local_jobs

BATCHHPC = str(Path(sys.executable).with_name("batchhpc"))
HELLO = """
name: hello
image: none
command: python3 -m mpi4py {program} {verb}
nodes: {nodes}
attempts: 1
time_limit: 2m
env: {{OMP_NUM_THREADS: 1, OPENBLAS_NUM_THREADS: 1}}
"""


@pytest.fixture
def job(tmp_path):
    def write(verb, nodes=2):
        path = tmp_path / "hello.yaml"
        path.write_text(HELLO.format(program=Path(__file__).with_name("program.py"), verb=verb, nodes=nodes))
        return [str(path), "--directory", str(tmp_path / "state")]

    return write


def batchhpc(*words):
    return subprocess.run([BATCHHPC, *words], capture_output=True, text=True, timeout=100, check=False)


def test_run_streams_every_nodes_output_and_ends_with_the_job(job):
    """Each line carries its node; the last lines say state, attempts and where the logs are; exit code 0."""
    done = batchhpc("run", *job("ok"))
    assert done.returncode == 0, done.stderr
    assert "[node 1] rank 1 of 2 on node 1 in attempt 1" in done.stdout
    assert "hello SUCCEEDED" in done.stdout
    assert "logs: " in done.stdout


def test_run_ends_with_the_programs_exit_code(job):
    """A program that exits 3 makes the command exit 3."""
    done = batchhpc("run", *job("exit 3"), "--quiet")
    assert done.returncode == 3
    assert "event=" not in done.stdout
    assert "rank 1 on node 1 ended with 3" in done.stdout


def test_run_gives_programs_one_json_object(job):
    """With --json standard output is one object, and what happens goes to standard error."""
    done = batchhpc("run", *job("ok"), "--json", "--fault", "late:1@0.2s")
    status = json.loads(done.stdout)
    assert (status["state"], status["exit_code"], len(status["nodes"])) == ("SUCCEEDED", 0, 2)
    assert [attempt["why"] for attempt in status["attempts"]] == ["all 2 ranks ended with 0"]
    assert isinstance(status["warnings"], list)
    assert "rank 1 of 2" in done.stderr


def test_a_fault_from_the_command_line_is_seen_and_named(job):
    """--fault kill:1 ends the job with the infrastructure code and names the node."""
    done = batchhpc("run", *job("hang"), "--fault", "kill:1@2s")
    assert done.returncode == 75
    assert "lost node 1" in done.stdout


def test_errors_come_all_at_once_and_as_json(tmp_path):
    """A broken spec is refused before anything starts, for people and for programs, with exit code 2."""
    path = tmp_path / "broken.yaml"
    path.write_text("name: j\nimage: i\ncommand: x\nnodes: 0\nnode: 3\n")
    plain = batchhpc("run", str(path))
    assert plain.returncode == 2
    assert "nodes: must be at least 1, but is 0" in plain.stderr
    assert "did you mean nodes?" in plain.stderr
    assert {problem["path"] for problem in json.loads(batchhpc("check", str(path), "--json").stdout)["problems"]} == {
        "nodes",
        "node",
    }


def test_ctrl_c_gives_the_ranks_time_to_save_their_work(job, tmp_path):
    """The first Ctrl-C notifies the ranks and waits for the job's end: exit code 130, state FAILED, no traceback."""
    process = subprocess.Popen(
        [BATCHHPC, "run", *job(f"checkpoint {tmp_path}")], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout
    lines = []
    for line in process.stdout:
        lines.append(line)
        if "rank 1 of 2" in line:
            process.send_signal(signal.SIGINT)
    process.stdout.close()
    assert process.wait(30) == 130
    text = "".join(lines)
    assert "hello FAILED" in text
    assert (tmp_path / "checkpoint-1").exists()
    assert "Traceback" not in text


STUBBORN = "trap '' TERM; echo pid $$; while :; do echo tick; sleep 0.1; done"


def gone(pids):
    """Whether none of these processes runs any more; a moment is given to whoever buries them."""
    local_jobs.until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))
    return True


def test_a_second_ctrl_c_leaves_at_once_and_leaves_nothing(job):
    """A program that ignores its end is killed on every node by the second Ctrl-C: exit code 130, no process left."""
    path, *state = job("none")
    Path(path).write_text(Path(path).read_text() + "launcher: none\n")
    process = subprocess.Popen(
        [BATCHHPC, "run", path, *state, "--", "sh", "-c", STUBBORN], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout
    pids, text = [], ""
    for line in process.stdout:
        text += line
        if "] pid " in line:
            pids.append(int(line.split()[-1]))
            if len(pids) == 2:
                process.send_signal(signal.SIGINT)
        elif "stopping the job" in line:
            process.send_signal(signal.SIGINT)
    process.stdout.close()
    assert process.wait(30) == 130
    assert len(pids) == 2
    assert gone(pids)
    assert "Traceback" not in text


def test_a_job_whose_output_nobody_reads_is_ended(job):
    """`batchhpc run ... | head` ends the job, with 141 as a shell would say, and without a word."""
    path, *state = job("none", nodes=1)
    process = subprocess.Popen(
        [BATCHHPC, "run", path, *state, "--", "sh", "-c", STUBBORN.replace("trap '' TERM; ", "")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout
    assert process.stderr
    pid = next(int(line.split()[-1]) for line in process.stdout if "] pid " in line)
    process.stdout.close()
    assert process.wait(60) == 141
    assert process.stderr.read() == ""
    process.stderr.close()
    assert gone([pid])


def test_a_terminal_gets_a_live_view(job):
    """On a terminal the nodes' states are drawn while the output streams above; the exit code is the same."""
    leader, follower = pty.openpty()
    env = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30"}
    process = subprocess.Popen([BATCHHPC, "run", *job("ok")], stdin=follower, stdout=follower, stderr=follower, env=env)
    os.close(follower)
    text = b""
    while True:
        try:
            data = os.read(leader, 65536)
        except OSError:
            break
        if not data:
            break
        text += data
    os.close(leader)
    assert process.wait(30) == 0
    shown = text.decode(errors="replace")
    assert "rank 1 of 2 on node 1" in shown
    assert "\x1b[" in shown
    assert "RUNNING" in shown
    assert "hello SUCCEEDED" in shown
