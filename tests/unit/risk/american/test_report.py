from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np

from examples.risk.american import plots
from examples.risk.american.arguments import Arguments, read_arguments
from examples.risk.american.policy import Policy
from examples.risk.american.priced import Bound, Going, Priced
from examples.risk.american.report import convergence_csv, policy_csv, result, table
from examples.risk.american.trades import Trade
from examples.risk.numerics.estimates import Estimate
from examples.risk.numerics.traffic import Traffic

FILE = """\
strike: 40
rate: 6%
volatility: 20%
expiry: 1
contracts:
  - {name: put, payoff: put, spot: 36, dates: 3, reference: 4.478}
  - {name: best of two, payoff: max-call, spot: [40, 44], dates: 2}
"""


def found(trade: Trade, *, upper: bool) -> Priced:
    """Figures that are easy to tell apart."""
    lower = Bound(Estimate(4.47, 0.002), 200, ((100, Estimate(4.46, 0.003)), (200, Estimate(4.47, 0.002))), Traffic(2, 320))
    higher = Bound(Estimate(4.48, 0.001), 20, ((20, Estimate(4.48, 0.001)),), Traffic(1, 64))
    inner = len(trade.contract.dates) - 1
    policy = Policy("some", np.arange(2.0 * inner).reshape(inner, 2), np.full(inner, 0.5), 0.11)
    greeks = {"delta": tuple(Estimate(-0.7, 0.01) for _ in trade.spots)}
    return Priced(
        trade, policy, Traffic(inner, 100), lower, Going(False, lower.value, greeks, ("european",)), higher if upper else None
    )


def prepared(tmp_path: Path) -> tuple[Arguments, list[Priced]]:
    path = tmp_path / "two.yaml"
    path.write_text(FILE)
    arguments = read_arguments(["--contract", str(path), "--out", str(tmp_path / "out")])
    assert arguments is not None
    one, other = arguments.trades
    return arguments, [found(one, upper=True), found(other, upper=False)]


def test_the_bracket_goes_from_interval_to_interval(tmp_path: Path) -> None:
    """It is [lower - 1.96 s.e., upper + 1.96 s.e.], the gap is between the bounds, and a reference is in the bracket or not."""
    _, (put, _) = prepared(tmp_path)
    assert put.bracket is not None
    assert np.allclose(put.bracket, (4.47 - 1.959964 * 0.002, 4.48 + 1.959964 * 0.001))
    assert put.gap is not None
    assert abs(put.gap - 0.01 / 4.47) < 1e-12
    assert put.holds is True


def test_result_json_holds_every_figure(tmp_path: Path) -> None:
    """Bounds with errors and intervals, Greeks, sizes and what was sent; a bound that was not asked for is null."""
    arguments, priced = prepared(tmp_path)
    told = json.loads(json.dumps(result(arguments, {"seed": 1}, priced), allow_nan=False))
    put, best = told["contracts"]
    assert put["upper"]["value"] == 4.48
    assert (put["lower"]["paths"], put["reference_in_bracket"], put["contract"]["dates"]) == (200, True, [1 / 3, 2 / 3, 1.0])
    assert told["run"]["communication"]["put"] == {
        "policy": {"collectives": 2, "bytes": 100},
        "lower": {"collectives": 2, "bytes": 320},
        "upper": {"collectives": 1, "bytes": 64},
    }
    assert (best["upper"], best["gap_percent"], len(best["greeks"]["delta"])) == (None, None, 2)
    assert (told["arguments"]["greeks"], told["arguments"]["plots"]) == (False, False)
    assert "reference" not in best
    assert put["greeks"] == {"delta": [{"value": -0.7, "standard_error": 0.01}]}  # no interval: the policy's error is unknown


def test_the_table_has_a_line_for_each_contract(tmp_path: Path) -> None:
    """Columns that nobody fills are left out; Greeks have a line for each asset."""
    arguments, priced = prepared(tmp_path)
    lines = table(arguments, priced).splitlines()
    assert " ".join(lines[0].split()) == "contract lower bound s.e. upper bound s.e. 95 % bracket gap reference"
    assert " ".join(lines[1].split()) == "put 4.4700 0.0020 4.4800 0.0010 4.4661 to 4.4820 0.22 % 4.4780 inside"
    assert " ".join(lines[2].split()) == "best of two 4.4700 0.0020"
    assert [line.split()[-3] for line in lines[5:8]] == ["1", "1", "2"]
    assert "upper" not in table(arguments, priced[1:])


def test_the_tables_can_be_read_by_machines(tmp_path: Path) -> None:
    """The policy has a line for each date, with coefficients where there are some; the convergence one for each prefix."""
    _, priced = prepared(tmp_path)
    text = policy_csv(priced, [{"": np.array([33.0, np.nan, 40.0])}, {}])
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["contract"], row["date"], row["boundary"], row["c1"]) for row in rows] == [
        ("put", "1", "33.0", "1.0"),
        ("put", "2", "", "3.0"),
        ("put", "3", "40.0", ""),
        ("best of two", "1", "", "1.0"),
        ("best of two", "2", "", ""),
    ]
    lines = convergence_csv(priced).splitlines()
    assert lines[:2] == ["contract,bound,paths,value,standard_error", "put,lower,100,4.46,0.003"]
    assert len(lines) == 1 + 3 + 2


def test_phases_survive_a_checkpoint(tmp_path: Path) -> None:
    """What is found out is the same, bit for bit, after it was JSON."""
    _, (put, _) = prepared(tmp_path)
    assert Bound.of(json.loads(json.dumps(put.lower.words()))) == put.lower
    assert Going.of(json.loads(json.dumps(put.going.words()))) == put.going


def test_charts_show_what_is_there(tmp_path: Path) -> None:
    """Dates without a boundary are left out, a contract without a reference has no dot, and a bound that is not there no line."""
    dates = np.array([0.5, 1.0])
    chart = plots.boundary("put", dates, {"": np.array([np.nan, 40.0])}, 40.0, 36.0, below=True)
    assert chart.count("h0") == 1
    _, (put, best) = prepared(tmp_path)
    assert "upper bound, 20 paths" in plots.bounds("put", put.lower.convergence, put.upper.convergence if put.upper else (), 4.478)
    assert "upper" not in plots.bounds("best", best.lower.convergence, (), None)
    assert plots.brackets([(4.4, 4.5)], [4.45]).count("h0") == 1
    assert "reference" not in plots.brackets([(4.4, 4.5)], [None])
    everywhere = np.ones((3, 3), np.bool_)
    assert plots.region("two", np.array([1.0, 2, 3]), np.array([1.0, 2, 3]), everywhere).count("h0") == 9
