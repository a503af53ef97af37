"""Scenarios of the risk factors over the horizon, in numbered blocks."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

BLOCK = 4096  # scenarios of a block
Moves = npt.NDArray[np.float32]


class Scenarios(Protocol):
    """Where scenarios come from.

    Attributes:
        factors: rows of a block; see `book`.
        scale: standard deviation of each factor over the horizon, (factors,).
    """

    @property
    def factors(self) -> int: ...
    @property
    def scale(self) -> npt.NDArray[np.float64]: ...

    def fill(self, block: int, out: Moves) -> Moves:
        """Write the block's scenarios, (factors, BLOCK); a function of the block's number and the seed only.

        They are float32 numbers, exactly: who computes with float64 takes these and no others.
        """
