"""Paths of Heston's model, against its closed formulas."""

import math

import numpy as np
import pytest

from examples.risk.american.heston import Backward, Branching, Forward
from examples.risk.american.model import Heston
from examples.risk.numerics import heston
from examples.risk.numerics.philox import Philox

CALM = Heston(rate=0.1, spot=10, dividend=0.0, variance=0.0625, kappa=5.0, theta=0.16, xi=0.9, rho=0.1)
WILD = Heston(rate=0.02, spot=100, dividend=0.05, variance=0.04, kappa=0.5, theta=0.04, xi=1.0, rho=-0.9)  # half the paths near 0
PATHS = 16384


def european(model, strike, time, sign):
    return heston.value(
        model.spot, strike, model.rate, model.dividend, model.variance, model.kappa, model.theta, model.xi, model.rho, time, sign
    )


def forward_paths(model, dates, blocks, **options):
    """States on the last date, (2, paths)."""
    forward = Forward(model, model.spot, dates, Philox(7, 2), PATHS, **options)
    ends = []
    for block in range(blocks):
        forward.begin(block)
        for _ in dates:
            states = forward.step()
        ends.append(states.copy())
    return np.concatenate(ends, axis=1).astype(np.float64)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("model", "time"), [(CALM, 0.25), (WILD, 3.0)], ids=["calm", "wild"])
def test_europeans_on_paths_have_their_closed_price(model, time, dtype):
    """Puts and the discounted spot itself are within four standard errors of what formulas say."""
    spots = forward_paths(model, [time / 2, time], 8, dtype=dtype)[0] * math.exp(-model.rate * time)
    for strike in (0.8, 1.0, 1.2):
        paid = np.maximum(strike * math.exp(-model.rate * time) - spots, 0)
        error = paid.std() / math.sqrt(len(paid))
        assert abs(paid.mean() - european(model, strike * model.spot, time, -1) / model.spot) < 4 * error
    carried = math.exp(-model.dividend * time)
    assert abs(spots.mean() - carried) < 4 * spots.std() / math.sqrt(len(spots))


@pytest.mark.parametrize("model", [CALM, WILD], ids=["calm", "wild"])
def test_one_step_of_the_variance_has_its_mean_and_variance(model):
    """The scheme keeps the first two moments of the next variance, however often that is zero."""
    dt = 1 / 32
    variance = forward_paths(model, [dt], 8)[1]
    decay = math.exp(-model.kappa * dt)
    mean = model.theta + (model.variance - model.theta) * decay
    reverted = (1 - decay) / model.kappa
    square = model.xi**2 * reverted * (model.variance * decay + model.theta * model.kappa * reverted / 2)
    count = math.sqrt(len(variance))
    assert variance.min() >= 0
    assert abs(variance.mean() - mean) < 4 * math.sqrt(square) / count
    deviations = (variance - mean) ** 2
    assert abs(deviations.mean() - square) < 4 * deviations.std() / count


def test_long_steps_keep_the_spot_a_martingale():
    """With steps of a year, which distort the smile, the forward price is still right."""
    spots = forward_paths(WILD, [2.0], 8, longest_step=1.0)[0]
    expected = math.exp((WILD.rate - WILD.dividend) * 2)
    assert abs(spots.mean() - expected) < 4 * spots.std() / math.sqrt(len(spots))


def test_the_sweep_sees_the_same_paths_whatever_is_stored():
    """Backward paths have the bits of forward ones, with all dates in memory, or few of them, and on any rank's blocks."""
    dates = [0.1 * date for date in range(1, 8)]
    forward = Forward(WILD, 90.0, dates, Philox(7, 1), 64, np.float32, antithetic=True)
    expected = []
    for block in range(4):
        forward.begin(block)
        expected.append([forward.step().copy() for _ in dates])
    for stored in (0, 64 * 2 * 4 * 2 * 5, 1 << 20):
        for blocks in (range(4), range(1, 3)):
            backward = Backward(WILD, 90.0, dates, Philox(7, 1), 64, blocks, np.float32, antithetic=True, stored=stored)
            for date in reversed(range(len(dates))):
                for mine, block in enumerate(blocks):
                    assert np.array_equal(backward.at(date, mine), expected[block][date])


def test_little_memory_holds_few_states():
    """Without room for all 49 dates, a path has no more than 14 states."""
    backward = Backward(CALM, 10.0, [0.01 * date for date in range(1, 50)], Philox(7, 1), 64, range(3), stored=0)
    assert sum(array.nbytes for array in (backward._states, backward._saved)) <= 14 * 3 * 64 * 2 * 8


def test_antithetic_paths_mirror_the_normals():
    """Roots of a variance and of its mirror image have one sum, and their mean spot is closer to the forward."""
    states = forward_paths(CALM, [1 / 64], 1, antithetic=True)
    first, second = states[:, : PATHS // 2], states[:, PATHS // 2 :]
    roots = np.sqrt(first[1]) + np.sqrt(second[1])
    inner = np.sqrt(first[1]) > 0.05  # where b + Z and b - Z are both positive
    assert np.ptp(roots[inner]) < 1e-12
    assert (first[0] + second[0]).std() / 2 < 0.2 * first[0].std()


def test_inner_paths_go_on_from_their_states():
    """Paths within paths are worth, on average, what the European option is at the state from which they branch."""
    dates, states = [0.1, 0.25], np.array([[0.8, 1.0, 1.3], [0.05, 0.2, 0.1]])
    branching = Branching(CALM, dates, Philox(7, 4), 3, 16384)
    branching.branch(states, 0, 5)
    paid = np.maximum(1 - branching.step()[0].reshape(3, 16384), 0) * math.exp(-CALM.rate * 0.15)
    pairs = 0.5 * (paid[:, :8192] + paid[:, 8192:])
    for state, values in zip(states.T, pairs, strict=True):
        price = heston.value(state[0], 1, CALM.rate, 0, state[1], CALM.kappa, CALM.theta, CALM.xi, CALM.rho, 0.15, -1)
        assert abs(values.mean() - price) < 4 * values.std() / math.sqrt(len(values))


def test_steps_that_are_too_long_are_refused():
    """Where the correction's expectation may be infinite there is an error that names the steps, before a path is drawn."""
    model = Heston(rate=0, spot=1, dividend=0, variance=0.04, kappa=0.1, theta=0.04, xi=2.0, rho=0.5)
    with pytest.raises(ValueError, match=r"steps of 2 years are too long"):
        Forward(model, 1.0, [2.0], Philox(7, 1), 64, longest_step=2.0)
