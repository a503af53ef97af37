from __future__ import annotations

import numpy as np
import pytest

from examples.risk.american.contract import Contract
from examples.risk.american.model import Gbm
from examples.risk.american.paths import LOWER
from examples.risk.american.sobol_paths import SobolForward
from tests.unit.risk.american.plain_paths import equally_spaced, three_assets


def _logs(contract: Contract, model: Gbm, block: int, bits: int, blocks: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Logarithms of all spots, (dates, assets, paths)."""
    forward = SobolForward(contract, model, 7, LOWER, bits, blocks)
    forward.begin(block)
    return np.asarray(np.log(np.stack([forward.step().copy() for _ in contract.dates])))


def test_paths_have_the_models_means_and_covariances() -> None:
    """Over dates and assets, as exactly as 4,096 points can tell."""
    contract, model = Contract("max-call", 1.0, (0.1, 0.7, 1.0)), three_assets(0.4)
    logs = _logs(contract, model, 0, 12, 1)
    times = np.array(contract.dates)
    drifts = model.rate - model.dividends - 0.5 * model.volatilities**2
    assert logs.mean(axis=2) == pytest.approx(np.log(model.spots) + np.outer(times, drifts), abs=5e-4)
    covariance = np.cov(logs.reshape(9, -1))
    expected = np.kron(np.minimum.outer(times, times), model.correlation * np.outer(model.volatilities, model.volatilities))
    assert covariance == pytest.approx(expected, abs=2e-3)


def test_the_first_coordinate_decides_most() -> None:
    """The largest principal component alone explains over 80 per cent of one asset's variance on 20 dates (0.811 of the trace)."""
    contract = equally_spaced("put", 1, 20)
    model = Gbm(0.0, np.ones(1), np.zeros(1), np.array([0.2]), np.eye(1))
    forward = SobolForward(contract, model, 7, LOWER, 6, 1)
    shares = (forward._over_time**2).sum(axis=0)
    assert shares[0] / shares.sum() > 0.8
    assert list(shares) == sorted(shares, reverse=True)


def test_blocks_of_a_replicate_are_one_set_of_points() -> None:
    """Two blocks of 32 are the points of one block of 64; another replicate has others."""
    contract, model = equally_spaced("max-call", 1, 4), three_assets()
    whole = _logs(contract, model, 0, 6, 1)
    halves = np.concatenate([_logs(contract, model, block, 5, 2) for block in (0, 1)], axis=2)
    assert np.array_equal(np.sort(halves[0, 0]), np.sort(whole[0, 0]))
    assert not np.isin(_logs(contract, model, 1, 6, 1), whole).any()


def test_too_many_dimensions_are_refused() -> None:
    """The message tells dates, assets, what points have, and what to do."""
    with pytest.raises(ValueError, match=r"8,000 dates.*24,000 dimensions.*21,201.*independent draws"):
        SobolForward(equally_spaced("max-call", 1, 8000), three_assets(), 7, LOWER, 5, 1)
