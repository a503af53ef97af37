"""Exposure of netting sets against QuantLib: exact values of single swaps, and the cost of valuing swaps on every path and date.

QuantLib values one swap after the other; numpy adds up all bonds of the netting sets on every path; figures are scaled to as many
valuations. Expected exposures of single swaps must agree with QuantLib's JamshidianSwaptionEngine, or the benchmark fails.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from typing import Any

import numpy as np

from benchmarks.measure import Benchmark, Goal, Missing, Options, Row, Sample, alternate, middle
from benchmarks.report import run
from examples.risk.exposure.curve import Curve
from examples.risk.exposure.hull_white import HullWhite
from examples.risk.exposure.simulation import BLOCK, Plan, Simulation, _Block
from examples.risk.exposure.trades import MONTHS, Counterparties, Swaps

SETS, PER_SET, STEP = 100, 50, 6
CURVE = Curve(np.arange(1.0, 31.0), 0.02 + 0.01 * (1 - np.exp(-np.arange(1.0, 31.0) / 5)))
MODEL = HullWhite(CURVE, 0.03, 0.01)
VALUED = 300  # swaps that QuantLib values in one sample


def measure(options: Options) -> list[Row]:
    try:
        ql = import_module("QuantLib")
    except ImportError as error:
        raise Missing("needs QuantLib: pip install QuantLib") from error
    _agree(ql)
    simulation = Simulation(_plan(_many(), SETS, 4 * BLOCK))
    block = _Block(simulation)
    evaluations = SETS * (len(simulation.months) - 1) * BLOCK
    ours, direct = alternate(lambda: _per(lambda: block.simulate(0), evaluations), _direct(simulation), options.repeats)
    again, theirs = alternate(lambda: _per(lambda: block.simulate(1), evaluations * PER_SET), _quantlib(ql), options.repeats)
    return [
        Row(
            f"10^9 valuations (set, date, path) of {SETS} netting sets of {PER_SET} swaps on {len(simulation.months) - 1} dates",
            ours,
            "numpy, adding up the bonds of every set",
            direct,
            Goal("cpu", middle(direct, "cpu")),
        ),
        Row(
            "10^9 valuations (swap, date, path) of the same",
            again,
            "QuantLib, VanillaSwap with its engine",
            theirs,
            Goal("cpu", middle(theirs, "cpu")),
        ),
    ]


def _per(work: Callable[[], object], valuations: int) -> Sample:
    """Seconds of a thousand million valuations, so nanoseconds of each."""
    cpu = time.process_time()
    work()
    return Sample(math.nan, (time.process_time() - cpu) / valuations * 1e9)


def _many() -> Swaps:
    draw = np.random.Generator(np.random.Philox(3))
    count = SETS * PER_SET
    period = np.full(count, 6)
    maturity = 6 * draw.integers(2, 61, count)
    sign = np.where(draw.random(count) < 0.5, -1.0, 1.0)
    notional = (1_000_000 * draw.integers(1, 20, count)).astype(np.float64)
    rate = 0.025 + 0.01 * (draw.random(count) - 0.5)
    return Swaps(np.repeat(np.arange(SETS), PER_SET), sign, notional, rate, maturity, period, np.full(count, np.nan))


def _plan(swaps: Swaps, sets: int, paths: int) -> Plan:
    columns = (np.full(sets, 0.01), np.full(sets, 0.4), np.full(sets, np.inf))
    return Plan(swaps, Counterparties(tuple(map(str, range(sets))), *columns), MODEL, 0.01, 0.4, STEP, 0.0, paths, 9)


def _direct(simulation: Simulation) -> Any:
    """One date in the middle: bonds of all maturities on every path, then their weighted sums."""
    bonds, _, _ = simulation.sets._remaining(120)  # noqa: SLF001 - what the peer must be given
    months = np.flatnonzero(bonds.any(axis=0))
    z = np.sqrt(MODEL.variance(10.0)) * np.random.default_rng(1).standard_normal(BLOCK)

    def value() -> Any:
        values = bonds[:, months] @ MODEL.deflated_bond(10.0, months[:, None] / MONTHS, z)
        return np.maximum(values, 0).sum(axis=1), values.sum(axis=1)

    return lambda: _per(value, SETS * BLOCK)


def _market(ql: Any) -> tuple[Any, Any, Any]:
    """QuantLib's calendar of equal months, the curve, and an index that pays twice a year."""
    today, simple = ql.Date(15, 1, 2024), ql.SimpleDayCounter()
    ql.Settings.instance().evaluationDate = today
    dates = [today + ql.Period(12 * year, ql.Months) for year in range(31)]
    curve = ql.DiscountCurve(dates, [float(CURVE.discount(float(year))) for year in range(31)], simple)
    handle = ql.YieldTermStructureHandle(curve)
    months = (ql.Period(6, ql.Months), 0, ql.USDCurrency(), ql.NullCalendar(), ql.Unadjusted, False, simple)
    return today, handle, ql.IborIndex("six months", *months, handle)


def _swap(ql: Any, today: Any, index: Any, start: int, end: int, *, rate: float, payer: bool) -> Any:
    days = [today + ql.Period(month, ql.Months) for month in (start, end)]
    schedule = ql.Schedule(
        *days, ql.Period(6, ql.Months), ql.NullCalendar(), ql.Unadjusted, ql.Unadjusted, ql.DateGeneration.Forward, False
    )
    side = ql.VanillaSwap.Payer if payer else ql.VanillaSwap.Receiver
    simple = ql.SimpleDayCounter()
    return ql.VanillaSwap(side, 1.0, schedule, rate, simple, schedule, index, 0.0, simple)


def _agree(ql: Any) -> None:
    """Expected exposures of a payer and a receiver swap are within four standard errors of QuantLib's swaptions."""
    today, handle, index = _market(ql)
    columns = (np.array([1e6, 1e6]), np.array([0.0265, 0.03]), np.array([120, 120]), np.array([6, 6]), np.full(2, np.nan))
    simulation = Simulation(_plan(Swaps(np.arange(2, dtype=np.intp), np.array([1.0, -1.0]), *columns), 2, 64 * BLOCK))
    block = _Block(simulation)
    figures = np.stack([block.simulate(number) for number in range(64)])[:, 0, :-1] * 1e6
    means, errors = figures.mean(axis=0), figures.std(axis=0, ddof=1) / 8
    engine = ql.JamshidianSwaptionEngine(ql.HullWhite(handle, MODEL.reversion, MODEL.volatility), handle)
    for row, month in enumerate(simulation.months.tolist()[1:], 1):
        for at, (rate, payer) in enumerate(((0.0265, True), (0.03, False))):
            swaption = ql.Swaption(
                _swap(ql, today, index, month, 120, rate=rate, payer=payer),
                ql.EuropeanExercise(today + ql.Period(month, ql.Months)),
            )
            swaption.setPricingEngine(engine)
            exact = 1e6 * swaption.NPV()
            if abs(means[row, at] - exact) > 4 * errors[row, at]:
                raise RuntimeError(f"month {month}: {means[row, at]:.1f} +- {errors[row, at]:.1f}, but QuantLib says {exact:.1f}")


def _quantlib(ql: Any) -> Any:
    today, handle, index = _market(ql)
    engine = ql.DiscountingSwapEngine(handle)
    swaps = [_swap(ql, today, index, 0, 12 + 6 * (at % 58), rate=0.02 + 1e-5 * at, payer=True) for at in range(VALUED)]

    def value() -> float:
        total = 0.0
        for swap in swaps:
            swap.setPricingEngine(engine)  # values anew
            total += swap.NPV()
        return total

    return lambda: _per(value, VALUED)


def versions(_: Options) -> dict[str, str]:
    return {"numpy": np.__version__, "QuantLib": version("QuantLib")}


BENCHMARK = Benchmark("exposure", measure, 5, versions)

if __name__ == "__main__":
    sys.exit(run(BENCHMARK))
