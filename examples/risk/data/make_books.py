"""Makes the two sample books, ``directional.csv`` and ``hedged.csv``: ``python -m examples.risk.data.make_books FOLDER``.

Real positions are not public, so these are drawn: on each of the 20 stocks 50 European options, as many calls as puts on average,
bought and sold alike, struck at 80 to 120 % of the spot, with 21 to 252 trading days left after a horizon of ten; volatilities are
the stock's of the last five years, 5 % up, with a skew and a term structure. The directional book holds more shares than it has
sold; the hedged one holds those that make its delta at the horizon 0, so that only gamma and vega are left.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from examples.risk.market.book import TRADING_DAYS
from examples.risk.market.portfolio import FIELDS, read_portfolio
from examples.risk.market.prices import Prices, read_prices
from examples.risk.numerics.black_scholes import delta

HERE = Path(__file__).parent
SEED, HORIZON, RATE = 11, 10, 0.02
OPTIONS_EACH, HISTORY = 50, 5 * TRADING_DAYS
LEFT = (21, 42, 63, 126, 189, 252)  # trading days, after the horizon
LOT = 10_000  # of money, roughly: what the shares that one option is on are worth comes in multiples of it


def options(prices: Prices, draws: np.random.Generator) -> list[list[object]]:
    """Rows of options."""
    volatilities = prices.changes()[-HISTORY:].std(axis=0) * np.sqrt(TRADING_DAYS)
    rows: list[list[object]] = []
    for name, spot, historical in zip(prices.names, prices.values[-1], volatilities, strict=True):
        for _ in range(OPTIONS_EACH):
            expiry = (int(draws.choice(LEFT)) + HORIZON) / TRADING_DAYS
            moneyness = 0.8 + 0.05 * int(draws.integers(0, 9))
            kind = "call" if draws.random() < 0.5 else "put"
            quantity = round(int(draws.choice([-1, 1]) * draws.integers(1, 51)) * LOT / spot)
            implied = 1.05 * historical * (1 + 0.3 * (1 - moneyness) + 0.02 * np.sqrt(0.25 / expiry))
            rows.append([name, kind, quantity, round(spot * moneyness, 2), round(expiry, 6), round(implied, 4)])
    return rows


def hedge(rows: list[list[object]], prices: Prices) -> list[list[object]]:
    """Rows of the shares that offset the options' delta when the horizon is over and nothing has moved."""
    with TemporaryDirectory() as folder:
        write(Path(folder) / "options.csv", rows)
        book = read_portfolio(
            str(Path(folder) / "options.csv"), prices, horizon=HORIZON / TRADING_DAYS, rate=RATE, moves_volatility=False
        )
    held = book.options
    deltas = held.quantity * delta(
        book.spots[held.underlying], held.strike, book.rate, 0.0, held.volatility, held.expiry - book.horizon, held.sign
    )
    shares = -np.bincount(held.underlying, deltas, len(book.names))
    return [[name, "share", round(float(count), 4), "", "", ""] for name, count in zip(book.names, shares, strict=True)]


def write(path: Path, rows: list[list[object]]) -> None:
    """A portfolio as CSV."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([list(FIELDS), *rows])


def main(folder: Path) -> None:
    """Write both."""
    prices = read_prices(str(HERE / "sp500.csv.gz"))
    draws = np.random.Generator(np.random.Philox(SEED))
    rows = options(prices, draws)
    directional = [
        [name, "share", round(int(draws.integers(-20, 60)) * 10 * LOT / float(spot)), "", "", ""]
        for name, spot in zip(prices.names, prices.values[-1], strict=True)
    ]
    write(folder / "directional.csv", [*directional, *rows])
    write(folder / "hedged.csv", [*hedge(rows, prices), *rows])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
