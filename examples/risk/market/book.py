"""What is held, and what moves it.

Risk factors of a scenario are rows of one array: the log-return of each underlying over the horizon, then, if the book's options
depend on it, the log change of the volatility index. Money is in the currency of the prices, times in years, rates and
volatilities per year and continuously compounded.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Reals = npt.NDArray[np.float64]
TRADING_DAYS = 252  # of a year
INDEX_TERM = 21 / TRADING_DAYS  # expiry to which the volatility index belongs


@dataclass(frozen=True, slots=True)
class Options:
    """European options, one element each.

    Attributes:
        underlying: row of the underlying.
        strike: per share.
        expiry: years from today.
        sign: 1 for a call, -1 for a put.
        volatility: implied.
        quantity: of shares that the options are on; negative for options sold.
    """

    underlying: npt.NDArray[np.intp]
    strike: Reals
    expiry: Reals
    sign: Reals
    volatility: Reals
    quantity: Reals

    def __len__(self) -> int:
        return len(self.strike)

    def of(self, chosen: npt.NDArray[np.bool_]) -> Options:
        """Some of them."""
        return Options(*(getattr(self, name)[chosen] for name in Options.__slots__))


@dataclass(frozen=True, slots=True)
class Book:
    """A portfolio.

    Attributes:
        names: of the underlyings.
        spots: today's prices, (underlyings,).
        shares: held of each; negative for shares sold.
        options: on them.
        rate: riskless.
        horizon: years until the profit or loss is counted; every option expires later.
        moves_volatility: whether the last risk factor is the volatility index. Then an option's volatility is multiplied by
            exp(v * min(1, sqrt(INDEX_TERM / expiry))), with v the index's log change: long expiries move less.
    """

    names: tuple[str, ...]
    spots: Reals
    shares: Reals
    options: Options
    rate: float
    horizon: float
    moves_volatility: bool

    @property
    def factors(self) -> int:
        """How many risk factors there are."""
        return len(self.names) + self.moves_volatility

    def damping(self) -> Reals:
        """Of each option: the power of the index's relative change that its volatility has; 0 without an index."""
        if not self.moves_volatility:
            return np.zeros(len(self.options))
        return np.minimum(1.0, np.sqrt(INDEX_TERM / self.options.expiry))

    def without(self, underlying: int) -> Book:
        """The book without all positions in one underlying; it keeps its risk factors."""
        shares = self.shares.copy()
        shares[underlying] = 0.0
        return replace(self, shares=shares, options=self.options.of(self.options.underlying != underlying))
