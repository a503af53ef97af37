"""What controls and scrambled Sobol' points take from the variance of American options, at as many paths.

``variance``: of the mean, in millionths of that of plain Monte Carlo with as many paths; its square root is what is left of the
error. Policies are found before the clock starts. Where points are scrambled, the variance is that of 32 scrambles, so it is known
to a quarter of itself; repeats have other seeds.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import count

import numpy as np

from benchmarks.measure import Benchmark, Goal, Options, Row, Sample, alternate
from benchmarks.report import run
from examples.risk.american import gbm, heston
from examples.risk.american.basis import basis_of
from examples.risk.american.contract import Contract
from examples.risk.american.lower import Draws, Lower, LowerBound, lower_bound
from examples.risk.american.model import Gbm, Heston, Model
from examples.risk.american.paths import CALIBRATION, LOWER, Forward
from examples.risk.american.policy import Decisions
from examples.risk.american.sobol_paths import SobolForward
from examples.risk.american.stopping import Stopped
from examples.risk.american.sweep import BLOCK, Sweep, sweep
from examples.risk.numerics.estimates import Estimate
from examples.risk.numerics.philox import Philox
from examples.workload.arguments import CheckpointPlan
from examples.workload.communicator import Alone
from examples.workload.restart import Restart

CALIBRATED = 1 << 17  # paths of the sweep
PATHS = 1 << 17  # of the lower bound
SCRAMBLES = 32
PLAIN = Draws.independent(PATHS, antithetic=False)
ANTITHETIC = Draws.independent(PATHS, antithetic=True)
SOBOL = Draws.sobol(PATHS, SCRAMBLES)
SOME = 1e6


@dataclass(frozen=True, slots=True)
class Case:
    """An option, and which shares of the plain variance are the goals with antithetic paths and with Sobol' points."""

    name: str
    contract: Contract
    model: Model
    independent: Goal | None = None
    sobol: Goal | None = None


def put(spot: float, volatility: float, expiry: float) -> tuple[Contract, Gbm]:
    """Of table 1 of Longstaff and Schwartz (2001): strike 40, 6 per cent, 50 dates a year."""
    dates = round(50 * expiry)
    contract = Contract("put", 40.0, tuple(expiry * (1 + date) / dates for date in range(dates)))
    return contract, Gbm(0.06, np.array([spot]), np.zeros(1), np.array([volatility]), np.eye(1))


def max_call(assets: int, correlation: float) -> tuple[Contract, Gbm]:
    """Of table 2 of Andersen and Broadie (2004), at the money: 3 years, 9 dates, 5 per cent, yields of 10, volatilities of 20."""
    contract = Contract("max-call", 100.0, tuple((1 + date) / 3 for date in range(9)))
    correlations = np.full((assets, assets), correlation) + (1 - correlation) * np.eye(assets)
    return contract, Gbm(0.05, np.full(assets, 100.0), np.full(assets, 0.1), np.full(assets, 0.2), correlations)


def heston_put() -> tuple[Contract, Heston]:
    """Of Ikonen and Toivanen (2004), at the money, on 50 dates."""
    contract = Contract("put", 10.0, tuple(0.25 * (1 + date) / 50 for date in range(50)))
    return contract, Heston(0.1, 10.0, 0.0, 0.0625, 5.0, 0.16, 0.9, 0.1)


CASES = (
    Case("put, spot 36, volatility 20 %, 1 year", *put(36, 0.2, 1), Goal("variance", SOME / 200), Goal("variance", SOME / 2000)),
    Case("put, spot 44, volatility 40 %, 2 years", *put(44, 0.4, 2), Goal("variance", SOME / 200), Goal("variance", SOME / 2000)),
    Case("max-call of 5 assets", *max_call(5, 0.0), None, Goal("variance", SOME / 35)),
    Case("max-call of 2 assets", *max_call(2, 0.0), None, Goal("variance", SOME / 35)),
    Case("max-call of 5 assets, correlation 30 %", *max_call(5, 0.3)),
    Case("put under Heston's model", *heston_put()),
)


def found(contract: Contract, model: Model, paths: int, seed: int) -> Decisions:
    """The policy by so many paths, on this rank alone."""
    basis, blocks = basis_of(contract, model), -(-paths // BLOCK)
    backward_of = gbm.Backward if isinstance(model, Gbm) else heston.Backward
    backward = backward_of(model, contract.strike, contract.dates, Philox(seed, CALIBRATION), BLOCK, range(blocks))  # type: ignore[arg-type]
    with Restart(Alone(), CheckpointPlan(None, 0.0), "sweep", {}, "1") as restart:
        swept = sweep(Alone(), Sweep(contract, model.rate, basis, backward, BLOCK, blocks, blocks), basis, restart)
    return Decisions(swept.policy, basis)


def forward_of(contract: Contract, model: Model, draws: Draws, seed: int) -> Forward:
    """The paths of such draws."""
    if draws.replicates:
        assert isinstance(model, Gbm)
        return SobolForward(contract, model, seed, LOWER, draws.paths.bit_length() - 1, draws.blocks // draws.replicates)
    stream, arguments = Philox(seed, LOWER), (contract.strike, contract.dates)
    if isinstance(model, Gbm):
        return gbm.Forward(model, *arguments, stream, draws.paths, antithetic=draws.antithetic)
    return heston.Forward(model, *arguments, stream, draws.paths, antithetic=draws.antithetic)


def bound(contract: Contract, model: Model, policy: Decisions, draws: Draws, seed: int) -> LowerBound:
    """Fresh paths under a policy, on this rank alone."""
    forward = forward_of(contract, model, draws, seed)
    return lower_bound(Alone(), Lower(contract, model, policy, forward, draws), draws)


def plain(contract: Contract, model: Model, policy: Decisions, seed: int) -> float:
    """The variance of the mean of what plain paths pay: nothing is valued but that."""
    forward = forward_of(contract, model, PLAIN, seed)
    assets = len(model.spots) if isinstance(model, Gbm) else 1
    stopped, total, squares = Stopped(contract, assets, PLAIN.paths), 0.0, 0.0
    for block in range(PLAIN.blocks):
        stopped.follow(forward, block, policy)
        paid = np.maximum(contract.exercise(stopped.spots, np.empty(PLAIN.paths)), 0) * np.exp(-model.rate * stopped.times)
        total += float(paid.sum())
        squares += float((paid * paid).sum())
    return Estimate.of_sums(total, squares, PLAIN.all_paths).error ** 2


def measure(options: Options) -> list[Row]:
    rows = []
    for case in CASES:
        policy, seeds = found(case.contract, case.model, CALIBRATED, 1), count(2)
        whole = plain(case.contract, case.model, policy, 1)

        def timed(variance: Callable[[int], float], whole: float = whole, seeds: count[int] = seeds) -> Sample:
            start, cpu = time.perf_counter(), time.process_time()
            measured = variance(next(seeds))
            return Sample(time.perf_counter() - start, time.process_time() - cpu, {"variance": SOME * measured / whole})

        for how, draws, controls, goal in (
            ("antithetic and controls", ANTITHETIC, True, case.independent),
            ("Sobol' points alone", SOBOL, False, None),
            ("Sobol' points and controls", SOBOL, True, case.sobol),
        ):
            if draws.replicates and not isinstance(case.model, Gbm):
                continue  # QE paths draw what they need as they go

            def ours(
                seed: int, case: Case = case, policy: Decisions = policy, draws: Draws = draws, controls: bool = controls
            ) -> float:
                result = bound(case.contract, case.model, policy, draws, seed).going_on
                return (result.value if controls else result.plain).error ** 2

            def theirs(seed: int, case: Case = case, policy: Decisions = policy) -> float:
                return plain(case.contract, case.model, policy, seed)

            samples = alternate(partial(timed, ours), partial(timed, theirs), options.repeats)
            rows.append(Row(f"{case.name}: {how}", samples[0], "plain Monte Carlo", samples[1], goal))
    return rows


BENCHMARK = Benchmark("american_variance", measure, 3, lambda _: {"numpy": np.__version__})

if __name__ == "__main__":
    sys.exit(run(BENCHMARK))
