"""Where the reference prices of American options come from: finite differences of QuantLib, and quadrature.

``python -m benchmarks.references > tests/unit/risk/american/references.py`` computes and writes them; 3 minutes of CPU time, 2 GB.

QuantLib's exercise dates are days, and its time is days / 365. So that m dates split T years evenly, each interval is 7 days of
QuantLib, and rates, variances and speeds are per year of T * 365 / (7 m) days: the same numbers, in other units of time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr
from scipy.stats import norm

from benchmarks.peers import quantlib
from benchmarks.peers.quantlib import INTERVAL

Reals = npt.NDArray[np.float64]
GRID = 2000  # prices, and moments, of a finite difference grid of one asset
HESTON_GRID = (400, 400, 100)  # moments, prices, variances
BUMP = 0.001  # of a volatility
MESHES = {2: (0.0125, 0.006), 3: (0.03, 0.02), 5: (0.1, 0.095, 0.09, 0.085)}  # of logarithms, by assets
WIDTH = 4.0  # deviations at expiry, either way; 5 change the sixth digit
NODES = 200
IKONEN_TOIVANEN = {"rate": 0.1, "variance": 0.0625, "kappa": 5.0, "theta": 0.16, "xi": 0.9, "rho": 0.1}
HEAD = '''"""Reference prices of American and Bermudan options. Written by ``python -m benchmarks.references``.

QuantLib {version}: finite differences, {grid} x {grid} points (Heston: {heston} moments, prices, variances). None may be exercised
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

'''


def longstaff_schwartz() -> Iterator[tuple[float, float, int, float, float, float]]:
    """Spot, volatility, years, price, delta, vega; vega by a central difference."""
    for spot in (36.0, 38.0, 40.0, 42.0, 44.0):
        for volatility in (0.2, 0.4):
            for years in (1, 2):
                dates = 50 * years
                unit = years * 365 / (INTERVAL * dates)

                def priced(volatility: float, spot: float = spot, dates: int = dates, unit: float = unit) -> Any:
                    put = quantlib.put(40.0, dates, american=False)
                    put.setPricingEngine(quantlib.finite_differences(spot, 0.06 * unit, volatility * unit**0.5, GRID))
                    return put

                middle = priced(volatility)
                up, down = (priced(volatility + way * BUMP).NPV() for way in (1, -1))
                yield spot, volatility, years, middle.NPV(), middle.delta(), (up - down) / (2 * BUMP)


def heston_puts() -> Iterator[tuple[float, float, float]]:
    """Spot; price with 50 dates; price with any date."""
    dates = 50
    unit = 0.25 * 365 / (INTERVAL * dates)
    for spot in (8.0, 9.0, 10.0, 11.0, 12.0):
        prices = []
        for american in (False, True):
            put = quantlib.put(10.0, dates, american=american)
            put.setPricingEngine(quantlib.heston_finite_differences(spot, unit, HESTON_GRID, **IKONEN_TOIVANEN))
            prices.append(put.NPV())
        yield spot, prices[0], prices[1]


def max_calls() -> Iterator[tuple[int, float, float, float]]:
    """Assets, spot, price, what that may be wrong by: half of what grids differ by."""
    for assets, meshes in MESHES.items():
        for spot in (90.0, 100.0, 110.0):
            prices = [max_call(assets, spot, mesh) for mesh in meshes]
            yield assets, spot, float(np.mean(prices)), max(1e-4, float(np.ptp(prices) / 2))


def max_call(assets: int, spot: float, mesh: float) -> float:
    """A call on the greatest of independent assets by quadrature on a grid of logarithms, axis after axis; error about mesh**2.

    The normal density's trapezoidal rule is exact to 1e-8 even for a mesh of one deviation; what is left comes from the kink of
    the value where one begins to exercise. The last interval has none: there E[max - K]+ is the integral over y > K of
    1 - prod P(S_i < y).

    Args:
        assets: how many.
        spot: of each, where the strike is 100.
        mesh: of logarithms; the deviation of one interval is 0.115.
    """
    rate, dividend, volatility, dates, interval = 0.05, 0.1, 0.2, 9, 1 / 3
    deviation, drift = volatility * interval**0.5, (rate - dividend - 0.5 * volatility**2) * interval
    half = int(np.ceil(WIDTH * deviation * dates**0.5 / mesh))
    points = np.arange(-half, half + 1) * mesh  # the grid's middle moves with the drift, so the rule is the same on each date
    shape = (len(points),) * assets
    rule = mesh * norm.pdf(points[:, None] - points, scale=deviation) * np.exp(-rate * interval / assets)

    logs = np.log(spot / 100) + (dates - 1) * drift + points
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    top = logs[-1] + 6 * deviation
    nodes, weights = 0.5 * top * (nodes + 1), 0.5 * top * weights
    below = ndtr((nodes - logs[:, None] - drift) / deviation)  # of one asset
    some, others = (_all_below(below, count) for count in (assets - assets // 2, assets // 2))
    measure = weights * 100 * np.exp(nodes)
    values: Reals = np.exp(-rate * interval) * (measure.sum() - (some * measure) @ others.T).reshape(shape)

    for date in range(dates - 2, -1, -1):
        prices = spot * np.exp((date + 1) * drift + points)
        greatest: Reals = prices
        for _ in range(assets - 1):
            greatest = np.maximum.outer(greatest, prices)
        np.maximum(values, greatest - 100, out=values)
        for _ in range(assets):  # the first axis becomes the last
            values = values.reshape(len(points), -1).T @ rule
        values = values.reshape(shape)
    return float(values[(half,) * assets])


def _all_below(below: Reals, count: int) -> Reals:
    """Products for all combinations of points of so many assets, (combinations, nodes)."""
    product = below
    for _ in range(count - 1):
        product = (product[:, None] * below).reshape(-1, below.shape[1])
    return product


def main() -> None:
    tables: tuple[tuple[str, str, Callable[[], Iterator[tuple[float, ...]]]], ...] = (
        ("PUTS", "Put", longstaff_schwartz),
        ("HESTON_PUTS", "HestonPut", heston_puts),
        ("MAX_CALLS", "MaxCall", max_calls),
    )
    version = quantlib.library().__version__
    heston = " x ".join(map(str, HESTON_GRID))
    print(HEAD.format(version=version, grid=GRID, heston=heston))
    for table, row, computed in tables:
        print(f"{table} = (")
        for numbers in computed():
            print(f"    {row}({', '.join(repr(round(number, 5)) for number in numbers)}),")
        print(")")


if __name__ == "__main__":
    main()
