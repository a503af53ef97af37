"""`batchhpc.rank` in real MPI programs: under a plain mpirun, and under the agent."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from batchhpc import JobState
from batchhpc.agent.contract import parse_event_line
from tests.e2e.local_jobs import processes_of
from tests.e2e.test_faults import end, run, spec, submitted, wait_for_output
from tests.e2e.test_gangs import Run
from tests.e2e.test_gangs import spec as gang
from tests.e2e.test_mpis import HOME

PROGRAM = Path(__file__).with_name("rank_program.py")
ROOT = Path(__file__).parents[2]


def mpirun(ranks: int, *words: object) -> str:
    """Standard output of the program on so many ranks, without the agent."""
    command = [str(Path(sys.executable).with_name("mpiexec")), "-n", str(ranks), sys.executable, str(PROGRAM), *map(str, words)]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def job(*words, **fields):
    """A job of two nodes that runs the program."""
    command = ["python3", "-m", "mpi4py", str(PROGRAM), *map(str, words)]
    return spec(command=command, nodes=fields.pop("nodes", 2), **fields)


def saved(directory):
    return [json.loads(path.read_text()) for path in sorted(directory.glob("saved-*"))]


def test_sums_and_quantiles_have_the_same_bits_on_1_to_4_ranks():
    """Under a real mpirun every rank gets the bits that one rank alone gets, however rows are dealt out."""
    found = [json.loads(mpirun(ranks, "exact")) for ranks in (1, 2, 3, 4)]
    assert len(found[0]) == 7
    assert found[1:] == found[:1] * 3


def test_progress_and_notice_need_no_package():
    """An image whose program is not written with numpy has them all the same."""
    code = "from batchhpc.rank import listen, notice, progress; progress(1, 2, 'steps'); assert notice() is None and not listen()"
    done = subprocess.run([sys.executable, "-S", "-c", code], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_plain_mpirun_needs_no_agent():
    """Without the agent nobody is told to stop, and progress is plain text on standard error, none in a short run."""
    assert mpirun(2, "progress") == "agent False\n"


def test_progress_is_told_with_the_rate_since_the_resume(tmp_path):
    """Under the agent lines begin at once where the checkpoint was; 80 paths a second are not taken for 900 and more."""
    status, text = run(tmp_path, job("progress"))
    assert end(status) == (JobState.SUCCEEDED, 0, 1)
    events = [event for line in text.splitlines() if (event := parse_event_line(line)) and event["event"] == "progress"]
    assert [(event["done"], event["total"], event["unit"], event["node"]) for event in (events[0], events[-1])] == [
        ("900", "1000", "paths", "0"),
        ("1000", "1000", "paths", "0"),
    ]
    assert "rate" not in events[0]
    assert all(0 < float(event["rate"]) <= 80 for event in events[1:])


def test_all_ranks_learn_of_a_reclaim_at_the_same_step(tmp_path):
    """A Spot notice on one node: ranks of both leave their loops in the same turn, with the same answer, and end well."""
    status, text = run(tmp_path, job("notice", tmp_path, ranks_per_node=2), "notice:1@2s")
    assert end(status) == (JobState.SUCCEEDED, 0, 1)
    assert "event=stop_notice from=1 reason=spot-reclaim" in text
    found = saved(tmp_path)
    assert len(found) == 4
    assert found[1:] == found[:1] * 3
    assert found[0]["reason"] == "spot-reclaim"
    assert 60 < found[0]["left"] <= 120


@pytest.mark.parametrize(
    ("nodes", "faults"), [(2, ["kill:1@3.5s"]), (3, ["kill:0@3.5s", "notice:2@4s"])], ids=["child", "leader, reclaim"]
)
def test_a_gang_that_loses_nodes_gives_the_bits_of_one_undisturbed_rank(tmp_path, nodes, faults):
    """Sums are kept as states in checkpoints, and dealt out again after each loss: the end is that of a run without any."""
    expected = re.findall("sums ([0-9a-f]{80})", mpirun(1, "resume", tmp_path / "alone", 0))
    words = ["python3", "-m", "mpi4py", str(PROGRAM), "resume", str(tmp_path / "place"), "0.05"]
    ended = Run(tmp_path / "state", gang(nodes=nodes).replace(command=words), *faults, batch_second=0.01)
    ended.assert_succeeded()
    assert len(ended.launches) > 1
    assert re.findall("sums ([0-9a-f]{80})", ended.text) == expected
    told = ended.events("progress")
    assert {event["node"] for event in told} == {"0"}
    begins = [int(event["done"]) for event in told if "rate" not in event]
    assert begins[0] == 0 < begins[-1] < 100  # each generation begins at its checkpoint


@pytest.fixture(params=["mpich", "openmpi5"])
def mpi(request):
    """Fields of a job under this MPI: MPICH handles SIGUSR1 itself, Open MPI does not."""
    if request.param == "mpich":
        return {}
    path = HOME / request.param / "bin"
    if not (path / "mpirun").exists():
        pytest.skip(f"{request.param} is not set up; make mpis does it")
    return {"launcher": "openmpi", "env": {"PATH": f"{path}:/usr/bin:/bin"}}


@pytest.mark.parametrize("verb", ["notice", "polls"])
def test_a_rank_that_asks_is_not_killed_while_it_saves(tmp_path, mpi, verb):
    """Asking makes a rank one that listens, so a certain end sends it no SIGTERM: it saves and ends by itself."""
    with submitted(tmp_path, job(verb, tmp_path, 0.5, **mpi)) as submission:
        wait_for_output(submission, "rank 1")
        submission.terminate("the user said so")
        status = submission.wait(30)
        text = "\n".join(line.text for line in submission.logs())
    assert (status.state, status.exit_code) == (JobState.FAILED, 0)  # the program ended by itself
    assert [each["reason"] for each in saved(tmp_path)] == ["SIGTERM"] * 2
    assert "sigterm=0 without_handler=0" in text
    assert processes_of(status.id) == []
