"""What is known about a stopped path: martingales with a closed formula, sampled where the policy stops.

A discounted price that is a martingale has the same mean at any stopping time as today (optional sampling), so its deviation from
today's value is a control. Sampled when the option is exercised instead of at expiry, the European option of the same payoff
takes 200 times the variance from an American put (Rasmussen, "Control variates for Monte Carlo valuation of American options",
Journal of Computational Finance 9, 2005), and it is valued once a path, not once a date. European options of further strikes, all
that the exercise boundary passes, take 7,000 to 100,000 times: together they are worth along the boundary what exercise is
(as in the static hedge of Chung and Shih, "Static hedging and pricing American options", Journal of Banking & Finance 33, 2009).

All of them are made of legs. A leg is a lognormal martingale, what an asset is worth today if it is delivered at expiry:

    ln G_i(t) = ln S_i(t) - r t - q_i (T - t)        an asset
    G(t)      = exp(-r T) k                          cash of k at expiry
    G(t)      = exp(-r T) E_t[prod S_i(T)^w_i]       the geometric basket, w the assets' shares of the basket's forward

and an option is the right to get leg a for leg b at expiry (Margrabe 1978): G_a N(d1) - G_b N(d2), d2 = d1 - v,
d1 = ln(G_a / G_b) / v + v / 2, v = volatility of the ratio * sqrt(T - t). Its derivatives by ln G_a and ln G_b are its two parts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
import numpy.typing as npt

from examples.risk.american.contract import ONE_ASSET, Contract
from examples.risk.american.extremes import NAME, Extreme
from examples.risk.american.heston_european import HestonEuropean
from examples.risk.american.model import Gbm, Heston, Model
from examples.risk.numerics.normal_cdf import NormalCdf

Reals = npt.NDArray[np.float64]
_FAR: Final = 1.3  # strikes: where a second vanilla sees what the first does not
_STRIKES: Final = 4  # of one asset's options
_FARTHEST: Final = {-1: 0.4, 1: 2.5}  # strike of a put and of a call, where boundaries of long options are farther still
_HESTON_STRIKES: Final = {"put": (1.0, 0.9, 0.8), "call": (1.0, 1.1, 1.25)}
_LEAST: Final = 1e-12  # stands for no time, in square roots of years
_NONE: Final = 1e-6  # a volatility below which there is no option


@dataclass(frozen=True, slots=True)
class _Option:
    """The right to get leg ``gained`` for leg ``given``; cash legs are numbered after the others."""

    gained: int
    given: int
    volatility: float
    by_volatilities: Reals  # derivatives of that volatility by each asset's
    control: int  # to which it is added


@dataclass(frozen=True, slots=True)
class Sampled:
    """Controls at the times at which paths stop: what they are worth, and how that moves with today's inputs, pathwise.

    Attributes:
        values: (controls, paths), in strikes today.
        by_log_spot: derivatives by the logarithm of each asset's spot today, (controls, assets, paths); empty unless asked for.
        by_volatility: derivatives by each asset's volatility, likewise.
        curvature: second derivatives by each asset's spot today, times its square; of use today only.
    """

    values: Reals
    by_log_spot: Reals
    by_volatility: Reals
    curvature: Reals


class Controls:
    """The controls of a contract.

    Under Heston's model they are the asset and European puts or calls. Assets that do not vary have themselves alone.

    Args:
        contract: whose payoff they resemble.
        model: which makes them martingales.
        paths: that are valued at a time, at most.

    Attributes:
        names: one a control.
        today: what each is worth now, with its derivatives.
        rows: of states that they are valued from.
        varies: whether there are derivatives by volatilities.
    """

    def __init__(self, contract: Contract, model: Model, paths: int) -> None:
        gbm = model if isinstance(model, Gbm) and model.volatilities.min() > _NONE else None
        self._expiry = contract.dates[-1]
        self._rate = model.rate
        self._dividends = model.dividends if isinstance(model, Gbm) else np.array([model.dividend])
        self._spots = (model.spots if isinstance(model, Gbm) else np.array([model.spot])) / contract.strike
        assets = self._assets = len(self._spots)
        self._volatilities = gbm.volatilities if gbm else np.ones(assets)
        self._exponents = np.eye(assets)  # of each leg: how its logarithm moves with those of the spots, (legs, assets)
        self._cash: list[float] = []
        self._weights = np.zeros(assets)
        self._options: list[_Option] = []
        self.names: tuple[str, ...] = tuple(f"asset {i + 1}" for i in range(assets)) if assets > 1 else ("asset",)
        self._extreme: Extreme | None = None
        self._cdf = NormalCdf(paths)
        self._heston: HestonEuropean | None = None
        states = self._spots[:, None]
        self.varies = gbm is not None
        if gbm:
            self._choose(contract, gbm, paths)
        elif isinstance(model, Heston) and HestonEuropean.suits(contract, model):
            self._heston = HestonEuropean(contract, model, _HESTON_STRIKES[contract.payoff])
            self.names += tuple(f"European, strike {strike:g}" for strike in _HESTON_STRIKES[contract.payoff])
            states = np.vstack((states, [[model.variance]]))
        self.rows = len(states)
        self.today = self.at(states, np.zeros(1), derivatives=True)

    def _choose(self, contract: Contract, model: Gbm, paths: int) -> None:
        covariance = model.correlation * np.outer(model.volatilities, model.volatilities)
        payoff, assets, way = contract.payoff, range(self._assets), 1 if contract.payoff.endswith("call") else -1
        if payoff.startswith("basket") and min(contract.weights) > 0:
            parts = np.asarray(contract.weights) * self._spots * np.exp((self._rate - self._dividends) * self._expiry)
            self._geometric(parts / parts.sum(), covariance)
            self._vanillas("European on the geometric basket", [self._assets], self._matching(parts.sum()), way, covariance)
        if payoff in ONE_ASSET:
            for number, strike in enumerate(_strikes(way, model.rate, model.dividends[0], model.volatilities[0])):
                self._vanillas(f"European, strike {strike:.3g}" if number else "European", [0], strike, way, covariance)
        if Extreme.suits(contract, model):
            self._extreme = Extreme(contract, model, paths)
            self.names += (NAME[payoff],)
        elif payoff in ("max-call", "min-put"):
            self._vanillas("European on each asset", list(assets), 1.0, way, covariance)
            self._vanillas("the same, far from the money", list(assets), _FAR**way, way, covariance)
            for one, other in combinations(assets, 2):
                self._option(one, other, np.eye(self._assets)[one] - np.eye(self._assets)[other], covariance, "exchange of assets")

    def _vanillas(self, name: str, legs: list[int], strike: float, way: int, covariance: Reals) -> None:
        """Calls (way 1) or puts (way -1) on legs, added up."""
        self._cash.append(strike * np.exp(-self._rate * self._expiry))
        for leg in legs:
            pair = (leg, -len(self._cash)) if way == 1 else (-len(self._cash), leg)
            self._option(*pair, self._exponents[leg], covariance, name)

    def _option(self, gained: int, given: int, exposure: Reals, covariance: Reals, name: str) -> None:
        volatility = math.sqrt(max(float(exposure @ covariance @ exposure), 0.0))  # of a singular matrix it may be -1e-18
        if not volatility >= _NONE:
            return
        if name not in self.names:
            self.names += (name,)
        by_volatilities = exposure * (covariance @ exposure) / (self._volatilities * volatility)
        self._options.append(_Option(gained, given, volatility, by_volatilities, self.names.index(name)))

    def _geometric(self, weights: Reals, covariance: Reals) -> None:
        self._weights = weights
        self._exponents = np.vstack((self._exponents, weights))
        self._level = self._rate * self._expiry * (weights.sum() - 1)
        self._convexity = 0.5 * (weights @ covariance @ weights - weights @ np.diag(covariance))  # of ln G, per year to expiry
        self._convexity_by_volatility = weights * ((covariance @ weights - np.diag(covariance)) / self._volatilities)

    def _matching(self, forward: float) -> float:
        """The strike that is as far from the geometric basket's forward as 1 is from the arithmetic one's."""
        return float(np.exp(self._logs(self._spots[:, None], np.zeros(1))[-1, 0] + self._rate * self._expiry)) / forward

    def _logs(self, spots: Reals, times: Reals) -> Reals:
        """The logarithms of all legs but cash, (legs, paths)."""
        logs = np.empty((len(self._exponents), spots.shape[1]))
        assets = logs[: self._assets]
        np.log(spots, out=assets)
        left = self._expiry - times
        assets -= self._rate * times
        assets -= self._dividends[:, None] * left
        if len(logs) > self._assets:
            logs[-1] = np.einsum("i,ij->j", self._weights, assets)  # not a product of BLAS: its bits depend on the paths beside
            logs[-1] += self._level + self._convexity * left
        return logs

    def at(self, states: Reals, times: Reals, *, derivatives: bool = False) -> Sampled:
        """Value all controls where paths stop.

        Args:
            states: spots in strikes, and what else the model has, (rows, paths). Without Heston's variance his Europeans stay as
                they are today: that is a martingale too, of no use and no harm.
            times: at which they stop, in years, (paths,).
            derivatives: whether to give them too; those by volatilities hold under geometric Brownian motion only.
        """
        count, assets, paths = len(self.names), self._assets, states.shape[1]
        spots = states[:assets]
        logs = self._logs(spots, times)
        legs = np.exp(logs)
        root = np.maximum(np.sqrt(self._expiry - times), _LEAST)
        inverse = 1 / root
        sampled = Sampled(np.zeros((count, paths)), *(np.zeros((count, assets if derivatives else 0, paths)) for _ in range(3)))
        sampled.values[:assets] = legs[:assets]
        if derivatives:
            sampled.by_log_spot[range(assets), range(assets)] = legs[:assets]
        for option in self._options:
            deviation = root * option.volatility
            d1 = self._log_ratio(option, logs)
            d1 *= inverse
            d1 *= 1 / option.volatility
            d1 += 0.5 * deviation
            gained, given = (legs[leg] if leg >= 0 else self._cash[-leg - 1] for leg in (option.gained, option.given))
            first = self._cdf(d1, np.empty(paths))
            first *= gained
            if derivatives:
                density = gained * np.exp(-0.5 * d1 * d1) / np.sqrt(2 * np.pi)
            d1 -= deviation
            second = self._cdf(d1, np.empty(paths))
            second *= -given
            sampled.values[option.control] += first
            sampled.values[option.control] += second
            if derivatives:
                self._differentiate(sampled, option, (first, second), density, root)
        if self._heston and len(states) < self.rows:
            sampled.values[1:] = self.today.values[1:]
        elif self._heston:
            europeans = self._heston.at(logs[0], states[1], times)
            sampled.values[1:] = europeans.values
            if derivatives:
                sampled.by_log_spot[1:, 0] = europeans.by_log_spot
        if self._extreme:
            valued = self._extreme.at(logs[:assets], times, derivatives=derivatives)
            sampled.values[-1] = valued.values
            sampled.by_log_spot[-1], sampled.by_volatility[-1] = valued.by_log_spot, valued.by_volatility
            sampled.curvature[-1] = valued.curvature
        if derivatives and self.varies:
            self._move(sampled, spots, times)
        return sampled

    def _log_ratio(self, option: _Option, logs: Reals) -> Reals:
        if option.gained < 0:
            return np.asarray(np.log(self._cash[-option.gained - 1]) - logs[option.given])
        if option.given < 0:
            return np.asarray(logs[option.gained] - np.log(self._cash[-option.given - 1]))
        return np.asarray(logs[option.gained] - logs[option.given])

    def _differentiate(self, sampled: Sampled, option: _Option, parts: tuple[Reals, Reals], density: Reals, root: Reals) -> None:
        """Add an option's derivatives: by the legs, and by its own volatility while they stay."""
        (first, second), control = parts, option.control
        one, other = (self._exponents[leg] if leg >= 0 else np.zeros(self._assets) for leg in (option.gained, option.given))
        bend = density / (root * option.volatility)
        for asset in range(self._assets):
            sampled.by_log_spot[control, asset] += one[asset] * first + other[asset] * second
            sampled.by_volatility[control, asset] += density * root * option.by_volatilities[asset]
            if len(self._exponents) > self._assets:  # the geometric basket's own drift
                drift = self._convexity_by_volatility[asset] * root**2
                sampled.by_volatility[control, asset] += drift * ((option.gained == self._assets) * first)
                sampled.by_volatility[control, asset] += drift * ((option.given == self._assets) * second)
            curvature = one[asset] * (one[asset] - 1) * first + other[asset] * (other[asset] - 1) * second
            sampled.curvature[control, asset] += curvature + (one[asset] - other[asset]) ** 2 * bend

    def _move(self, sampled: Sampled, spots: Reals, times: Reals) -> None:
        """Add what a volatility does by moving the path, d ln G_i / d sigma_i = W_i - sigma_i t."""
        for asset in range(self._assets):
            sampled.by_volatility[:, asset] += sampled.by_log_spot[:, asset] * self.moved(asset, spots[asset], times)

    def moved(self, asset: int, spots: Reals, times: Reals) -> Reals:
        """Derivative of ln S by its volatility along a path, W - sigma t, from where the path has come to."""
        volatility = self._volatilities[asset]
        drift = self._rate - self._dividends[asset] - 0.5 * volatility**2
        return np.asarray((np.log(spots / self._spots[asset]) - drift * times) / volatility - volatility * times)


def _strikes(way: int, rate: float, dividend: float, volatility: float) -> Reals:
    """From 1 to the boundary of the perpetual option (McKean 1965), which no boundary of a shorter one passes."""
    tilt = (rate - dividend) / volatility**2 - 0.5
    power = -tilt + way * np.sqrt(max(tilt**2 + 2 * rate / volatility**2, 0.0))
    boundary = power / (power - 1) if power != 1 else np.inf
    farthest = _FARTHEST[way]
    boundary = np.clip(boundary, min(1.0, farthest), max(1.0, farthest))
    return np.asarray(boundary ** np.linspace(0, 1, _STRIKES))
