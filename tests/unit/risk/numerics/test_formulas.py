from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import ndtr

from examples.risk.numerics import black_scholes
from examples.risk.numerics.normal_cdf import MAXIMUM_ERROR, NormalCdf


def test_the_table_is_within_its_error_everywhere() -> None:
    """Phi is right to 2e-10 on a fine grid and beyond its ends."""
    x = np.concatenate([np.linspace(-9, 9, 300_001), [-1e300, -40.0, 40.0, 1e300]])
    assert np.abs(NormalCdf(x.shape)(x, np.empty_like(x)) - ndtr(x)).max() < MAXIMUM_ERROR


def test_the_table_gives_the_same_bits_in_any_company() -> None:
    """A value does not depend on how many others are looked up with it."""
    x = np.random.default_rng(1).standard_normal((40, 33)) * 3
    cdf = NormalCdf(x.shape)
    whole = cdf(x, np.empty_like(x)).copy()
    alone = np.concatenate([cdf(x[at : at + 1], np.empty((1, 33))) for at in range(40)])
    assert np.array_equal(whole, alone)


def test_hulls_example() -> None:
    """Hull, Options, Futures and Other Derivatives, example 15.6: a call of 4.76 and a put of 0.81."""
    call, put = black_scholes.value(42, 40, 0.1, 0, 0.2, 0.5, [1, -1])
    assert (round(float(call), 2), round(float(put), 2)) == (4.76, 0.81)


def test_call_less_put_is_the_forward() -> None:
    """Parity holds with dividends, at and away from the money."""
    spots = np.array([60.0, 100.0, 150.0])
    call, put = (black_scholes.value(spots, 100, 0.03, 0.05, 0.4, 2.0, sign) for sign in (1, -1))
    np.testing.assert_allclose(call - put, spots * math.exp(-0.1) - 100 * math.exp(-0.06), rtol=0, atol=1e-12)


@pytest.mark.parametrize("sign", [1, -1])
def test_greeks_are_the_derivatives(sign: int) -> None:
    """Delta and vega agree with central differences to eight digits."""
    h = 1e-4

    def value(spot: float, volatility: float) -> float:
        return float(black_scholes.value(spot, 90, 0.02, 0.01, volatility, 1.5, sign))

    delta = (value(100 + h, 0.3) - value(100 - h, 0.3)) / (2 * h)
    vega = (value(100, 0.3 + h) - value(100, 0.3 - h)) / (2 * h)
    assert float(black_scholes.delta(100, 90, 0.02, 0.01, 0.3, 1.5, sign)) == pytest.approx(delta, rel=1e-8)
    assert float(black_scholes.vega(100, 90, 0.02, 0.01, 0.3, 1.5)) == pytest.approx(vega, rel=1e-6)


@pytest.mark.parametrize(("volatility", "time"), [(0.0, 1.0), (0.2, 0.0)])
def test_without_volatility_or_time_an_option_is_its_payoff(volatility: float, time: float) -> None:
    """In the money, at the money and out of it, with the forward in place of the spot."""
    values = black_scholes.value([90.0, 100.0, 110.0], 100 * math.exp(0.05 * time), 0.05, 0, volatility, time, 1)
    np.testing.assert_allclose(values, [0.0, 0.0, 10.0], atol=1e-12)


def test_exchange_is_a_call_if_the_other_asset_is_cash() -> None:
    """Margrabe's formula with an asset without volatility that pays the rate as dividend is Black and Scholes's."""
    strike = 95.0
    exchanged = black_scholes.exchange(100, strike, 0.01, 0.04, 0.25, 2.0)
    assert float(exchanged) == pytest.approx(float(black_scholes.value(100, strike, 0.04, 0.01, 0.25, 2.0, 1)), rel=1e-14)
