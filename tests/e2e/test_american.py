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
MPIRUN = Path(sys.executable).parent / "mpiexec"
PROGRAM = [sys.executable, "-m", "examples.risk.american"]
SMALL = ["--paths", "16384", "--lower-paths", "16384", "--outer", "64", "--inner", "64"]
STRIP = """\
strike: 100
rate: 5%
expiry: 3
dates: 9
contracts:
  - {name: max-call, payoff: max-call, assets: 2, spot: 100, dividend: 10%, volatility: 20%, reference: 13.902}
  - {name: put, payoff: put, spot: 95, volatility: 20%, dates: 6}
  - {name: SV, payoff: put, model: heston, spot: 100, expiry: 0.5, dates: 4, variance: 4%, kappa: 2, theta: 4%, xi: 0.3, rho: -0.5}
"""


def american(words: list[str], ranks: int | None) -> subprocess.CompletedProcess[str]:
    """Run the program: under mpirun, or, with ``ranks`` None, as it is."""
    launcher = [] if ranks is None else [str(MPIRUN), "-n", str(ranks)]
    command = [*launcher, *PROGRAM, *words]
    return subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False, timeout=100)


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def results(out: Path) -> dict[str, bytes]:
    """All files; of result.json what does not tell of ranks and machines."""
    files = {path.name: path.read_bytes() for path in sorted(out.iterdir())}
    told = told_in(out)
    del told["provenance"], told["run"]
    return {**files, "result.json": json.dumps(told).encode()}


def told_in(out: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((out / "result.json").read_text())
    return told


@pytest.fixture(scope="module")
def strip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("american") / "strip.yaml"
    path.write_text(STRIP)
    return path


@pytest.fixture(scope="module")
def two(strip: Path) -> Path:
    """What two ranks give."""
    out = strip.parent / "two"
    run = american(["--contract", str(strip), *SMALL, "--greeks", "--plots", "--out", str(out)], 2)
    assert run.returncode == 0, run.stderr
    assert run.stdout.count("95 % bracket") == 1  # one table, not one a rank
    return out


@pytest.mark.parametrize("ranks", [None, 3])
def test_results_are_the_same_bytes_on_any_number_of_ranks(strip: Path, two: Path, tmp_path: Path, ranks: int | None) -> None:
    """Under a real mpirun, 2 and 3 ranks write the very files that the plain program writes."""
    run = american(["--contract", str(strip), *SMALL, "--greeks", "--plots", "--out", str(tmp_path / "out")], ranks)
    assert run.returncode == 0, run.stderr
    assert results(tmp_path / "out") == results(two)


def test_the_strip_has_its_known_prices(two: Path) -> None:
    """Each price is between its bounds, whose gap is small; each contract has its charts, Greeks and exercise boundary.

    The max-call on two assets is 13.902 on a lattice (Andersen and Broadie 2004).
    """
    told = told_in(two)
    best, put, heston = told["contracts"]
    assert best["reference_in_bracket"] is True
    assert all(0 <= each["gap_percent"] < 3 for each in told["contracts"])
    assert abs(best["lower"]["value"] - 13.902) < 0.15
    assert (len(best["greeks"]["delta"]), len(put["greeks"]["vega"])) == (2, 1)
    assert -1 < heston["greeks"]["delta"][0]["value"] < 0
    assert {"region-1.svg", "boundary-2.svg", "boundary-3.svg", "bounds-1.svg", "brackets.svg"} <= {
        each.name for each in two.iterdir()
    }
    header, *rows = (two / "exercise_policy.csv").read_text().splitlines()
    assert header.startswith("contract,date,years,boundary")
    assert len(rows) == 9 + 6 + 4


def test_a_killed_run_goes_on_with_other_ranks(strip: Path, tmp_path: Path) -> None:
    """Killed as a whole after some checkpoints, a run goes on with another number of ranks and writes the same files."""
    words = ["--contract", str(strip), "--paths", "16384", "--lower-paths", "32768", "--outer", "64", "--inner", "64"]
    kept = ["--checkpoint", str(tmp_path / "kept"), "--checkpoint-every", "0s"]
    run = american([*words, "--out", str(tmp_path / "whole")], None)
    assert run.returncode == 0, run.stderr
    command = [str(MPIRUN), "-n", "2", *PROGRAM, *words, *kept, "--out", str(tmp_path / "out")]
    with subprocess.Popen(command, cwd=ROOT, env=environment(), start_new_session=True, stdout=subprocess.PIPE) as process:
        until = time.monotonic() + 60
        while process.poll() is None and len(list(tmp_path.glob("kept/*/journal/*.json"))) < 6 and time.monotonic() < until:
            time.sleep(0.01)
        assert process.poll() is None, "the run is over before it could be killed"
        os.killpg(process.pid, signal.SIGKILL)
    assert not (tmp_path / "out" / "result.json").exists()
    run = american([*words, *kept, "--out", str(tmp_path / "out")], 3)
    assert run.returncode == 0, run.stderr
    assert results(tmp_path / "out") == results(tmp_path / "whole")


def test_a_policy_is_used_again(strip: Path, two: Path, tmp_path: Path) -> None:
    """With --policy the bounds are those of the run that found it, and the first phase sends nothing."""
    words = ["--contract", str(strip), *SMALL, "--greeks", "--policy", str(two / "policy.json")]
    run = american([*words, "--out", str(tmp_path / "out")], 2)
    assert run.returncode == 0, run.stderr
    before, after = told_in(two)["contracts"], told_in(tmp_path / "out")["contracts"]
    for one, other in zip(before, after, strict=True):
        assert (one["lower"], one["upper"], one["greeks"]) == (other["lower"], other["upper"], other["greeks"])
        assert "policy" not in told_in(tmp_path / "out")["run"]["communication"][other["name"]]


def test_a_policy_of_another_contract_is_refused(strip: Path, two: Path, tmp_path: Path) -> None:
    """What differs is said, with both values, once, before anything is computed."""
    other = tmp_path / "other.yaml"
    other.write_text(STRIP.replace("spot: 95", "spot: 96"))
    run = american(["--contract", str(other), "--policy", str(two / "policy.json"), "--out", str(tmp_path / "out")], 2)
    assert run.returncode == 2
    assert run.stderr.count("95") == 1
    assert "spot" in run.stderr
    assert not (tmp_path / "out").exists()


def test_a_malformed_contract_ends_all_ranks_and_is_told_once(tmp_path: Path) -> None:
    """A negative volatility ends mpirun with 65 and one message that names file, line and field."""
    bad = tmp_path / "bad.yaml"
    bad.write_text(STRIP.replace("spot: 95, volatility: 20%", "spot: 95, volatility: -20%"))
    run = american(["--contract", str(bad), "--out", str(tmp_path / "out")], 2)
    assert run.returncode == 65
    assert run.stderr.count("line 7, contracts[1].volatility: is '-20%', but must be a number above 0") == 1
    assert not (tmp_path / "out").exists()
