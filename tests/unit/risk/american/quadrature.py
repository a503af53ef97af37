"""Bermudan max-calls on independent assets that are alike, by quadrature: prices that owe nothing to simulation.

From date to date the value is the integral of the next one with the normal density of each logarithm, by the trapezoidal rule on
one grid for all dates and assets. The kink where exercise begins leaves an error of the order of a cell squared. Extrapolated from
grids of up to 800 and 240 nodes a side, the max-calls of Andersen and Broadie (2004) are worth:

    spot          90      100      110
    2 assets   8.073   13.902   21.344     published: 8.075, 13.902, 21.345
    3 assets  11.281   18.690   27.568     published, from lattices: 11.29, 18.69, 27.58
"""

from __future__ import annotations

import math

import numpy as np

from examples.risk.american.contract import Contract
from examples.risk.american.model import Gbm

_REACH = 5.5  # deviations of the logarithm at expiry


def max_call_price(contract: Contract, model: Gbm, nodes: int) -> float:
    """In money; equally spaced dates, none today. ``nodes`` of the grid for each asset."""
    dates, assets = len(contract.dates), len(model.spots)
    step, volatility, drift = contract.dates[0], float(model.volatilities[0]), model.rate - float(model.dividends[0])
    reach = _REACH * volatility * math.sqrt(contract.dates[-1])
    today = math.log(float(model.spots[0]) / contract.strike)
    logs = np.linspace(-reach, reach, nodes + 1 - nodes % 2) + today  # today's spot is in the middle
    away = (logs - logs[:, None] - (drift - volatility**2 / 2) * step) / (volatility * math.sqrt(step))
    density = np.exp(-(away**2) / 2) / math.sqrt(2 * math.pi * step) / volatility * (logs[1] - logs[0])
    gain = np.exp(logs) - 1
    for _ in range(1, assets):
        gain = np.maximum(gain[..., None], np.exp(logs) - 1)
    gain = np.maximum(gain, 0)
    value = gain
    for date in range(dates, 0, -1):
        for _ in range(assets):  # each integrates over the first asset, and puts it last
            value = np.moveaxis(np.tensordot(density, value, axes=(1, 0)), 0, -1)
        value = value * math.exp(-model.rate * step)
        if date > 1:
            value = np.maximum(value, gain)
    return float(value[(len(logs) // 2,) * assets]) * contract.strike
