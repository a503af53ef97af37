"""Charts of a run."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from examples.risk.market.backtest import Backtest
from examples.risk.market.figures import ES_LEVEL, Losses
from examples.risk.market.found import Found
from examples.risk.market.study import Study
from examples.workload.chart import BLUE, GREEN, GREY, ORANGE, RED, Axis, Chart

Reals = npt.NDArray[np.float64]


def charts(study: Study, found: Found) -> dict[str, str]:
    """All of them, by the names of their files."""
    return {
        "distribution.svg": distribution(found.losses, study.arguments.horizon),
        "components.svg": components(study, found.losses),
        "convergence.svg": convergence(found),
        **({"backtest.svg": backtest(study, found.backtest)} if found.backtest else {}),
    }


def distribution(losses: Losses, horizon: int) -> str:
    """The histogram of all losses on a logarithmic scale, so that the tail is seen, with value at risk and shortfall."""
    unit, word = _unit(losses.edges)
    shares = losses.counts / losses.scenarios
    top = 3 * float(shares.max())
    floor = 10.0 ** math.floor(math.log10(max(0.5 / losses.scenarios, 1e-9)))
    x = Axis(
        f"loss over {horizon} day{'s' * (horizon > 1)}{word}; gains are on the left",
        losses.edges[0] / unit,
        losses.edges[-1] / unit,
    )
    chart = Chart(f"Losses in {losses.scenarios:,} scenarios", x, Axis("share of scenarios", floor, top, log=True), width=960)
    chart.bars(losses.edges[1:-2] / unit, losses.edges[2:-1] / unit, shares[1:-1], color=BLUE)  # the outer ones hold all beyond
    marks = [(each.value_at_risk / unit, f"VaR {each.level:.1%}", ORANGE) for each in losses.measures]
    marks.append((losses.at(ES_LEVEL).expected_shortfall.value / unit, f"ES {ES_LEVEL:.1%}", RED))
    for row, (at, name, color) in enumerate(sorted(marks)):
        height = top * (floor / top) ** (0.02 + 0.05 * row)  # each flag is lower than the one before, so that none crosses another
        chart.line([at, at], [floor, height], color=color, dashed=color == ORANGE)
        left = at > x.low + 0.88 * (x.high - x.low)
        chart.text(
            at + (-1 if left else 1) * 0.004 * (x.high - x.low), height, name, anchor="end" if left else "start", color=color
        )
    return chart.svg()


def components(study: Study, losses: Losses) -> str:
    """Each underlying's part of expected shortfall, the largest first; hedges are below nothing."""
    measured = losses.at(ES_LEVEL)
    order = np.argsort(-measured.components, kind="stable")
    values, names = measured.components[order], [study.book.names[each] for each in order.tolist()]
    unit, word = _unit(values)
    places = np.arange(len(values), dtype=np.float64)
    highest, lowest = max(0.0, float(values.max())) / unit, min(0.0, float(values.min())) / unit
    pad = 0.08 * (highest - lowest) or 1.0
    ticks = [(place, name) for place, name in zip(places.tolist(), names, strict=True)]
    every = max(1, -(-len(ticks) // 24))
    chart = Chart(
        f"Parts of expected shortfall {ES_LEVEL:.1%}: {measured.expected_shortfall.value:,.0f} in all",
        Axis("underlying", -0.7, len(values) - 0.3, ticks=ticks[::every]),
        Axis(f"component{word}", lowest - pad if lowest < 0 else 0.0, highest + pad),
        width=960,
    )
    for place, value in zip(places.tolist(), (values / unit).tolist(), strict=True):
        chart.line([place - 0.35, place + 0.35, place + 0.35, place - 0.35, place - 0.35], [0, 0, value, value, 0], color=BLUE)
        chart.band([place - 0.35, place + 0.35], [min(0, value)] * 2, [max(0, value)] * 2, color=BLUE if value >= 0 else GREEN)
    chart.line([-0.7, len(values) - 0.3], [0, 0], color=GREY)
    return chart.svg()


def backtest(study: Study, foretold: Backtest) -> str:
    """Each day's loss, and what was foretold for it; losses beyond value at risk are red."""
    days, losses = np.arange(len(foretold.losses), dtype=np.float64), foretold.losses
    highest = float(max(losses.max(), foretold.shortfall.max()))
    unit, word = _unit(np.array([highest, float(losses.min())]))
    y = Axis(f"loss of a day{word}; gains are below 0", 1.1 * min(0.0, float(losses.min())) / unit, 1.4 * highest / unit)
    x = Axis("day", 0, max(1, len(days) - 1), ticks=_months(foretold.dates))
    beyond = losses > foretold.value_at_risk
    title = f"Back-test: {np.count_nonzero(beyond)} of {len(days):,} days beyond 1-day value at risk 99% by {study.foreteller}"
    chart = Chart(title, x, y, width=960)
    chart.points(days[~beyond], losses[~beyond] / unit, color=GREY, size=2)
    chart.line(days, foretold.value_at_risk / unit, color=ORANGE)
    chart.line(days, foretold.shortfall / unit, color=BLUE)
    chart.points(days[beyond], losses[beyond] / unit, color=RED, size=5)
    chart.legend([("VaR 99%", ORANGE), ("ES 97.5%", BLUE), ("loss", GREY), ("loss beyond VaR", RED)])
    return chart.svg()


def _months(dates: npt.NDArray[np.datetime64], most: int = 12) -> list[tuple[float, str]]:
    """Where months begin: so many of them, as far apart as is needed."""
    months = dates.astype("datetime64[M]")
    starts = (np.flatnonzero(months[1:] != months[:-1]) + 1).tolist()
    return [(float(day), str(months[day])) for day in starts[:: max(1, -(-len(starts) // most))]] or [(0.0, str(dates[0]))]


def convergence(found: Found) -> str:
    """Expected shortfall and its 95 % interval against the number of scenarios, by each way of drawing them."""
    colors = {"monte-carlo": BLUE, "importance": ORANGE}
    counts = np.array([each.scenarios for each in found.convergence], np.float64)
    lows, highs = np.array([each.shortfall.interval() for each in found.convergence]).T
    values = np.array([each.shortfall.value for each in found.convergence])
    unit, word = _unit(values)
    pad = 0.1 * float(highs.max() - lows.min()) or 1.0
    x = Axis("scenarios", float(counts.min()) / 1.3, float(counts.max()) * 1.3, log=True, ticks=_powers_of_four(counts))
    y = Axis(f"expected shortfall {ES_LEVEL:.1%}{word}", float(lows.min() - pad) / unit, float(highs.max() + pad) / unit)
    chart = Chart("Convergence, with 95 % intervals", x, y)
    for sampling, color in colors.items():
        own = np.array([each.sampling == sampling for each in found.convergence])
        if own.any():
            chart.band(counts[own], lows[own] / unit, highs[own] / unit, color=color)
            chart.line(counts[own], values[own] / unit, color=color)
            chart.points(counts[own], values[own] / unit, color=color, size=6)
    chart.legend([(name, color) for name, color in colors.items() if any(each.sampling == name for each in found.convergence)])
    return chart.svg()


def _powers_of_four(counts: Reals) -> list[tuple[float, str]]:
    """Powers of four between the least and the greatest number."""
    powers = range(math.ceil(math.log(counts.min(), 4) - 0.1), math.floor(math.log(counts.max(), 4) + 0.1) + 1)
    return [(4.0**power, f"{4**power:,}") for power in powers]


def _unit(values: Reals) -> tuple[float, str]:
    """Of money, so that labels are short."""
    largest = float(np.abs(values).max(initial=0.0))
    return (1e6, ", millions") if largest >= 5e6 else (1e3, ", thousands") if largest >= 5e3 else (1.0, "")
