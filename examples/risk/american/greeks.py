"""How the price moves with today's spots and volatilities, from the same stopped paths.

The policy is held fixed: at the best one, a small change of it changes nothing (envelope theorem), so delta and vega are means of
the derivatives along each path, with the time at which it stops unchanged (Piterbarg, "Computing deltas of callable Libor exotics
in forward Libor models", Journal of Computational Finance 7, 2004). Every payoff here is continuous, so that is valid; what the
policy falls short of the best one remains as a bias, of the size of its own shortfall.

Gamma is the derivative of a delta that jumps at the strike: the path's delta times the score of the first step, the derivative of
its likelihood by the spot (pathwise and likelihood ratio mixed: Broadie and Glasserman, "Estimating security price derivatives
using simulation", Management Science 42, 1996). All of it has the derivatives of the price's own controls as controls.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from examples.risk.american.contract import Contract
from examples.risk.american.controls import Controls, Sampled
from examples.risk.american.model import Gbm, Model
from examples.risk.american.stopping import Stopped
from examples.risk.numerics.estimates import Estimate

Reals = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Greeks:
    """One figure an asset, in strikes: times the strike, a vega is money; a gamma over the strike is per unit of money.

    Attributes:
        delta: by the spot.
        vega: by the volatility, for a change of 1 (not of one per cent); empty under Heston's model.
        gamma: second derivative by the spot; empty under Heston's model, whose steps have no likelihood in closed form.
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

    Attributes:
        controls: how many each figure has.
    """

    def __init__(self, contract: Contract, model: Model, controls: Controls) -> None:
        self._contract, self._sources = contract, controls
        self._gbm = model if isinstance(model, Gbm) else None
        self._spots = (model.spots if isinstance(model, Gbm) else np.array([model.spot])) / contract.strike
        assets, count = len(self._spots), len(controls.names)
        self.controls = [count] * assets + ([count] * assets + [count + 1] * assets if self._gbm else [])
        if self._gbm:
            self._precision = np.linalg.pinv(self._gbm.correlation)

    def figures(self, stopped: Stopped, discount: Reals, sampled: Sampled) -> list[Reals]:
        """For each asset delta, for each vega, for each gamma: (controls + 2, paths), as `Moments.add` wants it.

        Args:
            stopped: paths.
            discount: to today from where each has stopped, of those that are exercised; 0 of the others. (paths,)
            sampled: the controls there, with derivatives.
        """
        today, spots = self._sources.today, self._spots
        moves = by_log_spot(self._contract, stopped.spots)
        moves *= discount
        assets = range(len(spots))
        figures = []
        for i in assets:
            deviations = sampled.by_log_spot[:, i] - today.by_log_spot[:, i]
            figures.append(_rows(deviations / spots[i], moves[i] / spots[i]))
        if not self._gbm:
            return figures
        for i in assets:
            moved = moves[i] * self._sources.moved(i, stopped.spots[i], stopped.times)
            figures.append(_rows(sampled.by_volatility[:, i] - today.by_volatility[:, i], moved))
        scores = self._scores(stopped)
        for i in assets:
            weight = (scores[i] - 1) / spots[i] ** 2
            deviations = sampled.by_log_spot[:, i] * weight - today.curvature[:, i] / spots[i] ** 2
            figures.append(_rows(np.vstack((deviations, scores[i])), moves[i] * weight))
        return figures

    def _scores(self, stopped: Stopped) -> Reals:
        """Derivatives of the first step's log-likelihood by the logarithms of today's spots, (assets, paths); of mean zero."""
        assert self._gbm is not None
        assert stopped.first is not None, "paths keep their first states"
        first = self._contract.dates[0]
        motions = np.empty_like(stopped.first)
        for i, volatility in enumerate(self._gbm.volatilities):
            motions[i] = self._sources.moved(i, stopped.first[i], np.asarray(first)) + volatility * first
        scores = np.einsum("ij,jk->ik", self._precision, motions)
        scores /= (self._gbm.volatilities * first)[:, None]
        return np.asarray(scores)


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


def _rows(controls: Reals, figure: Reals) -> Reals:
    return np.vstack((np.ones_like(figure), controls, figure))
