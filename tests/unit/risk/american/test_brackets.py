"""Policy, lower and upper bound together, against prices from elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

from examples.risk.american import gbm, heston
from examples.risk.american.basis import basis_of
from examples.risk.american.contract import Contract
from examples.risk.american.lower import Draws, Lower, LowerBound, lower_bound
from examples.risk.american.model import Gbm, Heston, Model
from examples.risk.american.paths import CALIBRATION, INNER, LOWER, OUTER, Backward, Branching, Forward
from examples.risk.american.policy import Decisions
from examples.risk.american.sweep import Sweep, sweep
from examples.risk.american.upper import OUTER as OUTER_PATHS
from examples.risk.american.upper import Hedge, Upper, UpperBound, upper_bound
from examples.risk.numerics.philox import Philox
from examples.workload.arguments import CheckpointPlan
from examples.workload.communicator import Alone
from examples.workload.restart import Restart
from tests.unit.risk.american.quadrature import max_call_price
from tests.unit.risk.american.sweeps import max_call

BLOCK, BLOCKS = 8192, 8


def forward(contract: Contract, model: Model, stream: int, paths: int, *, antithetic: bool) -> Forward:
    arguments = contract.strike, contract.dates, Philox(3, stream), paths
    if isinstance(model, Gbm):
        return gbm.Forward(model, *arguments, antithetic=antithetic)
    return heston.Forward(model, *arguments, antithetic=antithetic)


def backward(contract: Contract, model: Model) -> Backward:
    arguments = contract.strike, contract.dates, Philox(3, CALIBRATION), BLOCK, range(BLOCKS)
    if isinstance(model, Gbm):
        return gbm.Backward(model, *arguments, antithetic=True)
    return heston.Backward(model, *arguments, antithetic=True)


def branching(contract: Contract, model: Model, outer: int, inner: int) -> Branching:
    stream = Philox(3, INNER)
    if isinstance(model, Gbm):
        return gbm.Branching(model, contract.dates, stream, outer, inner)
    return heston.Branching(model, contract.dates, stream, outer, inner)


def bracket(contract: Contract, model: Model, inner: int) -> tuple[LowerBound, UpperBound]:
    """By 65,536 paths for each of policy and lower bound, and 512 outer ones."""
    comm, basis = Alone(), basis_of(contract, model)
    run = Sweep(contract, model.rate, basis, backward(contract, model), BLOCK, BLOCKS, BLOCKS)
    with Restart(comm, CheckpointPlan(None, 0.0), "policy", {}, "1") as restart:
        policy = sweep(comm, run, basis, restart).policy
    decisions, draws = Decisions(policy, basis), Draws(BLOCKS, BLOCK, antithetic=True)
    lower = lower_bound(
        comm, Lower(contract, model, decisions, forward(contract, model, LOWER, BLOCK, antithetic=True), draws), draws
    )
    spots = (model.spots if isinstance(model, Gbm) else np.array([model.spot])) / contract.strike
    hedge = Hedge(contract, model, lower.going_on.coefficients, inner)
    upper = Upper(
        contract,
        spots,
        model.rate,
        decisions,
        lower.going_on.value,
        forward(contract, model, OUTER, OUTER_PATHS, antithetic=False),
        lambda outer, number: branching(contract, model, outer, number),
        inner,
        2,
        hedge,
    )
    return lower, upper_bound(comm, upper)


def test_the_max_call_s_bracket_holds_its_price():
    """The bounds of a call on the larger of two assets hold what quadrature finds, 13.90, and are 0.3 % apart at most."""
    contract, model = max_call(2, 100)
    price = max_call_price(contract, model, 400) / contract.strike
    assert price == pytest.approx(0.139018, abs=1e-5)
    lower, upper = bracket(contract, model, inner=1024)
    assert lower.value.interval()[0] < price < upper.value.interval()[1]
    assert upper.gap.value < 0.003 * lower.value.value


@pytest.mark.parametrize(("spot", "price"), [(8.0, 2.0), (10.0, 0.517154)])
def test_puts_under_heston_s_model_are_worth_what_quantlib_finds(spot, price):
    """Bermudan puts of ten dates and today, by QuantLib 1.44's FdHestonVanillaEngine (400 x 400 x 200): within 3 errors + 0.5 %."""
    model = Heston(0.1, spot, 0.0, 0.0625, 5.0, 0.16, 0.9, 0.1)
    contract = Contract("put", 10.0, tuple(0.025 * (date + 1) for date in range(10)))
    lower, upper = bracket(contract, model, inner=1024)
    assert lower.exercised_today == (spot == 8.0)
    assert price / 10 * 0.995 - 3 * lower.value.error < lower.value.value <= price / 10 + 3 * lower.value.error
    assert upper.value.value > price / 10 - 3 * upper.value.error
