"""The program of docs/how-to/spot.md, run as the page says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

GUIDE = Path("docs/how-to/spot.md").resolve()
RUN = (str(Path(sys.executable).with_name("batchhpc")), "run", "asian.yaml", "--capacity", "spot")


def block(language: str) -> str:
    (text,) = re.findall(rf"```{language}\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    return str(text)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """The page's program and job spec in files; shorter, and on one CPU each."""
    (tmp_path / "asian.py").write_text(block("python").replace("PATHS, STEPS, SEED = 200_000", "PATHS, STEPS, SEED = 100_000"))
    (tmp_path / "asian.yaml").write_text(block("yaml") + "lost_after: 10s\nenv: {OMP_NUM_THREADS: 1, OPENBLAS_NUM_THREADS: 1}\n")
    return tmp_path


def value(directory: Path, *words: str, into: str) -> str:
    """What the program prints under ``batchhpc run``; its checkpoints go into a directory of their own."""
    command = [*RUN, *words, "--", "python3", "-m", "mpi4py", "asian.py", into]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=120, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert ("generation=2" in said) == ("--reclaim" in words), said
    (found,) = re.findall(r"value \d\.\d+ \((0x\S+)\)", said)
    return str(found)


def test_the_guides_program_ends_with_the_same_bits_whatever_node_it_loses(directory: Path) -> None:
    """Undisturbed, without its second node, without its leader, and on three nodes: the same value to the last bit."""
    values = {
        value(directory, into="undisturbed"),
        value(directory, "--nodes", "3", into="three"),
        value(directory, "--reclaim", "1@1s", into="second"),
        value(directory, "--reclaim", "0@1s", into="leader"),
    }
    assert len(values) == 1
