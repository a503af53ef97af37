"""How the price moves with today's spots and volatilities, from the same stopped paths.

The policy is held fixed as a rule of date and state: at the best one a small change of it changes nothing (envelope theorem), so
the derivative of what it is worth is that of the price. There are two ways to it (Broadie and Glasserman, "Estimating security
price derivatives using simulation", Management Science 42, 1996):

    by scores        the mean of what a path pays times its score (likelihood ratio). Scores are known for their noise; but what
                     is left of a payoff beside its controls is often so little that they are as exact as the other way
    along the paths  the mean of each path's own derivative, its time to stop unchanged (Piterbarg, "Computing deltas of callable
                     Libor exotics in forward Libor models", Journal of Computational Finance 7, 2004); gamma: times the score.
                     Every payoff here is continuous, so that is valid for the best policy. Where a policy's boundary is not the
                     best, going on and exercise differ there, and paths that cross it jump, which this way does not see

Errors are of the draws alone. A policy that is not the best adds its own, which is often larger, and of which draws say nothing: so
Greeks have no intervals. With cubic regressions on 131,072 paths (each of seeds 1 to 6), beside finite differences, in per cent:

    put                                        delta by scores    gamma by scores    vega along the paths
    spot 36, 20 per cent, 1 year,  50 dates    -0.1 to 0.1        -2.5 to -0.7       -0.9 to  2.9
    spot 36, 40 per cent, 1 year,  50 dates    -0.1 to 0.0        -0.6 to -0.1       -0.4 to  0.2
    spot 44, 20 per cent, 2 years, 100 dates   -0.3 to -0.1       -1.6 to -0.2       -1.3 to -1.1

These are up to 34, 22 and 230 standard errors. (Strike 40, rate 6 per cent.) The first put's delta is 0.9 +- 0.2 per cent too low
along the paths, its gamma 3.7 +- 1.2 per cent too high.

So delta and gamma are by scores, unless these are several times as noisy as the other way, as with poor controls and short steps,
and the draws see no bias of that: less than two and a half errors of scores. Vega is along the paths. Where steps have no density
in closed form (Heston), there is only delta, along the paths.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from examples.risk.american.contract import Contract
from examples.risk.american.controls import Controls, Sampled
from examples.risk.american.likelihood import FirstStep
from examples.risk.american.model import Gbm, Model
from examples.risk.american.stopping import Stopped
from examples.risk.numerics.estimates import Estimate

Reals = npt.NDArray[np.float64]


_NOISIER: Final = 3.0  # times: errors of scores that may not be worth their lack of bias
_POWERS: Final = {"delta": 1, "vega": 0, "gamma": 2}  # of the spot, by which figures are divided
_NOTHING: Final = 1e-6  # an error that nobody minds
_SEEN: Final = 2.5  # errors: a bias that draws show


@dataclass(frozen=True, slots=True)
class Greeks:
    """One figure an asset, in strikes: times the strike, a vega is money; a gamma over the strike is per unit of money.

    Errors are of the draws alone, not of the policy.

    Attributes:
        delta: by the spot.
        vega: by the volatility, for a change of 1 (not of one per cent); empty under Heston's model.
        gamma: second derivative by the spot; empty if steps have no density.
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

    Attributes:
        controls: how many each figure has.
    """

    def __init__(self, contract: Contract, model: Model, controls: Controls) -> None:
        self._contract, self._sources = contract, controls
        self._spots = (model.spots if isinstance(model, Gbm) else np.array([model.spot])) / contract.strike
        self._vary = controls.varies
        self._step = FirstStep(contract, model) if isinstance(model, Gbm) and self._vary and FirstStep.suits(model) else None
        count = len(controls.names)
        self._ways = ["delta"] + ["vega"] * self._vary + ["gamma", "delta by score", "gamma by score"] * (self._step is not None)
        more = {"gamma": 1, "delta by score": 1, "gamma by score": 2}
        self.controls = [count + more.get(way, 0) for way in self._ways] * len(self._spots)

    def figures(self, stopped: Stopped, discount: Reals, paid: Reals, sampled: Sampled) -> Iterator[Reals]:
        """For each asset all ways to all Greeks; (controls + 2, paths) each, as `Moments.add` wants it, valid until the next one.

        Args:
            stopped: paths.
            discount: to today from where each has stopped, of those that are exercised; 0 of the others. (paths,)
            paid: today's worth of what they pay, (paths,).
            sampled: the controls there, with derivatives.
        """
        today, count = self._sources.today, len(self._sources.names)
        moves = by_log_spot(self._contract, stopped.spots)
        moves *= discount
        deviations = sampled.values - today.values
        scores = self._step.scores(stopped.first) if self._step else None
        rows = np.ones((count + 4, len(paid)))  # one array for all figures: new ones took more time than what is done in them
        controls = rows[1 : count + 1]
        for i in range(len(self._spots)):
            np.subtract(sampled.by_log_spot[:, i], today.by_log_spot[:, i], out=controls)
            yield self._filled(rows, moves[i])
            if self._vary:
                np.subtract(sampled.by_volatility[:, i], today.by_volatility[:, i], out=controls)
                yield self._filled(rows, moves[i] * self._sources.moved(i, stopped.spots[i], stopped.times))
            if scores:
                once, twice = scores[0][i], scores[1][i] - scores[0][i]  # twice by the spot itself, not by its logarithm
                np.multiply(sampled.by_log_spot[:, i], once - 1, out=controls)
                np.subtract(controls, today.curvature[:, i], out=controls)
                yield self._filled(rows, once, moves[i] * (once - 1))
                np.multiply(deviations, once, out=controls)
                np.subtract(controls, today.by_log_spot[:, i], out=controls)
                yield self._filled(rows, once, paid * once)
                np.multiply(deviations, twice, out=controls)
                np.subtract(controls, today.curvature[:, i], out=controls)
                yield self._filled(rows, once, twice, paid * twice)

    def _filled(self, rows: Reals, *last: Reals) -> Reals:
        """The rows with these after the controls."""
        end = 1 + len(self._sources.names) + len(last)
        for row, each in zip(rows[end - len(last) : end], last, strict=True):
            np.copyto(row, each)
        return rows[:end]

    def chosen(self, estimates: Sequence[Estimate]) -> Greeks:
        """Of the estimates in the order of `figures`, for each Greek those of one way for all assets."""
        ways = {
            name: tuple(
                Estimate(each.value / spot**power, each.error / spot**power)
                for each, spot in zip(estimates[number :: len(self._ways)], self._spots.tolist(), strict=True)
            )
            for number, name in enumerate(self._ways)
            for power in [_POWERS[name.partition(" ")[0]]]
        }
        found, along = dict[str, tuple[Estimate, ...]](), list[str]()
        for name in ("delta", "vega", "gamma"):
            paths, scores = ways.get(name, ()), ways.get(f"{name} by score", ())
            taken = scores and not _better(paths, scores)
            found[name] = scores if taken else paths
            along += [name] * (bool(paths) and not taken)
        return Greeks(**found, along_paths=tuple(along))


def _better(paths: Sequence[Estimate], scores: Sequence[Estimate]) -> bool:
    """Whether scores are much the noisier, and agree."""
    noisy = sum(each.error for each in scores) > _NOISIER * sum(each.error for each in paths) + _NOTHING
    return noisy and all(abs(one.value - other.value) <= _SEEN * other.error for one, other in zip(paths, scores, strict=True))


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
