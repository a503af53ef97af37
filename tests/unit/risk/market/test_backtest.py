from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from examples.risk.market.backtest import BLOCKS, DECAY, WINDOW, Backtest, backtest, most_days
from examples.risk.market.book import TRADING_DAYS, Book, Options
from examples.risk.market.covariance import History
from examples.risk.market.incremental import incremental, marginal
from examples.risk.market.scenarios import BLOCK
from examples.risk.market.tail import measure
from examples.risk.market.valuation import Valuation, value_today
from examples.workload.communicator import Alone, Communicator
from tests.unit.risk.market.books import StudentScenarios, random_book
from tests.unit.workload.thread_ranks import run_ranks

DAYS = 7


def history(factors: int, days: int = WINDOW + DAYS) -> History:
    """Normal changes of 1 % a day, of 3 % from the last week on."""
    changes = np.random.default_rng(4).standard_normal((days, factors)) * 0.01
    changes[-DAYS:] *= 3
    dates = np.datetime64("2020-01-01") + np.arange(days)
    return History(tuple(f"S{each}" for each in range(factors)), dates, changes)


def one_share() -> Book:
    nothing = np.empty(0)
    return Book(
        ("S0",),
        np.array([100.0]),
        np.array([1.0]),
        Options(np.empty(0, np.intp), *([nothing] * 5)),
        0.0,
        10 / TRADING_DAYS,
        moves_volatility=False,
    )


def bits(found: Backtest) -> bytes:
    return b"".join(getattr(found, name).tobytes() for name in Backtest.__slots__)


@pytest.mark.parametrize("degrees", [4.0, math.inf])
def test_one_share_has_the_figures_of_its_distribution(degrees: float) -> None:
    """VaR of a share is 100 (1 - exp(-q sigma)) of the EWMA deviation, within five standard errors of the quantile."""
    past = history(1)
    found = backtest(Alone(), one_share(), past, degrees, DAYS, 1)
    variance = float(np.var(past.changes[:WINDOW], ddof=1))
    for day in range(DAYS):
        unit = stats.norm if math.isinf(degrees) else stats.t(degrees, scale=math.sqrt((degrees - 2) / degrees))
        deviation = math.sqrt(variance)
        quantile = float(unit.ppf(0.99)) * deviation
        error = math.sqrt(0.01 * 0.99 / (BLOCKS * BLOCK)) / (float(unit.pdf(quantile / deviation)) / deviation)
        assert found.value_at_risk[day] == pytest.approx(100 * (1 - math.exp(-quantile)), abs=5 * 100 * error)
        assert found.losses[day] == pytest.approx(100 * (1 - math.exp(past.changes[WINDOW + day, 0])), rel=1e-12)
        variance = DECAY * variance + (1 - DECAY) * float(past.changes[WINDOW + day, 0]) ** 2
    assert (found.shortfall > found.value_at_risk_es).all()


def test_historical_simulation_takes_the_losses_of_the_days_before() -> None:
    """The fifth and the twelfth largest of the 500 days before, of today's book with its options."""
    book, past = random_book(3, 12), history(4)
    found = backtest(Alone(), book, past, math.nan, DAYS, 1)
    losses = -Valuation(replace(book, horizon=1 / TRADING_DAYS))(past.changes.T).sum(axis=0)
    np.testing.assert_allclose(found.losses, losses[WINDOW:], rtol=1e-9)
    for day in range(DAYS):
        before = np.sort(losses[day : day + WINDOW])[::-1]
        assert found.value_at_risk[day] == pytest.approx(before[4], rel=1e-9)
        assert found.shortfall[day] == pytest.approx(before[:12].mean(), rel=1e-9)
    assert found.dates.tolist() == past.dates[WINDOW:].tolist()


def test_the_same_bits_on_any_number_of_ranks() -> None:
    """Days are shared out; each has draws of its own."""
    book, past = random_book(2, 6), history(3)
    alone = bits(backtest(Alone(), book, past, 4.0, DAYS, 1))
    assert set(run_ranks(2, lambda comm: bits(backtest(comm, book, past, 4.0, DAYS, 1)))) == {alone}


def test_the_screen_changes_nothing() -> None:
    """With all scenarios valued the figures are the same, bit for bit."""
    book, past = random_book(2, 6), history(3)
    screened = bits(backtest(Alone(), book, past, 4.0, 2, 1))
    assert bits(backtest(Alone(), book, past, 4.0, 2, 1, brute_force=True)) == screened


def test_a_day_needs_the_window_before_it() -> None:
    """500 days are known before the first that is foretold."""
    assert most_days(history(1)) == DAYS
    assert most_days(history(1, 400)) == 0


def test_incremental_shortfall_is_that_of_the_book_less_the_rest() -> None:
    """Against a brute-force run without the underlying; on two ranks the same; the margin is component by value."""
    book, scenarios, blocks = random_book(3, 9), StudentScenarios(4), 3
    losses = measure(Alone(), book, scenarios, blocks)
    found = incremental(Alone(), book, scenarios, blocks, losses)
    for underlying in range(3):
        rest = measure(Alone(), book.without(underlying), scenarios, blocks, levels=(0.975,), brute_force=True).at(0.975)
        assert found.shortfall[underlying] == pytest.approx(rest.expected_shortfall.value, rel=1e-14)
        assert found.change[underlying] == losses.at(0.975).expected_shortfall.value - found.shortfall[underlying]
    np.testing.assert_allclose(marginal(book, losses) * value_today(book), losses.at(0.975).components, rtol=1e-12)

    def program(comm: Communicator) -> bytes:
        return incremental(
            comm, book, StudentScenarios(4), blocks, measure(comm, book, StudentScenarios(4), blocks)
        ).change.tobytes()

    assert set(run_ranks(2, program)) == {found.change.tobytes()}
