"""What the risk benchmarks compute with: the sample books on 20 real stocks, and their scenarios."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from examples.risk.market.book import TRADING_DAYS, Book
from examples.risk.market.covariance import history_of, sample_covariance
from examples.risk.market.elliptical import Elliptical
from examples.risk.market.portfolio import read_portfolio
from examples.risk.market.prices import read_prices
from examples.risk.market.scenarios import BLOCK

DATA = Path(__file__).parent.parent / "examples" / "risk" / "data"
HORIZON, RATE, DEGREES, SEED = 10, 0.02, 4.0, 5  # trading days; of the multivariate t
LEVELS = (0.975, 0.99, 0.999)  # the goals are about a tail of 2.5 %


def book_and_scenarios(name: str) -> tuple[Book, Elliptical]:
    """A sample book, "directional" or "hedged", and multivariate t scenarios of ten days."""
    prices = read_prices(str(DATA / "sp500.csv.gz"))
    book = read_portfolio(str(DATA / f"{name}.csv"), prices, horizon=HORIZON / TRADING_DAYS, rate=RATE, moves_volatility=True)
    covariance = HORIZON * sample_covariance(history_of(prices, book.names, "ewma").changes)
    return book, Elliptical(covariance, DEGREES, SEED)


def all_distinct(book: Book) -> Book:
    """The book with no two options of one series, which could be valued as one: volatilities differ by 1e-9 of them."""
    apart = 1 + 1e-9 * np.arange(len(book.options))
    return replace(book, options=replace(book.options, volatility=book.options.volatility * apart))


def moves(scenarios: Elliptical, count: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """The first scenarios, for who does not draw, (factors, count); at most a block's."""
    return np.ascontiguousarray(scenarios.fill(0, np.empty((scenarios.factors, BLOCK), np.float32))[:, :count])
