"""The results: written by all ranks at once, the same bytes for any number of them, and visible only when whole.

unitigs.fa      every unitig, in alphabetical order, with its links; as BCALM2 writes it
unitigs.gfa     the graph: unitigs and links, in GFA 1
lengths.svg     how long unitigs are
summary.json    what was found; it is renamed last, so where it is, all the rest is whole
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from examples.genomics.unitigs.assembly import Unitigs
from examples.genomics.unitigs.exchange import Numbers, first_numbers
from examples.genomics.unitigs.plot import svg
from examples.genomics.unitigs.text import GFA_HEADER, fasta, gfa_links, gfa_segments
from examples.workload.communicator import Communicator
from examples.workload.results import Place

NAMES = ("unitigs.fa", "unitigs.gfa", "lengths.svg", "summary.json")
_FASTA, _GFA, _PLOT, _SUMMARY = NAMES
_BUFFER = 1 << 20  # bytes written at a time


@dataclass(frozen=True, slots=True)
class Input:
    """What was read, for the summary: nothing here depends on time, machine or number of ranks."""

    k: int
    min: int
    inputs: list[dict[str, str | int]]
    sequences: int
    bases: int
    kmers: int


@dataclass(frozen=True, slots=True)
class Summary(Input):
    """What was found.

    Attributes:
        k: length of a k-mer.
        min: fewest occurrences of a k-mer in the graph.
        inputs: address as given, and size in bytes, of each file.
        sequences: FASTA sequences and FASTQ reads.
        bases: characters of sequence.
        kmers: different k-mers in the graph.
        unitigs: how many.
        letters: of all unitigs.
        longest: letters of the longest unitig.
        n50: unitigs of so many letters and more hold half of all letters.
        circular: unitigs whose end runs on into their start.
        links: pairs of ends of unitigs that meet.
        dead_ends: ends of unitigs that meet none.
        isolated: unitigs that meet none.
    """

    unitigs: int
    letters: int
    longest: int
    n50: int
    circular: int
    links: int
    dead_ends: int
    isolated: int

    def as_table(self, out: str) -> str:
        """For people."""
        stored = sum(int(item["bytes"]) for item in self.inputs)
        rows = {
            "inputs": f"{len(self.inputs)} {'file' if len(self.inputs) == 1 else 'files'}, {stored:,} bytes",
            "sequences": f"{self.sequences:,}, of {self.bases:,} bases",
            "k-mers": f"{self.kmers:,} of {self.k} bases that occur at least {self.min} {'time' if self.min == 1 else 'times'}",
            "unitigs": f"{self.unitigs:,}, of {self.letters:,} letters ({self.circular:,} circular)",
            "longest": f"{self.longest:,} letters",
            "N50": f"{self.n50:,} letters",
            "links": f"{self.links:,} ({self.dead_ends:,} ends without, {self.isolated:,} unitigs without)",
            "results": out,
        }
        return "\n".join(f"{name:<10} {value}" for name, value in rows.items())


def write_results(comm: Communicator, place: Place, unitigs: Unitigs, links: Numbers, what: Input) -> Summary:
    """Write everything, then make it visible; collective.

    Args:
        comm: the ranks.
        place: from `workload.results.prepare`.
        unitigs: this rank's.
        links: (links, 2) of this rank's unitigs.
        what: was read.
    """
    first = int(first_numbers(comm, len(unitigs.sizes))[comm.rank])
    _write_sections(comm, place.partial(_FASTA), b"", [fasta(unitigs, links, first)])
    _write_sections(comm, place.partial(_GFA), GFA_HEADER, [gfa_segments(unitigs, first), gfa_links(links, unitigs.k)])
    lengths = _lengths(comm, unitigs)
    summary = _summary(comm, unitigs, links, lengths, what)
    comm.Barrier()  # every rank's part is written
    if comm.rank == 0:
        place.partial(_PLOT).write_text(svg(lengths, summary.n50), encoding="utf-8")
        place.partial(_SUMMARY).write_text(json.dumps(asdict(summary), indent=2, sort_keys=True) + "\n", encoding="utf-8")
        place.make_visible()
    comm.Barrier()  # the results are there when any rank returns
    return summary


def _write_sections(comm: Communicator, path: Path, header: bytes, sections: Iterable[Iterable[bytes]]) -> None:
    """Write a file: the header; then the first section of all ranks in their order; then the second, ..."""
    end = len(header)
    if comm.rank == 0:
        path.write_bytes(header)
    comm.Barrier()  # the file is there
    with path.open("r+b", buffering=_BUFFER) as file:
        for lines in sections:
            texts = [b"".join(lines)]
            sizes = comm.allgather(sum(map(len, texts)))
            file.seek(end + sum(sizes[: comm.rank]))
            file.writelines(texts)
            end += sum(sizes)


def _lengths(comm: Communicator, unitigs: Unitigs) -> Numbers:
    """(2, different lengths) of all ranks' unitigs: the length in letters, and how many have it."""
    own = np.stack(np.unique(unitigs.sizes + unitigs.k - 1, return_counts=True))
    everyone = np.concatenate(comm.allgather(own), axis=1)
    lengths, which = np.unique(everyone[0], return_inverse=True)
    return np.stack((lengths, np.bincount(which, weights=everyone[1], minlength=len(lengths)).astype(np.int64)))


def _summary(comm: Communicator, unitigs: Unitigs, links: Numbers, lengths: Numbers, what: Input) -> Summary:
    linked = np.unique(links[:, 0])
    own = (
        np.count_nonzero(unitigs.circular),
        np.count_nonzero(links[:, 0] <= links[:, 1]),
        2 * len(unitigs.sizes) - len(linked),
        len(unitigs.sizes) - len(np.unique(linked >> 1)),
    )
    circular, pairs, dead_ends, isolated = (int(comm.allreduce(number)) for number in own)
    letters = np.cumsum((lengths[0] * lengths[1])[::-1])  # from the longest on
    half = int(np.searchsorted(2 * letters, letters[-1])) if len(letters) else 0
    return Summary(
        **asdict(what),
        unitigs=int(lengths[1].sum()),
        letters=int(letters[-1]) if len(letters) else 0,
        longest=int(lengths[0].max(initial=0)),
        n50=int(lengths[0][::-1][half]) if len(letters) else 0,
        circular=circular,
        links=pairs,
        dead_ends=dead_ends,
        isolated=isolated,
    )
