"""Where the policy exercises: the spot at which going on is worth what exercise is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from examples.risk.american.policy import Policy
from examples.risk.american.trades import Trade

Reals = npt.NDArray[np.float64]


def boundaries_of(trade: Trade, policy: Policy) -> dict[str, Reals]:
    return {}
