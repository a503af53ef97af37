"""The way of a scenario: through a quick screen over a narrow range, an accurate one over a wide range, and to its valuation.

The first screen tells for most that their loss is below the lowest threshold; the second does so for nearly all others. What either
sees well beyond the lowest quantile is valued at once. What is close to the quantile is put off, until all have been seen and the
quantile is known but for the screen's error: then only what can be beyond it is valued.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from examples.risk.market.scenarios import BLOCK, Moves, Scenarios
from examples.risk.market.screen import Screen
from examples.risk.market.tally import Tally
from examples.risk.market.valuation import WIDTH, Valuation, total_loss
from examples.workload.communicator import Communicator

Reals = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Chosen = npt.NDArray[np.bool_]
_STEPS = 1024  # between the thresholds that a level's quantile is expected in


class Waiting:
    """Scenarios that wait until a batch is full.

    Args:
        factors: rows.
        width: of a batch.
        take: is given the moves (factors, width), numbers and whether they are counted, (n,); at the end n is below the width.
    """

    def __init__(self, factors: int, width: int, take: Callable[[Moves, Integers, Chosen], None]) -> None:
        self._moves, self._take, self._width = np.zeros((factors, width), np.float32), take, width
        self._numbers, self._counted = np.zeros(width, np.int64), np.zeros(width, np.bool_)
        self._filled = 0

    def push(self, moves: Moves, chosen: npt.NDArray[np.intp], numbers: Integers, counted: Chosen) -> None:
        """Let the chosen columns wait; numbers and counted are of all columns."""
        start = 0
        while start < len(chosen):
            some = chosen[start : start + self._width - self._filled]
            place = slice(self._filled, self._filled + len(some))
            np.take(moves, some, axis=1, out=self._moves[:, place], mode="clip")
            self._numbers[place], self._counted[place] = numbers[some], counted[some]
            self._filled, start = place.stop, start + len(some)
            if self._filled == self._width:
                self.flush()

    def flush(self) -> None:
        """Let none wait any longer."""
        filled, self._filled = self._filled, 0
        if filled:
            self._take(self._moves, self._numbers[:filled], self._counted[:filled])


class Stream:
    """One rank's scenarios on their way into its tally.

    Args:
        scenarios: a function of the block's number.
        valuation: of the book.
        screens: the quick and the accurate one; None to value everything.
        tally: what is found.
    """

    def __init__(self, scenarios: Scenarios, valuation: Valuation, screens: tuple[Screen, Screen] | None, tally: Tally) -> None:
        self._scenarios, self._valuation, self._tally = scenarios, valuation, tally
        factors = scenarios.factors
        self._moves = np.empty((factors, BLOCK), np.float32)
        self._profit, self._outside = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.bool_)
        self._numbers, self._all = np.arange(BLOCK, dtype=np.int64), np.arange(BLOCK)
        self._to_value = Waiting(factors, WIDTH, self._value)
        self._screens = screens
        if screens:
            self._limits = [_limit(screen, tally.lowest) for screen in screens]
            self._to_screen = Waiting(factors, screens[1].width, self._look_again)
            self._sure = np.float32(-tally.surely)

    def block(self, number: int) -> None:
        """Take a block's scenarios."""
        moves = self._scenarios.fill(number, self._moves)
        numbers = self._numbers + number * BLOCK
        profit, outside = self._profit, self._outside
        if not self._screens:
            outside[:] = False
            self._to_value.push(moves, self._all, numbers, outside)
            return
        self._screens[0](moves, profit, outside)
        inside = ~outside
        self._tally.count(profit, inside)
        sure = (profit <= self._sure) & inside  # what is no number is neither this nor above a limit: it goes on to be valued
        self._to_value.push(moves, np.flatnonzero(sure), numbers, inside)
        self._to_screen.push(moves, np.flatnonzero((~(profit > self._limits[0]) | outside) & ~sure), numbers, inside)

    def flush(self) -> None:
        """Let no scenario wait, but those that are put off."""
        if self._screens:
            self._to_screen.flush()
        self._to_value.flush()

    def settle(self, comm: Communicator, needed: int) -> Integers | None:
        """Value what was put off and can be among so many largest losses; collective.

        Let e be a loss such that so many scenarios' losses are at least e, those that were put off by their screen's word. Then the
        last of the largest is at least e - bound, and what a screen has below e - 2 bound is less.

        Returns:
            The histogram of all ranks' losses; None if fewer than so many losses are known.
        """
        tally, bound = self._tally, self._screens[1].bound if self._screens else 0.0
        put_off, numbers, moves = tally.put_off()
        low, high = tally.lowest, tally.surely
        edges = np.linspace(low, high, _STEPS + 1) if math.isfinite(low) and math.isfinite(high) else np.array([low, math.inf])
        places = np.searchsorted(edges, np.concatenate([put_off, tally.losses]), side="right")
        told = np.concatenate([np.bincount(places, minlength=len(edges) + 1), tally.counts])
        total = np.empty_like(told)
        comm.Allreduce(told, total)
        known = np.cumsum(total[len(edges) : 0 : -1])[::-1]  # losses from each edge on
        enough = np.flatnonzero(known >= needed)
        if not len(enough):
            return None
        edge = float(edges[enough[-1]])
        tally.raise_to(edge - bound)
        chosen = np.flatnonzero(put_off >= edge - 2 * bound)
        self._to_value.push(moves, chosen, numbers, np.ones(len(put_off), np.bool_))
        self._to_value.flush()
        return total[len(edges) + 1 :]

    def _look_again(self, moves: Moves, numbers: Integers, counted: Chosen) -> None:
        if not self._screens:
            raise AssertionError("nothing waits for a screen if there is none")
        width = moves.shape[1]
        self._screens[1](moves, self._profit[:width], self._outside[:width])
        profit, outside = self._profit[: len(numbers)], self._outside[: len(numbers)]
        known = counted | ~outside
        self._tally.count(profit, known & ~counted)
        sure = ~(profit > self._sure) | outside
        self._to_value.push(moves, np.flatnonzero(sure), numbers, known)
        off = np.flatnonzero(~(profit > self._limits[1]) & ~sure)
        if len(off):
            self._tally.put_off_some(-profit[off], numbers[off], moves[:, off])

    def _value(self, moves: Moves, numbers: Integers, counted: Chosen) -> None:
        moves = moves[:, : len(numbers)]
        profits = self._valuation(moves)
        losses = total_loss(profits)
        self._tally.count(-losses, ~counted)
        self._tally.add(profits, losses, moves, numbers)


def _limit(screen: Screen, lowest: float) -> np.float32:
    """A quick P&L above this means a loss below the lowest threshold."""
    return np.float32(np.nextafter(np.float32(screen.bound - lowest), np.float32(np.inf)))
