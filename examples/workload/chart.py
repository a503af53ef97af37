"""Charts as SVG, written by hand: a plot is a small text file, the same bytes everywhere, and needs no library.

    chart = Chart("Distances", x=Axis("metres", 0, 100), y=Axis("times", 1, 1e6, log=True))
    chart.line(xs, ys, color=BLUE)
    chart.svg()

Marks outside the axes are left out (points) or drawn up to the edge (bars, lines).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt

BLUE, ORANGE, GREEN, RED, GREY = "#3b6ea5", "#d9822b", "#4f9d69", "#b33a3a", "#8a8f98"
COLORS = (BLUE, ORANGE, GREEN, RED, "#7d5ba6", "#8c6d46", "#c06c9b", "#5b5f66", "#a3a847", "#3aa6b9")
_WIDTH, _HEIGHT = 640, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 88, 32, 44, 52
_STYLE = (
    "text{font:12px sans-serif;fill:#333}.title{font-size:14px}.grid{stroke:#e3e5e8}.axis{stroke:#8a8f98}"
    ".points{fill:none;stroke-linecap:round}.line{fill:none;stroke-width:1.5}"
)
_FINEST = 1.0  # pixels: points nearer than that are one, so a million points are a small file
_MOST_TICKS = 8

Numbers = Sequence[float] | npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis.

    Attributes:
        label: what it shows, with its unit.
        low, high: its ends; for a logarithmic one both above 0.
        log: whether equal distances are equal ratios.
        ticks: where labels stand, and what they say; chosen by round numbers if None.
    """

    label: str
    low: float
    high: float
    log: bool = False
    ticks: Sequence[tuple[float, str]] | None = None

    def place(self, values: Any) -> npt.NDArray[np.float64]:
        """0 at the lower end, 1 at the higher; what cannot stand on a logarithmic axis is far below."""
        numbers = np.asarray(values, np.float64)
        low, high = self.low, self.high if self.high > self.low else self.low + 1
        if not self.log:
            return (numbers - low) / (high - low)
        numbers = np.where(numbers > 0, numbers, np.finfo(np.float64).tiny)
        return np.asarray((np.log10(numbers) - math.log10(low)) / (math.log10(high) - math.log10(low)))

    def labels(self) -> list[tuple[float, str]]:
        """Where labels stand, and what they say."""
        if self.ticks is not None:
            return list(self.ticks)
        if self.log:
            first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
            every = max(1, -(-(last - first) // _MOST_TICKS))
            return [(10.0**power, _number(10.0**power)) for power in range(first, last + 1, every)]
        step = round_step(self.high - self.low)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [(step * each, _number(step * each, step)) for each in range(first, last + 1)]


@dataclass(slots=True)
class Chart:
    """A chart that grows by its marks, the later above the earlier ones."""

    title: str
    x: Axis
    y: Axis
    width: int = _WIDTH
    height: int = _HEIGHT
    _marks: list[str] = field(default_factory=list)

    def bars(self, lefts: Numbers, rights: Numbers, heights: Numbers, color: str = BLUE, titles: Sequence[str] = ()) -> None:
        """A bar from each left to its right end, up to its height; anything above nothing is at least two pixels tall."""
        floor = self.height - _BOTTOM
        tops = np.where(np.asarray(heights) > 0, np.minimum(self._ys(heights), floor - 2), floor)
        spans = zip(self._xs(lefts), self._xs(rights), tops, strict=True)
        for index, (left, right, top) in enumerate(spans):
            if top < floor:
                shape = (
                    f'x="{left:.2f}" y="{top:.1f}" width="{max(right - left, 0.3):.2f}" height="{floor - top:.1f}" fill="{color}"'
                )
                told = f"><title>{escape(titles[index])}</title></rect>" if titles else "/>"
                self._marks.append(f"<rect {shape}{told}")

    def points(self, xs: Numbers, ys: Numbers, color: str = BLUE, size: float = 3.0) -> None:
        """Dots of so many pixels; dots at the same place are drawn once."""
        inside = self._inside(xs, ys)
        at = np.stack((self._xs(np.asarray(xs)[inside]), self._ys(np.asarray(ys)[inside])), axis=1)
        cells = np.rint(at / _FINEST).astype(np.int64)
        cells = np.unique(cells[:, 0] << 32 | cells[:, 1])  # one number a cell: many times as fast as unique rows
        if len(cells):
            dots = "".join(f"M{x:g} {y:g}h0" for x, y in zip((cells >> 32) * _FINEST, (cells & 0xFFFFFFFF) * _FINEST, strict=True))
            self._marks.append(f'<path class="points" d="{dots}" stroke="{color}" stroke-width="{size:g}"/>')

    def line(self, xs: Numbers, ys: Numbers, color: str = RED, *, dashed: bool = False) -> None:
        """A line through points, in their order."""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(self._xs(xs), self._ys(ys), strict=True))
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        self._marks.append(f'<polyline class="line" points="{path}" stroke="{color}"{dash}/>')

    def band(self, xs: Numbers, lows: Numbers, highs: Numbers, color: str = GREY) -> None:
        """What lies between two lines."""
        there = zip(self._xs(xs), self._ys(lows), strict=True)
        back = reversed(list(zip(self._xs(xs), self._ys(highs), strict=True)))
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (*there, *back))
        self._marks.append(f'<polygon points="{path}" fill="{color}" fill-opacity="0.25"/>')

    def text(self, x: float, y: float, words: str, *, anchor: str = "start", color: str = "#333") -> None:
        """Words at a place of the chart; ``anchor``: start, middle or end."""
        at = f'x="{float(self._xs([x])[0]):.1f}" y="{float(self._ys([y])[0]):.1f}"'
        self._marks.append(f'<text {at} text-anchor="{anchor}" style="fill:{color}">{escape(words)}</text>')

    def legend(self, entries: Iterable[tuple[str, str]]) -> None:
        """Names and their colours, in the upper right corner."""
        for row, (name, color) in enumerate(entries):
            x, y = self.width - _RIGHT - 8, _TOP + 16 * (row + 1)
            self._marks.append(f'<circle cx="{x}" cy="{y - 4}" r="4" fill="{color}"/>')
            self._marks.append(f'<text x="{x - 8}" y="{y}" text-anchor="end">{escape(name)}</text>')

    def svg(self) -> str:
        """All of it."""
        right, floor = self.width - _RIGHT, self.height - _BOTTOM
        size = f'width="{self.width}" height="{self.height}" viewBox="0 0 {self.width} {self.height}"'
        middle_x, middle_y = (_LEFT + right) / 2, (_TOP + floor) / 2
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size}><style>{_STYLE}</style><rect width="100%" height="100%" fill="#fff"/>',
            f'<text class="title" x="{_LEFT}" y="24">{escape(self.title)}</text>',
        ]
        for value, words in self.y.labels():
            y = float(self._ys([value])[0])
            parts.append(f'<line class="grid" x1="{_LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
            parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{escape(words)}</text>')
        for value, words in self.x.labels():
            x = float(self._xs([value])[0])
            parts.append(f'<text x="{x:.1f}" y="{floor + 17}" text-anchor="middle">{escape(words)}</text>')
        parts += self._marks
        parts.append(f'<path class="axis" d="M{_LEFT} {_TOP}V{floor}H{right}" fill="none"/>')
        parts.append(f'<text x="{middle_x:.1f}" y="{self.height - 12}" text-anchor="middle">{escape(self.x.label)}</text>')
        turned = f'transform="translate(16 {middle_y:.1f}) rotate(-90)"'
        parts.append(f'<text {turned} text-anchor="middle">{escape(self.y.label)}</text>')
        return "\n".join([*parts, "</svg>\n"])

    def _xs(self, values: Any) -> npt.NDArray[np.float64]:
        return _LEFT + np.clip(self.x.place(values), 0, 1) * (self.width - _LEFT - _RIGHT)

    def _ys(self, values: Any) -> npt.NDArray[np.float64]:
        return self.height - _BOTTOM - np.clip(self.y.place(values), 0, 1) * (self.height - _TOP - _BOTTOM)

    def _inside(self, xs: Numbers, ys: Numbers) -> npt.NDArray[np.bool_]:
        on_x, on_y = self.x.place(xs), self.y.place(ys)
        return np.asarray((on_x >= 0) & (on_x <= 1) & (on_y >= 0) & (on_y <= 1))


def round_step(length: float) -> float:
    """A round distance, 1, 2 or 5 times a power of ten, that divides a length into at most eight."""
    if length <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(length / _MOST_TICKS))
    return next(step * power for step in (1, 2, 5, 10, 20) if length <= _MOST_TICKS * step * power)


def _number(value: float, step: float | None = None) -> str:
    """As people write it: 1,000,000; 0.25; 1e-12."""
    if value and not 1e-4 <= abs(value) < 1e9:
        return f"{value:.0e}".replace("e-0", "e-").replace("e+0", "e")
    digits = max(0, -math.floor(math.log10(step or abs(value) or 1) + 1e-9))
    return f"{value:,.{digits}f}"
