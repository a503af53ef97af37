from __future__ import annotations

import csv
import json
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from examples.risk.market.program import main
from examples.workload.communicator import Alone
from tests.unit.risk.market.input_files import price_rows, write_portfolio, write_rows
from tests.unit.workload.thread_ranks import run_ranks

HOLDINGS = ["AAA,share,900,,,", "CCC,share,-200,,,"] + [
    f"{name},{kind},{quantity},{strike},{expiry},{volatility}"
    for name, kind, quantity, strike, expiry, volatility in (
        ("AAA", "call", -700, 110, 0.3, 0.3),
        ("BBB", "put", 500, 90, 0.2, 0.25),
        ("BBB", "call", -300, 95, 0.6, 0.28),
        ("CCC", "put", -400, 100, 0.5, 0.35),
    )
]
PHASES = ("losses", "stressed", "importance", "incremental", "backtest", "convergence")
CHARTS = {"distribution.svg", "components.svg", "backtest.svg", "convergence.svg"}


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """Three names, shares and options on them, and 20,480 scenarios."""
    prices = write_rows(tmp_path / "prices.csv", price_rows())
    return ["--prices", prices, "--portfolio", write_portfolio(tmp_path / "p.csv", *HOLDINGS), "--scenarios", "20k"]


def result(out: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((out / "result.json").read_text())
    return told


def rows(path: Path) -> list[list[str]]:
    return list(csv.reader(path.read_text().splitlines()))


def test_results_are_the_same_bytes_on_any_number_of_ranks(
    tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Tables, charts and the figures of result.json are the same from one, two and three ranks; components add up to the whole."""
    asked = [
        *words,
        "--plots",
        "--incremental",
        "--backtest",
        "20",
        "--sampling",
        "importance",
        "--points",
        "4k",
        "--replicates",
        "8",
    ]
    asked.append("--out")
    assert main(Alone(), [*asked, str(tmp_path / "1")]) == 0
    table = capsys.readouterr().out
    assert run_ranks(2, lambda comm: main(comm, [*asked, str(tmp_path / "2")])) == [0, 0]
    assert run_ranks(3, lambda comm: main(comm, [*asked, str(tmp_path / "3")])) == [0, 0, 0]
    first = {path.name: path.read_bytes() for path in sorted((tmp_path / "1").iterdir())}
    assert set(first) == {"result.json", "components.csv", "tail.csv", "backtest.csv", "convergence.csv", *CHARTS}
    told = result(tmp_path / "1")
    for size in ("2", "3"):
        assert {path.name for path in (tmp_path / size).iterdir()} == set(first)
        for name in set(first) - {"result.json"}:
            assert (tmp_path / size / name).read_bytes() == first[name], name
        other = result(tmp_path / size)
        assert all(other[part] == told[part] for part in ("figures", "model", "portfolio", "arguments"))
    figures = told["figures"]
    shortfall = figures["expected_shortfall"]["0.975"]["value"]
    assert sum(figures["components"].values()) == pytest.approx(shortfall, rel=1e-12)
    assert f"ES 97.5%       {shortfall:,.4g}, between" in table
    for chart in CHARTS:
        assert first[chart].endswith(b"</svg>\n")
    marks = first["distribution.svg"].decode()
    assert all(f">{mark}</text>" in marks for mark in ("VaR 95.0%", "VaR 97.5%", "VaR 99.0%", "VaR 99.9%", "ES 97.5%"))
    sampled = figures["importance_sampling"]
    assert (sampled["points"], sampled["replicates"], sampled["bound"]) == (4096, 8, 0)
    error = figures["expected_shortfall"]["0.975"]["standard_error"]
    assert abs(sampled["expected_shortfall"]["0.975"]["value"] - shortfall) < 3.5 * error
    assert sampled["expected_shortfall"]["0.975"]["standard_error"] < error / 2
    points = rows(tmp_path / "1" / "convergence.csv")[1:]
    assert [row[:2] for row in points] == [["monte-carlo", "4096"], ["monte-carlo", "20480"], ["importance", "32768"]]
    components = rows(tmp_path / "1" / "components.csv")
    assert components[-1][:4] == ["total", str(told["portfolio"]["value"]), str(shortfall), "1.0"]
    for name, value, part, share, growth, added, most in components[1:-1]:
        assert float(part) == figures["components"][name] == pytest.approx(float(share) * shortfall)
        assert float(growth) == pytest.approx(float(part) / float(value))
        assert (
            float(added)
            == figures["incremental"][name]["adds"]
            == pytest.approx(shortfall - figures["incremental"][name]["without"])
        )
        assert float(most) > 0
    assert figures["screening"]["proved"] is True
    assert set(told["run"]["communication"]) == {*PHASES}


def test_the_back_test_is_told(tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Each day has a row; exceptions are the days whose loss is beyond value at risk; 250 days have a traffic light."""
    assert main(Alone(), [*words, "--no-stress", "--model", "bootstrap", "--backtest", "all", "--out", str(tmp_path / "out")]) == 0
    told = result(tmp_path / "out")["figures"]["backtest"]
    header, *days = rows(tmp_path / "out" / "backtest.csv")
    assert header == ["date", "loss", "var_99", "var_97.5", "es_97.5", "beyond_var_99"]
    assert told["days"] == len(days) == 449  # 949 changes, less the 500 before them
    assert (told["first"], told["last"]) == (days[0][0], days[-1][0]) == ("2008-05-16", "2009-08-07")
    assert told["exceptions"] == sum(float(day[1]) > float(day[2]) for day in days) == sum(int(day[5]) for day in days)
    assert told["traffic_light"]["exceptions"] == sum(int(day[5]) for day in days[-250:])
    assert 0 < told["kupiec"]["p_value"] <= 1
    assert told["model"] == {"name": "historical simulation", "days": 500, "horizon_days": 1}
    table = capsys.readouterr().out
    how = "historical simulation of 500 days"
    assert f"{told['exceptions']} of 449 days beyond the 1-day VaR 99% of another model ({how}), 4.5 expected" in table


def test_the_back_test_has_a_model_of_its_own(tmp_path: Path, words: list[str]) -> None:
    """Whatever the covariance of the figures, it says that it foretells by an EWMA; its chart says so, too."""
    asked = [*words, "--model", "normal", "--no-stress", "--backtest", "5", "--plots", "--out", str(tmp_path / "out")]
    assert main(Alone(), asked) == 0
    told = result(tmp_path / "out")
    model = told["figures"]["backtest"]["model"]
    assert told["model"]["window"]["covariance"] == "sample"
    assert (model["name"], model["covariance"], model["lambda"], model["horizon_days"]) == ("normal", "ewma", 0.97, 1)
    assert model["scenarios_a_day"] == 16384
    assert "by normal, EWMA of lambda 0.97<" in (tmp_path / "out" / "backtest.svg").read_text()


def test_brute_force_has_the_same_figures(tmp_path: Path, words: list[str]) -> None:
    """Value at risk, shortfall, components and the worst scenarios are the bits that valuing every scenario gives."""
    for name, more in (("quick", []), ("brute", ["--brute-force"])):
        assert main(Alone(), [*words, *more, "--no-stress", "--out", str(tmp_path / name)]) == 0
    quick, brute = (result(tmp_path / name)["figures"] for name in ("quick", "brute"))
    assert brute["screening"]["revalued"] == 20480 > quick["screening"]["revalued"]
    for level, measured in quick["value_at_risk"].items():
        assert measured == brute["value_at_risk"][level]
        exact = brute["expected_shortfall"][level]["value"]
        assert quick["expected_shortfall"][level]["value"] == pytest.approx(exact, rel=1e-15)
    assert (tmp_path / "quick" / "tail.csv").read_bytes() == (tmp_path / "brute" / "tail.csv").read_bytes()


@pytest.mark.parametrize("model", [["--model", "normal"], ["--degrees", "fit"], ["--model", "bootstrap", "--bootstrap-days", "2"]])
def test_every_model_gives_figures(tmp_path: Path, words: list[str], model: list[str]) -> None:
    """Normal, fitted and bootstrap scenarios of calm prices agree about value at risk to a tenth; the model is told."""
    assert main(Alone(), [*words, *model, "--no-stress", "--to", "2008-12-31", "--out", str(tmp_path / "out")]) == 0
    told = result(tmp_path / "out")
    at_risk = told["figures"]["value_at_risk"]["0.95"]["value"]
    assert main(Alone(), [*words, "--degrees", "1000", "--no-stress", "--to", "2008-12-31", "--out", str(tmp_path / "t")]) == 0
    assert at_risk == pytest.approx(result(tmp_path / "t")["figures"]["value_at_risk"]["0.95"]["value"], rel=0.1)
    assert told["portfolio"]["date"] == told["model"]["window"]["last"] == "2008-12-31"
    assert (told["model"]["degrees_fitted"] is None) == ("fit" not in model)


def test_shares_alone_have_the_closed_form(tmp_path: Path) -> None:
    """Of a little held of one name under a normal model, value at risk and shortfall are those of a normal loss."""
    prices = write_rows(tmp_path / "prices.csv", price_rows())
    portfolio = write_portfolio(tmp_path / "p.csv", "BBB,share,1000,,,")
    asked = [
        "--prices",
        prices,
        "--portfolio",
        portfolio,
        "--model",
        "normal",
        "--horizon",
        "1d",
        "--scenarios",
        "200k",
        "--no-stress",
    ]
    assert main(Alone(), [*asked, "--out", str(tmp_path / "out")]) == 0
    told = result(tmp_path / "out")
    last = [row[2] for row in price_rows()[1:]]
    moves = [math.log(float(now) / float(then)) for then, now in pairwise(last)]
    mean = sum(moves) / len(moves)
    deviation = math.sqrt(sum((move - mean) ** 2 for move in moves) / (len(moves) - 1))
    expected = 1000 * float(last[-1]) * (1 - math.exp(-1.959964 * deviation))  # the 2.5 % quantile of a lognormal
    assert told["figures"]["value_at_risk"]["0.975"]["value"] == pytest.approx(expected, rel=0.01)
    low, high = told["figures"]["value_at_risk"]["0.975"]["interval_95"]
    assert low < expected < high


def test_a_column_of_the_prices_may_move_volatilities(tmp_path: Path, words: list[str]) -> None:
    """With an index of volatility among the prices it is the last factor; with none, options have the underlyings' factors only."""
    prices = write_rows(tmp_path / "prices.csv", price_rows(names=("AAA", "VIX", "BBB", "CCC")))
    for name, index, factors in (("index", "VIX", ["AAA", "BBB", "CCC", "VIX"]), ("none", "none", ["AAA", "BBB", "CCC"])):
        asked = [*words, "--prices", prices, "--volatility-index", index, "--no-stress", "--out", str(tmp_path / name)]
        assert main(Alone(), asked) == 0
        assert result(tmp_path / name)["portfolio"]["factors"] == factors


def test_a_portfolio_of_nothing_cannot_lose(tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Positions of no shares have figures of 0, and charts."""
    portfolio = write_portfolio(tmp_path / "none.csv", "AAA,share,0,,,", "BBB,share,0,,,")
    assert main(Alone(), [*words, "--portfolio", portfolio, "--no-stress", "--plots", "--out", str(tmp_path / "out")]) == 0
    assert "VaR 99.9%  0, between 0 and 0" in capsys.readouterr().out
    assert result(tmp_path / "out")["figures"]["expected_shortfall"]["0.975"]["value"] == 0
    assert (tmp_path / "out" / "components.svg").exists()


def test_the_worst_scenarios_are_written_with_their_moves(tmp_path: Path, words: list[str]) -> None:
    """tail.csv has a hundred rows of descending losses, and a column for each factor."""
    assert main(Alone(), [*words, "--no-stress", "--out", str(tmp_path / "out")]) == 0
    found = rows(tmp_path / "out" / "tail.csv")
    assert found[0] == ["rank", "loss", "AAA", "BBB", "CCC", "VOLATILITY"]
    losses = [float(row[1]) for row in found[1:]]
    assert len(losses) == 100
    assert losses == sorted(losses, reverse=True)


def test_what_does_not_fit_is_told_before_anything_is_computed(
    tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Wrong arguments exit with 2 and wrong files with 65; a window of stress that is not there by default is a note."""
    asked = [*words, "--out", str(tmp_path / "out")]
    for more, code, told in (
        (["--volatility-index", "VIX"], 2, "--volatility-index: is 'VIX', but must be ewma, none, or a column of"),
        (["--from", "2009-08-01"], 2, "--from, --to: there are 7 daily changes in the window, but at least 60 are needed"),
        (["--stress-from", "2006-01-01"], 2, "--stress-from, --stress-to: the window from 2006-01-01 to 2009-06-30 is not within"),
        (["--backtest"], 2, "--backtest: is 500 days, but the prices have 949 daily changes, of which the first 500 are needed"),
        (["--to", "2006-01-01"], 2, "--to: is 2006-01-01, but prices begin after it"),
        (["--horizon", "90d"], 65, "expiry: is 0.3 years, but must be after the horizon of 0.3571 years"),
        (["--volatility-index", "BBB"], 65, "line 5, underlying: BBB has no prices"),
    ):
        assert main(Alone(), [*asked, *more]) == code, more
        assert told in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert main(Alone(), [*asked, "--to", "2008-06-30"]) == 0
    assert "no stressed expected shortfall: the window from 2008-01-01 to 2009-06-30 is not within" in capsys.readouterr().err
    assert result(tmp_path / "out")["figures"]["stressed"] is None


def test_names_that_move_as_one_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A covariance without a Cholesky root is an error of the prices, with the names."""
    doubled = [[*row, "DDD" if number == 0 else row[1]] for number, row in enumerate(price_rows())]
    asked = ["--prices", write_rows(tmp_path / "prices.csv", doubled)]
    asked += ["--portfolio", write_portfolio(tmp_path / "p.csv", "AAA,share,1,,,", "DDD,share,-1,,,", "BBB,share,1,,,")]
    assert main(Alone(), [*asked, "--out", str(tmp_path / "out")]) == 65
    told = capsys.readouterr().err
    assert "the covariance is not positive definite" in told
    assert "AAA (" in told
    assert "DDD (" in told


def test_json_is_what_the_file_holds(tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """--json prints result.json and nothing else."""
    assert main(Alone(), [*words, "--no-stress", "--json", "--out", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out == (tmp_path / "out" / "result.json").read_text()


def test_a_finished_run_goes_on_from_its_checkpoint_on_more_ranks(tmp_path: Path, words: list[str]) -> None:
    """With a checkpoint of one rank, two ranks have the same figures; another seed is refused."""
    asked = [*words, "--no-stress", "--checkpoint", str(tmp_path / "saved"), "--checkpoint-every", "0s"]
    assert main(Alone(), [*asked, "--out", str(tmp_path / "1")]) == 0
    assert run_ranks(2, lambda comm: main(comm, [*asked, "--out", str(tmp_path / "2")])) == [0, 0]
    assert result(tmp_path / "1")["figures"] == result(tmp_path / "2")["figures"]
    assert main(Alone(), [*asked, "--seed", "7", "--out", str(tmp_path / "3")]) == 2
