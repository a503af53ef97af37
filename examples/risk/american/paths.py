"""What the phases ask of paths, whatever the model.

A state is one array: spots in units of the strike, one row an asset, then what else the model has (Heston: the variance). Date
0 is the first exercise date, not today. Paths come in blocks of a fixed number, numbered over all ranks; a block's draws are a
function of seed, stream and number.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy.typing as npt

Floats = npt.NDArray[Any]  # float64 or float32, (rows, paths)
CALIBRATION, LOWER, OUTER, INNER = 1, 2, 3, 4  # streams of draws: each phase has paths of its own


class Backward(Protocol):
    """Paths from the last date to the first, for the sweep."""

    def at(self, date: int, block: int) -> Floats:
        """States of one block of this rank (numbered from 0 here) on a date; valid until the next call.

        Every block is asked for on every date, from the last date to the first.
        """


class Forward(Protocol):
    """Paths from the first date to the last."""

    def begin(self, block: int) -> None:
        """Put all paths of a block at today's state."""

    def step(self) -> Floats:
        """States on the next date; valid until the next call, and not to be written to."""


class Branching(Protocol):
    """Paths within paths, for the upper bound."""

    def branch(self, states: Floats, date: int, block: int) -> None:
        """Begin inner paths at states (rows, outer) of a date (-1: today), as many for each, side by side; block: of draws."""

    def step(self) -> Floats:
        """States on the next date, (rows, outer * inner)."""
