"""Forward paths of geometric Brownian motions without any trick, for claims about what uses paths."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from examples.risk.american.contract import Contract
from examples.risk.american.model import Gbm
from examples.risk.american.paths import LOWER
from examples.risk.numerics.philox import Philox


class PlainPaths:
    """Each block has a generator of its own."""

    def __init__(self, contract: Contract, model: Gbm, seed: int, paths: int, *, antithetic: bool) -> None:
        self._steps, self._model, self._antithetic = np.diff(contract.dates, prepend=0.0), model, antithetic
        self._words = Philox(seed, LOWER)
        self._shape = len(model.spots), paths // 2 if antithetic else paths
        self._root = np.linalg.cholesky(model.correlation)
        self._today = np.log(model.spots / contract.strike)

    def begin(self, block: int) -> None:
        self._generator = np.random.default_rng(self._words.words(block, 2))
        self._logs = np.repeat(self._today[:, None], self._shape[1] * (2 if self._antithetic else 1), axis=1)
        self._date = 0

    def step(self) -> npt.NDArray[Any]:
        model, step = self._model, self._steps[self._date]
        normals = self._root @ self._generator.standard_normal(self._shape)
        if self._antithetic:
            normals = np.concatenate((normals, -normals), axis=1)
        drifts = model.rate - model.dividends - 0.5 * model.volatilities**2
        self._logs += drifts[:, None] * step + (model.volatilities * np.sqrt(step))[:, None] * normals
        self._date += 1
        return np.asarray(np.exp(self._logs))


def one_asset(spot: float = 0.9, volatility: float = 0.2, rate: float = 0.06, dividend: float = 0.0) -> Gbm:
    """Spot in strikes of 1."""
    return Gbm(rate, np.array([spot]), np.array([dividend]), np.array([volatility]), np.eye(1))


def three_assets(correlation: float = 0.0) -> Gbm:
    """Assets that differ."""
    correlations = np.full((3, 3), correlation) + (1 - correlation) * np.eye(3)
    return Gbm(0.05, np.array([1.05, 0.95, 1.0]), np.array([0.1, 0.05, 0.02]), np.array([0.2, 0.3, 0.25]), correlations)


def equally_spaced(payoff: str, expiry: float, dates: int, *, today: bool = True, weights: tuple[float, ...] = ()) -> Contract:
    return Contract(payoff, 1.0, tuple(expiry * (1 + date) / dates for date in range(dates)), today, weights)
