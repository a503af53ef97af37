"""A small set of swaps, and one swap's value written out as a textbook does."""

from __future__ import annotations

import math

import numpy as np

from examples.risk.exposure.curve import Curve
from examples.risk.exposure.hull_white import HullWhite
from examples.risk.exposure.simulation import BLOCK, Plan
from examples.risk.exposure.trades import Counterparties, Swaps

CURVE = Curve(np.array([1.0, 5.0, 10.0]), np.array([0.02, 0.025, 0.03]))
MODEL = HullWhite(CURVE, 0.05, 0.012)
SWAPS = Swaps(
    counterparty=np.array([0, 0, 1, 1, 0], np.intp),
    sign=np.array([1.0, -1.0, 1.0, -1.0, 1.0]),
    notional=np.array([1e6, 2e6, 3e6, 1e6, 5e5]),
    rate=np.array([0.025, 0.03, 0.02, 0.028, 0.021]),
    maturity=np.array([60, 36, 48, 41, 7]),
    period=np.array([6, 12, 3, 6, 12]),
    fixing=np.array([math.nan, math.nan, math.nan, 0.019, 0.022]),
)


def counterparties(threshold: float = math.inf) -> Counterparties:
    return Counterparties(("A", "B"), np.array([0.01, 0.02]), np.array([0.4, 0.3]), np.array([threshold, threshold]))


def plan(blocks: int = 2, threshold: float = math.inf, margin: float = 10 / 365, step: int = 3) -> Plan:
    return Plan(SWAPS, counterparties(threshold), MODEL, 0.015, 0.4, step, margin, blocks * BLOCK, 3)


def swap_value(at: int, month: float, z: float, history: dict[int, float]) -> float:
    """One swap's value divided by the numeraire, payment by payment; ``history``: the process in earlier months."""
    total, sign, notional = 0.0, SWAPS.sign[at], SWAPS.notional[at]
    period, maturity = int(SWAPS.period[at]), int(SWAPS.maturity[at])
    for paid in range(maturity % period or period, maturity + 1, period):
        if paid <= month:
            continue
        bond = float(MODEL.deflated_bond(month / 12, paid / 12, z))
        fixed = paid - period
        if fixed < 0:
            floating = SWAPS.fixing[at] * period / 12 * bond
        elif fixed < month:  # 1 / P(fixed, paid) - 1
            then = history[fixed]
            price = float(MODEL.deflated_bond(fixed / 12, paid / 12, then) / MODEL.deflated_bond(fixed / 12, fixed / 12, then))
            floating = (1 / price - 1) * bond
        else:  # what a forward rate agreement is worth: P(t, fixed) - P(t, paid)
            floating = float(MODEL.deflated_bond(month / 12, fixed / 12, z)) - bond
        total += sign * notional * (floating - SWAPS.rate[at] * period / 12 * bond)
    return total
