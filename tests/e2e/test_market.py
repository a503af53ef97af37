from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
DATA = "examples/risk/data"
FILES = ["--prices", f"{DATA}/sp500.csv.gz", "--portfolio", f"{DATA}/directional.csv"]
PROGRAM = [sys.executable, "-m", "examples.risk.market"]
MPIRUN = Path(sys.executable).parent / "mpiexec"
ASKED = [*FILES, "--scenarios", "200k", "--plots", "--backtest", "10", "--sampling", "importance", "--points", "4k"]
KNOWN = {"0.95": 1979757.1413, "0.975": 2523284.3382, "0.99": 3302105.7086, "0.999": 5710699.2257}  # 200,704 scenarios of seed 1
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def market(words: list[str], ranks: int | None) -> subprocess.CompletedProcess[str]:
    """Run the program: under mpirun, or, with ``ranks`` None, as it is."""
    command = [*([] if ranks is None else [str(MPIRUN), "-n", str(ranks)]), *PROGRAM, *words]
    return subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=100)


def figures(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "result.json").read_text())["figures"]
    return found


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the example gives on two ranks, with fewer scenarios."""
    out = tmp_path_factory.mktemp("market") / "two"
    run = market([*ASKED, "--out", str(out)], 2)
    assert run.returncode == 0, run.stderr
    assert [line.split()[0] for line in run.stdout.splitlines()].count("portfolio") == 1  # one table, not one a rank
    return out


def test_results_are_the_same_bytes_on_any_number_of_ranks(results: Path, tmp_path: Path) -> None:
    """Under a real mpirun, 3 ranks write the very tables, charts and figures that 2 ranks write."""
    run = market([*ASKED, "--out", str(tmp_path / "out")], 3)
    assert run.returncode == 0, run.stderr
    for path in sorted(results.iterdir()):
        if path.name != "result.json":
            assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes(), path.name
    assert figures(tmp_path / "out") == figures(results)


def test_the_example_has_its_known_numbers(results: Path) -> None:
    """Value at risk and shortfall of the sample book are the same on all processors to six digits and more."""
    found = figures(results)
    assert found["scenarios"] == 200_704
    known = {level: found["value_at_risk"][level]["value"] for level in ("0.95", "0.975", "0.99", "0.999")}
    assert known == pytest.approx(KNOWN, rel=1e-6)
    assert found["expected_shortfall"]["0.975"]["value"] == pytest.approx(3434384.0450, rel=1e-6)
    assert found["screening"]["proved"] is True
    assert found["screening"]["revalued_share"] < 0.15


def test_a_killed_run_goes_on_with_another_number_of_ranks(tmp_path: Path) -> None:
    """Killed as a whole after a checkpoint, a run goes on with three ranks instead of two and has the same figures."""
    words = [*FILES, "--scenarios", "3M", "--no-stress"]
    kept = ["--checkpoint", str(tmp_path / "kept"), "--checkpoint-every", "0s", "--out", str(tmp_path / "out")]
    with subprocess.Popen(
        [str(MPIRUN), "-n", "2", *PROGRAM, *words, *kept], cwd=ROOT, env=ENVIRONMENT, start_new_session=True, stdout=subprocess.PIPE
    ) as process:
        until = time.monotonic() + 60
        while process.poll() is None and len(list(tmp_path.glob("kept/losses/journal/*.json"))) < 2 and time.monotonic() < until:
            time.sleep(0.01)
        assert process.poll() is None, "the run is over before it could be killed"
        os.killpg(process.pid, signal.SIGKILL)
    assert not (tmp_path / "out" / "result.json").exists()
    run = market([*words, *kept], 3)
    assert run.returncode == 0, run.stderr
    assert "goes on from a checkpoint: " in run.stderr
    whole = market([*words, "--out", str(tmp_path / "whole")], None)
    assert whole.returncode == 0, whole.stderr
    assert figures(tmp_path / "out") == figures(tmp_path / "whole")


def test_a_bad_portfolio_ends_all_ranks_with_all_its_problems(tmp_path: Path) -> None:
    """On two ranks the exit code is 65, and line and field of each problem are told once."""
    book = tmp_path / "book.csv"
    book.write_text("underlying,type,quantity,strike,expiry,volatility\nAPPL,share,1,,,\nAAPL,put,1,100,0.01,-0.3\n")
    run = market([*FILES[:3], str(book), "--out", str(tmp_path / "out")], 2)
    assert run.returncode == 65
    told = run.stderr
    assert told.count("line 2, underlying: APPL has no prices; did you mean AAPL?") == 1
    assert "line 3, volatility: is -0.3, but must be a number above 0" in told
    assert "line 3, expiry: is 0.01 years, but must be after the horizon of 0.0397 years" in told
    assert not (tmp_path / "out").exists()
