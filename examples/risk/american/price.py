"""The three phases of each contract, one after the other, each with progress and checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np

from batchhpc.rank import ExactSum, Progress
from examples.risk.american.arguments import Arguments
from examples.risk.american.basis import basis_of
from examples.risk.american.early import may_pay_early
from examples.risk.american.finished import VERSION, Finished, identity
from examples.risk.american.greeks import Greeks
from examples.risk.american.lower import Draws, Lower
from examples.risk.american.policy import Decisions, Policy
from examples.risk.american.priced import Bound, Convergence, Going, Priced, in_money
from examples.risk.american.sharing import Summed, add_blocks
from examples.risk.american.sources import Sources
from examples.risk.american.sweep import BLOCK, Sweep, own_blocks, sweep
from examples.risk.american.upper import OUTER, Hedge, Upper
from examples.risk.numerics.estimates import Estimate
from examples.risk.numerics.traffic import Counted, Traffic
from examples.workload.communicator import Communicator
from examples.workload.restart import Restart

_LANES = 4  # of which a block's paths are a multiple
_ROUNDS = 8  # blocks of the lower bound between two looks at the clock: some 0.1 s


def price_all(comm: Communicator, arguments: Arguments) -> list[Priced]:
    """All contracts, in their order; collective."""
    with Finished(comm, arguments) as finished:
        return [Pricing(comm, arguments, number, finished).priced() for number in range(len(arguments.trades))]


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
        self._dtype = np.dtype(np.float32 if arguments.precision == "f32" else np.float64)
        self._sources = Sources(self._trade, arguments.seed, self._dtype)
        self._basis = basis_of(self._trade.contract, self._trade.model)
        self._early = may_pay_early(self._trade.contract, self._trade.model)

    def priced(self) -> Priced:
        """All phases; collective."""
        policy, sweep = self._policy()
        lower, going = self._lower(policy)
        upper = self._upper(policy, going, lower.value.value) if self._arguments.sizes.outer else None
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

    def _policy(self) -> tuple[Policy, Traffic | None]:
        """That of the arguments, or what the sweep finds, and what it sends."""
        trade, phase = self._trade, f"{self._number} policy"
        if self._arguments.policies is not None:
            return self._arguments.policies[self._number], None
        if (words := self._finished.of(phase)) is not None:
            return Policy.of(words[0], self._basis.count), Traffic(*words[1])
        paths = min(BLOCK, -(-self._arguments.sizes.paths // _LANES) * _LANES)
        blocks = -(-self._arguments.sizes.paths // paths)
        own = own_blocks(self._comm, blocks)
        backward = self._sources.backward(paths, own, antithetic=self._arguments.antithetic)
        counted = Counted(self._comm)
        run = Sweep(
            trade.contract, trade.model.rate, self._basis, backward, paths, len(own), blocks, self._dtype, early=self._early
        )
        with self._phase("policy", run.last, "dates") as (restart, progress):
            policy = sweep(counted, run, self._basis, restart, progress.reach).policy
        self._finished.keep(phase, [policy.told(), [counted.traffic.collectives, counted.traffic.bytes]])
        return policy, counted.traffic

    def _lower(self, policy: Policy) -> tuple[Bound, Going]:
        arguments, strike, phase = self._arguments, self._trade.contract.strike, f"{self._number} lower"
        if (words := self._finished.of(phase)) is not None:
            return Bound.of(words[0]), Going.of(words[1])
        if arguments.sampling == "sobol":
            draws = Draws.sobol(arguments.sizes.lower_paths)
        else:
            draws = Draws.independent(arguments.sizes.lower_paths, antithetic=self._arguments.antithetic)
        forward = self._sources.lower(draws)
        lower = Lower(
            self._trade.contract,
            self._trade.model,
            Decisions(policy, self._basis, self._dtype),
            forward,
            draws,
            greeks=arguments.greeks,
        )
        with self._phase("lower bound", draws.blocks, "blocks") as (restart, progress):
            add_blocks(self._comm, draws.blocks, _exact(lower.add, lower.moments), restart, progress.reach, _ROUNDS)
        counted = Counted(self._comm)
        found = lower.bound(counted)
        convergence = () if found.exercised_today else found.convergence  # which is that of going on
        bound = _bound(found.value, found.paths, convergence, strike, counted)
        going = Going(
            found.exercised_today,
            in_money(found.going_on.value, strike),
            _greeks(found.greeks, strike),
            found.controls,
            found.going_on.coefficients,
        )
        self._finished.keep(phase, [bound.words(), going.words()])
        return bound, going

    def _upper(self, policy: Policy, going: Going, least: float) -> Bound:
        """At least the lower bound, which is not the policy's where the European option is worth more."""
        sizes, trade, phase = self._arguments.sizes, self._trade, f"{self._number} upper"
        if (words := self._finished.of(phase)) is not None:
            return Bound.of(words)
        strike = trade.contract.strike
        upper = Upper(
            trade.contract,
            trade.spots / strike,
            trade.model.rate,
            Decisions(policy, self._basis, self._dtype),
            in_money(going.value, 1 / strike),
            self._sources.outer(OUTER),
            self._sources.inner,
            sizes.inner,
            -(-sizes.outer // OUTER),
            Hedge(trade.contract, trade.model, going.coefficients, sizes.inner),
            early=self._early,
        )
        with self._phase("upper bound", upper.blocks, "blocks") as (restart, progress):
            add_blocks(self._comm, upper.blocks, _exact(upper.add, upper), restart, progress.reach)
        counted = Counted(self._comm)
        found = upper.bound(counted)
        value = Estimate(max(found.value.value, least / strike), found.value.error)
        bound = _bound(value, found.paths, found.convergence, strike, counted)
        self._finished.keep(phase, bound.words())
        return bound


def _bound(value: Estimate, paths: int, convergence: Convergence, strike: float, counted: Counted) -> Bound:
    """In money."""
    points = tuple((so_far, in_money(estimate, strike)) for so_far, estimate in convergence)
    return Bound(in_money(value, strike), paths, points, counted.traffic)


class _HasSums(Protocol):
    sums: ExactSum


def _exact(add: Callable[[int], Any], of: _HasSums) -> Summed:
    """Blocks that are added to exact sums."""

    def take(states: Any) -> None:
        of.sums = ExactSum.from_state(states)

    def state() -> Any:
        return of.sums.state()  # of those that were taken

    return Summed(add, state, take)


def _greeks(greeks: Greeks | None, strike: float) -> dict[str, tuple[Estimate, ...]]:
    """In money: deltas by money, gammas by money squared, vegas by a volatility of 1."""
    if greeks is None:
        return {}
    figures = {"delta": (greeks.delta, 1.0), "gamma": (greeks.gamma, 1 / strike), "vega": (greeks.vega, strike)}
    return {name: tuple(in_money(each, unit) for each in some) for name, (some, unit) in figures.items() if some}
