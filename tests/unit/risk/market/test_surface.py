"""Bounds of polynomials against prices: they hold wherever one looks, and are not idle."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.polynomial import chebyshev

from examples.risk.market.surface import CannotBound, narrowed, surface
from examples.risk.market.valuation import Valuation
from tests.unit.risk.market.books import HORIZON, random_book

RNG = np.random.default_rng(8)


def differences(valuation, coefficients, reach, points=4000):
    """Between a polynomial and the valuation, at random points, and along the edge of low volatility, where prices bend most."""
    x, v = RNG.uniform(-1, 1, (2, points))
    v[: points // 2] = -1
    profits = valuation.one(0, x * reach[0], v * reach[1])
    return np.abs(chebyshev.chebval2d(x, v if reach[1] else 0 * v, coefficients) - profits)


@settings(deadline=None, max_examples=12)
@given(st.integers(0, 10**6), st.sampled_from([0.2, 0.35, 0.5]), st.sampled_from([0.0, 0.3, 1.2]))
def test_a_surface_is_within_its_error(seed, reach, index):
    """Whatever is held, the polynomial is nowhere further from the valuation than it says, and that is little."""
    book = random_book(1, 12, seed=seed)
    found = surface(Valuation(book), 0, (reach, index))
    gross = float((np.abs(book.options.quantity) * book.spots[0]).sum() + abs(book.shares[0]) * book.spots[0])
    assert differences(Valuation(book), found.coefficients, (reach, index)).max() <= found.error
    assert found.error < 1e-5 * gross


@pytest.mark.parametrize("orders", [(6, 3), (12, 5), (20, 7)])
def test_the_error_of_fewer_degrees(orders):
    """A screen's bound holds between all grids, and is at most a few times what is seen."""
    valuation = Valuation(random_book(1, 40))
    whole = surface(valuation, 0, (0.45, 1.2))
    screen = whole.coefficients[: orders[0], : orders[1]]
    seen, bound = differences(valuation, screen, whole.reach, 20_000).max(), whole.error_of(screen)
    assert seen <= bound < 2.0 * seen


def test_over_a_smaller_range_fewer_degrees_do():
    """A narrowed surface is the same function, with its own bound."""
    valuation = Valuation(random_book(1, 40))
    whole = surface(valuation, 0, (0.5, 1.2))
    inner = whole.within((0.2, 0.5))
    assert inner.coefficients.size < 0.5 * whole.coefficients.size
    assert differences(valuation, inner.coefficients, inner.reach).max() <= inner.error <= 3 * whole.error
    screen = narrowed(whole.coefficients, whole.reach, inner.reach)[:8, :4]
    seen = differences(valuation, screen, inner.reach).max()
    assert seen <= inner.error_of(screen) < 2.0 * seen < whole.error_of(whole.coefficients[:8, :4])


def test_what_bends_too_much_is_refused():
    """An option that expires a minute after the horizon has a kink, which no polynomial of some hundred degrees follows."""
    book = random_book(1, 3)
    book = replace(book, options=replace(book.options, expiry=np.full(3, HORIZON + 1 / 252 / 24 / 60)))
    with pytest.raises(CannotBound, match="more than 512 nodes"):
        surface(Valuation(book), 0, (0.5, 1.0))


def test_shares_alone_and_nothing_at_all():
    """Without options a few degrees are exact; without anything the surface is 0."""
    book = random_book(1, 0)
    found = surface(Valuation(book), 0, (0.5, 0.0))
    assert found.coefficients.shape[1] == 1
    assert (
        differences(Valuation(book), found.coefficients, (0.5, 0.0)).max()
        <= found.error
        < 1e-6 * abs(book.shares[0] * book.spots[0])
    )
    nothing = replace(book, shares=np.zeros(1))
    assert surface(Valuation(nothing), 0, (0.5, 1.0)).coefficients.tolist() == [[0.0]]
