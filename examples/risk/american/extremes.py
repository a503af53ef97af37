"""The European option on the largest or smallest of independent assets, by one integral.

    call on the largest:  exp(-r T) times the integral over x > 1 of 1 - prod P(S_i(T) <= x)
    put on the smallest:  exp(-r T) times the integral over x < 1 of 1 - prod P(S_i(T) > x)

At a fixed x the product is a probability, so a martingale, and so is a sum over fixed nodes: as a control it needs no fine
quadrature. Only at expiry, where probabilities jump, the payoff itself is taken; so the nodes are as close as the last interval
before expiry needs (the integrand is smooth over sigma sqrt(dt) there). The integral ends where today's distribution does, and
so does the payoff. For correlated assets there is no such product.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from examples.risk.american.contract import Contract
from examples.risk.american.model import Gbm
from examples.risk.numerics.normal_cdf import NormalCdf

Reals = npt.NDArray[np.float64]
_REACH: Final = 4.5  # deviations of today's distribution that the integral goes to
_CLOSE: Final = 2.0  # Gauss-Legendre nodes for each deviation over the last interval; the error is 1e-7 strikes then
_MOST: Final = 48  # nodes; an option with shorter intervals is not worth them
NAME: Final = {"max-call": "European on the largest", "min-put": "European on the smallest"}


@dataclass(frozen=True, slots=True)
class Valued:
    """Values (paths,), and derivatives of them, (assets, paths), or no rows: see `Sampled`."""

    values: Reals
    by_log_spot: Reals
    by_volatility: Reals
    curvature: Reals


class Extreme:
    """Values of the option where paths stop.

    Args:
        contract: a max-call or a min-put.
        model: independent assets.
        cdf: of standard normals, for as many paths as are valued at a time.
    """

    def __init__(self, contract: Contract, model: Gbm, cdf: NormalCdf) -> None:
        self._way = 1 if contract.payoff == "max-call" else -1
        self._rate, self._volatilities, self._cdf, self._expiry = model.rate, model.volatilities, cdf, contract.dates[-1]
        self._end, count = _end(contract, model)
        nodes, weights = np.polynomial.legendre.leggauss(count)
        self._nodes = 0.5 * self._end * (nodes + 1)  # logarithms, from 0 to the end
        weights = np.exp(self._nodes - self._rate * self._expiry) * weights * 0.5 * abs(self._end)
        self._nodes_and_weights = [(float(node), float(weight)) for node, weight in zip(self._nodes, weights, strict=True)]

    @staticmethod
    def suits(contract: Contract, model: Gbm) -> bool:
        """Whether there is this control, at a price that is worth it."""
        independent = np.array_equal(model.correlation, np.eye(len(model.spots)))
        if contract.payoff not in NAME or not independent:
            return False
        end, count = _end(contract, model)
        return count <= _MOST and abs(end) > 0

    def at(self, logs: Reals, times: Reals, *, derivatives: bool) -> Valued:
        """Value paths.

        Args:
            logs: of what the assets are worth if delivered at expiry, discounted (the legs of `controls`), (assets, paths).
            times: of the paths, in years.
            derivatives: whether they are wanted; by the volatility while the path stays.
        """
        paths, assets = logs.shape[1], len(logs)
        shape = assets if derivatives else 0, paths
        result = Valued(np.zeros(paths), *(np.zeros(shape) for _ in range(3)))
        over = times >= self._expiry
        self._pay(result, logs, np.flatnonzero(over))
        alive = np.flatnonzero(~over)
        if len(alive):
            part = self._integrate(logs[:, alive], self._expiry - times[alive], derivatives=derivatives)
            result.values[alive] = part.values
            for whole, piece in zip(_derivatives(result), _derivatives(part), strict=True):
                whole[:, alive] = piece
        return result

    def _pay(self, result: Valued, logs: Reals, paths: npt.NDArray[np.intp]) -> None:
        """At expiry: the payoff, not beyond the end of the integral."""
        ended = self._way * (logs[:, paths] + self._rate * self._expiry)
        extreme = np.max(ended, axis=0)
        reached = np.clip(extreme, 0, abs(self._end))
        discount = math.exp(-self._rate * self._expiry)
        result.values[paths] = discount * self._way * np.expm1(self._way * reached)
        if len(result.by_log_spot):
            inside = (extreme > 0) & (extreme < abs(self._end))
            moves = inside * self._way * np.exp(logs[:, paths])
            result.by_log_spot[:, paths] = moves * (np.argmax(ended, axis=0) == np.arange(len(logs))[:, None])

    def _integrate(self, logs: Reals, left: Reals, *, derivatives: bool) -> Valued:
        assets, paths = logs.shape
        shape = assets if derivatives else 0, paths
        result = Valued(np.zeros(paths), *(np.zeros(shape) for _ in range(3)))
        root = np.sqrt(left)
        deviations = [root * volatility for volatility in self._volatilities]
        means = [
            log + (self._rate * self._expiry - 0.5 * volatility**2 * left)
            for log, volatility in zip(logs, self._volatilities, strict=True)
        ]
        slopes = [self._way / deviation for deviation in deviations]
        starts = [mean * slope for mean, slope in zip(means, slopes, strict=True)]
        below = [np.empty(paths) for _ in logs]  # each asset's probability to end below the node, above it for the smallest
        scaled = [np.empty(paths) for _ in logs]
        product = np.empty(paths)
        for node, weight in self._nodes_and_weights:
            for at, slope, start, probability in zip(scaled, slopes, starts, below, strict=True):
                np.multiply(slope, node, out=at)
                np.subtract(at, start, out=at)
                self._cdf(at, probability)
            np.multiply(below[0], weight, out=product)
            for probability in below[1:]:
                np.multiply(product, probability, out=product)
            np.subtract(result.values, product, out=result.values)
            np.add(result.values, weight, out=result.values)
            if derivatives:
                self._differentiate(result, weight, scaled, below, deviations, root)
        return result

    def _differentiate(
        self, result: Valued, weight: float, scaled: list[Reals], below: list[Reals], deviations: list[Reals], root: Reals
    ) -> None:
        """Add a node's share: a probability Phi(z), z = way (node - mean) / deviation, falls by way phi(z) / deviation a mean."""
        for i, (at, deviation, volatility) in enumerate(zip(scaled, deviations, self._volatilities, strict=True)):
            density = np.exp(-0.5 * at * at) * (weight / math.sqrt(2 * math.pi)) / deviation
            for j, probability in enumerate(below):
                if j != i:
                    density = density * probability
            result.by_log_spot[i] += self._way * density
            result.by_volatility[i] += density * (at * root - self._way * volatility * root * root)
            result.curvature[i] += density * (at / deviation - self._way)


def _derivatives(valued: Valued) -> tuple[Reals, Reals, Reals]:
    return valued.by_log_spot, valued.by_volatility, valued.curvature


def _end(contract: Contract, model: Gbm) -> tuple[float, int]:
    """Logarithm of the spot at which the integral ends, and how many nodes it takes to there."""
    expiry, way = contract.dates[-1], 1 if contract.payoff == "max-call" else -1
    last = expiry - (contract.dates[-2] if len(contract.dates) > 1 else 0.0)
    drift = model.rate - model.dividends - 0.5 * model.volatilities**2
    means = np.log(model.spots / contract.strike) + drift * expiry
    end = way * max(0.0, float(np.max(way * means + _REACH * model.volatilities * math.sqrt(expiry))))
    return end, math.ceil(_CLOSE * abs(end) / (float(model.volatilities.min()) * math.sqrt(last))) + 4
