"""Checkpoints of real ranks under a real mpirun."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from batchhpc.agent.contract import AGENT_SOCKET
from batchhpc.local.processes import below, end_tree

PROGRAM = Path(__file__).with_name("checkpoint_program.py")
BIN = Path(sys.executable).parent
LONGEST = 60.0  # seconds
STEPS = 60

pytestmark = pytest.mark.skipif(not (BIN / "mpirun").exists(), reason="needs the mpich wheel")


@contextmanager
def mpirun(
    place: Path, ranks: int, steps: int, every: int = 5, env: Mapping[str, str] = os.environ
) -> Iterator[subprocess.Popen[str]]:
    """A job that runs; whatever is left of it is ended."""
    argv = [str(BIN / "mpirun"), "-n", str(ranks), sys.executable, "-m", "mpi4py", str(PROGRAM), str(place), str(steps), str(every)]
    more = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(Path.cwd())}
    with subprocess.Popen(
        argv, env={**env, **more}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as job:
        try:
            yield job
        finally:
            end_tree(job.pid)


def run(place: Path, ranks: int, steps: int = STEPS, agent: Path | None = None) -> list[str]:
    """The output of a job that must succeed."""
    env = {**os.environ, AGENT_SOCKET: str(agent)} if agent else os.environ
    with mpirun(place, ranks, steps, env=env) as job:
        text, _ = job.communicate(timeout=LONGEST)
    assert job.returncode == 0, text
    return text.splitlines()


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What one rank computes that nobody disturbs."""
    return run(tmp_path_factory.mktemp("undisturbed"), 1)[-1]


def test_ranks_resume_on_any_number_with_the_same_bits(tmp_path: Path, result: str) -> None:
    """A job that goes on with 3, 1, 4 and 2 ranks, each from the checkpoint of the one before, ends with one rank's bits."""
    steps = 0
    before = 0
    for ranks in (2, 3, 1, 4, 2):
        steps += STEPS // 5
        lines = run(tmp_path, ranks, steps)
        if before:
            assert lines[0] == f"resumed at {steps - STEPS // 5} from {before} ranks"
        before = ranks
    assert lines[-1] == result


@pytest.mark.parametrize("seed", range(3))
def test_killed_ranks_lose_no_bits(tmp_path: Path, result: str, seed: int) -> None:
    """Ranks killed by SIGKILL at random moments, then run again on other numbers: each time a whole checkpoint is found."""
    chance = random.Random(seed)  # noqa: S311 - moments, not secrets
    kills = 0
    for _ in range(40):
        with mpirun(tmp_path, chance.choice([1, 2, 3]), STEPS, 1) as job:
            assert job.stdout
            lines = []
            for line in iter(job.stdout.readline, ""):
                lines.append(line.strip())
                if line == "running\n" and kills < 4:
                    time.sleep(chance.uniform(0, 0.15))
                    ranks = [pid for pid in below(job.pid) if b"mpi4py\0" in _command(pid) and b"-n\0" not in _command(pid)]
                    for pid in chance.sample(ranks, min(len(ranks), chance.choice([1, 3]))):
                        os.kill(pid, signal.SIGKILL)
                    kills += 1
            job.wait(LONGEST)
        if job.returncode == 0:
            break
    assert kills == 4
    assert lines[-1] == result
    assert not list((tmp_path / "tmp").iterdir())
    assert len(list((tmp_path / "parts").iterdir())) == 2


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def test_agent_is_told_of_each_checkpoint(tmp_path: Path) -> None:
    """Rank 0 sends its agent's socket generation (none but in gangs), step, bytes and seconds of each checkpoint that is whole."""
    path, told = tmp_path / "agent", list[list[str]]()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        listener.settimeout(LONGEST)

        def attend() -> None:
            while len(told) < 3:
                connection, _ = listener.accept()
                with connection, connection.makefile("rb") as stream:
                    told.append(stream.read(int.from_bytes(stream.read(4), "big")).decode().split("\0"))

        attending = threading.Thread(target=attend)
        attending.start()
        run(tmp_path / "place", 2, 12, path)
        attending.join(LONGEST)
    assert [words[:3] for words in told] == [["checkpoint", "", "5"], ["checkpoint", "", "10"], ["checkpoint", "", "12"]]
    assert all(int(size) > 30_011 * 8 and float(seconds) > 0 for *_, size, seconds in told)


def test_agent_that_is_gone_disturbs_nobody(tmp_path: Path) -> None:
    """A socket where nobody listens changes nothing."""
    assert run(tmp_path / "place", 1, 3, tmp_path / "nobody")[-1].startswith("result 3")
