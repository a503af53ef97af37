"""The quick screen of a whole book: within its bound, rounding in float32 included, and honest about what is out of reach."""

from __future__ import annotations

import numpy as np
import pytest

from examples.risk.market.scenarios import BLOCK
from examples.risk.market.screen import Screen, rounding
from examples.risk.market.screens import Screens
from examples.risk.market.valuation import Valuation, total_loss
from examples.workload.communicator import Alone
from tests.unit.risk.market.books import StudentScenarios, hedged, random_book


@pytest.mark.parametrize("index", [True, False])
@pytest.mark.parametrize("make", [lambda book: book, hedged])
def test_losses_are_within_the_bound_wherever_the_screen_may_be_used(make, index):
    """Every order and reach that is tried keeps its promise on real scenarios, and tells which of these are too far."""
    book = make(random_book(5, 60, index=index))
    scenarios = StudentScenarios(book.factors, index=index)
    valuation = Valuation(book)
    screens = Screens(Alone(), book, scenarios, valuation)
    assert not screens.reason
    moves = scenarios.fill(3, np.empty((scenarios.factors, BLOCK), np.float32))
    profit, outside = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.bool_)
    losses = total_loss(valuation(moves))
    for which in screens.first + screens.second:
        screen = screens.screen(which)
        screen(moves, profit, outside)
        beyond = (np.abs(moves) > screens.reach(which[0])[:, None]).any(axis=0)
        assert np.all(outside >= beyond)
        assert np.count_nonzero(outside != beyond) <= 2  # such as are at the edge
        assert np.abs(losses + profit)[~outside].max() <= screen.bound


def test_rounding_alone_is_within_its_bound():
    """A polynomial of given coefficients, against itself in float64: what float32 adds is less than is allowed for it."""
    rng = np.random.default_rng(4)
    coefficients = rng.normal(0, 1, (7, 30, 9)) * 0.8 ** np.arange(30)[:, None]
    reach = rng.uniform(0.1, 0.5, 8)
    moves = (rng.uniform(-1, 1, (8, BLOCK)) * reach[:, None] * (1 - 1e-6)).astype(np.float32)
    screen, profit, outside = Screen(coefficients, reach, [0.0] * 7), np.empty(BLOCK, np.float32), np.empty(BLOCK, np.bool_)
    screen(moves, profit, outside)
    by_x, by_v = (np.cos(np.arange(n)[:, None, None] * np.arccos(moves / reach[:, None])) for n in (30, 9))
    exact = np.einsum("uij,ium,jm->m", coefficients, by_x[:, :7], by_v[:, 7])
    assert not outside.any()
    assert 0 < np.abs(exact - profit).max() <= screen.bound <= rounding(coefficients) * 1.001


def test_no_number_and_infinity_are_out_of_reach():
    """What cannot be screened is left to the valuation, wherever it is in a scenario."""
    screen = Screen(np.ones((2, 4, 3)), np.array([0.2, 0.3, 0.5]), [0.0, 0.0])
    moves = np.zeros((3, BLOCK), np.float32)
    moves[[0, 1, 2, 0, 2], [1, 2, 3, 4, 5]] = [np.nan, np.nan, np.nan, np.inf, 0.5001]
    outside = np.empty(BLOCK, np.bool_)
    screen(moves, np.empty(BLOCK, np.float32), outside)
    assert np.flatnonzero(outside).tolist() == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("orders", [(6, 1), (20, 7), (28, 9), (36, 10)])
@pytest.mark.parametrize("held", [1, 3, 20])
def test_a_scenario_has_its_bits_wherever_it_stands(held, orders):
    """Batches are filled by rank, so a scenario's place in one must not show, in the products of matrices either.

    With products of 8 rows or more this fails with OPENBLAS_CORETYPE=Haswell or Zen.
    """
    rng = np.random.default_rng(5)
    factors = held + (orders[1] > 1)
    screen = Screen(rng.normal(0, 1, (held, *orders)), np.ones(factors), [0.0] * held)
    moves = rng.uniform(-1, 1, (factors, screen.width)).astype(np.float32)
    places = rng.permutation(screen.width)
    (there, here), outside = np.empty((2, screen.width), np.float32), np.empty(screen.width, np.bool_)
    screen(moves, there, outside)
    screen(np.ascontiguousarray(moves[:, places]), here, outside)
    np.testing.assert_array_equal(here, there[places])
