"""Which nodes a range means: the grammar of ``targetNodes``, and which range wins where several hold (R5)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_TARGET = re.compile(r"(\d{1,9})?:(\d{1,9})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class NodeRange:
    """Nodes first to last, both included; ``last`` is None for a range that is open: to the end, whatever it is."""

    first: int
    last: int | None

    @classmethod
    def parse(cls, target: str) -> NodeRange | None:
        """Reads ``0:3``, ``:3``, ``4:`` or ``:``; None for anything else."""
        match = _TARGET.fullmatch(target)
        if not match:
            return None
        return cls(int(match[1] or 0), int(match[2]) if match[2] else None)

    def within(self, nodes: int) -> range:
        """The nodes that the range means in a job of so many."""
        return range(self.first, nodes if self.last is None else self.last + 1)

    def __str__(self) -> str:
        return f"{self.first}:{'' if self.last is None else self.last}"


def uncovered(ranges: Sequence[NodeRange], nodes: int) -> list[tuple[int, int]]:
    """First and last node of each gap that no range covers, in order."""
    gaps, next_node = [], 0
    for each in sorted((span for each in ranges if (span := each.within(nodes))), key=lambda span: span.start):
        if each.start > next_node:
            gaps.append((next_node, min(each.start, nodes) - 1))
        next_node = max(next_node, each.stop)
        if next_node >= nodes:
            break
    if next_node < nodes:
        gaps.append((next_node, nodes - 1))
    return [(first, last) for first, last in gaps if first <= last]


def winner(ranges: Sequence[NodeRange], node: int, nodes: int) -> int | None:
    """Index of the range that a node follows: the narrowest that has it; None if none has."""
    having = [(len(each.within(nodes)), i) for i, each in enumerate(ranges) if node in each.within(nodes)]
    return min(having)[1] if having else None


def unclear(ranges: Sequence[NodeRange], nodes: int) -> list[tuple[int, int]]:
    """Pairs of ranges that share nodes though neither is narrower and inside the other: nobody says which wins."""
    spans = [(i, each.within(nodes)) for i, each in enumerate(ranges)]
    spans = [(i, span) for i, span in spans if span]
    return [
        (i, k)
        for n, (i, one) in enumerate(spans)
        for k, two in spans[n + 1 :]
        if one.start < two.stop and two.start < one.stop and (one == two or not (_inside(one, two) or _inside(two, one)))
    ]


def _inside(inner: range, outer: range) -> bool:
    return outer.start <= inner.start and inner.stop <= outer.stop
