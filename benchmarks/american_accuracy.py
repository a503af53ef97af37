"""Prices, deltas, vegas and brackets of American options against references; fails if any is farther off than it may be.

Puts, 20 of Longstaff and Schwartz and 5 under Heston's model: within three standard errors and 0.01 of finite differences with the
same exercise dates. Calls on the greatest of two, three and five assets: the reference between the bounds, but for three standard
errors and its own tolerance, and the bounds at most 0.2 % apart.
"""

from __future__ import annotations

import math
import sys
import time
from importlib import metadata

from benchmarks.american_runs import Phases, heston_put, max_call, put
from benchmarks.measure import Benchmark, Goal, Options, Row, Sample
from benchmarks.report import run
from examples.risk.american.lower import Draws
from examples.risk.american.priced import in_money
from examples.risk.american.sweep import BLOCK
from examples.risk.numerics.estimates import Estimate
from tests.unit.risk.american.references import HESTON_PUTS, MAX_CALLS, PUTS, HestonPut, MaxCall, Put

PATHS, LOWER_PATHS = 16 * BLOCK, 8 * BLOCK
CALL_PATHS, CALL_LOWER_PATHS, OUTER, INNER = 16 * BLOCK, 32 * BLOCK, 2048, 256
ERRORS, NEAR, WIDEST = 3, 0.01, 0.2  # standard errors; money; per cent between the bounds
DELTA_NEAR, VEGA_NEAR = 0.005, 0.04  # the latter relative: that of a policy of four functions, which is not the best one
OFF, GAP = "off", "gap %"


def measure(_: Options) -> list[Row]:
    rows = [row for reference in PUTS for row in _put(reference)]
    rows += [_heston_put(reference) for reference in HESTON_PUTS]
    rows += [row for reference in MAX_CALLS for row in _max_call(reference)]
    if out := [row for row in rows if row.goal and not (row.figure or 0) <= row.goal.limit]:
        told = "\n".join(f"{row.work}: {row.goal.of if row.goal else ''} {dict(row.ours[0].counts)}, {row.peer}" for row in out)
        raise RuntimeError(f"{len(out)} of {len(rows)} rows are out:\n{told}")
    return rows


def _put(reference: Put) -> list[Row]:
    """Price, delta, vega."""
    start = time.process_time()
    phases = Phases(put(reference.spot, reference.volatility, reference.years), antithetic=True)
    draws = Draws.independent(LOWER_PATHS, antithetic=True)
    bound = phases.lower(phases.policy(PATHS), draws, greeks=True)
    cpu = time.process_time() - start
    name = f"put, spot {reference.spot:g}, volatility {reference.volatility:.0%}, {reference.years} a"
    rows = [_against(name, in_money(bound.value, 40), reference.price, NEAR, cpu)]
    if bound.greeks:
        rows.append(_against(f"{name}: delta", bound.greeks.delta[0], reference.delta, DELTA_NEAR, math.nan))
        rows.append(
            _against(f"{name}: vega", in_money(bound.greeks.vega[0], 40), reference.vega, VEGA_NEAR * reference.vega, math.nan)
        )
    return rows


def _heston_put(reference: HestonPut) -> Row:
    start = time.process_time()
    phases = Phases(heston_put(reference.spot))
    bound = phases.lower(phases.policy(PATHS), Draws.independent(LOWER_PATHS, antithetic=True))
    cpu = time.process_time() - start
    price = max(reference.bermudan, 10 - reference.spot)  # it may be exercised today
    return _against(f"Heston put, spot {reference.spot:g}", in_money(bound.value, 10), price, NEAR, cpu)


def _max_call(reference: MaxCall) -> list[Row]:
    """How far the reference is out of the bracket; how wide that is."""
    start = time.process_time()
    phases = Phases(max_call(reference.assets, reference.spot), antithetic=True)
    policy = phases.policy(CALL_PATHS)
    bound = phases.lower(policy, Draws.independent(CALL_LOWER_PATHS, antithetic=True))
    lower = in_money(bound.value, 100)
    upper = phases.upper(policy, bound, OUTER, INNER)
    cpu = time.process_time() - start
    name = f"max-call of {reference.assets}, spot {reference.spot:g}: {_told(lower)} to {_told(upper)}"
    outside = max(lower.value - reference.price, reference.price - upper.value, 0.0)
    allowed = ERRORS * max(lower.error, upper.error) + reference.tolerance
    gap = 100 * (upper.value / lower.value - 1)
    peer = f"quadrature {reference.price:g}, within {reference.tolerance:g}"
    theirs = [Sample(math.nan, math.nan, {"value": reference.price})]
    ours = [Sample(math.nan, cpu, {"value": lower.value, OFF: outside, GAP: gap})]
    return [
        Row(name, ours, peer, theirs, Goal(OFF, allowed)),
        Row(f"{name}: apart", ours, peer, theirs, Goal(GAP, WIDEST)),
    ]


def _against(name: str, found: Estimate, reference: float, near: float, cpu: float) -> Row:
    off = abs(found.value - reference)
    error = found.error if math.isfinite(found.error) else 0.0  # exercised today: the price is known
    return Row(
        f"{name}: {_told(found)}",
        [Sample(math.nan, cpu, {"value": found.value, OFF: off})],
        f"finite differences {reference:g}",
        [Sample(math.nan, math.nan, {"value": reference})],
        Goal(OFF, ERRORS * error + near),
    )


def _told(estimate: Estimate) -> str:
    return f"{estimate.value:.4f} ({estimate.error:.4f})"


BENCHMARK = Benchmark("american_accuracy", measure, 1, lambda _: {name: metadata.version(name) for name in ("numpy", "scipy")})

if __name__ == "__main__":
    sys.exit(run(BENCHMARK))
