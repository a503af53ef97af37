"""What a scenario must cost in numpy: the operations that the method cannot do without, each measured alone, on arrays in cache.

Left out is whatever a better program might not need: the pilot, gathering scenarios, those that pass the screen for nothing, the
calls' own cost for a book of other shape, the histogram, the quantile, the sums.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from examples.risk.market.scenarios import BLOCK
from examples.risk.market.screen import width
from examples.risk.market.valuation import WIDTH, Valuation
from examples.risk.numerics.philox import Philox

_CACHED = 8192  # elements
_TAKES = 0.02  # seconds, of each measurement
# Operations a pair of normals, of one word: see `numerics.normals`.
PAIR_32 = {"cast": 2, "add": 1, "multiply": 5, "log": 1, "maximum": 1, "sqrt": 1, "cos": 1, "sin": 1}
PAIR_64 = {"shift": 2, "cast": 2, "add": 5, "multiply": 6, "log": 1, "sqrt": 1, "tan": 1, "divide": 1}
MIXER_64 = {"multiply": 3, "add": 4, "maximum": 2, "cast": 2, "take": 3}  # the table of sqrt(nu / chi2)


def floor(orders: tuple[int, int], factors: int, underlyings: int, valuation: Valuation, tail: float) -> dict[str, float]:
    """Microseconds a scenario, by kind.

    Args:
        orders: of the screen.
        factors: of a scenario.
        underlyings: of the book.
        valuation: of the book.
        tail: share of scenarios that must be valued.
    """
    single, double = _costs(np.float32), _costs(np.float64)
    by_x, by_v = orders
    wide = width(orders, underlyings)
    moves = np.zeros((factors, BLOCK), np.float32)
    words, stream = factors * BLOCK // 2, Philox(1, 0)
    return {
        "words": sum(_seconds(lambda n=n: stream.words(1, n)) for n in (words, BLOCK // 2)) / BLOCK * 1e6,  # type: ignore[misc]
        "Box-Muller": factors / 2 * _cost(single, PAIR_32) + 0.5 * _cost(double, PAIR_64),
        "t": _cost(double, MIXER_64) + factors * single["multiply"],
        "correlation": _product(factors, factors, BLOCK),
        "recurrence": underlyings * _cost(single, {"multiply": by_x - 1, "add": by_x - 1}),
        "in the index": by_v * _cost(single, {"multiply": 2, "add": 2}),
        "screen's product": _product(by_v, (by_x - 1) * underlyings, wide),
        f"{tail:.1%} valued": tail * _seconds(lambda: valuation(moves[:, :WIDTH])) / WIDTH * 1e6,
    }


def _cost(costs: Mapping[str, float], counts: Mapping[str, int]) -> float:
    return sum(costs[name] * count for name, count in counts.items())


def _costs(dtype: Any) -> dict[str, float]:
    """Microseconds an element."""
    values, out = np.linspace(0.1, 0.9, _CACHED, dtype=dtype), np.empty(_CACHED, dtype)
    words = np.arange(_CACHED, dtype=np.uint32 if dtype == np.float32 else np.uint64)
    cells, shifted = np.arange(_CACHED) % 4000, np.empty_like(words)
    take: Any = np.take
    calls: dict[str, Callable[[], object]] = {
        "cast": lambda: np.copyto(out, words, casting="unsafe"),
        "shift": lambda: np.right_shift(words, words, out=shifted),
        "add": lambda: np.add(values, values, out=out),
        "multiply": lambda: np.multiply(values, values, out=out),
        "maximum": lambda: np.maximum(values, values, out=out),
        "divide": lambda: np.divide(values, values, out=out),
        "log": lambda: np.log(values, out=out),
        "sqrt": lambda: np.sqrt(values, out=out),
        "cos": lambda: np.cos(values, out=out),
        "sin": lambda: np.sin(values, out=out),
        "tan": lambda: np.tan(values, out=out),
        "take": lambda: take(values, cells, out=out, mode="clip"),
    }
    return {name: _seconds(call) / _CACHED * 1e6 for name, call in calls.items()}


def _product(rows: int, inner: int, columns: int) -> float:
    """A product in float32, microseconds a column."""
    left, right, out = (
        np.ones((rows, inner), np.float32),
        np.ones((inner, columns), np.float32),
        np.empty((rows, columns), np.float32),
    )
    return _seconds(lambda: np.matmul(left, right, out=out)) / columns * 1e6


def _seconds(call: Callable[[], object]) -> float:
    """CPU seconds of a call: the least of some groups of calls."""
    call()
    start = time.process_time()
    call()
    group = max(1, int(_TAKES / 5 / max(1e-7, time.process_time() - start)))
    least = float("inf")
    for _ in range(5):
        start = time.process_time()
        for _ in range(group):
            call()
        least = min(least, (time.process_time() - start) / group)
    return least
