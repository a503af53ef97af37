from __future__ import annotations

import math
from datetime import date
from pathlib import Path

import pytest

from examples.risk.market.arguments import STRESS, Arguments, Window, make_parser, read_arguments
from examples.workload.errors import BadArguments

FILES = ["--prices", "examples/risk/data/sp500.csv.gz", "--portfolio", "examples/risk/data/hedged.csv", "--out", "results"]


def read(*words: str) -> Arguments:
    arguments = read_arguments([*FILES, *words])
    assert arguments is not None
    return arguments


def test_defaults_are_ten_days_a_million_scenarios_and_a_t_of_four_degrees() -> None:
    """Nothing but the files need be given."""
    asked = read()
    assert (asked.horizon, asked.scenarios, asked.blocks, asked.model, asked.degrees) == (10, 1_000_000, 245, "t", 4.0)
    assert (asked.covariance, asked.volatility, asked.rate, asked.seed) == ("sample", "ewma", 0.02, 1)
    assert (asked.window, asked.stress, asked.asked_for_stress) == (Window(None, None), Window(*STRESS), False)
    assert asked.out == Path("results")


def test_values_have_units() -> None:
    """Days with or without their letter, counts in thousands and millions, rates per cent or as they are, dates."""
    asked = read("--horizon", "5", "--scenarios", "2G", "--rate", "0.035", "--from", "2010-01-04", "--to", "2015-12-31")
    assert (asked.horizon, asked.scenarios, asked.rate) == (5, 2 * 10**9, 0.035)
    assert asked.window == Window(date(2010, 1, 4), date(2015, 12, 31))
    assert read("--rate", "3.5%").rate == pytest.approx(0.035)
    assert read("--scenarios", "1,500").scenarios == 1500
    assert math.isinf(read("--model", "normal").degrees or 0)
    assert read("--degrees", "fit").degrees is None
    assert read("--no-stress").stress is None
    assert (read().backtest, read("--backtest").backtest, read("--backtest", "250").backtest) == (0, 500, 250)
    assert read("--backtest", "all").backtest is None
    assert (read().replicates, read("--sampling", "importance").replicates) == (None, (16, 4))
    assert read("--sampling", "importance", "--points", "40k", "--replicates", "8").replicates == (8, 16)
    assert read("--model", "bootstrap", "--bootstrap-days", "5d").bootstrap_days == 5


def test_all_problems_are_told_at_once() -> None:
    """Every wrong value is named with what it must be."""
    words = (
        "--prices nowhere.csv --horizon 0d --scenarios 10 --model cauchy --degrees 2 --seed -1 --covariance mine --from 2015-01-01 "
        "--to 2014-01-01 --rate 200% --stress-from crisis --no-stress --checkpoint-every never --speed high "
        "--backtest soon --sampling quick"
    )
    with pytest.raises(BadArguments) as caught:
        read_arguments(words.split())
    told = "\n".join(caught.value.problems)
    for part in (
        "--speed: is not an argument of this program",
        "--prices: nowhere.csv does not exist",
        "--portfolio: is missing",
        "--horizon: is '0d', but must be trading days from 1d to 252d, as in 10d",
        "--model: is 'cauchy', but must be one of t, normal, bootstrap",
        "--covariance: mine does not exist; it must be sample, ewma, or a file",
        "--out: is missing",
        "--scenarios: is '10', but must be a number from 1,000 on, as in 200k, 1M or 2G",
        "--degrees: is '2', but must be a number from 2.5",
        "--rate: is '200', but must be a number from -50 to 100",
        "--from: is 2015-01-01, but must be before --to, 2014-01-01",
        "--stress-from: is 'crisis', but must be a date",
        "--no-stress: and a window of stress are both given",
        "--seed: is '-1'",
        "--checkpoint-every: is 'never'",
        "--sampling: is 'quick', but must be monte-carlo or importance",
        "--backtest: is 'soon', but must be a whole number from 1 on",
    ):
        assert part in told


def test_arguments_of_another_model_are_refused() -> None:
    """What a model does not use is not ignored in silence."""
    for words, told in (
        (["--model", "normal", "--degrees", "5"], "--degrees: means nothing with --model normal"),
        (["--model", "bootstrap", "--covariance", "ewma"], "--covariance: means nothing with --model bootstrap"),
        (["--model", "bootstrap", "--sampling", "importance"], "--sampling: importance is for --model t or normal"),
        (["--points", "4k"], "--points: needs --sampling importance"),
        (["--bootstrap-days", "5"], "--bootstrap-days: means nothing with --model t"),
        (["--model", "bootstrap", "--bootstrap-days", "20"], "--bootstrap-days: is 20 days, but must not be more than the horizon"),
    ):
        with pytest.raises(BadArguments) as caught:
            read(*words)
        assert told in caught.value.problems[0]


def test_help_names_every_argument_with_its_unit() -> None:
    """--help asks for nothing else, and its text formats."""
    assert read_arguments(["--help"]) is None
    text = make_parser().format_help()
    assert "--horizon DAYS" in text
    assert "as 2% or 0.02" in text
