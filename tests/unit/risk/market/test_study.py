from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from examples.risk.market.arguments import read_arguments
from examples.risk.market.backtest import DECAY, WINDOW
from examples.risk.market.covariance import ewma_covariance, sample_covariance
from examples.risk.market.degrees import fit_degrees
from examples.risk.market.prices import read_prices
from examples.risk.market.study import Study, open_study
from examples.workload.errors import Malformed
from tests.unit.risk.market.input_files import price_rows, write_portfolio, write_rows

SHARES = ("AAA,share,10,,,", "BBB,share,20,,,")


def study(
    tmp_path: Path, words: Sequence[str], rows: Sequence[Sequence[str]] | None = None, lines: Sequence[str] = SHARES
) -> Study:
    prices = write_rows(tmp_path / "prices.csv", rows or price_rows())
    asked = ["--prices", prices, "--portfolio", write_portfolio(tmp_path / "p.csv", *lines), "--out", str(tmp_path / "out")]
    arguments = read_arguments([*asked, *words])
    assert arguments is not None
    return open_study(arguments)


def test_stress_has_the_sample_covariance_of_its_whole_window(tmp_path: Path) -> None:
    """With an EWMA for the window of the scenarios, all days of the window of stress count alike."""
    found = study(tmp_path, ["--covariance", "ewma", "--horizon", "4d", "--stress-from", "2007-06-01", "--stress-to", "2008-03-31"])
    prices = read_prices(str(tmp_path / "prices.csv")).of(["AAA", "BBB"])
    changes, dates = prices.changes(), prices.dates[1:]
    within = (dates >= np.datetime64("2007-06-01")) & (dates <= np.datetime64("2008-03-31"))
    assert found.stressed is not None
    assert (found.normal.estimate, found.stressed.estimate) == ("ewma", "sample")
    np.testing.assert_allclose(found.normal.covariance, 4 * ewma_covariance(changes), rtol=1e-12)
    np.testing.assert_allclose(found.stressed.covariance, 4 * sample_covariance(changes[within]), rtol=1e-12)


def test_degrees_of_the_back_test_are_fitted_to_what_was_known(tmp_path: Path) -> None:
    """Days from the first foretold one on do not count; the figures' degrees are those of the window."""
    found = study(tmp_path, ["--degrees", "fit", "--backtest", "100", "--no-stress"])
    changes = read_prices(str(tmp_path / "prices.csv")).of(["AAA", "BBB"]).changes()
    assert found.foreteller.degrees == fit_degrees(changes[:-100]).value
    assert found.degrees == fit_degrees(changes).value
    assert np.isnan(study(tmp_path, ["--model", "bootstrap", "--backtest", "100"]).foreteller.degrees)


def test_a_back_test_without_a_root_is_refused_before_anything_is_computed(tmp_path: Path) -> None:
    """A stock that does not move in the first 700 days, and two that move as one later on, are errors of the prices."""
    still = [[*row[:2], row[2] if not 0 < number < 700 else "50", row[3]] for number, row in enumerate(price_rows())]
    with pytest.raises(Malformed, match=r"--backtest: the covariance that foretells 2008-05-16, by EWMA from .*BBB never moved"):
        study(tmp_path, ["--backtest", "all", "--no-stress", "--from", "2008-12-31"], still)
    rows = price_rows(2000)
    twins = [[*row[:2], row[2] if number < 600 else row[1], row[3]] for number, row in enumerate(rows)]
    assert DECAY ** (2000 - 600) < 1e-16
    assert WINDOW < 600
    with pytest.raises(Malformed, match=r"--backtest: the covariance that foretells .* is not positive definite"):
        study(tmp_path, ["--backtest", "1400", "--no-stress", "--from", "2007-06-01", "--volatility-index", "none"], twins)
