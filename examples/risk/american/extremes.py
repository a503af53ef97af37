"""The European option on the largest or smallest of independent assets, by one integral.

    call on the largest:  exp(-r T) times the integral over x > 1 of 1 - prod P(S_i(T) <= x)
    put on the smallest:  exp(-r T) times the integral over x < 1 of 1 - prod P(S_i(T) > x)

At a fixed x the product is a probability, so a martingale, and so is a sum over fixed nodes: as a control it needs no fine
quadrature. But at expiry, where probabilities jump, the payoff itself is taken; so the nodes are as close as the time that is left
to a path needs: the integrand is smooth over sigma sqrt(T - t). The integral ends where today's distribution does, and so does the
payoff. For correlated assets there is no such product.

It takes 98 per cent of the variance of a Bermudan max-call of 5 assets; vanillas and exchanges, which correlated assets have, 92.
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
_REACH: Final = 3.5  # deviations of today's distribution that the integral goes to
_CLOSE: Final = 1.25  # Gauss-Legendre nodes for each deviation over the time left; the error is 5e-7 strikes at most
_PIECE: Final = 8192  # spots at a time: all that is made of them stays in a processor's cache
_MORE: Final = 4
_FEWEST: Final = 16  # nodes; where they are too few, twice as many are taken, and again
_MOST: Final = 256
NAME: Final = {"max-call": "European on the largest", "min-put": "European on the smallest"}


@dataclass(frozen=True, slots=True)
class Valued:
    """Values (paths,), and derivatives of them, (assets, paths), or no rows: see `Sampled`."""

    values: Reals
    by_log_spot: Reals
    by_volatility: Reals
    curvature: Reals


@dataclass(frozen=True, slots=True)
class _Rule:
    """A quadrature for paths with at least so much time left, in years: logarithms of spots, and discounted weights."""

    count: int
    least: float
    nodes_and_weights: tuple[tuple[float, float], ...]


class Extreme:
    """Values of the option where paths stop.

    Args:
        contract: a max-call or a min-put.
        model: independent assets.
        paths: that are valued at a time, at most.
    """

    def __init__(self, contract: Contract, model: Gbm, paths: int) -> None:
        self._way = 1 if contract.payoff == "max-call" else -1
        self._rate, self._volatilities, self._expiry = model.rate, model.volatilities, contract.dates[-1]
        self._piece = min(paths, _PIECE // len(model.spots))
        self._cdf = NormalCdf(self._piece * len(model.spots))
        self._end, needed = _end(contract, model)
        self._rules, count = list[_Rule](), _FEWEST
        while not self._rules or self._rules[-1].count < needed:
            self._rules.append(self._rule(count, float(model.volatilities.min()), last=count >= needed))
            count *= 2

    def _rule(self, count: int, volatility: float, *, last: bool) -> _Rule:
        nodes, weights = np.polynomial.legendre.leggauss(count)
        logs = 0.5 * self._end * (nodes + 1)  # from 0 to the end
        weights = np.exp(logs - self._rate * self._expiry) * weights * 0.5 * abs(self._end)
        least = 0.0 if last else (_nodes(self._end, volatility) / (count - _MORE)) ** 2
        return _Rule(count, least, tuple(zip(logs.tolist(), weights.tolist(), strict=True)))

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
        left, enough = self._expiry - times, np.inf
        for rule in self._rules:
            going = np.flatnonzero(~over & (left >= rule.least) & (left < enough))
            enough = rule.least
            for start in range(0, len(going), self._piece):
                alive = going[start : start + self._piece]
                part = self._integrate(rule, logs[:, alive], left[alive], derivatives=derivatives)
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

    def _integrate(self, rule: _Rule, logs: Reals, left: Reals, *, derivatives: bool) -> Valued:
        assets, paths = logs.shape
        shape = assets if derivatives else 0, paths
        result = Valued(np.zeros(paths), *(np.zeros(shape) for _ in range(3)))
        root, volatilities = np.sqrt(left), self._volatilities[:, None]
        deviations = root * volatilities
        slopes = self._way / deviations
        starts = (logs + (self._rate * self._expiry - 0.5 * volatilities**2 * left)) * slopes
        scaled, below = np.empty((assets, paths)), np.empty((assets, paths))
        product = np.empty(paths)
        for node, weight in rule.nodes_and_weights:
            np.multiply(slopes, node, out=scaled)
            np.subtract(scaled, starts, out=scaled)
            self._cdf(
                scaled.reshape(-1), below.reshape(-1)
            )  # of all assets at once: 3 times as quick as one by one for 2,048 paths
            np.multiply(below[0], weight, out=product)
            for probability in below[1:]:
                np.multiply(product, probability, out=product)
            np.subtract(result.values, product, out=result.values)
            np.add(result.values, weight, out=result.values)
            if derivatives:
                self._differentiate(result, weight, scaled, below, deviations, root)
        return result

    def _differentiate(self, result: Valued, weight: float, scaled: Reals, below: Reals, deviations: Reals, root: Reals) -> None:
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
    return end, math.ceil(_nodes(end, float(model.volatilities.min())) / math.sqrt(last)) + _MORE


def _nodes(end: float, volatility: float) -> float:
    """How many for one year left, beside a few more; they grow with the inverse root of the time."""
    return _CLOSE * abs(end) / volatility
