"""The full valuation of a book: against the formula, option by option, and with the same bits in any batch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from examples.risk.market.book import Options
from examples.risk.market.valuation import WIDTH, Valuation, value_today
from examples.risk.numerics import black_scholes
from tests.unit.risk.market.books import random_book

RNG = np.random.default_rng(3)


def formula(book, moves):
    """P&L by underlying, one option after the other."""
    prices = book.spots[:, None] * np.exp(moves[: len(book.names)])
    profits = book.shares[:, None] * prices - value_today(book)[:, None]
    change = moves[-1] if book.moves_volatility else np.zeros(moves.shape[1])
    options, damping = book.options, book.damping()
    for row, underlying in enumerate(options.underlying):
        volatility = options.volatility[row] * np.exp(damping[row] * change)
        left = options.expiry[row] - book.horizon
        worth = black_scholes.value(
            prices[underlying], options.strike[row], book.rate, 0, volatility, left, float(options.sign[row])
        )
        profits[underlying] += options.quantity[row] * worth
    return profits


@pytest.mark.parametrize("index", [True, False])
def test_profits_are_those_of_the_formula(index):
    """Calls, puts, shares and the index's moves add up to what Black and Scholes have for each, to the table's 2e-10 of a share."""
    book = random_book(3, 220, index=index)  # more options of one underlying than are valued at a time
    moves = RNG.normal(0, 0.15, (book.factors, 700))
    gross = np.bincount(book.options.underlying, abs(book.options.quantity) * book.options.strike)[:, None]
    assert np.all(np.abs(Valuation(book)(moves) - formula(book, moves)) < 1e-9 * gross)


def test_without_moves_only_time_has_passed():
    """Today's value is the book's; an underlying without options gains what its shares do."""
    book = random_book(4, 30).without(2)
    assert value_today(book)[2] == 0
    bare = random_book(2, 0)
    moves = np.array([[0.1], [-0.2], [0.0]])
    np.testing.assert_allclose(Valuation(bare)(moves)[:, 0], bare.shares * bare.spots * np.expm1(moves[:2, 0]))


def test_bits_do_not_depend_on_the_batch():
    """A scenario alone, among others, in any place and of float32 or float64 has the same profits to the last bit."""
    valuation = Valuation(random_book(5, 90))
    moves = RNG.normal(0, 0.1, (6, 2 * WIDTH + 77)).astype(np.float32)
    profits = valuation(moves)
    for part in (slice(0, 1), slice(5, 6), slice(WIDTH - 1, WIDTH + 2), slice(100, 900)):
        np.testing.assert_array_equal(valuation(moves[:, part].astype(np.float64)), profits[:, part])
    alone = valuation.one(3, moves[3, :600].astype(np.float64), moves[5, :600].astype(np.float64))
    np.testing.assert_array_equal(alone, profits[3, :600])


def test_a_series_is_valued_once():
    """A call and a put of one strike, expiry and volatility are one option and a forward, however many positions there are."""
    book = random_book(2, 20)
    book = replace(book, options=replace(book.options, sign=np.ones(20)))
    puts = replace(book.options, sign=-np.ones(20), quantity=-2 * book.options.quantity)
    both = Options(*(np.concatenate([getattr(book.options, name), getattr(puts, name)]) for name in Options.__slots__))
    held = Valuation(replace(book, options=both))
    assert held.series == Valuation(book).series <= 20
    moves = RNG.normal(0, 0.1, (3, 50))
    np.testing.assert_allclose(held(moves), formula(replace(book, options=both), moves), rtol=1e-6, atol=1e-4)
