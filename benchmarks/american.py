"""American options by Longstaff and Schwartz: CPU time of a path's step, and of a price to a given error, against other programs.

A path's step is one path from one exercise date to the next. Two kinds of work: finding the policy, which is all that the
textbook's program does (it prices on the same paths), and that with a price on fresh paths, which is what QuantLib's engines do.
Our price includes its controls. All have the same paths, dates and powers of the spot; JAX is compiled beforehand.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping

import numpy as np

from benchmarks.american_runs import Phases, max_call, put
from benchmarks.measure import Benchmark, Goal, Options, Row, Sample, in_turns, middle, per
from benchmarks.peers import least_squares, quantlib
from benchmarks.peers.versions import versions
from benchmarks.report import run
from examples.risk.american.lower import Draws
from examples.risk.american.trades import Trade
from tests.unit.risk.american.references import MAX_CALLS, PUTS

UNIT = "ns a path-step"
PATHS, PEER_PATHS, BASKET_PATHS = 131_072, 16_384, 2_048  # ours and the textbook's; QuantLib's: its time is in proportion
DATES, BASKET_DATES, ASSETS, SPOT, BASKET_SPOT = 50, 9, 5, 36.0, 100.0
ERROR, POLICY_PATHS, PRICE_PATHS = 0.001, 32_768, 4_096  # of the price to a given error
NEAR = 0.01  # beside three standard errors: a policy of four functions is not the best one
PUT, PUT_UNIT = PUTS[0], 365 / (quantlib.INTERVAL * DATES)  # years of the contract in one of QuantLib
BASKET_UNIT = 3 * 365 / (quantlib.INTERVAL * BASKET_DATES)
Works = Mapping[str, Callable[[], Sample]]


def measure(options: Options) -> list[Row]:
    return [*_policies(options), *_puts(options), *_baskets(options), *_equal_error(options)]


def _policies(options: Options) -> list[Row]:
    """Against programs that price on the paths of the regression."""
    peers: dict[str, least_squares.Price] = {"textbook numpy": least_squares.textbook}
    peers |= {f"JAX {name}": least_squares.jax_compiled(dtype) for name, dtype in (("f64", np.float64), ("f32", np.float32))}
    steps = PATHS * DATES
    works = {name: _found(put(SPOT, PUT.volatility, PUT.years), steps, single=name == "f32") for name in ("f64", "f32")}
    for name, price in peers.items():
        _near("put", name, price(PATHS, 1), 0.01, PUT.price)  # compiles JAX, too
        works[name] = lambda price=price: per(UNIT, steps, lambda: price(PATHS, 2))  # type: ignore[misc]
    found = in_turns(works, options.repeats)
    times = {("f64", "textbook numpy"): 5, ("f64", "JAX f64"): 4, ("f32", "textbook numpy"): 0, ("f32", "JAX f32"): 0}
    return [_row(f"put, policy, {ours}", found[ours], peer, found[peer], factor) for (ours, peer), factor in times.items()]


def _puts(options: Options) -> list[Row]:
    """Against QuantLib's engine of one asset: policy and price."""
    works: dict[str, Callable[[], Sample]] = {}
    trade = put(SPOT, PUT.volatility, PUT.years)
    for antithetic in (False, True):
        kind = "antithetic" if antithetic else "plain"
        for single in (False, True):
            works[f"{kind}, {_precision(single)}"] = _priced(Phases(trade, single, antithetic), PATHS, DATES, PUT.price)
        works[kind] = _quantlib_put(antithetic=antithetic)
    found = in_turns(works, options.repeats)
    rows = []
    for kind, factor in (("plain", 12), ("antithetic", 0)):
        for precision in ("f64", "f32"):
            must = factor if precision == "f64" else 0
            name = f"{kind}, {precision}"
            rows.append(
                _row(f"put, policy and price, {name}", found[name], f"QuantLib MCAmericanEngine, {kind}", found[kind], must)
            )
    return rows


def _quantlib_put(*, antithetic: bool) -> Callable[[], Sample]:
    option = quantlib.put(40.0, DATES, american=True)
    process = quantlib.gbm(SPOT, 0.06 * PUT_UNIT, 0.0, PUT.volatility * PUT_UNIT**0.5)
    paths = PEER_PATHS // 2 if antithetic else PEER_PATHS

    def price() -> None:
        option.setPricingEngine(quantlib.monte_carlo_put(process, DATES, paths, paths, antithetic=antithetic))
        _near("put", "QuantLib", option.NPV(), option.errorEstimate(), PUT.price)

    return lambda: per(UNIT, 2 * PEER_PATHS * DATES, price)


def _baskets(options: Options) -> list[Row]:
    """Against QuantLib's engine of several assets."""
    reference = next(each.price for each in MAX_CALLS if (each.assets, each.spot) == (ASSETS, BASKET_SPOT))
    trade = max_call(ASSETS, BASKET_SPOT)
    works: dict[str, Callable[[], Sample]] = {}
    for single in (False, True):
        works[_precision(single)] = _priced(Phases(trade, single), PATHS, BASKET_DATES, reference)
        works[f"policy, {_precision(single)}"] = _found(trade, PATHS * BASKET_DATES, single=single)

    def peer() -> None:
        option, engine = quantlib.max_call(ASSETS, BASKET_SPOT, BASKET_UNIT, BASKET_DATES, BASKET_PATHS)
        option.setPricingEngine(engine)
        option.NPV()

    works["QuantLib"] = lambda: per(UNIT, 2 * BASKET_PATHS * BASKET_DATES, peer)
    found = in_turns(works, options.repeats)
    told = "QuantLib MCAmericanBasketEngine, 21 functions"
    rows = []
    for precision, factor in (("f64", 40), ("f32", 80)):
        name = f"5-asset max-call, policy and price with controls, {precision}"
        rows.append(_row(name, found[precision], told, found["QuantLib"], factor))
        alone = f"5-asset max-call, policy, {precision}"
        rows.append(_row(alone, found[f"policy, {precision}"], f"{told}, policy and price", found["QuantLib"], 0))
    return rows


def _equal_error(options: Options) -> list[Row]:
    """The put until its standard error is 0.001; QuantLib's engine is asked for that error, and runs once."""
    phases = Phases(put(SPOT, PUT.volatility, PUT.years), antithetic=True)
    prices: list[tuple[float, float]] = []

    def ours() -> None:
        bound = phases.lower(phases.policy(POLICY_PATHS), Draws.independent(PRICE_PATHS, antithetic=True))
        prices.append((40 * bound.value.value, 40 * bound.value.error))

    samples = [per(UNIT, math.nan, ours) for _ in range(options.repeats)]
    for price, error in prices:
        _near("put", "ours", price, error, PUT.price)
        if error > ERROR:
            raise RuntimeError(f"put: the standard error is {error:.5f}, which is above {ERROR}")
    option = quantlib.put(40.0, DATES, american=True)
    process = quantlib.gbm(SPOT, 0.06 * PUT_UNIT, 0.0, PUT.volatility * PUT_UNIT**0.5)
    option.setPricingEngine(quantlib.monte_carlo_put(process, DATES, POLICY_PATHS // 2, error=ERROR, antithetic=True))
    theirs = [per(UNIT, math.nan, option.NPV)]
    _near("put", "QuantLib", option.NPV(), option.errorEstimate(), PUT.price)
    told = f"standard error {prices[-1][1]:.5f} (theirs {option.errorEstimate():.5f})"
    times = 250
    peer = f"QuantLib MCAmericanEngine, antithetic, and it must take {times} times as much"
    return [Row(f"put: {told}", samples, peer, theirs, Goal("cpu", middle(theirs, "cpu") / times))]


def _found(trade: Trade, steps: int, *, single: bool) -> Callable[[], Sample]:
    return lambda: per(UNIT, steps, lambda: Phases(trade, single).policy(PATHS))


def _priced(phases: Phases, paths: int, dates: int, reference: float) -> Callable[[], Sample]:
    """Policy and price on as many fresh paths; the price must be right."""
    strike = phases.trade.contract.strike

    def both() -> None:
        bound = phases.lower(phases.policy(paths), Draws.independent(paths, antithetic=phases.antithetic))
        _near(phases.trade.name, "ours", strike * bound.value.value, strike * bound.value.error, reference)

    return lambda: per(UNIT, 2 * paths * dates, both)


def _near(name: str, whose: str, price: float, error: float, reference: float) -> None:
    """Who is wrong need not be quick.

    Raises:
        RuntimeError: the price is farther from the reference than chance and a simple policy explain.
    """
    allowed = 4 * error + NEAR + (0.0015 * reference)
    if not abs(price - reference) <= allowed:
        raise RuntimeError(f"{name}: {whose} says {price:.4f} (standard error {error:.4f}), the reference {reference:.4f}")


def _row(work: str, ours: list[Sample], peer: str, theirs: list[Sample], factor: int) -> Row:
    must = f", and it must take {factor} times as much" if factor else ""
    return Row(work, ours, peer + must, theirs, Goal(UNIT, middle(theirs, UNIT) / factor) if factor else None)


def _precision(single: bool) -> str:
    return "f32" if single else "f64"


BENCHMARK = Benchmark("american", measure, 3, lambda _: versions("numpy", "scipy", "QuantLib", "jax"))

if __name__ == "__main__":
    sys.exit(run(BENCHMARK))
