"""Charts of exposures."""

from __future__ import annotations

from examples.risk.exposure.simulation import Exposures, Plan
from examples.risk.exposure.trades import MONTHS
from examples.workload.chart import BLUE, COLORS, ORANGE, Axis, Chart

_SHOWN = 4  # profiles of one chart
_BARS = 20


def profiles(plan: Plan, found: Exposures) -> str:
    """Expected exposures of the counterparties with the largest CVA, above and below zero, with 95 % bands."""
    largest = sorted(range(len(plan.counterparties.names)), key=lambda at: -float(found.cva[at]))[:_SHOWN]
    years = found.months / MONTHS
    scale = 1e6 if float(found.positive[:, largest].max(initial=0)) > 2e6 else 1e3
    top = max(float(found.positive[:, largest].max(initial=0)), 1e-9) / scale
    bottom = -float(found.negative[:, largest].max(initial=0)) / scale
    unit = "millions" if scale == 1e6 else "thousands"
    chart = Chart(
        "Discounted expected exposure, and the other side's below",
        Axis("years", 0, float(years[-1]) or 1.0),
        Axis(unit, 1.05 * bottom, 1.05 * top),
        width=760,
    )
    for color, at in zip(COLORS, largest, strict=False):
        for sign, column, error in ((1, found.positive, found.positive_error), (-1, found.negative, found.negative_error)):
            middle, half = sign * column[:, at] / scale, 1.96 * error[:, at] / scale
            chart.band(years, middle - half, middle + half, color=color)
            chart.line(years, middle, color=color, dashed=sign < 0)
    chart.legend([(plan.counterparties.names[at], color) for color, at in zip(COLORS, largest, strict=False)])
    return chart.svg()


def adjustments(plan: Plan, found: Exposures) -> str:
    """CVA and DVA of the counterparties with the largest CVA."""
    largest = sorted(range(len(plan.counterparties.names)), key=lambda at: -float(found.cva[at]))[:_BARS]
    top = 1.05 * max(float(found.cva[largest].max(initial=0)), float(found.dva[largest].max(initial=0)), 1e-9)
    ticks = [(row + 0.5, plan.counterparties.names[at][:6]) for row, at in enumerate(largest)]
    chart = Chart("CVA and DVA", Axis("counterparty", 0, len(largest), ticks=ticks), Axis("money of today", 0, top), width=960)
    rows = list(range(len(largest)))
    chart.bars([row + 0.1 for row in rows], [row + 0.48 for row in rows], found.cva[largest], color=BLUE)
    chart.bars([row + 0.52 for row in rows], [row + 0.9 for row in rows], found.dva[largest], color=ORANGE)
    chart.legend([("CVA", BLUE), ("DVA", ORANGE)])
    return chart.svg()
