"""The upper bound on a binomial tree, where prices, values of going on and the best policy are known exactly."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

from examples.risk.american import gbm, upper
from examples.risk.american.contract import Contract
from examples.risk.american.controls import Controls
from examples.risk.american.model import Gbm
from examples.risk.american.paths import INNER as INNER_STREAM
from examples.risk.american.paths import OUTER as OUTER_STREAM
from examples.risk.american.paths import Floats
from examples.risk.american.upper import OUTER, Hedge, Upper, UpperBound, upper_bound
from examples.risk.numerics import black_scholes
from examples.risk.numerics.estimates import Estimate
from examples.risk.numerics.philox import Philox
from examples.workload.communicator import Alone, Communicator
from tests.unit.risk.american.lattice import bermudan_put
from tests.unit.risk.american.plain_paths import equally_spaced, one_asset
from tests.unit.workload.thread_ranks import run_ranks

Reals = npt.NDArray[np.float64]
DATES, RATE, VOLATILITY, EXPIRY = 12, 0.06, 0.3, 1.0
STEP = EXPIRY / DATES
UP = math.exp(VOLATILITY * math.sqrt(STEP))
CHANCE = (math.exp(RATE * STEP) - 1 / UP) / (UP - 1 / UP)
PUT = Contract("put", 100.0, tuple(STEP * date for date in range(1, DATES + 1)))


class Tree:
    """A put on a Cox-Ross-Rubinstein tree, exercised where that pays more than going on and some reluctance.

    Args:
        spot: in strikes.
        reluctance: 0 makes the policy the best one, infinity the option European.
        off: error of the guess of what going on is worth.
    """

    def __init__(self, spot: float, reluctance: float = 0.0, off: float = 0.0) -> None:
        self.spot, self.off = spot, off
        self._going = [np.zeros(DATES + 1)]
        values = self._gains(DATES)
        self._stops = [values > 0]
        for steps in range(DATES - 1, -1, -1):
            going = math.exp(-RATE * STEP) * (CHANCE * values[1:] + (1 - CHANCE) * values[:-1])
            gain = self._gains(steps)
            stop = gain > going + reluctance
            values = np.where(stop, gain, going)
            self._going.insert(0, going)
            self._stops.insert(0, stop)
        self.worth = float(self._going[0][0])  # of going on today

    def _gains(self, steps: int) -> Reals:
        """Of exercise, by the number of steps that went up."""
        return np.asarray(np.maximum(1 - self.spot * UP ** (2.0 * np.arange(steps + 1) - steps), 0))

    def _ups(self, states: Floats, date: int) -> npt.NDArray[np.intp]:
        ups: npt.NDArray[np.intp] = np.rint((np.log(states[0] / self.spot) / math.log(UP) + date + 1) / 2).astype(np.intp)
        return ups

    def __call__(self, states: Floats, date: int, out: npt.NDArray[np.bool_]) -> None:
        out[:] = self._stops[date + 1][self._ups(states, date)]

    def going_on(self, states: Floats, date: int) -> Reals:
        return np.asarray(self._going[date + 1][self._ups(states, date)] + self.off)


class Moves:
    """Paths on the tree; paths within paths are antithetic by halves."""

    def __init__(self, spot: float, stream: int, outer: int, inner: int = 0) -> None:
        self._spot, self._stream, self._outer, self._inner = spot, Philox(11, stream), outer, inner

    def begin(self, block: int) -> None:
        self._states, self._block, self._date = np.full((1, self._outer), self._spot), block, 0

    def branch(self, states: Floats, date: int, block: int) -> None:
        self._states, self._block, self._date = np.repeat(states, self._inner, axis=1), block, date + 1

    def step(self) -> Floats:
        uniforms = (self._stream.words(self._block, self._outer * self._inner // 2 or self._outer, self._date) >> 11) * 2.0**-53
        if self._inner:
            halves = uniforms.reshape(self._outer, -1)
            uniforms = np.concatenate((halves, 1 - halves), axis=1).reshape(-1)
        self._states = self._states * np.where(uniforms < CHANCE, UP, 1 / UP)
        self._date += 1
        return self._states


def bound(tree: Tree, inner: int = 256, blocks: int = 2, contract: Contract = PUT, comm: Communicator | None = None) -> UpperBound:
    block_by_block = Upper(
        contract,
        np.array([tree.spot]),
        RATE,
        tree,
        Estimate(tree.worth, 0.0),
        Moves(tree.spot, OUTER_STREAM, OUTER),
        lambda outer, number: Moves(tree.spot, INNER_STREAM, outer, number),
        inner,
        blocks,
    )
    return upper_bound(comm or Alone(), block_by_block)


def test_the_best_policy_leaves_hindsight_nothing():
    """With the best policy, the bound is the price but for what the noise of inner paths adds: less than 0.2 %."""
    best = Tree(1.0)
    found = bound(best, inner=4096)
    assert 0 <= found.gap.value < 0.002 * best.worth


@pytest.mark.parametrize("reluctance", [0.01, 0.05, np.inf])
def test_no_policy_s_bound_is_below_the_price(reluctance):
    """Policies that exercise too late, or never, are worth less than the price, and their bounds no less."""
    price, poor = Tree(1.0).worth, Tree(1.0, reluctance)
    found = bound(poor)
    assert poor.worth < price < found.value.value + 3 * found.value.error


def test_fewer_inner_paths_make_the_bound_higher_only():
    """Noise of inner paths never lowers the bound."""
    best = Tree(1.0)
    few, many = bound(best, inner=32), bound(best, inner=2048)
    assert few.gap.value > many.gap.value + 3 * few.gap.error


@pytest.mark.parametrize("off", [-0.03, 0.03, np.nan])
def test_bad_guesses_cost_accuracy_not_the_bound(off):
    """Where the guess is off by 3 % of the strike, or is none, the bound stays above the price, and near it."""
    price = Tree(1.0).worth
    found = bound(Tree(1.0, off=off), inner=2048)
    assert price < found.value.value + 3 * found.value.error
    assert found.value.value < 1.03 * price


def test_a_gain_that_hardly_any_path_has_is_not_taken_for_known():
    """Where almost no outer path gains, the error allows for gains that were not seen: 3.7 strikes in so many paths at least."""
    found = bound(Tree(1.0, off=np.nan), inner=2048)
    assert found.gap.error >= 3.68 / found.paths / 1.96


def test_inner_paths_are_spent_where_they_matter(monkeypatch):
    """All inner paths everywhere take more than twice the steps, and give the same bound within its error."""
    poor = Tree(1.0, 0.02)
    spared = bound(poor, inner=2048)
    monkeypatch.setattr(upper, "_SURE", np.inf)
    full = bound(poor, inner=2048)
    assert full.steps > 2 * spared.steps
    assert abs(full.gap.value - spared.gap.value) < 3 * math.hypot(full.gap.error, spared.gap.error)


def test_an_option_to_be_exercised_at_once_is_worth_that():
    """Far in the money, exercise at once is all the option is worth; if it is not allowed, the bound is below."""
    deep = Tree(0.6)
    assert bound(deep).value.value == pytest.approx(0.4, abs=1e-4)
    later = Contract("put", 100.0, PUT.dates, today=False)
    assert deep.worth <= bound(deep, contract=later).value.value < 0.4


@pytest.mark.parametrize("inner", [1, 6, 130])
def test_any_number_of_inner_paths_gives_a_bound(inner):
    """Numbers that are no power of two are rounded up, and the bound is above the price."""
    found = bound(Tree(1.0), inner=inner)
    assert Tree(1.0).worth < found.value.value + 3 * found.value.error


def test_a_european_option_has_no_gap():
    """With one date there is nothing to decide, so nothing to gain by hindsight."""
    assert bound(Tree(1.0), contract=Contract("put", 100.0, PUT.dates[:1], today=False)).gap == Estimate(0.0, 0.0)


@pytest.mark.parametrize("size", [2, 3])
def test_the_bound_has_the_same_bits_on_any_number_of_ranks(size):
    """Ranks share blocks out, and sums are exact."""
    tree = Tree(1.0, 0.02)
    alone = bound(tree, blocks=5)
    assert run_ranks(size, lambda comm: bound(tree, blocks=5, comm=comm)) == [alone] * size


def test_convergence_ends_at_the_bound():
    """The bound by more and more paths ends with all of them, and its error falls."""
    found = bound(Tree(1.0, 0.02), inner=64, blocks=5)
    assert found.convergence[-1] == (found.paths, found.value)
    assert found.convergence[0][1].error > found.value.error


class Boundary:
    """A put's best policy as a lattice finds it: exercise up to a spot on each date."""

    def __init__(self, model: Gbm, contract: Contract) -> None:
        self._model, self._dates = model, contract.dates
        self._boundary = bermudan_put(
            float(model.spots[0]) / contract.strike, model.rate, float(model.volatilities[0]), 1.0, dates=len(contract.dates)
        ).boundary

    def __call__(self, states: Floats, date: int, out: npt.NDArray[np.bool_]) -> None:
        np.less(states[0], self._boundary[date], out=out)

    def going_on(self, states: Floats, date: int) -> Reals:
        """The European's value, at least that of exercise on the next date."""
        left = self._dates[-1] - self._dates[date]
        return black_scholes.value(states[0], 1, self._model.rate, 0, self._model.volatilities[0], left, -1)


def test_a_hedge_takes_the_noise_of_inner_paths():
    """Holding one European until the policy stops leaves less than a third of the gap of a put with 20 dates, at the same price."""
    contract, model = equally_spaced("put", 1, 20), one_asset()
    price = bermudan_put(0.9, model.rate, 0.2, 1.0, dates=20).price
    one_european = (0.0, 1.0, *([0.0] * (len(Controls(contract, model, 1).names) - 2)))
    gaps = []
    for hedge in (None, Hedge(contract, model, one_european, 128)):
        made = Upper(
            contract,
            model.spots / contract.strike,
            model.rate,
            Boundary(model, contract),
            Estimate(price, 0.0),
            gbm.Forward(model, contract.strike, contract.dates, Philox(5, OUTER_STREAM), OUTER, antithetic=False),
            lambda outer, inner: gbm.Branching(model, contract.dates, Philox(5, INNER_STREAM), outer, inner),
            128,
            2,
            hedge,
        )
        gaps.append(upper_bound(Alone(), made).gap)
    without, with_it = gaps
    assert 0 <= with_it.value < without.value / 3
    assert with_it.value < 0.005 * price
