from __future__ import annotations

from pathlib import Path

import pytest

from examples.risk.market.covariance_file import read_covariance
from examples.risk.market.program import main
from examples.workload.communicator import Alone
from examples.workload.errors import Malformed
from tests.unit.risk.market.input_files import price_rows, write_portfolio, write_rows

ROWS = [["name", "AAA", "BBB", "CCC"], ["AAA", "4", "1", "0.5"], ["BBB", "1", "2", "0.1"], ["CCC", "0.5", "0.1", "1"]]


def test_a_covariance_is_read_by_names(tmp_path: Path) -> None:
    """Rows and columns are those that are asked for, in that order, whatever else the file has."""
    assert read_covariance(write_rows(tmp_path / "c.csv", ROWS), ["CCC", "AAA"]).tolist() == [[1, 0.5], [0.5, 4]]


def test_everything_wrong_with_it_is_told(tmp_path: Path) -> None:
    """Names that are missing or there twice, numbers that are none, and two halves that differ."""
    rows = [
        ["name", "AAA", "BBB", "CCC"],
        ["AAA", "4", "x", "0.5"],
        ["BBB", "1", "-2", "0.1"],
        ["BBB", "1", "2", "0.1"],
        ["CCC", "1"],
    ]
    with pytest.raises(Malformed) as caught:
        read_covariance(write_rows(tmp_path / "c.csv", rows), ["AAA", "BBB", "DDD", "CCC"])
    assert [line.strip() for line in str(caught.value).splitlines()[1:]] == [
        "line 1: no column is called DDD, which the portfolio depends on",
        "line 2, column BBB: is x, but must be a number",
        "line 3, column BBB: is -2, but must be above 0",
        "line 4: BBB is there twice",
        "line 5: has 1 numbers, but the header names 3 columns",
        "no line is called DDD, which the portfolio depends on",
        "no line is called CCC, which the portfolio depends on",
    ]
    skew = [*ROWS[:2], ["BBB", "1.5", "2", "0.1"], ROWS[3]]
    with pytest.raises(Malformed, match=r"is not symmetric: AAA, BBB is 1, but BBB, AAA is 1\.5"):
        read_covariance(write_rows(tmp_path / "c.csv", skew), ["AAA", "BBB"])


def test_a_given_covariance_that_is_indefinite_is_refused_by_the_program(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error names the file, the smallest eigenvalue and the names, and the exit code is 65; a good one is used."""
    asked = ["--prices", write_rows(tmp_path / "prices.csv", price_rows()), "--scenarios", "1k", "--out", str(tmp_path / "out")]
    asked += ["--portfolio", write_portfolio(tmp_path / "p.csv", "AAA,share,1,,,", "BBB,share,1,,,", "CCC,share,1,,,")]
    bad = [ROWS[0], ["AAA", "1", "0.9", "-0.9"], ["BBB", "0.9", "1", "0.9"], ["CCC", "-0.9", "0.9", "1"]]
    assert main(Alone(), [*asked, "--covariance", write_rows(tmp_path / "bad.csv", bad)]) == 65
    told = capsys.readouterr().err
    assert (
        f"{tmp_path / 'bad.csv'}: the covariance is not positive definite: the smallest eigenvalue of the correlations is -0.8"
        in told
    )
    good = [[row[0], *(cell if number == 0 else f"{float(cell) * 1e-4}" for cell in row[1:])] for number, row in enumerate(ROWS)]
    assert main(Alone(), [*asked, "--covariance", write_rows(tmp_path / "good.csv", good)]) == 0
    assert f"t of 4 degrees of freedom; covariance of {tmp_path / 'good.csv'}" in capsys.readouterr().out
    assert main(Alone(), [*asked, "--covariance", "mine"]) == 2
    assert "--covariance: mine does not exist; it must be sample, ewma, or a file" in capsys.readouterr().err
