"""Europeans under Heston's model, against QuantLib 1.44's AnalyticHestonEngine (adaptive Gauss-Lobatto integration to 1e-11)."""

import math

import pytest

from examples.risk.numerics import black_scholes, heston

CASES = [  # spot, strike, rate, dividend, variance, kappa, theta, xi, rho, time; call
    ((100, 100, 0.03, 0.0, 0.04, 1.5, 0.04, 0.5, -0.7, 0.2), 3.738136823145564),
    ((100, 100, 0.03, 0.0, 0.04, 1.5, 0.04, 0.5, -0.7, 5.0), 23.750819080357825),
    ((10, 10, 0.1, 0.0, 0.0625, 5.0, 0.16, 0.9, 0.1, 0.2), 0.6421813787136992),
    ((100, 120, 0.02, 0.05, 0.09, 0.5, 0.04, 1.0, -0.9, 0.2), 0.004844450629782368),
    ((100, 120, 0.02, 0.05, 0.09, 0.5, 0.04, 1.0, -0.9, 5.0), 0.09937520312884025),
]


def price(inputs, sign):
    spot, strike, rate, dividend, variance, kappa, theta, xi, rho, time = inputs
    return heston.value(spot, strike, rate, dividend, variance, kappa, theta, xi, rho, time, sign)


@pytest.mark.parametrize(("inputs", "call"), CASES)
def test_prices_are_those_of_quantlib(inputs, call):
    """Calls agree to 1e-10, of short and long options, with much and little of the variance at zero."""
    assert price(inputs, 1) == pytest.approx(call, abs=1e-10)


@pytest.mark.parametrize(("inputs", "call"), CASES)
def test_a_put_is_a_call_less_a_forward(inputs, call):
    """Puts follow from calls by parity."""
    spot, strike, rate, dividend, *_, time = inputs
    forward = spot * math.exp(-dividend * time) - strike * math.exp(-rate * time)
    assert price(inputs, -1) == pytest.approx(call - forward, abs=1e-10)


def test_a_variance_that_stays_is_black_and_scholes():
    """With hardly any volatility of variance, the price is that of geometric Brownian motion."""
    value = heston.value(100, 110, 0.03, 0.01, 0.04, 2.0, 0.04, 1e-3, 0.0, 1.5, 1)
    assert value == pytest.approx(float(black_scholes.value(100, 110, 0.03, 0.01, 0.2, 1.5, 1)), abs=1e-5)
