"""How long unitigs are, as a picture."""

from __future__ import annotations

import math

import numpy as np

from examples.genomics.unitigs.exchange import Numbers
from examples.workload.chart import GREY, Axis, Chart

_PER_DECADE = 10  # bars


def svg(lengths: Numbers, n50: int) -> str:
    """Bars of unitigs by length, both on logarithmic scales, and where the N50 is.

    Args:
        lengths: (2, different lengths): length in letters, and how many have it.
        n50: drawn if it is above 0.
    """
    low = 10 ** math.floor(math.log10(lengths[0].min(initial=10)))
    high = 10 ** math.ceil(math.log10(lengths[0].max(initial=100) + 1))
    edges = np.geomspace(low, high, round(_PER_DECADE * math.log10(high / low)) + 1)
    heights, _ = np.histogram(lengths[0], edges, weights=lengths[1])
    top = 10 ** math.ceil(math.log10(max(2.0, float(heights.max()))))
    chart = Chart("Unitigs by length", x=Axis("letters", low, high, log=True), y=Axis("unitigs", 0.5, top, log=True))
    titles = [
        f"{int(number):,} of {math.ceil(start):,} to {math.ceil(end) - 1:,} letters"
        for number, start, end in zip(heights, edges, edges[1:], strict=False)
    ]
    chart.bars(edges[:-1], edges[1:], heights, titles=titles)
    if n50:
        chart.line([n50, n50], [0.5, top], color=GREY, dashed=True)
        chart.text(n50 * 1.05, top * 0.7, f"N50 {n50:,}")
    return chart.svg()
