"""A Bermudan put on a binomial lattice (Cox, Ross and Rubinstein 1979): a price and a policy that owe nothing to simulation."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Lattice:
    """In strikes: price today, and on each exercise date the spot up to which the put is exercised."""

    price: float
    delta: float
    boundary: tuple[float, ...]


def bermudan_put(spot: float, rate: float, volatility: float, expiry: float, *, dates: int, steps_between: int = 40) -> Lattice:
    """Equally spaced exercise dates, none today; spot in strikes."""
    steps = dates * steps_between
    step = expiry / steps
    up = math.exp(volatility * math.sqrt(step))
    chance = (math.exp(rate * step) - 1 / up) / (up - 1 / up)
    discount = math.exp(-rate * step)
    nodes = spot * up ** np.arange(-steps, steps + 1.0)
    value = np.maximum(1 - nodes[::2], 0)
    boundary = [1.0]
    delta = math.nan
    for level in range(steps - 1, -1, -1):
        if level == 0:
            delta = (value[1] - value[0]) / (spot * (up - 1 / up))
        value = discount * (chance * value[1:] + (1 - chance) * value[:-1])
        if level and level % steps_between == 0:
            here = nodes[steps - level : steps + level + 1 : 2]
            gain = (1 - here) - value
            last = int(np.flatnonzero(gain > 0)[-1])
            share = gain[last] / (gain[last] - gain[last + 1])  # the boundary is between two nodes
            boundary.insert(0, float(here[last] * (here[last + 1] / here[last]) ** share))
            value = np.maximum(value, 1 - here)
    return Lattice(float(value[0]), float(delta), tuple(boundary))
