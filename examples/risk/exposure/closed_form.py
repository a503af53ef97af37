"""Expected exposure of one swap without collateral, on a date on which its floating rate is fixed: the price of a swaption.

Jamshidian (1989), "An exact bond option formula": the swap is worth nothing at one z*, so the option on it is as many options on
bonds, each with its value at z* as strike. In the measure of the model each of these is a normal probability.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr

from examples.risk.exposure.hull_white import HullWhite
from examples.risk.exposure.trades import MONTHS

_REACH = 40.0  # standard deviations within which the swap changes its sign


def expected_exposure(model: HullWhite, sign: float, rate: float, maturity: int, period: int, month: int) -> float:
    """E[max(V, 0) / N], per unit of notional, at the money's worth of today.

    Args:
        model: of rates.
        sign: 1 if fixed is paid.
        rate: fixed, per year.
        maturity: months from today.
        period: months between payments.
        month: of a reset, after today and before the maturity.
    """
    time = month / MONTHS
    months = np.arange(month, maturity + 1, period)
    weights = np.full(len(months), -rate * period / MONTHS)
    weights[0] = 1.0
    weights[-1] -= 1.0
    deviation = math.sqrt(model.variance(time))

    def payer(z: float) -> float:
        return float(weights @ model.deflated_bond(time, months / MONTHS, z))

    border = brentq(payer, -_REACH * deviation, _REACH * deviation, xtol=1e-14)
    # E[exp(-H z - H^2 zeta / 2); z > z*] = Phi(-(z* + H zeta) / sqrt(zeta)); a payer gains where rates, so z, are high
    loadings = model.loading(months / MONTHS)
    chances = ndtr(-sign * (border + loadings * deviation**2) / deviation)
    return float(sign * (weights * model.curve.discount(months / MONTHS)) @ chances)
