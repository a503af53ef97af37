"""Unitigs as FASTA, as BCALM2 writes it, and as GFA 1. Knows no MPI."""

from __future__ import annotations

from collections.abc import Iterator

from examples.genomics.unitigs.assembly import Unitigs
from examples.genomics.unitigs.exchange import Numbers

GFA_HEADER = b"H\tVN:Z:1.0\n"
_AT_A_TIME = 4096  # unitigs: texts are written in pieces of so many
_SIGNS = "-+"  # of an end: leaving a unitig by its start is walking it backwards


def fasta(unitigs: Unitigs, links: Numbers, first: int) -> Iterator[bytes]:
    """``>id LN:i:letters KC:i:sum of counts km:f:mean count``, and links ``L:sign:id:sign``: those at the start, then at the end.

    Args:
        unitigs: in order.
        links: (links, 2) from `links.links_of`.
        first: number of the first unitig.
    """
    backward, forward = _links_by_unitig(links)
    for number, letters, kmers, abundance in _rows(unitigs, first):
        yield (
            (
                f">{number} LN:i:{len(letters)} KC:i:{abundance} km:f:{abundance / kmers:.1f}   "
                f"{backward.get(number, '')} {forward.get(number, '')}\n"
            ).encode()
            + letters
            + b"\n"
        )


def _links_by_unitig(links: Numbers) -> tuple[dict[int, str], dict[int, str]]:
    """The text of links at the starts and at the ends of unitigs."""
    texts: tuple[dict[int, str], dict[int, str]] = {}, {}
    for end, other in links.tolist():
        side = texts[end & 1]
        side[end >> 1] = f"{side.get(end >> 1, '')}L:{_SIGNS[end & 1]}:{other >> 1}:{_SIGNS[1 - (other & 1)]} "
    return texts


def gfa_segments(unitigs: Unitigs, first: int) -> Iterator[bytes]:
    """A line ``S`` for each unitig."""
    for number, letters, kmers, abundance in _rows(unitigs, first):
        tags = f"\tLN:i:{len(letters)}\tKC:i:{abundance}\tkm:f:{abundance / kmers:.1f}\n"
        yield f"S\t{number}\t".encode() + letters + tags.encode()


def gfa_links(links: Numbers, k: int) -> Iterator[bytes]:
    """A line ``L`` for each link: it is there from both ends, and written from the smaller one."""
    for end, other in links[links[:, 0] <= links[:, 1]].tolist():
        yield f"L\t{end >> 1}\t{_SIGNS[end & 1]}\t{other >> 1}\t{_SIGNS[1 - (other & 1)]}\t{k - 1}M\n".encode()


def _rows(unitigs: Unitigs, first: int) -> Iterator[tuple[int, bytes, int, int]]:
    """Number, letters, k-mers, and sum of their counts."""
    starts = unitigs.starts
    for at in range(0, len(unitigs.sizes), _AT_A_TIME):
        some = slice(at, at + _AT_A_TIME)
        bounds = (starts[at : at + _AT_A_TIME + 1] - starts[at]).tolist()
        raw = unitigs.text[starts[at] : starts[at] + bounds[-1]].tobytes()
        kmers, abundances = unitigs.sizes[some].tolist(), unitigs.abundance[some].tolist()
        for index, (size, abundance) in enumerate(zip(kmers, abundances, strict=True)):
            yield first + at + index, raw[bounds[index] : bounds[index + 1]], size, abundance
