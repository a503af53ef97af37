"""American options by Longstaff and Schwartz: CPU time of a path's step, and of a price to a given error, against other programs.

A path's step is one path from one exercise date to the next. Finding the policy is all that the textbook's program does (it
prices on the same paths); policy, and price on fresh paths without controls, is what QuantLib's engines do. Beside that stand the
policy alone, and policy and price with controls, which the peers have not, so that errors differ. Dates are the same, and for one
asset powers of the spot; JAX is compiled beforehand. At equal error ours has its controls.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from benchmarks.american_runs import Phases, max_call, put
from benchmarks.measure import Benchmark, Goal, Options, Row, Sample, in_turns, middle, per
from benchmarks.peers import least_squares, quantlib
from benchmarks.peers.versions import versions
from benchmarks.report import run
from examples.risk.american.lower import Draws
from examples.risk.american.priced import in_money
from examples.risk.american.trades import Trade
from examples.risk.numerics.estimates import Estimate
from tests.unit.risk.american.references import MAX_CALLS, PUTS

UNIT = "ns a path-step"
PATHS, PEER_PATHS, BASKET_PATHS = 131_072, 16_384, 2_048  # ours and the textbook's; QuantLib's: its time is in proportion
DATES, BASKET_DATES, ASSETS, SPOT, BASKET_SPOT = 50, 9, 5, 36.0, 100.0
ERROR, POLICY_PATHS, PRICE_PATHS, BASKET_PRICE_PATHS = 0.001, 32_768, 4_096, 1_048_576  # at equal error; the last is QuantLib's
NEAR = 0.01  # money, beside four standard errors
LOW, LOWER = 0.0015, 0.01  # shares of the price that a policy may lose: any one; QuantLib's of five assets
PUT, PUT_UNIT = PUTS[0], 365 / (quantlib.INTERVAL * DATES)  # years of the contract in one of QuantLib
BASKET_UNIT = 3 * 365 / (quantlib.INTERVAL * BASKET_DATES)
BASKET_PRICE = next(each.price for each in MAX_CALLS if (each.assets, each.spot) == (ASSETS, BASKET_SPOT))
BASKET_PEER = "QuantLib MCAmericanBasketEngine, 21 functions"
KINDS, PRECISIONS = ("plain", "antithetic"), ("f64", "f32")
FOUND, PRICED, CONTROLLED = "policy", "policy and price", "policy and price with controls"


def measure(options: Options) -> list[Row]:
    return [*_policies(options), *_puts(options), *_baskets(options), *_equal_error(options)]


def _policies(options: Options) -> list[Row]:
    """Against programs that price on the paths of the regression."""
    peers: dict[str, least_squares.Price] = {"textbook numpy": least_squares.textbook}
    peers |= {f"JAX {name}": least_squares.jax_compiled(dtype) for name, dtype in (("f64", np.float64), ("f32", np.float32))}
    steps = PATHS * DATES
    trade = put(SPOT, PUT.volatility, PUT.years)
    works = {name: _works(Phases(trade, single=name == "f32"), DATES, PUT.price)[FOUND] for name in PRECISIONS}
    for name, price in peers.items():
        _near("put", name, price(PATHS, 1), 0.01, PUT.price)  # compiles JAX, too
        works[name] = lambda price=price: per(UNIT, steps, lambda: price(PATHS, 2))  # type: ignore[misc]
    found = in_turns(works, options.repeats)
    times = {("f64", "textbook numpy"): 5, ("f64", "JAX f64"): 4, ("f32", "textbook numpy"): 0, ("f32", "JAX f32"): 0}
    return [_row(f"put, policy, {ours}", found[ours], peer, found[peer], factor) for (ours, peer), factor in times.items()]


def _puts(options: Options) -> list[Row]:
    """Against QuantLib's engine of one asset."""
    trade = put(SPOT, PUT.volatility, PUT.years)
    works: dict[str, Callable[[], Sample]] = {kind: _quantlib_put(antithetic=kind == "antithetic") for kind in KINDS}
    for kind in KINDS:
        for precision in PRECISIONS:
            phases = Phases(trade, single=precision == "f32", antithetic=kind == "antithetic")
            works |= {f"{work}, {kind}, {precision}": each for work, each in _works(phases, DATES, PUT.price).items()}
    found = in_turns(works, options.repeats)
    goals = {f"{PRICED}, plain, f64": 12}
    return [
        _row(f"put, {name}", found[name], f"QuantLib MCAmericanEngine, {kind}, {PRICED}", found[kind], goals.get(name, 0))
        for kind in KINDS
        for name in (f"{work}, {kind}, {precision}" for work in (PRICED, FOUND, CONTROLLED) for precision in PRECISIONS)
    ]


def _quantlib_put(*, antithetic: bool) -> Callable[[], Sample]:
    option, process = _quantlib_terms()
    paths = PEER_PATHS // 2 if antithetic else PEER_PATHS

    def price() -> None:
        option.setPricingEngine(quantlib.monte_carlo_put(process, DATES, paths, paths, antithetic=antithetic))
        _near("put", "QuantLib", option.NPV(), option.errorEstimate(), PUT.price)

    return lambda: per(UNIT, 2 * PEER_PATHS * DATES, price)


def _quantlib_terms() -> tuple[Any, Any]:
    """The put, and the process of its spot."""
    process = quantlib.gbm(SPOT, 0.06 * PUT_UNIT, 0.0, PUT.volatility * PUT_UNIT**0.5)
    return quantlib.put(40.0, DATES, american=True), process


def _baskets(options: Options) -> list[Row]:
    """Against QuantLib's engine of several assets."""
    trade = max_call(ASSETS, BASKET_SPOT)

    def peer() -> None:
        option, engine = quantlib.max_call(ASSETS, BASKET_SPOT, BASKET_UNIT, BASKET_DATES, BASKET_PATHS, calibrated=BASKET_PATHS)
        option.setPricingEngine(engine)
        option.NPV()

    works: dict[str, Callable[[], Sample]] = {"QuantLib": lambda: per(UNIT, 2 * BASKET_PATHS * BASKET_DATES, peer)}
    for precision in PRECISIONS:
        phases = Phases(trade, single=precision == "f32")
        works |= {f"{work}, {precision}": each for work, each in _works(phases, BASKET_DATES, BASKET_PRICE).items()}
    found = in_turns(works, options.repeats)
    goals = {f"{PRICED}, f64": 40, f"{PRICED}, f32": 80}
    return [
        _row(f"5-asset max-call, {name}", found[name], f"{BASKET_PEER}, {PRICED}", found["QuantLib"], goals.get(name, 0))
        for name in (f"{work}, {precision}" for work in (PRICED, FOUND, CONTROLLED) for precision in PRECISIONS)
    ]


def _equal_error(options: Options) -> list[Row]:
    """QuantLib's engines run once, for a quarter of a minute or more; ours, with controls, to an error not above theirs."""
    option, process = _quantlib_terms()
    option.setPricingEngine(quantlib.monte_carlo_put(process, DATES, POLICY_PATHS // 2, error=ERROR, antithetic=True))
    trade, draws = put(SPOT, PUT.volatility, PUT.years), {"put, antithetic": Draws.independent(PRICE_PATHS, antithetic=True)}
    rows = _to_error(options, trade, draws, (option, "QuantLib MCAmericanEngine, antithetic"), PUT.price, factor=250)
    option, engine = quantlib.max_call(ASSETS, BASKET_SPOT, BASKET_UNIT, BASKET_DATES, BASKET_PRICE_PATHS, calibrated=POLICY_PATHS)
    option.setPricingEngine(engine)
    draws = {
        "5-asset max-call, antithetic": Draws.independent(24_576, antithetic=True),
        "5-asset max-call, Sobol'": Draws.sobol(16_384),
    }
    return rows + _to_error(options, max_call(ASSETS, BASKET_SPOT), draws, (option, BASKET_PEER), BASKET_PRICE, factor=0)


def _to_error(
    options: Options, trade: Trade, ways: Mapping[str, Draws], peer: tuple[Any, str], reference: float, *, factor: int
) -> list[Row]:
    """Policies are found from as many paths on both sides.

    Raises:
        RuntimeError: a price is wrong, or our standard error is above theirs.
    """
    phases, (option, told) = Phases(trade, antithetic=True), peer
    theirs = [per(UNIT, math.nan, option.NPV)]
    _near(trade.name, "QuantLib", option.NPV(), option.errorEstimate(), reference, low=LOWER if told == BASKET_PEER else LOW)
    limit, strike, rows = option.errorEstimate(), trade.contract.strike, []
    for name, draws in ways.items():
        found = Estimate(math.nan, math.nan)

        def ours(draws: Draws = draws) -> None:
            nonlocal found
            found = in_money(phases.lower(phases.policy(POLICY_PATHS), draws).value, strike)

        samples = [per(UNIT, math.nan, ours) for _ in range(options.repeats)]
        _near(trade.name, "ours", found.value, found.error, reference)
        if not found.error <= limit:
            raise RuntimeError(f"{name}: the standard error is {found.error:.5f}, which is above {limit:.5f}")
        work = f"{name}, controls: {found.value:.4f}, standard error {found.error:.5f}"
        must = f", and it must take {factor} times as much" if factor else ""
        goal = Goal("cpu", middle(theirs, "cpu") / factor) if factor else None
        rows.append(Row(work, samples, f"{told}: {option.NPV():.4f}, {limit:.5f}{must}", theirs, goal))
    return rows


def _works(phases: Phases, dates: int, reference: float) -> Mapping[str, Callable[[], Sample]]:
    """Policy alone; and with a price on as many fresh paths, without controls and with them, which must be right."""
    strike = phases.trade.contract.strike

    def priced(*, controlled: bool) -> None:
        draws = Draws.independent(PATHS, antithetic=phases.antithetic)
        found = in_money(phases.lower(phases.policy(PATHS), draws, controlled=controlled).value, strike)
        _near(phases.trade.name, "ours", found.value, found.error, reference)

    return {
        FOUND: lambda: per(UNIT, PATHS * dates, lambda: phases.policy(PATHS)),
        PRICED: lambda: per(UNIT, 2 * PATHS * dates, lambda: priced(controlled=False)),
        CONTROLLED: lambda: per(UNIT, 2 * PATHS * dates, lambda: priced(controlled=True)),
    }


def _near(name: str, whose: str, price: float, error: float, reference: float, *, low: float = LOW) -> None:
    """Who is wrong need not be quick.

    Raises:
        RuntimeError: the price is farther from the reference than chance and a simple policy explain.
    """
    allowed = 4 * error + NEAR
    if not -allowed - low * reference <= price - reference <= allowed:
        raise RuntimeError(f"{name}: {whose} says {price:.4f} (standard error {error:.4f}), the reference {reference:.4f}")


def _row(work: str, ours: list[Sample], peer: str, theirs: list[Sample], factor: int) -> Row:
    must = f", and it must take {factor} times as much" if factor else ""
    return Row(work, ours, peer + must, theirs, Goal(UNIT, middle(theirs, UNIT) / factor) if factor else None)


BENCHMARK = Benchmark("american", measure, 3, lambda _: versions("numpy", "scipy", "QuantLib", "jax"))

if __name__ == "__main__":
    sys.exit(run(BENCHMARK))
