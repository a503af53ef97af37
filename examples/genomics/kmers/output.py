"""The results: written by all ranks at once, the same bytes for any number of them, and visible only when whole.

table/          every k-mer and how often it occurs: see `table`
dump.tsv        the same as text, if asked for
histogram.tsv   as `jellyfish histo` prints it
histogram.svg   its picture
summary.json    what was counted; it is renamed last, so where it is, all the rest is whole
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from examples.genomics.kmers import table
from examples.genomics.kmers.histogram import Histogram, as_jellyfish, genome_size, peak
from examples.genomics.kmers.plot import svg
from examples.genomics.kmers.writing import DUMP, Totals
from examples.genomics.sequences import Input, Tally
from examples.workload.communicator import Communicator
from examples.workload.results import Place

_REPORTS = ("histogram.tsv", "histogram.svg", "summary.json")
NAMES = (*table.NAMES, DUMP, *_REPORTS)


@dataclass(frozen=True, slots=True)
class Summary:
    """What was counted; nothing here depends on time, machine or number of ranks.

    Attributes:
        k: length of a k-mer.
        min: fewest occurrences of a k-mer in the table.
        inputs: address as given, and size in bytes, of each file.
        sequences: FASTA sequences and FASTQ reads.
        bases: characters of sequence.
        invalid: those that are not A, C, G or T.
        gc: which part of the others is G or C.
        total: occurrences of k-mers.
        distinct: different k-mers.
        kept: those in the table.
        peak: most frequent number of occurrences, errors left aside: the depth.
        genome_size: occurrences, errors left aside, divided by the peak.
    """

    k: int
    min: int
    inputs: list[dict[str, str | int]]
    sequences: int
    bases: int
    invalid: int
    gc: float
    total: int
    distinct: int
    kept: int
    peak: int
    genome_size: int

    @classmethod
    def of(cls, inputs: Sequence[Input], k: int, least: int, tally: Tally, totals: Totals) -> Summary:
        """What a run has found."""
        known = tally.bases - tally.invalid
        return cls(
            k=k,
            min=least,
            inputs=[{"path": item.address, "bytes": item.size} for item in inputs],
            sequences=tally.sequences,
            bases=tally.bases,
            invalid=tally.invalid,
            gc=round(tally.gc / known, 6) if known else 0.0,
            total=totals.total,
            distinct=totals.distinct,
            kept=totals.kept,
            peak=peak(totals.spectrum),
            genome_size=genome_size(totals.spectrum, totals.total),
        )

    def as_table(self, out: str) -> str:
        """For people."""
        stored = sum(int(item["bytes"]) for item in self.inputs)
        rows = {
            "inputs": f"{len(self.inputs)} {'file' if len(self.inputs) == 1 else 'files'}, {stored:,} bytes",
            "sequences": f"{self.sequences:,}, of {self.bases:,} bases ({self.invalid:,} not A, C, G, T; GC {self.gc:.2%})",
            "k": f"{self.k}",
            "k-mers": f"{self.total:,}",
            "distinct": f"{self.distinct:,} ({self.kept:,} in the table)",
            "peak": f"{self.peak} {'time' if self.peak == 1 else 'times'}",
            "genome": f"about {self.genome_size:,} bases",
            "results": out,
        }
        return "\n".join(f"{name:<10} {value}" for name, value in rows.items())


def finish(comm: Communicator, place: Place, spectrum: Histogram, summary: Summary) -> None:
    """Write the reports, and make all results visible; collective."""
    comm.Barrier()  # every rank's part of the table is written
    if comm.rank == 0:
        texts = (as_jellyfish(spectrum), svg(spectrum, summary.k), json.dumps(asdict(summary), indent=2, sort_keys=True) + "\n")
        for name, text in zip(_REPORTS, texts, strict=True):
            place.partial(name).write_text(text, encoding="utf-8")
        place.make_visible()
    comm.Barrier()  # the results are there when any rank returns
