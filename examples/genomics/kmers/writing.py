"""Counting bin after bin, and writing what was counted: each rank its own bins, at their places in the files of `table`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from examples.genomics.kmers import dump, table
from examples.genomics.kmers.bins import Numbers
from examples.genomics.kmers.counting import Counted
from examples.genomics.kmers.histogram import HIGHEST, Histogram, histogram
from examples.genomics.kmers.words import Counts, Kmers, words_of
from examples.workload.communicator import Communicator, wait_idly
from examples.workload.results import Place, naming, npy_header

DUMP = "dump.tsv"
_HELD = 128 << 20  # bytes of counted bins that a rank holds at most, if no k-mer occurs twice, before all ranks write


Held = tuple[Kmers, npt.NDArray[np.uint32]]


@dataclass(frozen=True, slots=True)
class Totals:
    """What all ranks have counted: the spectrum, occurrences of k-mers, different ones, those in the table."""

    spectrum: Histogram
    total: int
    distinct: int
    kept: int


@dataclass(frozen=True, slots=True)
class _File:
    """What this rank writes of one file.

    Attributes:
        name: of the file.
        header: the same on all ranks.
        size: bytes behind the header, of all ranks.
        pieces: where behind the header something begins, and what it is.
    """

    name: str
    header: bytes
    size: int
    pieces: Iterable[tuple[int, Any]]


def write_table(comm: Communicator, place: Place, counted: Counted, least: int, *, as_text: bool) -> Totals:
    """Count all bins and write the table; collective.

    Args:
        comm: the ranks.
        place: where to.
        counted: what was read.
        least: fewest occurrences of a k-mer in the table.
        as_text: write ``dump.tsv``, too.
    """
    scheme = counted.scheme
    spectrum, figures = np.zeros(HIGHEST + 2, np.int64), np.zeros(2, np.int64)
    rows = np.zeros(scheme.bins, np.int64)
    in_part, text_size = scheme.bins // table.PARTS, 0
    together = _parts_together(counted.tally.bases * (8 * words_of(scheme.k) + 4), comm.size)
    for part in range(0, table.PARTS, together):
        parts = range(part, min(table.PARTS, part + together))
        first, last = parts[0] * in_part, (parts[-1] + 1) * in_part
        held: dict[int, Held] = {}
        for number, kmers, counts in counted.bins(first, last):
            spectrum += histogram(counts)
            figures += int(counts.sum()), len(counts)
            often = slice(None) if least == 1 else counts >= least
            held[number] = kmers[often], _in_32_bits(counts[often])
        wait_idly(comm.Ibarrier())  # others may still count
        letters = np.zeros(scheme.bins, np.int64)
        for number, (_, often_counted) in held.items():
            rows[number] = len(often_counted)
            letters[number] = dump.lines_size(often_counted.astype(np.int64), scheme.k) if as_text else 0
        rows[first:last] = _added(comm, rows[first:last])
        files = [file for each in parts for file in _files_of_part(each, in_part, rows, held, scheme.k)]
        if as_text:
            letters = _added(comm, letters)
            starts = text_size + np.cumsum(letters) - letters
            text_size += int(letters.sum())
            files.append(_File(DUMP, b"", text_size, _texts(starts, held, scheme.k)))
        _write(comm, place, files)
    total, distinct = _added(comm, figures).tolist()
    offsets = np.concatenate(([0], np.cumsum(rows)))
    if comm.rank == 0:
        place.partial(table.BINS).write_bytes(npy_header(offsets.dtype, offsets.shape) + offsets.tobytes())
        index = table.Index(scheme.k, scheme.bins, table.PARTS, least, int(offsets[-1]))
        place.partial(table.INDEX).write_text(index.as_text(), encoding="utf-8")
    return Totals(_added(comm, spectrum), total, distinct, int(offsets[-1]))


def _in_32_bits(counts: Counts) -> npt.NDArray[np.uint32]:
    return np.minimum(counts, table.MOST_COUNTED).astype(np.uint32)


def _parts_together(most_bytes: int, ranks: int) -> int:
    """How many parts of the table are counted before they are written: the more, the better is the work spread over the ranks."""
    return max(1, min(table.PARTS, table.PARTS * _HELD * ranks // max(1, most_bytes)))


def _files_of_part(part: int, in_part: int, rows: Numbers, held: dict[int, Held], k: int) -> list[_File]:
    """The two arrays of one part.

    Args:
        part: its number.
        in_part: bins of a part.
        rows: (bins,) k-mers of each bin, of all ranks.
        held: this rank's bins.
        k: length of a k-mer.
    """
    bins = range(part * in_part, (part + 1) * in_part)
    ends = np.cumsum(rows[bins.start : bins.stop])
    length, words = int(ends[-1]), words_of(k)
    starts = dict(zip(bins, (ends - rows[bins.start : bins.stop]).tolist(), strict=True))
    mine = [number for number in bins if number in held]
    kmers = [(8 * words * starts[number], held[number][0]) for number in mine]
    counts = [(4 * starts[number], held[number][1]) for number in mine]
    shape = (length,) if words == 1 else (length, words)
    return [
        _File(f"table/kmers-{part:02}.npy", npy_header(np.dtype(np.uint64), shape), 8 * words * length, kmers),
        _File(f"table/counts-{part:02}.npy", npy_header(np.dtype(np.uint32), (length,)), 4 * length, counts),
    ]


def _texts(starts: Numbers, held: dict[int, Held], k: int) -> Iterable[tuple[int, Any]]:
    for number, (kmers, counts) in held.items():
        start = int(starts[number])
        for lines in dump.lines(kmers, counts.astype(np.int64), k):
            yield start, lines
            start += len(lines)


def _write(comm: Communicator, place: Place, files: Iterable[_File]) -> None:
    """Each rank's pieces at their places; collective. Rank 0 makes the files, or makes them longer."""
    if comm.rank == 0:
        for file in files:
            path = place.partial(file.name)
            with naming(path, len(file.header) + file.size):
                path.touch()
                with path.open("r+b") as stored:
                    stored.write(file.header)
                os.truncate(path, len(file.header) + file.size)
    comm.Barrier()  # the files are there
    for file in files:
        path = place.partial(file.name)
        with naming(path, len(file.header) + file.size), path.open("r+b") as stored:
            for start, piece in file.pieces:
                stored.seek(len(file.header) + start)
                stored.write(np.ascontiguousarray(piece).data)


def _added(comm: Communicator, mine: Numbers) -> Numbers:
    total = np.empty_like(mine)
    comm.Allreduce(np.ascontiguousarray(mine), total)
    return total
