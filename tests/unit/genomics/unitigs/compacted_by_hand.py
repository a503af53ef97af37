"""Compaction as a textbook states it, one k-mer at a time: what the program is judged by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tests.unit.genomics.by_hand import reverse_complement


class Unitig(NamedTuple):
    text: str
    abundance: int
    circular: bool


def unitigs_by_hand(counts: Mapping[str, int], k: int) -> list[Unitig]:
    """The unitigs of canonical k-mers, in alphabetical order."""
    left = set(counts)
    found = []
    for kmer in sorted(counts):
        if kmer not in left:
            continue
        path, circular = _to_the_right([kmer], counts)
        if not circular:
            back, _ = _to_the_right([reverse_complement(path[-1])], counts)
            path = min(back, [reverse_complement(step) for step in reversed(back)])
        own = [_canonical(step) for step in path]
        left -= set(own)
        found.append(Unitig(path[0] + "".join(step[-1] for step in path[1:]), sum(counts[each] for each in own), circular))
    return sorted(found)


def links_by_hand(unitigs: list[Unitig], k: int) -> set[tuple[int, int]]:
    """Pairs of ends that meet, each from both sides: 2 u is the start of unitig u, 2 u + 1 its end."""
    outward = {}
    for number, unitig in enumerate(unitigs):
        outward[2 * number] = reverse_complement(unitig.text[: k - 1])
        outward[2 * number + 1] = unitig.text[len(unitig.text) - (k - 1) :]
    meeting: dict[str, list[int]] = {}
    for end, junction in outward.items():
        meeting.setdefault(reverse_complement(junction), []).append(end)
    return {(end, other) for end, junction in outward.items() for other in meeting.get(junction, [])}


def _to_the_right(path: list[str], counts: Mapping[str, int]) -> tuple[list[str], bool]:
    """The path as far as it goes without a choice, and whether it came round to its start."""
    while True:
        nexts = _nexts(path[-1], counts)
        if len(nexts) != 1 or len(_nexts(reverse_complement(nexts[0]), counts)) != 1 or nexts[0] == reverse_complement(path[-1]):
            return path, False
        if nexts[0] == path[0]:
            return path, True
        path.append(nexts[0])


def _nexts(kmer: str, counts: Mapping[str, int]) -> list[str]:
    return [step for base in "ACGT" if _canonical(step := kmer[1:] + base) in counts]


def _canonical(kmer: str) -> str:
    return min(kmer, reverse_complement(kmer))
