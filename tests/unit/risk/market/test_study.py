from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from examples.risk.market.arguments import read_arguments
from examples.risk.market.covariance import ewma_covariance, sample_covariance
from examples.risk.market.prices import read_prices
from examples.risk.market.study import Study, open_study
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
