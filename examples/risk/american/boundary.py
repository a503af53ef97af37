"""Where a policy exercises: the spot on each date of one asset, the region of two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from examples.risk.american.basis import basis_of
from examples.risk.american.contract import ONE_ASSET
from examples.risk.american.model import Heston
from examples.risk.american.policy import Decisions, Policy
from examples.risk.american.trades import Trade

Reals = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
_SPOTS: Final = 4096  # that are tried, between which the boundary is interpolated
_REACH: Final = 8.0  # typical payoffs that calls are looked at above the strike
_THERE: Final = 3.5  # deviations of the spot's logarithm, within which there are paths that say something
_CELLS: Final = 80  # of a region, each way
_AROUND: Final = 1.4  # logarithms of a typical payoff, that a region goes beyond today's spots


@dataclass(frozen=True, slots=True)
class Region:
    """Which pairs of spots are exercised on a date.

    Attributes:
        years: the date.
        first: spots of one asset, in money, (n,).
        second: of the other, (m,).
        exercised: (n, m).
    """

    years: float
    first: Reals
    second: Reals
    exercised: Flags


def boundaries_of(trade: Trade, policy: Policy) -> dict[str, Reals]:
    """The boundary of an option on one asset, in money, (dates,); nan on dates on which no path, or hardly one, is exercised.

    Under Heston's model it depends on the variance too, and is given for today's and for the long-term mean.
    """
    contract, model = trade.contract, trade.model
    if contract.payoff not in ONE_ASSET:
        return {}
    decisions = Decisions(policy, basis_of(contract, model))
    if not isinstance(model, Heston):
        return {"": _boundary(trade, policy, decisions, None)}
    levels = dict.fromkeys((model.variance, model.theta))
    return {f"variance {level:g}": _boundary(trade, policy, decisions, level) for level in levels}


def region_of(trade: Trade, policy: Policy) -> Region | None:
    """The region of an option on two assets on the middle one of its dates before the last; None of other options."""
    contract, dates = trade.contract, trade.contract.dates
    if len(trade.spots) != 2 or len(dates) < 2:
        return None
    date = (len(dates) - 2) // 2
    decisions = Decisions(policy, basis_of(contract, trade.model))
    reach = np.exp(_AROUND * np.log1p(policy.scales[date]))
    sides = [np.linspace(spot / reach, spot * reach, _CELLS) for spot in trade.spots / contract.strike]
    states = np.stack([each.ravel() for each in np.meshgrid(*sides, indexing="ij")])
    exercised = np.empty(states.shape[1], np.bool_)
    decisions(states, date, exercised)
    first, second = (side * contract.strike for side in sides)
    return Region(dates[date], first, second, exercised.reshape(_CELLS, _CELLS))


def _boundary(trade: Trade, policy: Policy, decisions: Decisions, variance: float | None) -> Reals:
    """In money, (dates,)."""
    contract = trade.contract
    put, today = contract.payoff == "put", float(trade.spots[0]) / contract.strike
    model = trade.model
    volatility = max(model.variance, model.theta) ** 0.5 if isinstance(model, Heston) else float(model.volatilities[0])
    boundary = np.full(len(contract.dates), contract.strike)  # on the last date
    for date, scale in enumerate(policy.scales):
        spots = np.linspace(1, 1 / _SPOTS if put else 1 + _REACH * scale, _SPOTS)  # from the strike on
        states = spots[None] if variance is None else np.stack((spots, np.full(_SPOTS, variance)))
        gain = np.abs(spots - 1) - np.maximum(decisions.going_on(states, date), 0)
        edge = _edge(spots, gain, today)
        there = abs(np.log(edge / today)) <= _THERE * volatility * np.sqrt(contract.dates[date])
        boundary[date] = contract.strike * edge if there else np.nan
    return boundary


def _edge(spots: Reals, gain: Reals, expected: float) -> float:
    """Where the stretch begins in which exercise gains, from the strike on; nan if it never does.

    A polynomial is wild where there were no paths, so there may be other stretches: the one nearest to where paths are expected
    counts.
    """
    inside = np.concatenate(([False], gain > 0, [False]))
    begins, ends = np.flatnonzero(inside[1:] & ~inside[:-1]), np.flatnonzero(inside[:-1] & ~inside[1:])
    if not len(begins):
        return float("nan")
    sides = np.log(np.stack((spots[begins], spots[ends - 1])) / expected)
    away = np.where(np.sign(sides[0]) != np.sign(sides[1]), 0, np.abs(sides).min(axis=0))
    begin = int(begins[np.argmin(away)])
    if begin == 0:
        return float(spots[0])
    share = gain[begin - 1] / (gain[begin - 1] - gain[begin])
    return float(spots[begin - 1] + share * (spots[begin] - spots[begin - 1]))
