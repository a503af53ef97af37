"""How much likelier a path becomes if today's spots move: scores, the derivatives of its first step's log-likelihood.

Later steps do not know where a path began. With z the standardized normals of the first step, of length h, and C their correlation,
its log-density is -z' C^-1 z / 2 and a constant, and ln S_i today moves z_i by -1 / (sigma_i sqrt h):

    by ln S_i   u_i / (sigma_i sqrt h), u = C^-1 z
    twice       (that)^2 - (C^-1)_ii / (sigma_i^2 h)

Both have mean zero.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from examples.risk.american.contract import Contract
from examples.risk.american.model import Gbm

Reals = npt.NDArray[np.float64]
_SINGULAR: Final = 1e8


class FirstStep:
    """The scores of paths under geometric Brownian motion.

    Args:
        contract: which has the first date.
        model: of the assets.
    """

    def __init__(self, contract: Contract, model: Gbm) -> None:
        step = contract.dates[0]
        self._means = np.log(model.spots / contract.strike) + (model.rate - model.dividends - 0.5 * model.volatilities**2) * step
        self._deviations = (model.volatilities * math.sqrt(step))[:, None]
        self._precision = np.linalg.inv(model.correlation)

    @staticmethod
    def suits(model: Gbm) -> bool:
        """Whether steps of assets that vary have a density: not if one of them is decided by the others."""
        return bool(np.linalg.cond(model.correlation) < _SINGULAR)

    def scores(self, spots: Reals) -> tuple[Reals, Reals]:
        """By the logarithms of today's spots, once and twice, (assets, paths) each, of the spots on the first date."""
        normals = (np.log(spots) - self._means[:, None]) / self._deviations
        once = np.einsum("ij,jk->ik", self._precision, normals) / self._deviations
        return once, once * once - self._precision.diagonal()[:, None] / self._deviations**2
