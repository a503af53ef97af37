"""What the holder may do, and gets for it.

All amounts are in units of the strike from here on: a spot of 0.9 is 0.9 strikes, a price of 0.1 likewise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[Any]  # float64 or float32
PAYOFFS: Final = ("put", "call", "max-call", "min-put", "basket-call", "basket-put")
ONE_ASSET: Final = PAYOFFS[:2]


@dataclass(frozen=True, slots=True)
class Contract:
    """An option that may be exercised on some dates.

    Attributes:
        payoff: one of `PAYOFFS`.
        strike: in money.
        dates: of exercise, in years, ascending; the last is the expiry.
        today: whether it may also be exercised at once.
        weights: of the assets in a basket; empty for other payoffs.
    """

    payoff: str
    strike: float
    dates: tuple[float, ...]
    today: bool = True
    weights: tuple[float, ...] = ()

    def exercise(self, spots: Floats, out: Floats) -> Floats:
        """What exercise is worth, (paths,), of spots (assets, paths), in strikes; below zero where nobody would."""
        if self.payoff == "put":
            np.subtract(1, spots[0], out=out)
            return out
        if self.payoff == "call":
            np.subtract(spots[0], 1, out=out)
        elif self.payoff == "max-call":
            np.max(spots, axis=0, out=out)
            np.subtract(out, 1, out=out)
        elif self.payoff == "min-put":
            np.min(spots, axis=0, out=out)
            np.subtract(out, 1, out=out)
        else:
            np.einsum("i,ij->j", np.asarray(self.weights, spots.dtype), spots, out=out)
            np.subtract(out, 1, out=out)
        return out if self.payoff.endswith("call") else np.negative(out, out=out)
