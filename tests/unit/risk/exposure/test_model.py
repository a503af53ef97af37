from __future__ import annotations

import math

import numpy as np
import pytest

from examples.risk.exposure.closed_form import expected_exposure
from examples.risk.exposure.credit import default_weights, hazard
from examples.risk.exposure.values import NettingSets
from tests.unit.risk.exposure.small import CURVE, MODEL, SWAPS, swap_value

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(80)
CHANCES = WEIGHTS / math.sqrt(2 * math.pi)


def test_discount_factors_are_those_of_the_given_rates() -> None:
    """At the times of the file exp(-r t); between them a constant forward rate; beyond the last its rate."""
    np.testing.assert_allclose(CURVE.discount([0, 1, 5, 10, 20]), np.exp([0, -0.02, -0.125, -0.3, -0.6]), rtol=1e-15)
    forwards = np.diff(-np.log(CURVE.discount([1, 2, 3, 4, 5])))
    np.testing.assert_allclose(forwards, 0.105 / 4, rtol=1e-12)


def test_bonds_are_martingales() -> None:
    """The mean of P(t, T) / N(t) is today's P(0, T), by Gauss-Hermite quadrature."""
    for time in (0.5, 3.0, 9.0):
        z = math.sqrt(MODEL.variance(time)) * NODES
        for maturity in (time, time + 1, 30.0):
            assert CHANCES @ MODEL.deflated_bond(time, maturity, z) == pytest.approx(float(CURVE.discount(maturity)), rel=1e-13)


def test_a_fixed_coupon_is_its_bond_by_the_bond_of_then() -> None:
    """P(t, T) / N(t) / P(r, T) of the process at both times."""
    constant, now, then = MODEL.fixed_coupon(2.25, 2.0, 2.5)
    price = MODEL.deflated_bond(2.0, 2.5, 0.011) / MODEL.deflated_bond(2.0, 2.0, 0.011)
    expected = float(MODEL.deflated_bond(2.25, 2.5, -0.02) / price)
    assert math.exp(constant + now * -0.02 + then * 0.011) == pytest.approx(expected, rel=1e-14)


def test_netting_sets_are_worth_their_swaps() -> None:
    """On dates with and without resets, whole months or not, each set's value is the sum of its swaps', payment by payment."""
    sets = NettingSets(SWAPS, 2, MODEL)
    draw = np.random.default_rng(5)
    for month in (3.0, 6.0, 11.7, 12.0, 29.4, 40.0, 47.0, 59.5):
        here = sets.slice(month)
        z = math.sqrt(MODEL.variance(month / 12)) * draw.standard_normal(8)
        history = {fixed: math.sqrt(MODEL.variance(fixed / 12)) * draw.standard_normal(8) for fixed in (0, *sets.resets())}
        history[0][:] = 0.0
        basis = np.empty((here.weights.shape[1], 8))
        here.fill(z, history, basis)
        for path in range(8):
            then = {fixed: float(values[path]) for fixed, values in history.items()}
            swaps = [swap_value(at, month, float(z[path]), then) for at in range(5)]
            expected = [swaps[0] + swaps[1] + swaps[4], swaps[2] + swaps[3]]
            np.testing.assert_allclose(here.weights @ basis[:, path], expected, rtol=0, atol=1e-3)  # of millions


def test_values_today_are_those_of_the_payments() -> None:
    """On the curve alone."""
    swaps = [swap_value(at, 0.0, 0.0, {0: 0.0}) for at in range(5)]
    values = NettingSets(SWAPS, 2, MODEL).values_today()
    np.testing.assert_allclose(values, [swaps[0] + swaps[1] + swaps[4], swaps[2] + swaps[3]], rtol=0, atol=1e-6)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_jamshidians_formula_is_the_integral(sign: float) -> None:
    """The expected exposure of a swap is what a fine numerical integral of its positive value gives."""
    time, deviation = 2.0, math.sqrt(MODEL.variance(2.0))
    z = np.linspace(-9, 9, 200_001) * deviation
    months = np.arange(24, 61, 6)
    value = MODEL.deflated_bond(time, 2.0, z) - MODEL.deflated_bond(time, 5.0, z)
    value = sign * (value - 0.0125 * MODEL.deflated_bond(time, months[1:, None] / 12, z).sum(axis=0))
    density = np.exp(-0.5 * (z / deviation) ** 2) / deviation / math.sqrt(2 * math.pi)
    integral = float(np.trapezoid(np.maximum(value, 0) * density, z))
    assert expected_exposure(MODEL, sign, 0.025, 60, 6, 24) == pytest.approx(integral, rel=1e-7)


def test_a_constant_exposure_costs_its_probability_of_loss() -> None:
    """CVA of an exposure of 1 is loss given default times the probability of default until the last date."""
    spread, recovery, times = np.array([0.02]), np.array([0.4]), np.array([0.0, 0.5, 2.0, 5.0])
    intensity = float(hazard(spread, recovery)[0])
    assert intensity == pytest.approx(0.02 / 0.6)
    assert default_weights(spread, recovery, times).sum() == pytest.approx(0.6 * (1 - math.exp(-5 * intensity)), rel=1e-14)
