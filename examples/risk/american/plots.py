"""Charts: the exercise boundary over time, or its region for two assets; bounds against paths; brackets of several contracts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from examples.risk.numerics.estimates import Estimate
from examples.workload.chart import BLUE, COLORS, GREEN, GREY, ORANGE, RED, Axis, Chart

Reals = npt.NDArray[np.float64]
_MARGIN = 0.08  # of an axis, beyond what is shown
_LEGEND = 0.25  # of an axis, for its legend
_TICKS = 24  # names of contracts below an axis, at most


def boundary(title: str, dates: Reals, spots: Mapping[str, Reals], strike: float, today: float, *, below: bool) -> str:
    """At which spot it is exercised.

    Args:
        title: of the chart.
        dates: in years, (dates,).
        spots: by what else the state is, in money, (dates,); nan where it is never exercised.
        strike: in money.
        today: the spot, in money.
        below: whether it is exercised below the boundary, as a put is.
    """
    known = np.concatenate([each[~np.isnan(each)] for each in spots.values()])
    low, high = _padded(np.concatenate([known, [strike, today]]))
    low, high = max(0.0, low), high + (_LEGEND * (high - low) if len(spots) > 1 else 0)
    chart = Chart(title, Axis("years", 0, float(dates[-1])), Axis("spot", low, high))
    if len(spots) == 1:
        (only,) = spots.values()
        shown = ~np.isnan(only)
        edge = np.full(int(shown.sum()), low if below else high)
        chart.band(dates[shown], np.minimum(only[shown], edge), np.maximum(only[shown], edge), color=BLUE)
    for values, color in zip(spots.values(), _colors(len(spots)), strict=True):
        shown = ~np.isnan(values)
        chart.line(dates[shown], values[shown], color=color)
        chart.points(dates[shown], values[shown], color=color, size=4)
    for level, word in ((strike, "strike"), (today, "today")):
        chart.line([0, float(dates[-1])], [level, level], color=GREY, dashed=True)
        chart.text(0.01 * float(dates[-1]), level + 0.01 * (high - low), word, color="#5b5f66")
    chart.legend([(name, color) for name, color in zip(spots, _colors(len(spots)), strict=True) if name])
    return chart.svg()


def region(title: str, first: Reals, second: Reals, exercised: npt.NDArray[np.bool_]) -> str:
    """Where on a date it is exercised: spots of two assets in money, (n,) and (m,), and which pairs, (n, m)."""
    chart = Chart(
        title,
        Axis("spot of the first asset", float(first[0]), float(first[-1])),
        Axis("spot of the second", float(second[0]), float(second[-1])),
        width=520,
        height=488,
    )
    xs, ys = np.meshgrid(first, second, indexing="ij")
    chart.points(xs[exercised], ys[exercised], color="#9db8d6", size=1.3 * 400 / len(first))
    chart.line([first[0], first[-1]], [first[0], first[-1]], color=GREY, dashed=True)
    return chart.svg()


def bounds(
    title: str, lower: Sequence[tuple[int, Estimate]], upper: Sequence[tuple[int, Estimate]], reference: float | None
) -> str:
    """Lower and upper bound, with 95 % intervals, by the share of their paths that had been drawn."""
    # The first intervals of an upper bound may be as wide as the price: they are cut off at the chart's edges
    intervals = [estimate.interval() for points in (lower, upper) for _, estimate in points[len(points) // 2 :]]
    middles = [estimate.value for points in (lower, upper) for _, estimate in points[1:]]
    values = np.array([end for each in intervals for end in each] + middles + ([reference] if reference is not None else []))
    low, high = _padded(values[np.isfinite(values)])
    chart = Chart(title, Axis("paths so far, % of all", 0, 100), Axis("price", low, high + _LEGEND * (high - low)))
    entries = []
    for word, points, color in (("lower", lower, BLUE), ("upper", upper, ORANGE)):
        if points:
            share = np.array([100 * paths / points[-1][0] for paths, _ in points])
            ends = np.array([estimate.interval() for _, estimate in points]).T
            chart.band(share, ends[0], ends[1], color=color)
            chart.line(share, [estimate.value for _, estimate in points], color=color)
            chart.points(share, [estimate.value for _, estimate in points], color=color, size=4)
            entries.append((f"{word} bound, {points[-1][0]:,} paths", color))
    if reference is not None:
        chart.line([0, 100], [reference, reference], color=GREEN, dashed=True)
        entries.append(("reference", GREEN))
    chart.legend(entries)
    return chart.svg()


def brackets(intervals: Sequence[tuple[float, float]], references: Sequence[float | None]) -> str:
    """The 95 % brackets of several contracts, all in % of their middle, and where the references are."""
    middles = [(low + high) / 2 or 1.0 for low, high in intervals]
    spans = np.array([(100 * (low / mid - 1), 100 * (high / mid - 1)) for (low, high), mid in zip(intervals, middles, strict=True)])
    known = {at: 100 * (each / middles[at] - 1) for at, each in enumerate(references) if each is not None}
    reach = (1 + _LEGEND) * max(0.01, float(np.abs(spans).max()), *(abs(value) for value in known.values()))
    every = -(-len(intervals) // _TICKS)
    chart = Chart(
        f"Brackets of {len(intervals)} contracts",
        Axis("contract", 0, len(intervals) + 1, ticks=[(at + 1, str(at + 1)) for at in range(0, len(intervals), every)]),
        Axis("% of the middle of the bracket", -reach, reach),
    )
    for at, (low, high) in enumerate(spans, 1):
        chart.line([at, at], [low, high], color=BLUE)
        for end in (low, high):
            chart.line([at - 0.2, at + 0.2], [end, end], color=BLUE)
    if known:
        chart.points([at + 1 for at in known], list(known.values()), color=RED, size=5)
    chart.legend([("95 % bracket", BLUE), *([("reference", RED)] if known else [])])
    return chart.svg()


def _colors(count: int) -> list[str]:
    return [COLORS[at % len(COLORS)] for at in range(count)]


def _padded(values: Reals) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    pad = _MARGIN * (high - low) or 0.01 * abs(high) or 1.0
    return low - pad, high + pad
