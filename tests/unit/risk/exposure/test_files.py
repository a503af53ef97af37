from __future__ import annotations

import json
from pathlib import Path

import pytest

from examples.risk.exposure.curve import read_curve
from examples.risk.exposure.program import main
from examples.risk.exposure.trades import read_counterparties, read_swaps
from examples.workload.communicator import Alone
from examples.workload.errors import Malformed
from tests.unit.risk.exposure.small import counterparties

DATA = Path("examples/risk/data")
FILES = [f"--{name}={DATA / name}.csv" for name in ("curve", "swaps", "counterparties")]


def written(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_all_problems_of_swaps_are_told_with_line_and_column(tmp_path: Path) -> None:
    """Whatever is wrong with a row, in all rows at once."""
    path = written(
        tmp_path / "swaps.csv",
        "counterparty,direction,notional,fixed_rate,maturity,payments_per_year,fixing\n"
        "A,payer,1000000,0.02,5,2,\n"
        "Z,sell,-5,nan,5.01,3,\n"
        "A,payer,1000000,0.02,4.75,1,\n"
        "A,payer,1000000,0.02,4,1,0.01\n",
    )
    with pytest.raises(Malformed) as caught:
        read_swaps(path, counterparties())
    assert str(caught.value).split("\n") == [
        f"{path}: 8 problems",
        "  line 3, counterparty: 'Z' is not among the counterparties",
        "  line 3, direction: is 'sell', but must be payer or receiver",
        "  line 3, maturity: 5.01 years are not whole months",
        "  line 3, payments_per_year: 3 is none of 1, 2, 4, 12",
        "  line 3, notional: is '-5', but must be a number from 1e-06 to 1e+15",
        "  line 3, fixed_rate: is 'nan', but must be a number from -0.5 to 1",
        "  line 4, fixing: is missing: the first period has begun, so its rate is known and must be told",
        "  line 5, fixing: is there, but no period has begun: the swap starts today",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("years,zero_rate\n1,0.02\n1,0.03\n", "line 3, years: 1 does not come after 1"),
        ("years,zero_rate\n", "has no rates; a curve needs one at least"),
        ("years,rate\n1,0.02\n", "lacks the column zero_rate; has an unknown column 'rate'; the columns are years, zero_rate"),
        ("years,zero_rate\n1,0.02,3\n", "line 2, row: has 3 fields, but the header has 2"),
        ("years,zero_rate\n0,2%\n", "line 2, zero_rate: is '2%', but must be a number from -0.2 to 1"),
        ("", "lacks the column years"),
    ],
)
def test_a_bad_curve_is_refused(tmp_path: Path, text: str, told: str) -> None:
    """With the file, the line and what is wrong there."""
    path = written(tmp_path / "curve.csv", text)
    with pytest.raises(Malformed) as caught:
        read_curve(path)
    assert str(caught.value).startswith(path)
    assert told in str(caught.value)


def test_a_counterparty_may_be_there_once(tmp_path: Path) -> None:
    """A second row of the same name is named; an empty threshold is no margin agreement."""
    head = "counterparty,cds_spread,recovery,threshold\n"
    read = read_counterparties(written(tmp_path / "good.csv", f"{head}A,0.01,0.4,\nB,0.01,0.4,0\n"))
    assert read.threshold.tolist() == [float("inf"), 0.0]
    with pytest.raises(Malformed, match="line 3, counterparty: 'A' is there already"):
        read_counterparties(written(tmp_path / "twice.csv", f"{head}A,0.01,0.4,\nA,0.02,0.4,\n"))


def test_the_program_writes_tables_and_charts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On the example's files: figures with errors in JSON, profiles as CSV, two charts, and a table on the terminal."""
    assert main(Alone(), [*FILES, "--paths", "8192", "--step", "12", "--plots", "--out", str(tmp_path)]) == 0
    assert "65" not in capsys.readouterr().err
    result = json.loads((tmp_path / "result.json").read_text())
    assert set(result["inputs"]) == {"curve", "swaps", "counterparties"}
    assert len(result["counterparties"]) == 20
    first = result["counterparties"]["CP02"]
    assert first["cva"]["interval_95"][0] < first["cva"]["value"] < first["cva"]["interval_95"][1]
    lines = (tmp_path / "exposures.csv").read_text().splitlines()
    assert lines[1].startswith("CP01,0,")
    assert len(lines) == 1 + 20 * result["dates"]
    assert all((tmp_path / name).read_text().startswith("<svg") for name in ("exposure.svg", "cva.svg"))


def test_wrong_arguments_are_told_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, every problem on a line of its own, nothing written."""
    assert main(Alone(), [*FILES[:2], "--reversion", "0", "--paths", "many", "--step", "0", "--out", str(tmp_path / "out")]) == 2
    told = capsys.readouterr().err
    for name in ("--counterparties: is missing", "--reversion: is '0'", "--paths: is 'many'", "--step: is '0'"):
        assert name in told
    assert not (tmp_path / "out").exists()
