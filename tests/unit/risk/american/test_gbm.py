from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from examples.risk.american.gbm import Backward, Branching, Forward
from examples.risk.american.model import Gbm
from examples.risk.numerics.philox import Philox
from tests.unit.risk.american.sweeps import gbm

Floats = npt.NDArray[Any]
DATES, STRIKE, BLOCK = (0.1, 0.5, 1.5), 90.0, 4096
MODELS = {
    "alike": gbm([80.0, 100.0], 0.05, 0.02, 0.3),
    "unlike": Gbm(0.05, np.array([80.0, 100.0]), np.array([0.02, 0.0]), np.array([0.2, 0.5]), np.eye(2)),
    "correlated": Gbm(
        0.05, np.array([80.0, 100.0]), np.array([0.02, 0.0]), np.array([0.2, 0.5]), np.array([[1.0, -0.6], [-0.6, 1.0]])
    ),
    "one": Gbm(0.05, np.array([80.0, 100.0]), np.array([0.02, 0.0]), np.array([0.2, 0.5]), np.ones((2, 2))),
}


def forward(model: Gbm, block: int, dtype: npt.DTypeLike, *, antithetic: bool) -> Floats:
    """(dates, assets, paths)."""
    paths = Forward(model, STRIKE, DATES, Philox(3, 2), BLOCK, dtype, antithetic=antithetic)
    paths.begin(block)
    return np.stack([paths.step().copy() for _ in DATES])


def backward(model: Gbm, block: int, dtype: npt.DTypeLike, *, antithetic: bool) -> Floats:
    """(dates, assets, paths); the first block of a rank."""
    paths = Backward(model, STRIKE, DATES, Philox(3, 1), BLOCK, range(block, block + 1), dtype, antithetic=antithetic)
    return np.stack([paths.at(date, 0).copy() for date in reversed(range(len(DATES)))])[::-1]


def branched(model: Gbm, block: int, dtype: npt.DTypeLike, *, antithetic: bool) -> Floats:
    """(dates, assets, paths), from today; half of each eight mirror the others."""
    assert antithetic
    paths = Branching(model, DATES, Philox(3, 4), BLOCK // 8, 8, dtype)
    paths.branch(np.repeat(model.spots[:, None] / STRIKE, BLOCK // 8, axis=1).astype(dtype), -1, block)
    return np.stack([paths.step().copy() for _ in DATES])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("make", [forward, backward, branched])
def test_paths_have_the_law_of_the_model(make: Callable[..., Floats], name: str, dtype: npt.DTypeLike) -> None:
    """Logarithms have the means and all covariances, over assets and dates, that the model says, within 5 errors."""
    model = MODELS[name]
    states = np.concatenate([make(model, block, dtype, antithetic=make is branched) for block in range(8)], axis=2)
    assert states.dtype == dtype
    logs = np.log(states.astype(np.float64)).reshape(len(DATES) * 2, -1)  # (date, asset)
    times = np.repeat(DATES, 2)
    drifts = model.rate - model.dividends - 0.5 * model.volatilities**2
    means = np.tile(np.log(model.spots / STRIKE), len(DATES)) + times * np.tile(drifts, len(DATES))
    covariance = model.correlation * np.outer(model.volatilities, model.volatilities)
    expected = np.minimum.outer(times, times) * np.tile(covariance, (len(DATES), len(DATES)))
    variances, count = np.diag(expected), logs.shape[1] / (2 if make is branched else 1)
    assert np.all(np.abs(logs.mean(axis=1) - means) < 5 * np.sqrt(variances / count) + 1e-6)
    errors = np.sqrt((np.outer(variances, variances) + expected**2) / count)
    assert np.all(np.abs(np.cov(logs) - expected) < 5 * errors)


@pytest.mark.parametrize("make", [forward, backward])
@pytest.mark.parametrize("name", MODELS)
def test_the_second_half_mirrors_the_first(make: Callable[..., Floats], name: str) -> None:
    """The product of a path's spot and its mirror image's is the same for all paths."""
    states = make(MODELS[name], 5, np.float64, antithetic=True)
    products = states[..., : BLOCK // 2] * states[..., BLOCK // 2 :]
    assert np.ptp(products, axis=2).max() < 1e-12


def test_half_of_the_inner_paths_mirror_the_others() -> None:
    """Side by side for each outer path, on each date."""
    states = branched(MODELS["correlated"], 5, np.float64, antithetic=True).reshape(len(DATES), 2, BLOCK // 8, 2, 4)
    products = states[..., 0, :] * states[..., 1, :]
    assert np.ptp(products.reshape(len(DATES), 2, -1), axis=2).max() < 1e-12


def test_inner_paths_begin_where_they_are_told() -> None:
    """From any date, and on average they stay there, but for the drift."""
    model, outer = MODELS["correlated"], np.array([[0.5, 2.0], [1.0, 3.0]])
    paths = Branching(model, DATES, Philox(3, 4), 2, 65536)
    paths.branch(outer, 1, 0)
    means = paths.step().reshape(2, 2, -1).mean(axis=2) * np.exp(-(model.rate - model.dividends))[:, None]
    assert means == pytest.approx(outer, rel=5 * 0.6 / np.sqrt(65536))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", ["alike", "correlated"])
def test_a_block_is_the_same_on_any_rank(name: str, dtype: npt.DTypeLike) -> None:
    """Whatever other blocks its rank has, and whatever was asked for before."""
    model = MODELS[name]
    several = Backward(model, STRIKE, DATES, Philox(3, 1), BLOCK, range(2, 6), dtype, antithetic=False)
    alone = backward(model, 4, dtype, antithetic=False)
    for date in reversed(range(len(DATES))):
        found = [several.at(date, block).tobytes() for block in range(4)]
        assert found[2] == alone[date].tobytes()
        assert len(set(found)) == 4
    first = forward(model, 4, dtype, antithetic=False)
    paths = Forward(model, STRIKE, DATES, Philox(3, 2), BLOCK, dtype, antithetic=False)
    paths.begin(1)
    paths.step()
    paths.begin(4)
    assert np.stack([paths.step().copy() for _ in DATES]).tobytes() == first.tobytes()


def test_assets_that_are_one_move_as_one() -> None:
    """A correlation of 1 is no reason to fail."""
    model = gbm([80.0, 100.0], 0.05, 0.02, 0.3, correlation=1.0)
    states = forward(model, 0, np.float64, antithetic=False)
    assert states[:, 0] / states[:, 1] == pytest.approx(np.full_like(states[:, 0], 0.8))
