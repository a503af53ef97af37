"""How likely a path becomes if today's spots or volatilities move: scores, the derivatives of its log-likelihood.

With z the standardized normals of a step of length h, correlation C, and u = C^-1 z, the log-density of a step is
-z' C^-1 z / 2 - sum ln sigma_i, and ln S_i moves z_i by -1 / (sigma_i sqrt h) on the first step only:

    by ln S_i today     u_i / (sigma_i sqrt h)                               of the first step
    twice               (that)^2 - (C^-1)_ii / (sigma_i^2 h)
    by sigma_i          (u_i z_i - 1) / sigma_i - u_i sqrt h                 summed over all steps

All have mean zero at any time at which a path may stop.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from examples.risk.american.contract import Contract
from examples.risk.american.model import Gbm
from examples.risk.american.paths import Floats

Reals = npt.NDArray[np.float64]


class Likelihood:
    """The scores of one block of paths under geometric Brownian motion, from the states on the exercise dates.

    Args:
        contract: which has the dates.
        model: of the assets.
        paths: of a block.

    Attributes:
        by_log_spot: (assets, paths), from the first date on.
        curvature: second derivative of the likelihood by ln S_i, over the likelihood.
        by_volatility: (assets, paths), so far.
    """

    def __init__(self, contract: Contract, model: Gbm, paths: int) -> None:
        self._steps = np.diff(contract.dates, prepend=0.0)
        self._volatilities = model.volatilities
        self._drifts = model.rate - model.dividends - 0.5 * model.volatilities**2
        self._precision = np.linalg.inv(model.correlation)
        self._today = np.log(model.spots / contract.strike)
        shape = len(model.spots), paths
        self._last, self._logs, self._normals = (np.empty(shape) for _ in range(3))
        self.by_log_spot, self.curvature, self.by_volatility = (np.empty(shape) for _ in range(3))

    @staticmethod
    def suits(model: object) -> bool:
        """Whether steps have a density: some correlation matrices have no inverse."""
        return isinstance(model, Gbm) and np.linalg.cond(model.correlation) < 1e8

    def begin(self) -> None:
        """Begin a block of paths."""
        self._last[:] = self._today[:, None]
        self.by_volatility[:] = 0

    def step(self, states: Floats, date: int) -> None:
        """Take in the states on the next date."""
        assets, step = len(self._last), self._steps[date]
        np.log(states[:assets], out=self._logs)
        normals = self._normals
        np.subtract(self._logs, self._last, out=normals)
        np.subtract(normals, (self._drifts * step)[:, None], out=normals)
        np.divide(normals, (self._volatilities * math.sqrt(step))[:, None], out=normals)
        pulls = normals if assets == 1 else np.einsum("ij,jk->ik", self._precision, normals)
        if date == 0:
            deviations = (self._volatilities * math.sqrt(step))[:, None]
            np.divide(pulls, deviations, out=self.by_log_spot)
            np.square(self.by_log_spot, out=self.curvature)
            np.subtract(self.curvature, self._precision.diagonal()[:, None] / deviations**2, out=self.curvature)
        np.subtract(normals, math.sqrt(step) * self._volatilities[:, None], out=normals)  # (z - sigma sqrt h) u / sigma
        np.multiply(normals, pulls if assets > 1 else normals + math.sqrt(step) * self._volatilities[:, None], out=normals)
        np.subtract(normals, 1, out=normals)
        np.divide(normals, self._volatilities[:, None], out=normals)
        np.add(self.by_volatility, normals, out=self.by_volatility)
        self._last, self._logs = self._logs, self._last
