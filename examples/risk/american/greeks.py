"""How the price moves with today's spots and volatilities, from the same stopped paths.

The policy is held fixed as a rule of date and state: at the best one a small change of it changes nothing (envelope theorem), so
the derivative of what it is worth is that of the price, but for its own shortfall. There are two ways to it (Broadie and
Glasserman, "Estimating security price derivatives using simulation", Management Science 42, 1996):

    by scores        the mean of what a path pays times its score (likelihood ratio). Scores are known for their noise; but what
                     is left of a payoff beside its controls is often so little that they are as exact as the other way, and they
                     have no bias
    along the paths  the mean of each path's own derivative, its time to stop unchanged (Piterbarg, "Computing deltas of callable
                     Libor exotics in forward Libor models", Journal of Computational Finance 7, 2004); gamma: times the first
                     step's score. Every payoff here is continuous, so that is valid for the best policy. Where a policy's
                     boundary is not the best, going on and exercise differ there, and paths that cross it jump, which this way
                     does not see: one per cent of a put's delta, for a cubic regression

Scores are taken, unless they are several times as noisy as the other way, as with poor controls and short steps, and the draws see
no bias of that: less than two and a half errors of scores. Where steps have no density in closed form (Heston), there is only
delta, along the paths.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from examples.risk.american.contract import Contract
from examples.risk.american.controls import Controls, Sampled
from examples.risk.american.likelihood import Likelihood
from examples.risk.american.model import Gbm, Model
from examples.risk.american.stopping import Stopped
from examples.risk.numerics.estimates import Estimate

Reals = npt.NDArray[np.float64]


_NOISIER: Final = 3.0  # times: errors of scores that may not be worth their lack of bias
_NOTHING: Final = 1e-6  # an error that nobody minds
_SEEN: Final = 2.5  # errors: a bias that draws show


@dataclass(frozen=True, slots=True)
class Greeks:
    """One figure an asset, in strikes: times the strike, a vega is money; a gamma over the strike is per unit of money.

    Attributes:
        delta: by the spot.
        vega: by the volatility, for a change of 1 (not of one per cent); empty if steps have no density.
        gamma: second derivative by the spot; empty likewise.
        along_paths: which of them, by name, were not found by scores.
    """

    delta: tuple[Estimate, ...]
    vega: tuple[Estimate, ...]
    gamma: tuple[Estimate, ...]
    along_paths: tuple[str, ...] = ()


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
        count = len(controls.names)
        an_asset = [count, count, count + 1, count + 1, count + 1, count + 2] if self.likelihood else [count]
        self.controls = an_asset * len(self._spots)

    def figures(self, stopped: Stopped, discount: Reals, paid: Reals, sampled: Sampled) -> list[Reals]:
        """For each asset delta, vega and gamma along the paths, then by scores; (controls + 2, paths), as `Moments.add` wants it.

        Args:
            stopped: paths.
            discount: to today from where each has stopped, of those that are exercised; 0 of the others. (paths,)
            paid: today's worth of what they pay, (paths,).
            sampled: the controls there, with derivatives.
        """
        today, ones, figures = self._sources.today, np.ones_like(paid), list[Reals]()
        moves = by_log_spot(self._contract, stopped.spots)
        moves *= discount
        deviations = sampled.values - today.values
        for i, spot in enumerate(self._spots):
            controls = sampled.by_log_spot[:, i] - today.by_log_spot[:, i]
            figures.append(np.vstack((ones, controls / spot, moves[i] / spot)))
            if not self.likelihood:
                continue
            score, volatility_score = self.likelihood.by_log_spot[i], stopped.by_volatility[i]
            twice = self.likelihood.curvature[i] - score  # by the spot itself, not by its logarithm
            moved = self._sources.moved(i, stopped.spots[i], stopped.times)
            figures.append(np.vstack((ones, sampled.by_volatility[:, i] - today.by_volatility[:, i], moves[i] * moved)))
            controls = sampled.by_log_spot[:, i] * (score - 1) - today.curvature[:, i]
            figures.append(np.vstack((ones, controls / spot**2, score, moves[i] * (score - 1) / spot**2)))

            controls = deviations * score - today.by_log_spot[:, i]
            figures.append(np.vstack((ones, controls / spot, score, paid * score / spot)))
            # what a control is worth depends on the volatility itself, too, wherever its path is
            still = sampled.by_volatility[:, i] - sampled.by_log_spot[:, i] * moved
            controls = deviations * volatility_score + still - today.by_volatility[:, i]
            figures.append(np.vstack((ones, controls, volatility_score, paid * volatility_score)))
            controls = (deviations * twice - today.curvature[:, i]) / spot**2
            figures.append(np.vstack((ones, controls, score, twice, paid * twice / spot**2)))
        return figures

    def chosen(self, estimates: Sequence[Estimate]) -> Greeks:
        """Of the estimates in the order of `figures`, for each Greek those of one way for all assets."""
        if not self.likelihood:
            return Greeks(tuple(estimates), (), (), ("delta",))
        found, along = [], []
        for number, name in enumerate(("delta", "vega", "gamma")):
            paths, scores = estimates[number::6], estimates[number + 3 :: 6]
            noisy = sum(each.error for each in scores) > _NOISIER * sum(each.error for each in paths) + _NOTHING
            agree = all(abs(one.value - other.value) <= _SEEN * other.error for one, other in zip(paths, scores, strict=True))
            way = paths if noisy and agree else scores
            found.append(tuple(way))
            along += [name] * (way is paths)
        return Greeks(found[0], found[1], found[2], tuple(along))


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
