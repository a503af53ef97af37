from __future__ import annotations

from datetime import date

import numpy as np
import numpy.typing as npt
import pytest

from examples.risk.market.covariance import (
    VOLATILITY,
    definite_problem,
    ewma_covariance,
    ewma_volatility_changes,
    history_of,
    sample_covariance,
    still_problem,
)
from examples.risk.market.degrees import fit_degrees
from examples.risk.market.prices import read_prices

Reals = npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def changes() -> Reals:
    rng = np.random.default_rng(5)
    return np.asarray(0.02 * rng.standard_normal((400, 3)) @ np.array([[1, 0.5, 0.2], [0, 1, 0.3], [0, 0, 1]]))


def test_sample_covariance_is_the_usual_one(changes: Reals) -> None:
    """Squares about the mean over n - 1, and one factor is a matrix, too."""
    centred = changes - changes.mean(axis=0)
    np.testing.assert_allclose(sample_covariance(changes), centred.T @ centred / 399, rtol=1e-12)
    assert sample_covariance(changes[:, :1]).shape == (1, 1)


def test_ewma_covariance_is_its_recursion(changes: Reals) -> None:
    """C = lambda C + (1 - lambda) x x' from day to day, but for what is left of the beginning."""
    recursive = np.zeros((3, 3))
    for row in changes:
        recursive = 0.94 * recursive + 0.06 * np.outer(row, row)
    np.testing.assert_allclose(ewma_covariance(changes), recursive / (1 - 0.94 ** len(changes)), rtol=1e-12)


def test_the_place_of_a_volatility_index_is_taken_by_an_ewma() -> None:
    """Changes are half the log changes of the EWMA variance; a doubled return of one day moves it as the formula says."""
    returns = np.full(100, 0.01)
    assert np.abs(ewma_volatility_changes(returns)).max() < 1e-15
    returns[80] = 0.02
    assert ewma_volatility_changes(returns)[80] == pytest.approx(0.5 * np.log(0.94 + 0.06 * 4), rel=1e-12)


def test_a_history_has_a_window_and_a_factor_of_volatility() -> None:
    """The last factor is the EWMA, a column of the prices, or absent; a window has both its ends."""
    prices = read_prices("examples/risk/data/sp500.csv.gz")
    history = history_of(prices, ["KO", "XOM"], "ewma").between(date(2008, 1, 1), date(2009, 6, 30))
    assert history.names == ("KO", "XOM", VOLATILITY)
    assert (str(history.dates[0]), str(history.dates[-1]), len(history.changes)) == ("2008-01-02", "2009-06-30", 377)
    assert history_of(prices, ["KO"], "none").names == ("KO",)
    by_column = history_of(prices, ["KO"], "PEP")
    assert by_column.names == ("KO", "PEP")
    np.testing.assert_array_equal(by_column.changes[:, 1], prices.of(["PEP"]).changes()[:, 0])
    assert "there are 20 daily changes in the window, but at least 60" in str(
        history_of(prices, ["KO"], "none").between(date(2008, 1, 1), date(2008, 1, 30)).problem()
    )


def test_a_covariance_without_a_root_is_told_with_the_names(changes: Reals) -> None:
    """Of two names that move as one, and of more names than days, the eigenvalue, the names and the remedy are told."""
    double = np.column_stack((changes, 2 * changes[:, 1]))
    told = str(definite_problem(sample_covariance(double), ["A", "B", "C", "B2"]))
    assert "smallest eigenvalue of the correlations is" in told
    named = told.partition("mostly of ")[2]
    assert named.startswith(("B (", "B2 ("))
    assert "leave out one of names that move as one" in told
    assert definite_problem(sample_covariance(changes), ["A", "B", "C"]) is None
    indefinite = np.array([[1, 0.9, -0.9], [0.9, 1, 0.9], [-0.9, 0.9, 1]])
    assert "eigenvalue of the correlations is -0.8" in str(definite_problem(indefinite, ["A", "B", "C"]))


def test_names_that_never_moved_are_told() -> None:
    """A constant price has no variance, whatever the model."""
    assert str(still_problem(np.diag([1.0, 0.0]), ["A", "B"])).startswith("B never moved in the window")


def test_degrees_of_freedom_are_found_again() -> None:
    """The fit of 2,000 days of a t of 5 degrees, whose factors depend on each other, is within three of its errors of 5."""
    rng = np.random.default_rng(9)
    mix = np.array([[1, 0.5, 0.2], [0, 1, 0.3], [0, 0, 1]])
    draws = rng.standard_normal((2000, 3)) @ mix * np.sqrt(3 / rng.chisquare(5, 2000))[:, None]
    found = fit_degrees(0.01 * draws)
    assert abs(found.value - 5) < 3 * found.error
    assert 0.1 < found.error < 0.6
    assert fit_degrees(rng.standard_normal((2000, 3))).value > 50
