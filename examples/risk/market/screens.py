"""All screens that a book may be screened by, with their proved errors: found once, by all ranks together.

Every position is one polynomial over the widest range that is needed and can be bounded (see `surface`). The second screen has its
lower degrees; the first screens those of the second's polynomial over narrower ranges, so ranks send each other one set of
coefficients and a table of errors only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from examples.risk.market.book import Book
from examples.risk.market.scenarios import BLOCK, Scenarios
from examples.risk.market.screen import Screen, rounding
from examples.risk.market.surface import CannotBound, Nodes, narrowed, nodes, surface
from examples.risk.market.valuation import Valuation
from examples.workload.communicator import Communicator

Reals = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
REACHES = (3.0, 4.0, 5.6, 8.0, 11.0, 16.0)  # of screens, in standard deviations
_INDEX_REACH = 1.5  # log change of the volatility index, at most: beyond, short options' prices bend too much for a polynomial
_LARGEST = 1e37  # sum of all coefficients: then no part of a sum within reach is beyond single precision, which ends at 3.4e38
_LEFT = 0.003  # scenarios that the second screen may leave out of its reach, for these are valued
FIRST = ((6, 3), (8, 4), (12, 5), (16, 6), (20, 7))  # orders of the first screen that are tried, in x and v
SECOND = ((20, 7), (28, 9), (36, 10))  # and of the second


class Screens:
    """All screens of a book that may be used: positions are shared out among the ranks, which send each other what they found.

    Args:
        comm: the ranks.
        book: what is held.
        scenarios: whose scale tells how far screens must reach.
        valuation: of the book.

    Attributes:
        reason: why there are none; empty if there are.
        outer: reach of the second screen, in standard deviations.
    """

    def __init__(self, comm: Communicator, book: Book, scenarios: Scenarios, valuation: Valuation) -> None:
        self._scale, self._held = np.maximum(scenarios.scale, 1e-6), len(book.names)
        self._index = book.moves_volatility
        self.outer, self._nodes = self._widest(valuation, self._needed_reach(scenarios))
        self.first = [(reach, *self._orders(orders)) for reach in REACHES if reach <= self.outer for orders in FIRST]
        self.second = [(self.outer, *self._orders(orders)) for orders in SECOND]
        self._most = self._orders(SECOND[-1])
        told = np.zeros((self._held, len(self.first) + len(self.second) + math.prod(self._most)))
        for underlying in range(comm.rank, self._held, comm.size):
            told[underlying] = self._found(valuation, underlying)
        everything = np.empty_like(told)
        comm.Allreduce(told, everything)
        self._errors = dict(zip(self.first + self.second, everything.T, strict=False))
        self._coefficients = everything[:, -math.prod(self._most) :].reshape(self._held, *self._most)
        unbounded = np.flatnonzero(~np.isfinite(everything[:, 0]))
        self.reason = ""
        if len(unbounded):
            names = ", ".join(book.names[each] for each in unbounded[:5])
            self.reason = f"no bound of a screen's error can be proved at a useful price for the options on {names}"
        elif not (most := float(np.abs(self._coefficients).sum())) < _LARGEST:
            self.reason = f"losses of up to {most:.0e} are too large for a screen in single precision"

    def screen(self, which: tuple[float, int, int]) -> Screen:
        """One of them."""
        reach, *orders = which
        coefficients = np.stack([self._cut(each, u, reach, orders) for u, each in enumerate(self._coefficients)])
        return Screen(coefficients, self.reach(reach), self._errors[which].tolist())

    def bound(self, which: tuple[float, int, int]) -> float:
        """About its error's bound: rounding is that of the most accurate screen."""
        share = which[1] / self._most[0]
        return float(self._errors[which].sum()) + share * rounding(self._coefficients)

    def reach(self, deviations: float) -> Reals:
        """Of each factor."""
        reach = deviations * self._scale
        if self._index:
            reach[-1] = min(reach[-1], _INDEX_REACH)
        return reach

    def outside(self, moves: npt.NDArray[np.float32]) -> Counts:
        """How many scenarios are out of reach, for each of `REACHES`."""
        furthest = np.abs(moves / self._scale.astype(np.float32)[:, None]).max(axis=0)
        index = np.abs(moves[-1]) > _INDEX_REACH if self._index else np.zeros(moves.shape[1], np.bool_)
        return np.array([np.count_nonzero((furthest > reach) | index) for reach in REACHES], np.int64)

    def _orders(self, orders: tuple[int, int]) -> tuple[int, int]:
        return orders if self._index else (orders[0], 1)

    def _needed_reach(self, scenarios: Scenarios) -> float:
        """The least reach that leaves out few scenarios of the first block."""
        moves = scenarios.fill(0, np.empty((scenarios.factors, BLOCK), np.float32))
        for reach in REACHES:
            if np.count_nonzero((np.abs(moves) > self.reach(reach)[:, None]).any(axis=0)) <= _LEFT * BLOCK:
                return reach
        return REACHES[-1]

    def _widest(self, valuation: Valuation, needed: float) -> tuple[float, list[Nodes]]:
        """The needed reach, or the widest below it over which a bound can be proved for each position; and their nodes."""
        for reach in reversed([each for each in REACHES if each <= needed]):
            try:
                return reach, [nodes(each, self._range(reach, row)) for row, each in enumerate(valuation.positions)]
            except CannotBound:
                continue
        return REACHES[0], []

    def _range(self, deviations: float, underlying: int) -> tuple[float, float]:
        reach = self.reach(deviations)
        return float(reach[underlying]), float(reach[-1]) if self._index else 0.0

    def _cut(self, coefficients: Reals, underlying: int, deviations: float, orders: Sequence[int]) -> Reals:
        outer, inner = self._range(self.outer, underlying), self._range(deviations, underlying)
        found = coefficients if outer == inner else narrowed(coefficients, outer, inner)
        return found[: orders[0], : orders[1]]

    def _found(self, valuation: Valuation, underlying: int) -> Reals:
        """Errors of all screens in one position, then the coefficients of the most accurate."""
        try:
            known = self._nodes[underlying] if self._nodes else None
            whole = surface(valuation, underlying, self._range(self.outer, underlying), known)
        except CannotBound:
            return np.full(len(self.first) + len(self.second) + math.prod(self._most), np.inf)
        best = np.zeros(self._most)
        rows, columns = (min(pair) for pair in zip(self._most, whole.coefficients.shape, strict=True))
        best[:rows, :columns] = whole.coefficients[:rows, :columns]
        inner = {
            reach: (whole, best)
            if reach == self.outer
            else (whole.within(self._range(reach, underlying)), self._cut(best, underlying, reach, self._most))
            for reach in {each[0] for each in self.first + self.second}
        }
        errors = [inner[reach][0].error_of(inner[reach][1][:by_x, :by_v]) for reach, by_x, by_v in self.first + self.second]
        return np.concatenate([errors, best.ravel()])
