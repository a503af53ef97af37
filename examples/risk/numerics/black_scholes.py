"""European options under geometric Brownian motion, elementwise on anything that broadcasts.

Spots, strikes and prices are in one currency; rates, dividend yields and volatilities are per year, continuously compounded;
times are in years. Sources: Black and Scholes (1973), Merton (1973); Margrabe (1978) for the exchange of assets.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.typing import ArrayLike
from scipy.special import ndtr

Reals = npt.NDArray[np.float64]
_LEAST = 1e-300  # stands for no volatility or no time: d1 is then plus or minus infinity, but at the money


def value(
    spot: ArrayLike,
    strike: ArrayLike,
    rate: ArrayLike,
    dividend: ArrayLike,
    volatility: ArrayLike,
    time: ArrayLike,
    sign: ArrayLike,
) -> Reals:
    """Price of a call (sign 1) or a put (sign -1)."""
    d1, d2, carried, discounted, way = _terms(spot, strike, rate, dividend, volatility, time, sign)
    return np.asarray(way * (carried * ndtr(way * d1) - discounted * ndtr(way * d2)))


def delta(
    spot: ArrayLike,
    strike: ArrayLike,
    rate: ArrayLike,
    dividend: ArrayLike,
    volatility: ArrayLike,
    time: ArrayLike,
    sign: ArrayLike,
) -> Reals:
    """Derivative by the spot."""
    d1, _, carried, _, way = _terms(spot, strike, rate, dividend, volatility, time, sign)
    return np.asarray(way * carried / np.asarray(spot) * ndtr(way * d1))


def vega(spot: ArrayLike, strike: ArrayLike, rate: ArrayLike, dividend: ArrayLike, volatility: ArrayLike, time: ArrayLike) -> Reals:
    """Derivative by the volatility, for a change of 1 (not of one per cent)."""
    d1, _, carried, _, _ = _terms(spot, strike, rate, dividend, volatility, time, 1)
    return np.asarray(carried * np.exp(-0.5 * d1 * d1) / np.sqrt(2 * np.pi) * np.sqrt(np.asarray(time)))


def exchange(
    gained: ArrayLike,
    given: ArrayLike,
    gained_dividend: ArrayLike,
    given_dividend: ArrayLike,
    volatility: ArrayLike,
    time: ArrayLike,
) -> Reals:
    """Price of the right to exchange one asset for another at the end (Margrabe).

    Args:
        gained: spot of the one.
        given: spot of the other.
        gained_dividend: yield of the one.
        given_dividend: yield of the other.
        volatility: of the logarithm of their ratio: sqrt(s1^2 + s2^2 - 2 rho s1 s2).
        time: to the exchange.
    """
    return value(gained, given, given_dividend, gained_dividend, volatility, time, 1)


def _terms(
    spot: ArrayLike,
    strike: ArrayLike,
    rate: ArrayLike,
    dividend: ArrayLike,
    volatility: ArrayLike,
    time: ArrayLike,
    sign: ArrayLike,
) -> tuple[Any, ...]:
    s, k, r, q, vol, t, way = (np.asarray(each, np.float64) for each in (spot, strike, rate, dividend, volatility, time, sign))
    deviation = np.maximum(vol * np.sqrt(t), _LEAST)
    carried, discounted = s * np.exp(-q * t), k * np.exp(-r * t)
    with np.errstate(over="ignore"):
        d1 = np.log(carried / discounted) / deviation + 0.5 * deviation
    return d1, d1 - deviation, carried, discounted, way
