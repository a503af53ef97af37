"""Hull and White's one-factor model in the form of a linear Gauss-Markov model.

All of it is in one normal process z with variance zeta(t), and values divided by the numeraire N are martingales (Hagan 2005,
"Evaluating and hedging exotic swap instruments via LGM"):

    H(t) = (1 - exp(-a t)) / a - H*     zeta(t) = sigma^2 (exp(2 a t) - 1) / (2 a)
    N(t) = exp(H(t) z + H(t)^2 zeta(t) / 2) / P(0, t)
    P(t, T) / N(t) = P(0, T) exp(-H(T) z - H(T)^2 zeta(t) / 2)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.typing import ArrayLike

from examples.risk.exposure.curve import Curve

Reals = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class HullWhite:
    """The model.

    Attributes:
        curve: today's.
        reversion: a, per year, above 0.
        volatility: sigma of the short rate, absolute, per square root of a year (0.01 is 100 basis points).
        horizon: years to T*: H* = (1 - exp(-a T*)) / a makes the bond P(t, T*) the numeraire. With the last payment's T*
            values stay near what they are worth; with 0 few draws make the mean of a late one (of a swap of 60 years none
            of 66,000 did).
    """

    curve: Curve
    reversion: float
    volatility: float
    horizon: float = 0.0

    def loading(self, time: ArrayLike) -> Any:
        """H, in years."""
        grown = np.exp(-self.reversion * self.horizon) - np.exp(-self.reversion * np.asarray(time, np.float64))
        return grown / self.reversion

    def variance(self, time: ArrayLike) -> Any:
        """Zeta: the variance of z."""
        return self.volatility**2 * np.expm1(2 * self.reversion * np.asarray(time, np.float64)) / (2 * self.reversion)

    def deflated_bond(self, time: float, maturity: ArrayLike, z: ArrayLike) -> Reals:
        """P(time, maturity) / N(time) where the process is at z; broadcasts."""
        loading = self.loading(maturity)
        return np.asarray(self.curve.discount(maturity) * np.exp(-loading * (z + 0.5 * loading * self.variance(time))))

    def fixed_coupon(self, time: float, fixed: float, paid: float) -> tuple[float, float, float]:
        """A notional and its floating coupon, fixed before and paid after a time, divided by the numeraire of the time.

        That is P(time, paid) / N(time) / P(fixed, paid), of the process at both times.

        Returns:
            (c, now, then), so that it is exp(c + now * z(time) + then * z(fixed)).
        """
        start, end = float(self.loading(fixed)), float(self.loading(paid))
        squares = (end**2 - start**2) * self.variance(fixed) - end**2 * self.variance(time)
        return float(np.log(self.curve.discount(fixed)) + 0.5 * squares), -end, end - start

    def deflator(self, time: float, z: ArrayLike) -> Reals:
        """1 / N(time)."""
        return self.deflated_bond(time, time, z)
