"""Manhattan, QQ and principal component charts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from examples.genomics.gwas.bed import Variants
from examples.genomics.gwas.tails import inflation
from examples.workload.chart import BLUE, GREEN, GREY, ORANGE, RED, Axis, Chart

Reals = npt.NDArray[np.float64]
GENOME_WIDE = 5e-8  # the usual limit: 0.05 over a million independent variants
_GAP = 0.02  # of the whole length, between chromosomes
_CURVE = 200  # points of a line or band
_LEAST_TOP = 8.0
_LABELS = 3  # highest peaks that are named
_COLORS = (BLUE, ORANGE, GREEN, RED)


def manhattan(variants: Variants, logs: Reals, trait: str) -> str:
    """-log10 P of every variant along the genome.

    Args:
        variants: all.
        logs: natural logarithms of P, nan if there is none.
        trait: its name.
    """
    heights = -logs / math.log(10)
    shown = np.flatnonzero(~np.isnan(heights))
    numbers: dict[str, int] = {}  # of chromosomes, in the order of the file
    codes = np.array([numbers.setdefault(variants.chrom[at], len(numbers)) for at in shown.tolist()], np.int64)
    chroms = list(numbers)
    xs, ticks, start = np.zeros(len(shown)), [], 0.0
    lengths = {chrom: np.ptp(variants.pos[shown[codes == number]]) + 1.0 for chrom, number in numbers.items()}
    gap = _GAP * sum(lengths.values()) / max(1, len(chroms))
    for chrom, number in numbers.items():
        own = codes == number
        positions = variants.pos[shown[own]]
        xs[own] = start + positions - positions.min()
        ticks.append((start + lengths[chrom] / 2, chrom))
        start += lengths[chrom] + gap
    top = max(_LEAST_TOP, 1.08 * float(heights[shown].max(initial=0)))
    if len(chroms) == 1:
        begin = int(variants.pos[shown].min())
        x = Axis(f"position on chromosome {chroms[0]}, millions of bases", begin / 1e6, (begin + lengths[chroms[0]]) / 1e6)
        xs = (xs + begin) / 1e6
    else:
        x = Axis("chromosome", -gap, start, ticks=_spaced(ticks, start))
    chart = Chart(f"{trait}: association of {len(shown):,} variants", x, Axis("-log10 P", 0, top), width=960)
    for parity, color in enumerate((BLUE, "#86a8cc")):
        own = codes % 2 == parity
        chart.points(xs[own], heights[shown][own], color=color, size=3)
    limit = -math.log10(GENOME_WIDE)
    chart.line([x.low, x.high], [limit, limit], color=RED, dashed=True)
    _name_peaks(chart, [variants.id[at] for at in shown.tolist()], xs, heights[shown])
    return chart.svg()


def _spaced(ticks: Sequence[tuple[float, str]], length: float) -> list[tuple[float, str]]:
    """Without labels that would touch the one before."""
    kept: list[tuple[float, str]] = []
    for at, word in ticks:
        if not kept or at - kept[-1][0] > 0.022 * length * max(1.0, len(word) / 2):
            kept.append((at, word))
    return kept


def _name_peaks(chart: Chart, names: Sequence[str], xs: Reals, heights: Reals) -> None:
    named: list[float] = []
    for at in np.argsort(-heights, kind="stable").tolist():
        if heights[at] < -math.log10(GENOME_WIDE) or len(named) == _LABELS:
            break
        if all(abs(xs[at] - other) > 0.1 * (chart.x.high - chart.x.low) for other in named):
            middle = (chart.x.low + chart.x.high) / 2
            side = 0.008 * (chart.x.high - chart.x.low) * (1 if xs[at] < middle else -1)
            chart.text(xs[at] + side, heights[at], names[at], anchor="start" if xs[at] < middle else "end")
            named.append(float(xs[at]))


def qq(logs: dict[str, Reals]) -> str:
    """Observed against expected -log10 P of each trait, with lambda.

    The band holds 95 % of each order statistic of as many independent variants without effect.
    """
    known = {trait: np.sort(-values[~np.isnan(values)])[::-1] / math.log(10) for trait, values in logs.items()}
    most = max((len(values) for values in known.values()), default=0)
    right = max(1.0, 1.05 * math.log10(2 * most)) if most else 1.0
    top = max([right, *(1.05 * float(values[0]) for values in known.values() if len(values))])
    chart = Chart(
        "Observed and expected P values", Axis("expected -log10 P", 0, right), Axis("observed -log10 P", 0, top), height=440
    )
    if most:
        ranks = np.unique(np.geomspace(1, most, _CURVE).astype(np.int64))
        low, high = (_order_statistic(ranks, most, share) for share in (0.975, 0.025))
        chart.band(-np.log10((ranks - 0.5) / most), low, high)
    chart.line([0, right], [0, right], color=GREY, dashed=True)
    for row, ((trait, values), color) in enumerate(zip(known.items(), _cycle(len(known)), strict=True)):
        chart.points(-np.log10((np.arange(len(values)) + 0.5) / max(1, len(values))), values, color=color, size=4)
        told = f"{trait}: lambda {inflation(logs[trait]):.3f}" if len(values) else f"{trait}: no P values"
        chart.text(0.02 * right, (0.96 - 0.05 * row) * top, told, color=color)  # the upper left corner is empty
    return chart.svg()


def _cycle(number: int) -> list[str]:
    return [_COLORS[at % len(_COLORS)] for at in range(number)]


def _order_statistic(ranks: npt.NDArray[np.int64], number: int, share: float) -> Reals:
    """-log10 of a quantile of the k-th smallest of uniform numbers: Beta(k, n + 1 - k), by Wilson and Hilferty's cube root."""
    z = NormalDist().inv_cdf(share)
    halves = ranks.astype(np.float64)
    others = number + 1.0 - halves
    gammas = [k * (1 - 1 / (9 * k) + sign * z / (3 * np.sqrt(k))) ** 3 for k, sign in ((halves, 1), (others, 0))]
    return -np.log10(np.maximum(gammas[0], 1e-300) / (gammas[0] + gammas[1]))


def components(vectors: Reals, values: Reals) -> str:
    """The first two principal components; (samples, components) and (components,)."""
    shares = values / values.sum()
    first, second = vectors[:, 0], vectors[:, min(1, vectors.shape[1] - 1)]
    axes = [
        Axis(f"PC{number} ({share:.1%} of the {len(values)})", *_padded(column))
        for number, share, column in ((1, shares[0], first), (min(2, len(values)), shares[min(1, len(values) - 1)], second))
    ]
    chart = Chart(f"Principal components of {len(vectors):,} people", axes[0], axes[1], height=480)
    chart.points(first, second, color=BLUE, size=4)
    return chart.svg()


def _padded(column: Reals) -> tuple[float, float]:
    low, high = float(column.min()), float(column.max())
    pad = 0.05 * (high - low) or 1.0
    return low - pad, high + pad
