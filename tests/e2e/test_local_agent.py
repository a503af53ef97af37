"""Compiled jobs, run by the real agent on local nodes: what the local runner owes the agent."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from batchhpc.compiler import CompiledJob, compile_job
from batchhpc.errors import Unavailable
from batchhpc.jobs import JobState
from batchhpc.local import Fault
from batchhpc.local.namespaces import check_isolation
from batchhpc.spec import Environment, JobSpec
from tests.e2e.local_jobs import local_runner, texts

HELLO = """
from mpi4py import MPI
import os, time
world = MPI.COMM_WORLD
ranks = world.allreduce(1)
print("rank", world.rank, "of", ranks, "on", os.environ["AWS_BATCH_JOB_NODE_INDEX"], flush=True)
world.Barrier()
time.sleep(float(os.environ["PAUSE"]) if os.environ["AWS_BATCH_JOB_ATTEMPT"] == "1" else 0)
"""


@pytest.fixture(params=[False, pytest.param(True, marks=pytest.mark.isolate)], ids=["loopback", "isolated"])
def isolate(request: pytest.FixtureRequest) -> bool:
    """Both kinds of nodes; isolated ones only where the machine allows them."""
    if request.param:
        try:
            check_isolation()
        except Unavailable as error:
            pytest.skip(str(error))
    return bool(request.param)


def hello(pause: float = 0) -> CompiledJob:
    return compile_job(
        JobSpec(
            name="hello", image="none", command=(sys.executable, "-c", HELLO), nodes=3, ranks_per_node=2, env={"PAUSE": str(pause)}
        )
    )


def test_a_compiled_job_runs_on_local_nodes(tmp_path: Path, isolate: bool) -> None:
    """Ranks find each other across the nodes, are numbered node by node, and the job succeeds with all nodes."""
    with local_runner(tmp_path / "state", isolate=isolate, batch_second=1.0) as runner:
        job = runner.submit(hello())
        status = runner.wait(job.id, timeout=60)
        assert {node.state for node in status.nodes} == {JobState.SUCCEEDED}, "\n".join(texts(runner, job.id))
        said = sorted(line for line in texts(runner, job.id) if ": rank " in line)
        assert said == [f"1/{rank // 2}: rank {rank} of 6 on {rank // 2}" for rank in range(6)]


@pytest.mark.parametrize("lost", [0, 2])
def test_a_lost_node_is_a_second_attempt(tmp_path: Path, isolate: bool, lost: int) -> None:
    """When a host goes, whether main or child, the job's own retry rules give it a second attempt, which succeeds."""
    faults = [Fault.parse(f"kill:{lost}@1s")]
    with local_runner(tmp_path / "state", faults=faults, isolate=isolate, batch_second=1.0) as runner:
        job = runner.submit(hello(pause=60))
        status = runner.wait(job.id, timeout=60)
        assert status.state is JobState.SUCCEEDED, "\n".join(texts(runner, job.id))
        assert [attempt.exit_code for attempt in status.attempts] == [75 if lost else None, 0]


def test_a_job_is_judged_by_the_environment_it_was_compiled_for(tmp_path: Path) -> None:
    """What was sound for an environment that keeps no memory for the host is not refused here for want of it (R26)."""
    spec = JobSpec(name="j", image="i", command=("true",), memory_per_node="4090 MiB", instance_type="c5.large", launcher="none")
    with local_runner(tmp_path / "state", batch_second=1.0) as runner:
        job = runner.submit(compile_job(spec, Environment(reserved_memory="0 MiB")))
        assert runner.wait(job.id, timeout=60).state is JobState.SUCCEEDED
