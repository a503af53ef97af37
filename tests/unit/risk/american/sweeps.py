"""Sweeps as tests make them, and what a policy is worth on fresh paths."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from examples.risk.american.basis import Basis, basis_of
from examples.risk.american.contract import Contract
from examples.risk.american.gbm import Backward, Forward
from examples.risk.american.model import Gbm
from examples.risk.american.paths import CALIBRATION, LOWER
from examples.risk.american.policy import Decisions, Policy
from examples.risk.american.sweep import Sweep, Swept, own_blocks, sweep
from examples.risk.numerics.estimates import Estimate
from examples.risk.numerics.philox import Philox
from examples.workload.arguments import CheckpointPlan
from examples.workload.communicator import Communicator
from examples.workload.restart import Restart


def gbm(spots: list[float], rate: float, dividend: float, volatility: float, correlation: float = 0.0) -> Gbm:
    """Assets that are alike but for their spots."""
    count = len(spots)
    matrix = np.full((count, count), correlation)
    np.fill_diagonal(matrix, 1)
    return Gbm(rate, np.array(spots), np.full(count, dividend), np.full(count, volatility), matrix)


def put(spot: float, volatility: float, years: int) -> tuple[Contract, Gbm]:
    """Of Longstaff and Schwartz (2001), table 1."""
    dates = tuple((np.arange(50 * years) + 1) / 50)
    return Contract("put", 40.0, dates), gbm([spot], 0.06, 0.0, volatility)


def max_call(assets: int, spot: float) -> tuple[Contract, Gbm]:
    """Of Andersen and Broadie (2004), table 2."""
    return Contract("max-call", 100.0, tuple((np.arange(9) + 1) / 3)), gbm([spot] * assets, 0.05, 0.1, 0.2)


def prepared(
    comm: Communicator, contract: Contract, model: Gbm, *, blocks: int, block: int, dtype: npt.DTypeLike
) -> tuple[Sweep, Basis]:
    """A sweep that has not begun."""
    basis, own = basis_of(contract, model), own_blocks(comm, blocks)
    backward = Backward(model, contract.strike, contract.dates, Philox(7, CALIBRATION), block, own, dtype)
    return Sweep(contract, model.rate, basis, backward, block, len(own), blocks, dtype), basis


def swept(
    comm: Communicator,
    contract: Contract,
    model: Gbm,
    *,
    blocks: int = 4,
    block: int = 4096,
    dtype: npt.DTypeLike = np.float64,
    place: Path | None = None,
) -> Swept:
    """The whole sweep, saved on every date if there is a place."""
    run, basis = prepared(comm, contract, model, blocks=blocks, block=block, dtype=dtype)
    with Restart(comm, CheckpointPlan(str(place) if place else None, 0.0), "policy", {}, "1") as restart:
        return sweep(comm, run, basis, restart)


def followed(
    contract: Contract, model: Gbm, policy: Policy, *, blocks: int = 8, block: int = 8192, dtype: npt.DTypeLike = np.float64
) -> Estimate:
    """What the policy is worth on fresh antithetic paths, in money, or exercise today if that is more."""
    forward = Forward(model, contract.strike, contract.dates, Philox(7, LOWER), block, dtype)
    decide, last = Decisions(policy, basis_of(contract, model), dtype), len(contract.dates) - 1
    gain, here, paid = np.empty(block, dtype), np.empty(block, np.bool_), []
    for number in range(blocks):
        forward.begin(number)
        going, total = np.ones(block, np.bool_), np.zeros(block)
        for date, years in enumerate(contract.dates):
            states = forward.step()
            contract.exercise(states, gain)
            if date < last:
                decide(states, date, here)
            else:
                np.greater(gain, 0, out=here)
            total += (going & here) * gain * np.exp(-model.rate * years)
            going &= ~here
        paid.append(0.5 * (total[: block // 2] + total[block // 2 :]))
    values = np.concatenate(paid) * contract.strike
    at_once = float(contract.exercise(model.spots[:, None] / contract.strike, np.empty(1))[0]) * contract.strike
    if at_once >= values.mean():
        return Estimate(at_once, 0.0)
    return Estimate(float(values.mean()), float(values.std() / np.sqrt(len(values))))
