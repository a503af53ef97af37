"""Tables of weights: a header that begins with variant and effect allele, then a name for each score; a line for each allele."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from examples.genomics.gwas.bed import Variants
from examples.workload.errors import Malformed
from examples.workload.files import source

_SAME_ON_BOTH_STRANDS = ({"A", "T"}, {"C", "G"})
_UNKNOWN, _OTHER_ALLELES, _NOT_DIPLOID = "of unknown variants", "of alleles that the variant does not have", "on X, Y, MT"


@dataclass(frozen=True)
class ScoreTable:
    """Weights of the lines that fit, ordered by variant.

    Attributes:
        address: where it was read.
        version: of the file; for a checkpoint's ``inputs``.
        names: of the scores.
        variant: of each line; of one variant both alleles may have a line.
        of_a1: whether the line is about A1 of the fileset.
        weights: (lines, scores).
        left_out: how many lines are not used, by reason.
        ambiguous: lines that are used and about A/T or C/G: whether the same strand is meant, nobody can tell.
    """

    address: str
    version: str
    names: list[str]
    variant: npt.NDArray[np.intp]
    of_a1: npt.NDArray[np.bool_]
    weights: npt.NDArray[np.float64]
    left_out: dict[str, int]
    ambiguous: int

    def tell(self) -> str:
        """What was used and what was not, in a sentence."""
        left_out = "".join(f", {number:,} {reason} left out" for reason, number in self.left_out.items())
        doubtful = f", {self.ambiguous:,} of A/T or C/G taken as they stand" if self.ambiguous else ""
        return f"{', '.join(self.names)} from {len(self.variant):,} lines{left_out}{doubtful}"


class _Line(NamedTuple):
    number: int
    variant: str
    allele: str
    weights: list[float]


def read_scores(address: str, variants: Variants) -> ScoreTable:
    """Read a table and find its variants.

    Raises:
        Malformed: with line and column; or an allele has two lines, a scored id is not unique in the fileset, or no line fits.
        OSError: it is not there.
    """
    file = source(address)
    try:
        lines = file.read(0, file.size).decode().splitlines()
    except UnicodeDecodeError as error:
        raise Malformed(address, "is not text", f"byte {error.start}") from None
    names = _header(address, lines)
    places: dict[str, int] = {}
    twice = {name for at, name in enumerate(variants.id) if places.setdefault(name, at) != at}
    left_out: Counter[str] = Counter()
    used: dict[tuple[int, bool], _Line] = {}
    for line in _lines(address, lines, names):
        if reason := _misfit(variants, places, line):
            left_out[reason] += 1
            continue
        if line.variant in twice:
            raise Malformed(
                address, f"{line.variant} is the id of several variants of the .bim; give each its own", f"line {line.number}"
            )
        at = places[line.variant]
        before = used.setdefault((at, line.allele == variants.a1[at]), line)
        if before is not line:
            raise Malformed(address, f"{line.variant} {line.allele} is in line {before.number} already", f"line {line.number}")
    if not used:
        why = ", ".join(f"{number:,} {reason}" for reason, number in left_out.items()) or "it has none"
        raise Malformed(address, f"no line fits the {len(variants):,} variants of the fileset: {why}; are ids of the same kind?")
    ordered = sorted(used)
    return ScoreTable(
        address=address,
        version=file.version,
        names=names,
        variant=np.array([at for at, _ in ordered], np.intp),
        of_a1=np.array([of_a1 for _, of_a1 in ordered], np.bool_),
        weights=np.array([used[each].weights for each in ordered], np.float64),
        left_out=dict(sorted(left_out.items())),
        ambiguous=sum({variants.a1[at], variants.a2[at]} in _SAME_ON_BOTH_STRANDS for at, _ in ordered),
    )


def _misfit(variants: Variants, places: dict[str, int], line: _Line) -> str:
    """Why a line is left out; empty if it is not."""
    at = places.get(line.variant)
    if at is None:
        return _UNKNOWN
    if line.allele not in {variants.a1[at], variants.a2[at]}:
        return _OTHER_ALLELES
    return "" if variants.diploid[at] else _NOT_DIPLOID


def _lines(address: str, lines: list[str], names: list[str]) -> Iterator[_Line]:
    for number, line in enumerate(lines[1:], 2):
        cells = line.split()
        if not cells:
            continue
        if len(cells) != 2 + len(names):
            raise Malformed(address, f"has {len(cells)} fields, but the header has {2 + len(names)}", f"line {number}")
        weights = [_weight(address, text, number, name) for text, name in zip(cells[2:], names, strict=True)]
        yield _Line(number, cells[0], cells[1], weights)


def _header(address: str, lines: list[str]) -> list[str]:
    if not lines:
        raise Malformed(address, "is empty")
    cells = lines[0].removeprefix("#").split()
    if len(cells) < 3:
        raise Malformed(address, f"must begin with a header 'ID A1 NAME ...', but begins with {lines[0][:40]!r}", "line 1")
    if _is_number(cells[2]):
        raise Malformed(address, f"has no header: {cells[2]!r} is a number, but must be the name of a score", "line 1")
    if twice := sorted({name for name in cells[2:] if cells[2:].count(name) > 1}):
        raise Malformed(address, f"names {', '.join(twice)} twice", "line 1")
    return cells[2:]


def _weight(address: str, text: str, line: int, name: str) -> float:
    if not _is_number(text) or not np.isfinite(float(text)):
        raise Malformed(address, f"the weight {text!r} is no finite number", f"line {line}, column {name}")
    return float(text)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
