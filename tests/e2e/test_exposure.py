from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MPIRUN = Path(sys.executable).parent / "mpiexec"
DATA = "examples/risk/data"
FILES = [f"--{name}={DATA}/{name}.csv" for name in ("curve", "swaps", "counterparties")]


def exposure(words: list[str], ranks: int) -> subprocess.CompletedProcess[str]:
    command = [str(MPIRUN), "-n", str(ranks), sys.executable, "-m", "examples.risk.exposure", *FILES, *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=100)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one rank gives."""
    out = tmp_path_factory.mktemp("exposure") / "one"
    run = exposure(["--paths", "16384", "--out", str(out)], 1)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[0].split() == ["value", "most", "expected", "CVA", "+-", "DVA"]
    return out


@pytest.mark.parametrize("ranks", [2, 3])
def test_results_are_the_same_bytes_on_any_number_of_ranks(alone: Path, tmp_path: Path, ranks: int) -> None:
    """Under a real mpirun 2 and 3 ranks write one rank's files, but for the number of ranks."""
    run = exposure(["--paths", "16384", "--out", str(tmp_path)], ranks)
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "exposures.csv").read_bytes() == (alone / "exposures.csv").read_bytes()
    found, expected = (json.loads((out / "result.json").read_text()) for out in (tmp_path, alone))
    assert found == {**expected, "ranks": ranks}
