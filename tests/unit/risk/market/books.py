"""Books and scenarios of any size, made up, for tests of what is computed of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from examples.risk.market.book import TRADING_DAYS, Book, Options
from examples.risk.market.scenarios import BLOCK, Moves
from examples.risk.numerics import black_scholes
from examples.risk.numerics.normals import Normals
from examples.risk.numerics.philox import Philox

HORIZON = 10 / TRADING_DAYS
_EXPIRIES = np.array([21, 42, 63, 126, 189, 252]) / TRADING_DAYS + HORIZON


def random_book(underlyings: int, options: int, *, seed: int = 11, shares: float = 60.0, index: bool = True) -> Book:
    """Options 20 % in and out of the money, 21 to 252 days after the horizon; so many positions of 1,000 in shares."""
    rng = np.random.default_rng(seed)
    spots = rng.uniform(20, 300, underlyings)
    row = np.repeat(np.arange(underlyings), -(-options // underlyings))[:options]
    moneyness, expiry = 0.8 + 0.05 * rng.integers(0, 9, options), rng.choice(_EXPIRIES, options)
    held = Options(
        underlying=row,
        strike=spots[row] * moneyness,
        expiry=expiry,
        sign=rng.choice([-1.0, 1.0], options),
        volatility=rng.uniform(0.15, 0.45, underlyings)[row] * (1 + 0.3 * (1 - moneyness)),
        quantity=rng.integers(-50, 51, options) * 100 / spots[row],
    )
    owned = rng.integers(-20, 60, underlyings) * 1000 / spots * shares / 60
    return Book(tuple(f"S{each}" for each in range(underlyings)), spots, owned, held, 0.02, HORIZON, index)


def hedged(book: Book) -> Book:
    """The book with so many shares that small moves of any underlying change nothing."""
    options = book.options
    delta = options.quantity * black_scholes.delta(
        book.spots[options.underlying],
        options.strike,
        book.rate,
        0.0,
        options.volatility,
        options.expiry - book.horizon,
        options.sign,
    )
    held = np.bincount(options.underlying, delta, len(book.names)).astype(np.float64)
    return replace(book, shares=-held)


class StudentScenarios:
    """Multivariate t with 4 degrees of freedom and equal correlations; the index falls when shares rise.

    Args:
        factors: how many; the last is the index, which moves four times as much.
        seed: of the draws.
    """

    def __init__(self, factors: int, seed: int = 5, *, index: bool = True) -> None:
        deviation = np.full(factors, 0.055)
        correlation = np.full((factors, factors), 0.4)
        if index:
            deviation[-1] = 0.22
            correlation[-1] = correlation[:, -1] = -0.5
        np.fill_diagonal(correlation, 1.0)
        self._factor = (np.linalg.cholesky(correlation) * deviation[:, None] * np.sqrt(0.5)).astype(np.float32)
        self.scale: npt.NDArray[np.float64] = deviation
        self._normals = Normals(Philox(seed, 0), (factors + 4) * BLOCK, np.float32)
        self._drawn = np.empty((factors + 4, BLOCK), np.float32)

    @property
    def factors(self) -> int:
        return len(self.scale)

    def fill(self, block: int, out: Moves) -> Moves:
        self._normals.fill(block, self._drawn)
        np.matmul(self._factor, self._drawn[:-4], out=out)
        mixing = np.sqrt(np.square(self._drawn[-4:]).sum(axis=0) / np.float32(4))
        np.divide(out, np.maximum(mixing, np.float32(1e-3)), out=out)
        return out
