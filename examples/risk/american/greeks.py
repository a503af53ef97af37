"""How the price moves with today's spots and volatilities, from the same stopped paths.

The policy is held fixed as a rule of date and state: at the best one a small change of it changes nothing (envelope theorem), so
the derivative of what it is worth is that of the price, but for its own shortfall. That derivative is the mean of what a path
pays times its score (likelihood ratio: Broadie and Glasserman, "Estimating security price derivatives using simulation",
Management Science 42, 1996). Scores are known for their noise; but what is left of a payoff beside its controls is so small that
here they are as exact as derivatives along the path, and without the bias that these have where a policy's boundary is not the
best: going on and exercise then differ there, and a path that crosses jumps (1 per cent of delta for a cubic regression).

Where steps have no density in closed form (Heston), delta is the mean of derivatives along the path (Piterbarg, "Computing deltas
of callable Libor exotics in forward Libor models", Journal of Computational Finance 7, 2004), with that bias; every payoff here is
continuous, so that is valid. Vega and gamma are not offered there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from examples.risk.american.contract import Contract
from examples.risk.american.controls import Controls, Sampled
from examples.risk.american.likelihood import Likelihood
from examples.risk.american.model import Gbm, Model
from examples.risk.american.stopping import Stopped
from examples.risk.numerics.estimates import Estimate

Reals = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Greeks:
    """One figure an asset, in strikes: times the strike, a vega is money; a gamma over the strike is per unit of money.

    Attributes:
        delta: by the spot.
        vega: by the volatility, for a change of 1 (not of one per cent); empty if steps have no density.
        gamma: second derivative by the spot; empty likewise.
    """

    delta: tuple[Estimate, ...]
    vega: tuple[Estimate, ...]
    gamma: tuple[Estimate, ...]

    @classmethod
    def of(cls, figures: list[Estimate], assets: int) -> Greeks:
        """From figures in the order of `Derivatives.figures`."""
        delta, vega, gamma = (tuple(figures[start : start + assets]) for start in (0, assets, 2 * assets))
        return cls(delta, vega, gamma)


class Derivatives:
    """Samples of the derivatives and of their controls.

    Args:
        contract: what is exercised.
        model: of the assets.
        controls: of the price.
        paths: of a block.

    Attributes:
        controls: how many each figure has.
        likelihood: to be told of the paths' steps; None: derivatives are along the paths.
    """

    def __init__(self, contract: Contract, model: Model, controls: Controls, paths: int) -> None:
        self._contract, self._sources = contract, controls
        self._spots = (model.spots if isinstance(model, Gbm) else np.array([model.spot])) / contract.strike
        self.likelihood = Likelihood(contract, model, paths) if isinstance(model, Gbm) and Likelihood.suits(model) else None
        assets, count = len(self._spots), len(controls.names)
        self.controls = [count] * assets
        if self.likelihood:
            self.controls = [count + 1] * (2 * assets) + [count + 2] * assets

    def figures(self, stopped: Stopped, discount: Reals, paid: Reals, sampled: Sampled) -> list[Reals]:
        """For each asset delta, for each vega, for each gamma: (controls + 2, paths), as `Moments.add` wants it.

        Args:
            stopped: paths.
            discount: to today from where each has stopped, of those that are exercised; 0 of the others. (paths,)
            paid: today's worth of what they pay, (paths,).
            sampled: the controls there, with derivatives.
        """
        if not self.likelihood:
            return self._along_paths(stopped, discount, sampled)
        today, ones = self._sources.today, np.ones_like(paid)
        deviations = sampled.values - today.values
        deltas, vegas, gammas = list[Reals](), list[Reals](), list[Reals]()
        for i, spot in enumerate(self._spots):
            score, volatility_score = self.likelihood.by_log_spot[i], stopped.by_volatility[i]
            twice = self.likelihood.curvature[i] - score  # by the spot itself, not by its logarithm
            controls = deviations * score - today.by_log_spot[:, i]
            deltas.append(np.vstack((ones, controls / spot, score, paid * score / spot)))
            # what a control is worth depends on the volatility itself, too, wherever its path is
            moved = self._sources.moved(i, stopped.spots[i], stopped.times)
            still = sampled.by_volatility[:, i] - sampled.by_log_spot[:, i] * moved
            controls = deviations * volatility_score + still - today.by_volatility[:, i]
            vegas.append(np.vstack((ones, controls, volatility_score, paid * volatility_score)))
            controls = (deviations * twice - today.curvature[:, i]) / spot**2
            gammas.append(np.vstack((ones, controls, score, twice, paid * twice / spot**2)))
        return [*deltas, *vegas, *gammas]

    def _along_paths(self, stopped: Stopped, discount: Reals, sampled: Sampled) -> list[Reals]:
        moves = by_log_spot(self._contract, stopped.spots)
        moves *= discount
        ones = np.ones_like(discount)
        deviations = sampled.by_log_spot - self._sources.today.by_log_spot
        return [np.vstack((ones, deviations[:, i] / spot, moves[i] / spot)) for i, spot in enumerate(self._spots)]


def by_log_spot(contract: Contract, spots: Reals) -> Reals:
    """Derivatives of what exercise is worth by the logarithms of the spots, (assets, paths)."""
    if contract.payoff == "max-call":
        moves = spots * (np.argmax(spots, axis=0) == np.arange(len(spots))[:, None])
    elif contract.payoff == "min-put":
        moves = spots * (np.argmin(spots, axis=0) == np.arange(len(spots))[:, None])
    elif contract.weights:
        moves = spots * np.asarray(contract.weights)[:, None]
    else:
        moves = spots.copy()
    return np.asarray(moves if contract.payoff.endswith("call") else -moves)


def exercised_today(contract: Contract, spots: Reals) -> Greeks:
    """Of an option that is exercised at once: today's spots are in strikes, (assets,)."""
    delta = by_log_spot(contract, spots[:, None])[:, 0] / spots
    none = tuple(Estimate(0.0, 0.0) for _ in spots)
    return Greeks(tuple(Estimate(float(each), 0.0) for each in delta), none, none)
