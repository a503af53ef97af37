"""Files of prices and portfolios, made up, for tests of what reads them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np

NAMES = ("AAA", "BBB", "CCC")
FIRST = date(2007, 1, 1)
HEADER = "underlying,type,quantity,strike,expiry,volatility"


def price_rows(days: int = 950, names: Sequence[str] = NAMES, seed: int = 3) -> list[list[str]]:
    """Header and rows of correlated prices around 100, a date each day."""
    rng = np.random.default_rng(seed)
    moves = 0.01 * (rng.standard_normal((days, len(names))) + rng.standard_normal((days, 1)))
    prices = 100 * np.exp(np.cumsum(moves, axis=0))
    rows = [[str(FIRST + timedelta(days=day)), *(f"{price:.4f}" for price in row)] for day, row in enumerate(prices.tolist())]
    return [["Date", *names], *rows]


def write_rows(path: Path, rows: Sequence[Sequence[str]]) -> str:
    """The rows as CSV; the path as text."""
    path.write_text("".join(",".join(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def write_portfolio(path: Path, *lines: str) -> str:
    """A portfolio of these lines after the header; the path as text."""
    path.write_text("\n".join((HEADER, *lines)) + "\n", encoding="utf-8")
    return str(path)
