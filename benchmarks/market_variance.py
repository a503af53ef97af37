"""Importance sampling on Sobol' points against plain Monte Carlo of as many points: how much smaller the variance is.

The sample books: one whose loss has a direction, and one with a delta of 0; 10 days, multivariate t with 4 degrees of freedom.
Losses are those of the most accurate screen, whose bound is told, or exact where it does not reach; both sides have the same.
Variances are those of
independent replicates, relative to the figure's square, in billionths; ratios of 48 each are known to about 30 %.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.measure import Benchmark, Goal, Options, Row, Sample
from benchmarks.report import run
from examples.risk.market.book import TRADING_DAYS
from examples.risk.market.covariance import history_of, sample_covariance
from examples.risk.market.figures import ES_LEVEL
from examples.risk.market.importance import Sampled, Sampler, measure_by_replicates
from examples.risk.market.portfolio import read_portfolio
from examples.risk.market.prices import read_prices
from examples.risk.market.scenarios import BLOCK
from examples.risk.market.uniforms import KINDS, Kind
from examples.workload.communicator import Alone

DATA = Path(__file__).parents[1] / "examples" / "risk" / "data"
BLOCKS, REPLICATES = 8, 48
DAYS, WINDOW, DEGREES, SEED = 10, 5 * TRADING_DAYS, 4.0, 7
VAR_LEVEL = 0.99
GOALS = {"directional": (100.0, 500.0), "hedged": (5.0, 10.0)}  # ratios of VaR 99 and ES 97.5


def measure(_: Options) -> list[Row]:
    rows = []
    for name, goals in GOALS.items():
        sampler = _sampler(name)
        plain, plain_seconds = _timed(sampler, "monte carlo")
        for kind in KINDS[1:]:
            found, seconds = _timed(sampler, kind)
            wanted = goals if kind == "importance" else (None, None)
            for figure, goal, ours, theirs in zip(("VaR 99", "ES 97.5"), wanted, _variances(found), _variances(plain), strict=True):
                work = f"{name} book, {figure}: variance of {kind}, {found.points:,} points, {REPLICATES} replicates"
                off = sampler.losses.bound / _values(plain)[figure == "ES 97.5"]
                peer = f"monte carlo, losses within {off:.2%} of {figure}"
                rows.append(
                    Row(
                        work,
                        [Sample(np.nan, seconds, {"variance": ours})],
                        peer + (f"; it must be {goal:g} times as much" if goal else ""),
                        [Sample(np.nan, plain_seconds, {"variance": theirs})],
                        Goal("variance", theirs / goal) if goal else None,
                    )
                )
    return rows


def _sampler(name: str) -> Sampler:
    prices = read_prices(str(DATA / "sp500.csv.gz"))
    book = read_portfolio(str(DATA / f"{name}.csv"), prices, horizon=DAYS / TRADING_DAYS, rate=0.02, moves_volatility=True)
    covariance = sample_covariance(history_of(prices, book.names, "ewma").changes[-WINDOW:]) * DAYS
    return Sampler(Alone(), book, covariance, DEGREES, SEED, exact=False)


def _timed(sampler: Sampler, kind: Kind) -> tuple[Sampled, float]:
    begin = time.process_time()
    found = measure_by_replicates(sampler, BLOCKS, REPLICATES, kind=kind, levels=(ES_LEVEL, VAR_LEVEL))
    return found, time.process_time() - begin


def _values(found: Sampled) -> tuple[float, float]:
    return found.value_at_risk[1].value, found.expected_shortfall[0].value


def _variances(found: Sampled) -> tuple[float, float]:
    """Of one replicate's VaR 99 and ES 97.5, relative to their size, in billionths."""
    errors = found.value_at_risk[1].error, found.expected_shortfall[0].error
    first, second = ((error / value) ** 2 * REPLICATES * 1e9 for error, value in zip(errors, _values(found), strict=True))
    return first, second


BENCHMARK = Benchmark("market_variance", measure, 1, lambda _: {"numpy": np.__version__, "points": f"{BLOCKS * BLOCK}"})

if __name__ == "__main__":
    sys.exit(run(BENCHMARK))
