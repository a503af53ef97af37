"""The three phases of each contract, one after the other, each with progress and checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from batchhpc.rank import ExactSum, Progress
from examples.risk.american.arguments import Arguments
from examples.risk.american.finished import VERSION, Finished, identity
from examples.risk.american.lower import Draws, Lower
from examples.risk.american.priced import Bound, Going, Priced, Traffic, in_money
from examples.risk.american.sharing import Summed, add_blocks
from examples.risk.american.trades import Trade
from examples.risk.american.upper import OUTER, Upper
from examples.risk.numerics.estimates import Estimate
from examples.workload.communicator import Communicator
from examples.workload.restart import Restart

_ROUNDS = 8  # blocks of the lower bound between two looks at the clock: some 0.1 s


class Pricing:
    """One contract.

    Args:
        comm: the ranks.
        arguments: of the run.
        number: of the contract, from 0.
        finished: keeps what is over.
    """

    def __init__(self, comm: Communicator, arguments: Arguments, number: int, finished: Finished) -> None:
        self._comm, self._arguments, self._number, self._finished = comm, arguments, number, finished
        self._trade = arguments.trades[number]
        self._dtype = np.float32 if arguments.precision == "f32" else np.float64

    def priced(self) -> Priced:
        """All phases; collective."""
        policy, sweep = self._policy()
        lower, going = self._lower(policy)
        upper = self._upper(policy, going) if self._arguments.sizes.outer else None
        return Priced(self._trade, policy, sweep, lower, going, upper)

    @contextmanager
    def _phase(self, word: str, total: int, unit: str) -> Iterator[tuple[Restart, Progress]]:
        """Checkpoints and progress of a phase."""
        arguments, trade = self._arguments, self._trade
        several = len(arguments.trades) > 1
        told = f"{unit} of the {word}" + (f", contract {self._number + 1} of {len(arguments.trades)}" if several else "")
        folder = f"{self._number + 1}-{word.replace(' ', '-')}"
        with (
            Restart(self._comm, arguments.checkpoint, folder, identity(arguments, trade), VERSION) as restart,
            Progress(total, told, self._comm) as progress,
        ):
            progress.begin()
            yield restart, progress

    def _lower(self, policy: Deciding) -> tuple[Bound, Going]:
        arguments, strike, phase = self._arguments, self._trade.contract.strike, f"{self._number} lower"
        if (words := self._finished.of(phase)) is not None:
            return Bound.of(words[0]), Going.of(words[1])
        if arguments.sampling == "sobol":
            draws = Draws.sobol(arguments.sizes.lower_paths)
        else:
            draws = Draws.independent(arguments.sizes.lower_paths, antithetic=arguments.antithetic)
        forward = self._paths.lower(draws)
        lower = Lower(self._trade.contract, self._trade.model, policy.decide, forward, draws, greeks=arguments.greeks)
        with self._phase("lower bound", draws.blocks, "blocks") as (restart, progress):
            add_blocks(self._comm, draws.blocks, _exact(lower.add, lower.moments), restart, progress.reach, _ROUNDS)
        counted = Counted(self._comm)
        found = lower.bound(counted.comm)
        convergence = tuple((paths, in_money(estimate, strike)) for paths, estimate in found.convergence)
        bound = Bound(in_money(found.value, strike), found.paths, convergence, counted.traffic)
        going = Going(found.exercised_today, in_money(found.going_on.value, strike), _greeks(found.greeks, strike), found.controls)
        self._finished.keep(phase, [bound.words(), going.words()])
        return bound, going

    def _upper(self, policy: Deciding, going: Going) -> Bound:
        sizes, trade, phase = self._arguments.sizes, self._trade, f"{self._number} upper"
        if (words := self._finished.of(phase)) is not None:
            return Bound.of(words)
        strike = trade.contract.strike
        upper = Upper(
            trade.contract,
            trade.spots / strike,
            trade.model.rate,
            policy,
            in_money(going.value, 1 / strike),
            self._paths.outer(OUTER),
            self._paths.inner,
            sizes.inner,
            -(-sizes.outer // OUTER),
            self._paths.today,
        )
        with self._phase("upper bound", upper.blocks, "blocks") as (restart, progress):
            add_blocks(self._comm, upper.blocks, _exact(upper.add, upper), restart, progress.reach)
        counted = Counted(self._comm)
        found = upper.bound(counted.comm)
        convergence = tuple((paths, in_money(estimate, strike)) for paths, estimate in found.convergence)
        bound = Bound(in_money(found.value, strike), found.paths, convergence, counted.traffic)
        self._finished.keep(phase, bound.words())
        return bound


class _HasSums(Protocol):
    sums: ExactSum


def _exact(add: Callable[[int], Any], of: _HasSums) -> Summed:
    """Blocks that are added to exact sums."""

    def take(states: Any) -> None:
        of.sums = ExactSum.from_state(states)

    return Summed(add, lambda: of.sums.state(), take)


def _greeks(greeks: Greeks | None, strike: float) -> dict[str, tuple[Estimate, ...]]:
    """In money: deltas by money, gammas by money squared, vegas by a volatility of 1."""
    if greeks is None:
        return {}
    figures = {"delta": (greeks.delta, 1.0), "gamma": (greeks.gamma, 1 / strike), "vega": (greeks.vega, strike)}
    return {name: tuple(in_money(each, unit) for each in some) for name, (some, unit) in figures.items() if some}
