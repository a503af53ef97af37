"""Real agents, real mpirun, real faults: what a user and AWS Batch see of each.

For each: exit code, state, attempt count, a message that names the node, and no process left behind.
"""

import json
import re
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from batchhpc import JobSpec, JobState, LocalRunner, compile_job
from batchhpc.agent import contract
from batchhpc.local import Fault
from batchhpc.spec import Environment
from tests.e2e.local_jobs import processes_of

PROGRAM = Path(__file__).with_name("program.py")
ENVIRONMENT = Environment(stop_grace="2s")
NON_BLOCKING = """
import os
os.set_blocking(1, False)
for _ in range(2000):
    try:
        os.write(1, b"x" * 4000)
    except BlockingIOError:
        pass
os._exit(3)
"""
INFRASTRUCTURE, MISCONFIGURED = contract.EXIT_INFRASTRUCTURE, contract.EXIT_MISCONFIGURED


def spec(*words, **fields):
    command = ["python3", "-m", "mpi4py", str(PROGRAM), *map(str, words)]
    settings = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", **fields.pop("env", {})}
    given = {"nodes": 3, "attempts": 1, "join_timeout": "30s", "lost_after": "10s", "env": settings, **fields}
    return JobSpec(name="fault", image="none", command=given.pop("command", command), **given)


@contextmanager
def submitted(tmp_path, job, *faults, change=None, **options):
    compiled = compile_job(job, ENVIRONMENT)
    if change:
        compiled = replace(compiled, register=change(json.loads(json.dumps(compiled.register))))
    with LocalRunner(tmp_path, faults=[Fault.parse(text) for text in faults], **{"stop_grace": 2.0, **options}) as runner:
        yield runner.submit(compiled)


def run(tmp_path, job, *faults, **options):
    """Runs a job to its end; gives its status and all its output. No process of it is left."""
    with submitted(tmp_path, job, *faults, **options) as submission:
        status = submission.wait(90)
        text = "\n".join(line.text for line in submission.logs())
    assert processes_of(status.id) == []
    return status, text


def wait_for_output(submission, text):
    for line in submission.logs(follow=True):
        if text in line.text:
            return
    pytest.fail(f"the job ended without saying {text!r}")


def end(status):
    return status.state, status.exit_code, len(status.attempts)


def test_ranks_run_node_by_node_and_the_job_succeeds(tmp_path):
    """Two ranks on each of three nodes: numbered node by node, each node with its own variables, job SUCCEEDED."""
    status, text = run(tmp_path, spec("ok", ranks_per_node=2))
    assert end(status) == (JobState.SUCCEEDED, 0, 1)
    for rank in range(6):
        assert f"rank {rank} of 6 on node {rank // 2} in attempt 1" in text
    assert "all 6 ranks ended with 0" in text


def test_one_node_is_the_same_path(tmp_path):
    """A job of one node runs through the same agent, without a secret and without other nodes."""
    status, text = run(tmp_path, spec("ok", nodes=1, ranks_per_node=2))
    assert end(status) == (JobState.SUCCEEDED, 0, 1)
    assert "rank 1 of 2 on node 0" in text


@pytest.mark.parametrize("code", [3, 137])
def test_the_programs_own_exit_code_is_kept_and_not_tried_again(tmp_path, code):
    """A program that exits 3, or 137, ends the job with that code; the other attempts are not spent on it."""
    status, text = run(tmp_path, spec("exit", code, attempts=3))
    assert end(status) == (JobState.FAILED, code, 1)
    assert f"rank 2 on node 2 ended with {code}" in text


def test_a_killed_rank_ends_the_job_as_a_shell_would_say_it(tmp_path):
    """A rank that is killed (out of memory, say) ends the job with 137, not tried again, naming rank and node."""
    status, text = run(tmp_path, spec("killed", attempts=3))
    assert end(status) == (JobState.FAILED, 137, 1)
    assert "rank 2 on node 2 ended with 137 (signal 9)" in text


def test_killed_ranks_leave_no_shared_memory(tmp_path):
    """The segments that ranks had mapped when they were killed are gone with the job."""
    status, text = run(tmp_path, spec("killed", ranks_per_node=2))
    assert status.exit_code == 137
    segments = set(re.findall(r"segment (/dev/shm/\S+)", text))
    assert segments
    assert [path for path in segments if Path(path).exists()] == []


def test_a_killed_node_is_named_and_the_job_is_tried_again(tmp_path):
    """A lost child node ends the attempt with the infrastructure code; the next one succeeds and finds nothing of it."""
    leftovers = tmp_path / "leftovers"
    leftovers.mkdir()
    job = spec("first-attempt-hangs", leftovers, attempts=2, env={"TMPDIR": str(leftovers)})
    status, text = run(tmp_path, job, "kill:2@2s")
    assert end(status) == (JobState.SUCCEEDED, 0, 2)
    assert status.attempts[0].exit_code == INFRASTRUCTURE
    assert "event=node_lost lost=2" in text
    assert 'reason="lost node 2 (link closed)"' in text
    assert "on node 2 in attempt 2" in text


def test_a_killed_main_node_ends_the_children_and_the_job_is_tried_again(tmp_path):
    """If the main node's host goes, the children end their ranks by themselves, and Batch's retry rule starts anew."""
    status, text = run(tmp_path, spec("first-attempt-hangs", tmp_path, attempts=2), "kill:0@2s")
    assert end(status) == (JobState.SUCCEEDED, 0, 2)
    assert status.attempts[0].status_reason.startswith("Host EC2 (instance")
    assert "lost the main node, node 0 (link closed)" in text


def test_a_child_that_never_joins_is_named(tmp_path):
    """At the join deadline the job ends with the infrastructure code, naming the node that was missing."""
    status, text = run(tmp_path, spec("ok", join_timeout="1s"), "never:1")
    assert end(status) == (JobState.FAILED, INFRASTRUCTURE, 1)
    assert "node 1 did not join within 1 s" in text


def test_a_child_that_joins_late_is_waited_for(tmp_path):
    """A node that starts late, but in time, takes part."""
    status, text = run(tmp_path, spec("ok"), "late:1@1s")
    assert end(status) == (JobState.SUCCEEDED, 0, 1)
    assert "rank 1 of 3 on node 1" in text


def test_a_node_with_another_secret_is_refused_and_named(tmp_path):
    """A child that does not know the secret ends with the misconfiguration code; so does the job: no retry can help."""
    other = "arn:aws:secretsmanager:us-east-1:000000000000:secret:another"

    def change(register):
        groups = register["nodeProperties"]["nodeRangeProperties"]
        odd = json.loads(json.dumps(groups[0]["container"]))
        (secret,) = odd["secrets"]
        secret["valueFrom"] = other
        groups.append({"targetNodes": "2:2", "container": odd})
        return register

    job = spec("ok", join_timeout="2s", attempts=3)
    status, text = run(tmp_path, job, change=change, secrets={other: "another"})
    assert end(status) == (JobState.FAILED, MISCONFIGURED, 1)
    assert status.nodes[2].exit_code == MISCONFIGURED
    assert "node 2 did not know the job's secret" in text
    assert "the main node does not know this job's secret" in text


def test_ranks_that_checkpoint_on_notice_are_given_the_time(tmp_path):
    """SIGTERM reaches the ranks as SIGUSR1 with a deadline; they write their checkpoints and end before the grace is over."""
    with submitted(tmp_path, spec("checkpoint", tmp_path, ranks_per_node=2)) as submission:
        wait_for_output(submission, "event=ranks_running")
        wait_for_output(submission, "rank 5 of 6")
        submission.terminate("the user said so")
        status = submission.wait(30)
    assert (status.state, status.status_reason, len(status.attempts)) == (JobState.FAILED, "the user said so", 1)
    assert status.exit_code == 0  # the program ended by itself
    for rank in range(6):
        notice = json.loads((tmp_path / f"checkpoint-{rank}").read_text())
        assert notice["reason"] == "SIGTERM"
        assert notice["deadline"] > time.time() - 60
    assert processes_of(status.id) == []


def test_a_spot_notice_reaches_the_ranks_of_every_node(tmp_path):
    """The notice that one node will be reclaimed is found by polling, and passed to the ranks of all nodes (R70)."""
    status, text = run(tmp_path, spec("checkpoint", tmp_path), "notice:1@2s")
    assert end(status) == (JobState.SUCCEEDED, 0, 1)
    assert "event=stop_notice from=1 reason=spot-reclaim" in text
    assert json.loads((tmp_path / "checkpoint-2").read_text())["reason"] == "spot-reclaim"


def test_the_time_limit_ends_a_job_that_hangs(tmp_path):
    """A job over its time limit fails with Batch's reason, is not tried again, and leaves nothing behind (R40)."""
    status, text = run(tmp_path, spec("hang", time_limit="60s", attempts=3), batch_second=0.05, stop_grace=100.0)
    assert (status.state, len(status.attempts)) == (JobState.FAILED, 1)
    assert "timeout" in status.status_reason
    assert status.exit_code == contract.EXIT_STOPPED
    assert "event=stop_notice" in text


def only_python(tmp_path, **programs):
    """A PATH with Python, the programs given, and a plain system, but no MPI."""
    directory = tmp_path / "bin"
    directory.mkdir()
    (directory / "python3").symlink_to(sys.executable)
    for name, text in programs.items():
        (directory / name).write_text(f"#!/bin/sh\n{text}\n")
        (directory / name).chmod(0o755)
    return {"PATH": f"{directory}:/nowhere"}


def test_an_image_without_mpirun_is_said_at_once(tmp_path):
    """The main node ends with the misconfiguration code before it waits for anybody, and says the remedy."""
    status, text = run(tmp_path, spec("ok", attempts=3, env=only_python(tmp_path)), "never:1")
    assert end(status) == (JobState.FAILED, MISCONFIGURED, 1)
    assert "this image has no mpirun on its PATH; install an MPI, or write launcher: none" in text


def test_an_image_with_another_mpi_than_asked_for_is_said_at_once(tmp_path):
    """Asking for MPICH where mpirun is Open MPI's is found before the ranks could hang in MPI_Init."""
    env = only_python(tmp_path, mpirun="echo 'mpirun (Open MPI) 5.0.11'")
    status, text = run(tmp_path, spec("ok", launcher="mpich", env=env))
    assert end(status) == (JobState.FAILED, MISCONFIGURED, 1)
    assert "this image's mpirun is Open MPI 5; write launcher: openmpi" in text


def test_a_program_that_is_not_there_ends_with_127(tmp_path):
    """A wrong command is the program's own failure, named as a shell names it."""
    status, text = run(tmp_path, spec(command=["no-such-program"]))
    assert end(status) == (JobState.FAILED, 127, 1)
    assert "cannot start no-such-program: No such file or directory" in text


def test_without_a_launcher_the_command_runs_once_per_node(tmp_path):
    """Launcher none: one process a node, told where the others are; the first failure is the job's."""
    script = 'echo "$AWS_BATCH_JOB_NODE_INDEX of $BATCHHPC_HOSTS"; test "$AWS_BATCH_JOB_NODE_INDEX" != 1 || exit 5; exec sleep 60'
    status, text = run(tmp_path, spec(command=["sh", "-c", script], launcher="none", ranks_per_node=8))
    assert end(status) == (JobState.FAILED, 5, 1)
    assert "rank 1 on node 1 ended with 5" in text


def test_node_groups_reach_the_ranks(tmp_path):
    """Ranks per node and variables of a node group hold on its nodes, though Hydra copies the main node's variables."""
    groups = [{"nodes": "1:", "ranks_per_node": 2, "env": {"PLACE": "child"}}]
    status, text = run(tmp_path, spec("env", "PLACE", env={"PLACE": "main"}, node_groups=groups))
    assert end(status) == (JobState.SUCCEEDED, 0, 1)
    assert text.count("PLACE=main") == 1
    assert text.count("PLACE=child") == 4


def test_a_variable_of_the_main_node_alone_stays_there(tmp_path):
    """What only the main node's group sets does not reach other nodes by way of mpirun."""
    status, text = run(tmp_path, spec("env", "PLACE", node_groups=[{"nodes": "0", "env": {"PLACE": "main"}}]))
    assert end(status) == (JobState.SUCCEEDED, 0, 1)
    assert (text.count("PLACE=main"), text.count("PLACE=None")) == (1, 2)


def test_a_rank_that_makes_its_output_non_blocking_harms_nobody(tmp_path):
    """Output is one file for a node's ranks and agent; one that never blocks and is full loses none of the agent's lines."""
    script = NON_BLOCKING
    status, text = run(tmp_path, spec(command=["python3", "-c", script], nodes=2, launcher="none"))
    assert end(status) == (JobState.FAILED, 3, 1)
    assert "event=finished code=3" in text


def test_the_secret_stays_with_the_agents(tmp_path):
    """No rank sees the secret that the agents share."""
    status, text = run(tmp_path, spec("env", contract.SECRET))
    assert end(status) == (JobState.SUCCEEDED, 0, 1)
    assert text.count(f"{contract.SECRET}=None") == 3


@pytest.mark.isolate
def test_a_partitioned_node_is_noticed_by_its_silence(tmp_path):
    """A node whose network is cut closes no connection; silence gives it away, on both sides, and nothing stays."""
    status, text = run(tmp_path, spec("hang", lost_after="1s"), "partition:1@2s", isolate=True)
    assert end(status) == (JobState.FAILED, INFRASTRUCTURE, 1)
    assert "lost node 1 (silent for 1 s)" in text
    assert "lost the main node, node 0 (silent for 1 s)" in text
