"""The k-mer spectrum as a picture: bars on a logarithmic scale."""

from __future__ import annotations

import math

import numpy as np

from examples.genomics.kmers.histogram import HIGHEST, Histogram, peak
from examples.workload.chart import BLUE, RED, Axis, Chart

_BELOW_ONE = 0.7  # where the axis begins, so that a single k-mer shows


def svg(spectrum: Histogram, k: int) -> str:
    """A picture of the spectrum up to three times its peak, at least up to 20."""
    depth = peak(spectrum)
    last = min(max(20, 3 * depth), HIGHEST)
    shown = spectrum[1 : last + 1]
    top = 10.0 ** max(1, math.ceil(math.log10(max(int(shown.max(initial=0)), 1))))
    every = next(step for step in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if last <= 10 * step)
    ticks = [(float(frequency), f"{frequency:,}") for frequency in dict.fromkeys((1, *range(every, last + 1, every)))]
    beyond = int(spectrum[last + 1 :].sum())
    chart = Chart(
        f"Different {k}-mers by how often they occur" + (f" ({beyond:,} more than {last:,} times)" if beyond else ""),
        x=Axis("occurrences", 0.4, last + 0.6, ticks=ticks),
        y=Axis(f"different {k}-mers", _BELOW_ONE, top, log=True),
    )
    frequencies = np.flatnonzero(shown) + 1
    titles = [f"{spectrum[frequency]:,} k-mers occur {frequency} times" for frequency in frequencies]
    chart.bars(frequencies - 0.45, frequencies + 0.45, spectrum[frequencies], titles=titles)
    if depth > 1:
        chart.line([depth, depth], [_BELOW_ONE, top], color=RED, dashed=True)
        chart.legend([("different k-mers", BLUE), (f"depth {depth}", RED)])
    return chart.svg()
