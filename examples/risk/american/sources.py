"""The paths of each phase, whatever the model; each phase has a stream of draws of its own."""

from __future__ import annotations

import numpy.typing as npt

from examples.risk.american import gbm, heston
from examples.risk.american.lower import Draws
from examples.risk.american.model import Gbm
from examples.risk.american.paths import CALIBRATION, INNER, LOWER, OUTER, Backward, Branching, Forward
from examples.risk.american.sobol_paths import SobolForward
from examples.risk.american.trades import Trade
from examples.risk.numerics.philox import Philox


class Sources:
    """Makes paths of one trade.

    Args:
        trade: whose assets move.
        seed: of all draws.
        dtype: of states, float64 or float32.
    """

    def __init__(self, trade: Trade, seed: int, dtype: npt.DTypeLike) -> None:
        self._trade, self._seed, self._dtype = trade, seed, dtype
        self._dates, self._strike = trade.contract.dates, trade.contract.strike

    def backward(self, paths: int, blocks: range, *, antithetic: bool) -> Backward:
        """For the sweep: blocks of this rank, by their numbers over all ranks."""
        model, stream = self._trade.model, Philox(self._seed, CALIBRATION)
        if isinstance(model, Gbm):
            return gbm.Backward(model, self._strike, self._dates, stream, paths, blocks, self._dtype, antithetic=antithetic)
        return heston.Backward(model, self._strike, self._dates, stream, paths, blocks, self._dtype, antithetic=antithetic)

    def lower(self, draws: Draws) -> Forward:
        """Fresh paths for the lower bound."""
        model, stream = self._trade.model, Philox(self._seed, LOWER)
        if not isinstance(model, Gbm):
            return heston.Forward(model, self._strike, self._dates, stream, draws.paths, self._dtype, antithetic=draws.antithetic)
        if draws.replicates:
            bits, blocks = draws.paths.bit_length() - 1, draws.blocks // draws.replicates
            return SobolForward(self._trade.contract, model, self._seed, LOWER, bits, blocks, self._dtype)
        return gbm.Forward(model, self._strike, self._dates, stream, draws.paths, self._dtype, antithetic=draws.antithetic)

    def outer(self, paths: int) -> Forward:
        """For the upper bound, so many of a block."""
        model, stream = self._trade.model, Philox(self._seed, OUTER)
        if isinstance(model, Gbm):
            return gbm.Forward(model, self._strike, self._dates, stream, paths, self._dtype, antithetic=False)
        return heston.Forward(model, self._strike, self._dates, stream, paths, self._dtype)

    def inner(self, outer: int, inner: int) -> Branching:
        """Within these: so many paths of each of so many outer ones."""
        model, stream = self._trade.model, Philox(self._seed, INNER)
        if isinstance(model, Gbm):
            return gbm.Branching(model, self._dates, stream, outer, inner, self._dtype)
        return heston.Branching(model, self._dates, stream, outer, inner, self._dtype)
