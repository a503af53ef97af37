"""What a book has won or lost in each scenario: the full Black-Scholes value at the horizon, less today's.

This is what "exact" means in this folder. It is elementwise: a scenario's bits depend on nothing but its moves and the book, so the
tail may be valued in any batches, on any rank, and agrees with a run that values everything. No BLAS, whose bits depend on shapes.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from examples.risk.market.book import Book
from examples.risk.numerics import black_scholes
from examples.risk.numerics.normal_cdf import NormalCdf

Reals = npt.NDArray[np.float64]
WIDTH = 1024  # scenarios of a batch: with 512 the calls themselves take 8 % more
_FURTHEST = 100.0  # logarithm of a price's change
_ROWS = 40  # options at most that are valued at a time: more scratch arrays would not stay near a core


@dataclass(frozen=True, slots=True)
class Calls:
    """Options of one underlying, as calls, netted by series: columns (n, 1) where a formula needs them.

    With x the log-return and v the index's log change, an option's deviation to its expiry is s = deviation exp(damping v), and
    d1 = (x + forward) / s + s / 2, d2 = d1 - s; it is worth quantity S Phi(d1) - paid Phi(d2). Calls and, by parity, puts of one
    strike, expiry and volatility are one series, whatever the number of positions in it.

    Attributes:
        forward: log(spot / strike) + rate * remaining time.
        deviation: volatility * sqrt(remaining time), before the index moves.
        dampings: distinct powers of the index's change, (b, 1).
        which: row of ``dampings`` of each, (n,).
        quantity: shares that the option is on.
        paid: quantity * strike, discounted from expiry to the horizon.
    """

    forward: Reals
    deviation: Reals
    dampings: Reals
    which: npt.NDArray[np.intp]
    quantity: Reals
    paid: Reals


@dataclass(frozen=True, slots=True)
class Position:
    """All that is held on one underlying: P&L = shares S + cash + calls, S = spot exp(x).

    Attributes:
        spot: today's price.
        shares: held, less those that turn puts into calls: P = C - S + K exp(-rate * remaining time).
        cash: the discounted strikes of these puts, less today's value.
        calls: the options.
    """

    spot: float
    shares: float
    cash: float
    calls: Calls


def value_today(book: Book) -> Reals:
    """What the positions are worth now, by underlying, in the currency of the prices."""
    options = book.options
    spots = book.spots[options.underlying]
    each = options.quantity * black_scholes.value(
        spots, options.strike, book.rate, 0.0, options.volatility, options.expiry, options.sign
    )
    return book.shares * book.spots + np.bincount(options.underlying, each, len(book.names))


def positions(book: Book) -> list[Position]:
    """The book by underlying, with all that does not depend on the scenario worked out."""
    today, damping = value_today(book), book.damping()
    return [_position(book, underlying, damping, float(today[underlying])) for underlying in range(len(book.names))]


def _position(book: Book, underlying: int, damping: Reals, today: float) -> Position:
    mine = book.options.underlying == underlying
    held, spot = book.options.of(mine), float(book.spots[underlying])
    puts = held.sign < 0
    discounted = held.strike * np.exp(-book.rate * (held.expiry - book.horizon))
    terms, series = np.unique(np.stack([held.strike, held.expiry, held.volatility]), axis=1, return_inverse=True)
    quantity = np.bincount(series, held.quantity, terms.shape[1]).astype(np.float64)
    (strike, expiry, volatility), damped = terms, np.zeros(terms.shape[1])
    damped[series] = damping[mine]
    left = expiry - book.horizon
    dampings, which = np.unique(damped, return_inverse=True)
    calls = Calls(
        forward=(np.log(spot / strike) + book.rate * left)[:, None],
        deviation=(volatility * np.sqrt(left))[:, None],
        dampings=dampings[:, None],
        which=which.astype(np.intp),
        quantity=quantity[:, None],
        paid=(quantity * strike * np.exp(-book.rate * left))[:, None],
    )
    shares = float(book.shares[underlying]) - float(held.quantity[puts].sum())
    return Position(spot, shares, float((held.quantity * discounted)[puts].sum()) - today, calls)


def total_loss(profits: Reals) -> Reals:
    """Loss of the book from P&L by underlying, (underlyings, m); added in their order, so that bits depend on no batch."""
    loss = np.zeros(profits.shape[1])
    for row in profits:
        np.subtract(loss, row, out=loss)
    return loss


class Valuation:
    """Profit and loss of a book, scenario by scenario.

    Args:
        book: what is held.

    Attributes:
        positions: the book by underlying.
        series: options that are valued.
    """

    def __init__(self, book: Book) -> None:
        self.positions = positions(book)
        self.series = sum(len(each.calls.which) for each in self.positions)
        self._index = len(book.names) if book.moves_volatility else None  # row of the volatility index
        self._moves = np.zeros((book.factors, WIDTH))
        self._price, self._still = np.empty(WIDTH), np.zeros(WIDTH)
        # Both d1 and d2 of a few options stand in one array: one call for the two makes half as many calls, 10 % of the time.
        self._d, self._phi = np.empty((2 * _ROWS, WIDTH)), np.empty((2 * _ROWS, WIDTH))
        self._half, self._inverse = np.empty((_ROWS, WIDTH)), np.empty((_ROWS, WIDTH))
        self._cdf = NormalCdf((2 * _ROWS, WIDTH))

    def __call__(self, moves: npt.NDArray[np.floating]) -> Reals:
        """P&L by underlying, (underlyings, m), of any m scenarios, (factors, m).

        Raises:
            FloatingPointError: a move is no number, or takes a price beyond e**100 times what it is.
        """
        count = moves.shape[1]
        result = np.empty((len(self.positions), count))
        for start in range(0, count, WIDTH):
            part = moves[:, start : start + WIDTH]
            wide = part.shape[1]
            if not np.abs(part).max(initial=0.0) < _FURTHEST:
                factor, column = (int(each[0]) for each in np.nonzero(~(np.abs(part) < _FURTHEST)))
                raise FloatingPointError(f"a scenario moves factor {factor + 1} by {part[factor, column]}, where it has no price")
            self._moves[:, :wide] = part  # the rest holds old scenarios, whose values nobody takes: all arrays have one shape
            self._batch(result[:, start : start + wide])
        return result

    def one(self, underlying: int, returns: Reals, changes: Reals) -> Reals:
        """P&L in one underlying, (m,), of its log-returns (m,) and the index's log changes (m,)."""
        result = np.empty(len(returns))
        out = np.empty(WIDTH)
        x, v = np.zeros(WIDTH), np.zeros(WIDTH)
        for start in range(0, len(returns), WIDTH):
            part = slice(start, start + WIDTH)
            wide = len(returns[part])
            x[:wide], v[:wide] = returns[part], changes[part]
            self._underlying(self.positions[underlying], x, v, out)
            result[part] = out[:wide]
        return result

    def _batch(self, out: Reals) -> None:
        v = self._still if self._index is None else self._moves[self._index]
        result = np.empty(WIDTH)
        for underlying, position in enumerate(self.positions):
            self._underlying(position, self._moves[underlying], v, result)
            out[underlying] = result[: out.shape[1]]

    def _underlying(self, position: Position, x: Reals, v: Reals, out: Reals) -> None:
        price, calls = self._price, position.calls
        np.exp(x, out=price)
        np.multiply(price, position.spot, out=price)
        np.multiply(price, position.shares, out=out)
        np.add(out, position.cash, out=out)
        if not len(calls.which):
            return
        grown = np.exp(calls.dampings * v)
        shrunk = 1.0 / grown
        parts = -(-len(calls.which) // _ROWS)
        cuts = [len(calls.which) * part // parts for part in range(parts + 1)]
        for start, stop in pairwise(cuts):
            self._few(calls, slice(start, stop), x, grown, shrunk, out)

    def _few(self, calls: Calls, few: slice, x: Reals, grown: Reals, shrunk: Reals, out: Reals) -> None:
        """Add the value of a few calls to ``out``."""
        n = few.stop - few.start
        half, inverse, d, phi = self._half[:n], self._inverse[:n], self._d[: 2 * n], self._phi[: 2 * n]
        first, second = d[:n], d[n:]
        grown.take(calls.which[few], axis=0, out=half, mode="clip")
        np.multiply(half, 0.5 * calls.deviation[few], out=half)
        shrunk.take(calls.which[few], axis=0, out=inverse, mode="clip")
        np.multiply(inverse, 1.0 / calls.deviation[few], out=inverse)
        np.add(x, calls.forward[few], out=second)
        np.multiply(second, inverse, out=second)
        np.add(second, half, out=first)
        np.subtract(second, half, out=second)
        self._cdf(d, phi)
        np.multiply(phi[:n], calls.quantity[few], out=first)
        np.multiply(phi[n:], calls.paid[few], out=second)
        worth = np.add.reduce(first, axis=0)  # over options: row after row, for a row is as long as a batch always
        np.multiply(worth, self._price, out=worth)
        np.add(out, worth, out=out)
        np.subtract(out, np.add.reduce(second, axis=0), out=out)
