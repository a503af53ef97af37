"""How the assets move, under the pricing measure. Rates, dividend yields and volatilities are per year, continuously compounded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Reals = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Gbm:
    """Correlated geometric Brownian motions.

    Attributes:
        rate: riskless.
        spots: in money, (assets,).
        dividends: yields, (assets,).
        volatilities: (assets,).
        correlation: of the Brownian motions, (assets, assets).
    """

    rate: float
    spots: Reals
    dividends: Reals
    volatilities: Reals
    correlation: Reals


@dataclass(frozen=True, slots=True)
class Heston:
    """One asset whose variance v moves as well (Heston 1993): dv = kappa (theta - v) dt + xi sqrt(v) dZ.

    Attributes:
        rate: riskless.
        spot: in money.
        dividend: yield.
        variance: today's.
        kappa: speed at which the variance returns to theta, per year.
        theta: its long-term mean.
        xi: its volatility.
        rho: correlation of W and Z.
    """

    rate: float
    spot: float
    dividend: float
    variance: float
    kappa: float
    theta: float
    xi: float
    rho: float


Model = Gbm | Heston
