"""Value at risk of 1,000 options on 20 stocks, by the tail alone, against programs that value every scenario; us a scenario.

Ours is the whole run on one rank, with screens, pilot, scenarios and quantiles; peers are given the scenarios, and price only.
Options of one series are netted by ours and not by the peers, so the directional book stands here a second time with no two alike.
The lowest level decides how many scenarios are valued: the goals are about 97.5 % and up, and one row more is from 95 % on.
Times of peers are of few scenarios, since each costs them the same. Before any time is told the figures are compared with a run
that values all, and those of a linear book with closed formulas.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np

from benchmarks import market_equality, risk_inputs
from benchmarks.market_floor import floor
from benchmarks.measure import Benchmark, Goal, Options, Row, Sample, in_turns, middle, per
from benchmarks.peers import revaluation
from benchmarks.peers.versions import versions
from benchmarks.report import run
from benchmarks.risk_inputs import LEVELS
from examples.risk.market.book import Book
from examples.risk.market.elliptical import Elliptical
from examples.risk.market.figures import LEVELS as ALL_LEVELS
from examples.risk.market.figures import Losses
from examples.risk.market.scenarios import BLOCK
from examples.risk.market.tail import measure
from examples.risk.market.valuation import Valuation
from examples.workload.communicator import Alone

BLOCKS, COMPARED, TIMED = 1024, 128, 16  # of 4,096 scenarios: ours; valued by both ways; valued, for a time
UNIT = "us a scenario"
NUMPY, QUANTLIB, JAX = 2048, 64, 512  # scenarios a call
PLAIN, BLOCKED, QL = "numpy, scipy.stats.norm", "numpy in blocks, ndtr", "QuantLib blackFormula"
JAX64, JAX32 = "JAX jit, f64", "JAX jit, f32"
DISTINCT = ", no two options alike"
OURS, BRUTE = "ours", "every scenario valued, by the same kernel"
DIRECTIONAL = {PLAIN: 100, BLOCKED: 25, QL: 400, JAX64: 60, JAX32: 10, BRUTE: 0}
TIMES = {  # by how much ours must be quicker
    "directional": DIRECTIONAL,
    f"directional{DISTINCT}": DIRECTIONAL,
    "hedged": {PLAIN: 70, BLOCKED: 0, JAX32: 0, BRUTE: 10},
}
POINT_LIMIT, FLOOR_SHARE = 3.0, 0.6


def measured(options: Options) -> list[Row]:
    rows = []
    for name, times in TIMES.items():
        book, scenarios = risk_inputs.book_and_scenarios(name.removesuffix(DISTINCT))
        if name.endswith(DISTINCT):
            book = risk_inputs.all_distinct(book)
        quick = _ours(book, scenarios, COMPARED)
        market_equality.check_equal(name, quick, _ours(book, scenarios, COMPARED, brute_force=True))
        found = in_turns(_works(book, scenarios, times), options.repeats)
        work = f"{name}, {Valuation(book).series:,} series; levels {_told(LEVELS)}"
        for peer, factor in times.items():
            goal = Goal(UNIT, middle(found[peer], UNIT) / factor) if factor else None
            must = f", and it must take {factor} times as much" if factor else ""
            rows.append(Row(work, found[OURS], peer + must, found[peer], goal))
        rows.append(Row(work.replace(_told(LEVELS), _told(ALL_LEVELS)), found["all levels"], BRUTE, found[BRUTE]))
        rows.append(_floor(work, book, quick, found[OURS]))
    return [*rows, *_linear()]


def _works(book: Book, scenarios: Elliptical, times: dict[str, int]) -> dict[str, Callable[[], Sample]]:
    peers = {
        PLAIN: (revaluation.plain, NUMPY),
        BLOCKED: (revaluation.blocked, NUMPY),
        QL: (revaluation.quantlib_loop, QUANTLIB),
        JAX64: (lambda book: revaluation.jax_compiled(book, np.float64), JAX),
        JAX32: (lambda book: revaluation.jax_compiled(book, np.float32), JAX),
    }
    works = {
        OURS: lambda: per(UNIT, BLOCKS * BLOCK, lambda: _ours(book, scenarios, BLOCKS)),
        "all levels": lambda: per(UNIT, BLOCKS * BLOCK, lambda: _ours(book, scenarios, BLOCKS, levels=ALL_LEVELS)),
        BRUTE: lambda: per(UNIT, TIMED * BLOCK, lambda: _ours(book, scenarios, TIMED, brute_force=True)),
    }
    for peer in times:
        if peer != BRUTE:
            made, count = peers[peer]
            works[peer] = _work(made(book), risk_inputs.moves(scenarios, count))
    return works


def _work(losses: revaluation.Losses, moves: np.ndarray[tuple[int, int], np.dtype[np.float32]]) -> Callable[[], Sample]:
    losses(moves)  # compiles, where that is the way
    calls = max(1, NUMPY // moves.shape[1]) if moves.shape[1] != QUANTLIB else 1

    def several() -> None:
        for _ in range(calls):
            losses(moves)

    return lambda: per(UNIT, calls * moves.shape[1], several)


def _ours(
    book: Book, scenarios: Elliptical, blocks: int, *, levels: tuple[float, ...] = LEVELS, brute_force: bool = False
) -> Losses:
    return measure(Alone(), book, scenarios, blocks, levels=levels, brute_force=brute_force)


def _told(levels: tuple[float, ...]) -> str:
    return ", ".join(f"{100 * level:g}" for level in levels) + " %"


def _floor(work: str, book: Book, quick: Losses, ours: list[Sample]) -> Row:
    parts = floor(quick.screening.orders, book.factors, len(book.names), Valuation(book), 1 - LEVELS[0])
    told = ", ".join(f"{name} {cost:.3f}" for name, cost in parts.items())
    least = sum(parts.values())
    samples = [Sample(float("nan"), float("nan"), {UNIT: least})]
    orders = " x ".join(map(str, quick.screening.orders))
    peer = f"numpy's floor with a screen of {orders}, and it must be {FLOOR_SHARE:.0%} of ours: {told}"
    return Row(work, ours, peer, samples, Goal(UNIT, least / FLOOR_SHARE))


def _linear() -> list[Row]:
    nothing = float("nan")
    rows = []
    for name, error, z in market_equality.linear_points():
        if abs(z) > POINT_LIMIT:
            raise RuntimeError(f"linear book: {name} is off by {error:.2g}, {z:.1f} standard errors")
        rows.append(
            Row(
                f"linear book, {name}: error by the closed formula / standard error",
                [Sample(nothing, nothing, {"z": abs(z)})],
                "closed formula under the multivariate t",
                [Sample(nothing, nothing, {"z": 1.0})],
                Goal("z", POINT_LIMIT),
            )
        )
    return rows


BENCHMARK = Benchmark("market", measured, 3, lambda _: versions("numpy", "scipy", "QuantLib", "jax"))

if __name__ == "__main__":
    sys.exit(run(BENCHMARK))
