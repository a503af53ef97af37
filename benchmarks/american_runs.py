"""The phases of `examples.risk.american` one by one, on one rank, for what the benchmarks price."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from examples.risk.american.basis import basis_of
from examples.risk.american.contract import Contract
from examples.risk.american.lower import Draws, Lower, LowerBound, lower_bound
from examples.risk.american.model import Gbm, Heston
from examples.risk.american.policy import Decisions, Policy
from examples.risk.american.priced import in_money
from examples.risk.american.sources import Sources
from examples.risk.american.sweep import BLOCK, Sweep, sweep
from examples.risk.american.trades import Trade
from examples.risk.american.upper import OUTER, Hedge, Upper, upper_bound
from examples.risk.numerics.estimates import Estimate
from examples.workload.arguments import CheckpointPlan
from examples.workload.communicator import Alone, Communicator
from examples.workload.restart import Restart


def put(spot: float, volatility: float, years: int) -> Trade:
    """Of Longstaff and Schwartz (2001), table 1."""
    dates = tuple((1 + date) / 50 for date in range(50 * years))
    return Trade("put", Contract("put", 40.0, dates), _gbm(1, spot, 0.06, 0.0, volatility))


def max_call(assets: int, spot: float) -> Trade:
    """Of Broadie and Glasserman: see `tests.unit.risk.american.references`."""
    dates = tuple((1 + date) / 3 for date in range(9))
    return Trade("max-call", Contract("max-call", 100.0, dates), _gbm(assets, spot, 0.05, 0.1, 0.2))


def heston_put(spot: float) -> Trade:
    """Of Ikonen and Toivanen, with 50 dates."""
    dates = tuple(0.25 * (1 + date) / 50 for date in range(50))
    model = Heston(rate=0.1, spot=spot, dividend=0.0, variance=0.0625, kappa=5.0, theta=0.16, xi=0.9, rho=0.1)
    return Trade("heston put", Contract("put", 10.0, dates), model)


def _gbm(assets: int, spot: float, rate: float, dividend: float, volatility: float) -> Gbm:
    spots, dividends, volatilities = (np.full(assets, each) for each in (spot, dividend, volatility))
    return Gbm(rate, spots, dividends, volatilities, np.eye(assets))


@dataclass(frozen=True, slots=True)
class Phases:
    """How a trade is priced.

    Attributes:
        trade: what.
        single: whether paths are float32.
        antithetic: whether each has a mirror image.
        seed: of all draws.
    """

    trade: Trade
    single: bool = False
    antithetic: bool = False
    seed: int = 1

    @property
    def _dtype(self) -> np.dtype[np.floating]:
        return np.dtype(np.float32 if self.single else np.float64)

    @property
    def _sources(self) -> Sources:
        return Sources(self.trade, self.seed, self._dtype)

    @property
    def _mirrored(self) -> bool:
        return self.antithetic or isinstance(self.trade.model, Heston)

    def decisions(self, policy: Policy) -> Decisions:
        """When it exercises."""
        return Decisions(policy, basis_of(self.trade.contract, self.trade.model), self._dtype)

    def policy(self, paths: int, comm: Communicator | None = None, restart: Restart | None = None) -> Policy:
        """By the sweep, from this rank's share of so many paths, a multiple of `BLOCK`."""
        comm, blocks = comm or Alone(), paths // BLOCK
        own = range(comm.rank * blocks // comm.size, (comm.rank + 1) * blocks // comm.size)
        basis = basis_of(self.trade.contract, self.trade.model)
        backward = self._sources.backward(BLOCK, own, antithetic=self._mirrored)
        run = Sweep(self.trade.contract, self.trade.model.rate, basis, backward, BLOCK, len(own), blocks, self._dtype)
        with restart or Restart(comm, CheckpointPlan(None, 60.0), "policy", {}, "1") as kept:
            return sweep(comm, run, basis, kept).policy

    def lower(self, policy: Policy, draws: Draws, *, greeks: bool = False, controlled: bool = True) -> LowerBound:
        """On fresh paths."""
        forward = self._sources.lower(draws)
        contract, model, decisions = self.trade.contract, self.trade.model, self.decisions(policy)
        lower = Lower(contract, model, decisions, forward, draws, greeks=greeks, controlled=controlled)
        return lower_bound(Alone(), lower, draws)

    def upper(self, policy: Policy, lower: LowerBound, outer: int, inner: int) -> Estimate:
        """By paths within paths; in money."""
        trade, strike = self.trade, self.trade.contract.strike
        upper = Upper(
            trade.contract,
            trade.spots / strike,
            trade.model.rate,
            self.decisions(policy),
            lower.going_on.value,
            self._sources.outer(OUTER),
            self._sources.inner,
            inner,
            outer // OUTER,
            Hedge(trade.contract, trade.model, lower.going_on.coefficients, inner),
        )
        return in_money(upper_bound(Alone(), upper).value, strike)
