"""The k-mer spectrum as a picture: bars on a logarithmic scale, written as SVG by hand."""

from __future__ import annotations

import math

from examples.genomics.kmers.histogram import HIGHEST, Histogram, peak

_WIDTH, _HEIGHT = 640, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 88, 16, 40, 48
_STYLE = "text { font: 12px sans-serif; fill: #333 } .title { font-size: 14px } .bar { fill: #3b6ea5 } .line { stroke: #ccc }"


def svg(spectrum: Histogram, k: int) -> str:
    """A picture of the spectrum up to three times its peak, at least up to 20."""
    last = min(max(20, 3 * peak(spectrum)), HIGHEST)
    decades = max(1, math.ceil(math.log10(max(int(spectrum[1 : last + 1].max()), 1)) or 1))
    inner_width, inner_height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
    floor = _TOP + inner_height
    step = inner_width / last

    def height(number: int) -> float:
        """Pixels of a number of k-mers; a single one still shows."""
        return max(2.0, inner_height * math.log10(number) / decades)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" viewBox="0 0 {_WIDTH} {_HEIGHT}">',
        f'<style>{_STYLE}</style><rect width="100%" height="100%" fill="#fff"/>',
        f'<text class="title" x="{_LEFT}" y="22">Different {k}-mers by how often they occur</text>',
    ]
    for decade in range(decades + 1):
        y = floor - inner_height * decade / decades
        parts.append(f'<line class="line" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{10**decade:,}</text>')
    for frequency in range(1, last + 1):
        if number := int(spectrum[frequency]):
            x, tall = _LEFT + step * (frequency - 1), height(number)
            parts.append(
                f'<rect class="bar" x="{x:.2f}" y="{floor - tall:.1f}" width="{step * 0.9:.2f}" height="{tall:.1f}">'
                f"<title>{number} k-mers occur {frequency} times</title></rect>"
            )
    every = _round_step(last)
    for frequency in [1, *range(every, last + 1, every)]:
        x = _LEFT + step * (frequency - 0.55)
        parts.append(f'<text x="{x:.1f}" y="{floor + 16}" text-anchor="middle">{frequency}</text>')
    middle = _LEFT + inner_width / 2
    parts.append(f'<text x="{middle:.1f}" y="{_HEIGHT - 10}" text-anchor="middle">occurrences</text>')
    return "\n".join([*parts, "</svg>\n"])


def _round_step(last: int) -> int:
    """A round distance that gives at most ten labels up to `last`."""
    return next(step for step in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if last <= 10 * step)
