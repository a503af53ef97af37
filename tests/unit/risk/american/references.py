"""Reference prices of American and Bermudan options. Written by ``python -m benchmarks.references``.

QuantLib 1.44: finite differences, 2000 x 2000 points (Heston: 400 x 400 x 100 moments, prices, variances). None may be exercised
today, but at the dates only: who may, gets at least the intrinsic value.
"""

from __future__ import annotations

from typing import NamedTuple


class Put(NamedTuple):
    """A row of table 1 of Longstaff and Schwartz (2001): strike 40, rate 6 %, 50 exercise dates a year; vega per 1.00."""

    spot: float
    volatility: float
    years: int
    price: float
    delta: float
    vega: float


class HestonPut(NamedTuple):
    """Of Ikonen and Toivanen (2008): strike 10, a quarter of a year, rate 10 %, kappa 5, theta 0.16, xi 0.9, rho 0.1, v 0.0625."""

    spot: float
    bermudan: float  # 50 dates
    american: float


class MaxCall(NamedTuple):
    """Of Broadie and Glasserman: strike 100, 3 years, 9 dates, rate 5 %, yields 10 %, volatilities 20 %, independent assets.

    The mean of quadratures on grids of several meshes; tolerance: half of what they differ by.
    """

    assets: int
    spot: float
    price: float
    tolerance: float


PUTS = (
    Put(36.0, 0.2, 1, 4.47781, -0.69586, 10.95508),
    Put(36.0, 0.2, 2, 4.84022, -0.61579, 16.13039),
    Put(36.0, 0.4, 1, 7.10126, -0.50839, 13.90738),
    Put(36.0, 0.4, 2, 8.50677, -0.44308, 19.03445),
    Put(38.0, 0.2, 1, 3.25012, -0.53643, 13.94269),
    Put(38.0, 0.2, 2, 3.74476, -0.48455, 18.86338),
    Put(38.0, 0.4, 1, 6.14758, -0.44631, 14.65671),
    Put(38.0, 0.4, 2, 7.66802, -0.39658, 19.79268),
    Put(40.0, 0.2, 1, 2.31407, -0.40402, 14.74709),
    Put(40.0, 0.2, 2, 2.88455, -0.37957, 19.65623),
    Put(40.0, 0.4, 1, 5.31196, -0.3903, 15.05552),
    Put(40.0, 0.4, 2, 6.91706, -0.35518, 20.26857),
    Put(42.0, 0.2, 1, 1.61697, -0.29717, 14.07547),
    Put(42.0, 0.2, 2, 2.21236, -0.29581, 19.17859),
    Put(42.0, 0.4, 1, 4.58246, -0.34015, 15.15333),
    Put(42.0, 0.4, 2, 6.2443, -0.31829, 20.50725),
    Put(44.0, 0.2, 1, 1.10987, -0.21358, 12.52428),
    Put(44.0, 0.2, 2, 1.68982, -0.22931, 17.91506),
    Put(44.0, 0.4, 1, 3.94768, -0.29553, 15.00162),
    Put(44.0, 0.4, 2, 5.64123, -0.28541, 20.54703),
)
HESTON_PUTS = (
    HestonPut(8.0, 1.99586, 2.0),
    HestonPut(9.0, 1.10663, 1.10749),
    HestonPut(10.0, 0.5194, 0.51993),
    HestonPut(11.0, 0.21338, 0.21363),
    HestonPut(12.0, 0.08192, 0.08203),
)
MAX_CALLS = (
    MaxCall(2, 90.0, 8.07281, 0.0001),
    MaxCall(2, 100.0, 13.90178, 0.0001),
    MaxCall(2, 110.0, 21.3438, 0.0001),
    MaxCall(3, 90.0, 11.2801, 0.0001),
    MaxCall(3, 100.0, 18.69024, 0.00011),
    MaxCall(3, 110.0, 27.56703, 0.00011),
    MaxCall(5, 90.0, 16.6374, 0.01013),
    MaxCall(5, 100.0, 26.15305, 0.00495),
    MaxCall(5, 110.0, 36.77894, 0.00187),
)
