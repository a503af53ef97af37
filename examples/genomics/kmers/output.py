"""The results: written by all ranks at once, the same bytes for any number of them, and visible only when whole.

    kmers.npy       uint64: every k-mer, in order (`kernel.encode`)
    counts.npy      int64: how often each occurs
    dump.tsv        the same as text, if asked for
    histogram.tsv   as `jellyfish histo` prints it
    histogram.svg   its picture
    summary.json    what was counted; it is renamed last, so where it is, all the rest is whole

Until then each file is called ``NAME.MARK.partial``, where the mark is the run's own. A rank writes its part of a table at
its own place in the file, so the directory must be one that all nodes see; `prepare` finds out before the work begins.
"""

from __future__ import annotations

import io
import json
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from examples.genomics.kmers import dump
from examples.genomics.kmers.histogram import Histogram, as_jellyfish
from examples.genomics.kmers.kernel import Counts, Kmers
from examples.genomics.kmers.parallel import Communicator
from examples.genomics.kmers.plot import svg

_TABLES = ("kmers.npy", "counts.npy", "dump.tsv")
_REPORTS = ("histogram.tsv", "histogram.svg", "summary.json")  # summary.json last: it says that the others are whole
_MARK_BYTES = 4
_ANY_MARK = "[0-9a-f]" * 2 * _MARK_BYTES  # as a pattern of file names


@dataclass(frozen=True, slots=True)
class Summary:
    """What was counted; nothing here depends on time, machine or number of ranks.

    Attributes:
        k: length of a k-mer.
        min: fewest occurrences of a k-mer in the table.
        inputs: path as given, and size in bytes, of each file.
        sequences: FASTA sequences and FASTQ reads.
        bases: characters of sequence.
        invalid: those that are not A, C, G or T.
        total: occurrences of k-mers.
        distinct: different k-mers.
        kept: those in the table.
        peak: most frequent number of occurrences, errors left aside.
    """

    k: int
    min: int
    inputs: list[dict[str, str | int]]
    sequences: int
    bases: int
    invalid: int
    total: int
    distinct: int
    kept: int
    peak: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where one run's results go.

    Attributes:
        out: the directory.
        mark: part of the names of unfinished files, different in each run.
    """

    out: Path
    mark: str

    def partial(self, name: str) -> Path:
        """What a file is called as long as it is not whole."""
        return self.out / f"{name}.{self.mark}.partial"

    def make_visible(self) -> None:
        """Give all files their names, in place of an earlier run's."""
        (self.out / "summary.json").unlink(missing_ok=True)  # the earlier results end here
        for name in (*_TABLES, *_REPORTS):
            if self.partial(name).exists():
                self.partial(name).replace(self.out / name)
            else:
                (self.out / name).unlink(missing_ok=True)  # an earlier run's, not part of this one


def prepare(comm: Communicator, out: Path) -> Place:
    """Make the directory, remove what broken runs left in it, and see that all ranks share it.

    Raises:
        FileNotFoundError: this rank sees another directory than rank 0.
    """
    place = Place(out, comm.bcast(secrets.token_hex(_MARK_BYTES) if comm.rank == 0 else None))
    if comm.rank == 0:
        out.mkdir(parents=True, exist_ok=True)
        for name in (*_TABLES, *_REPORTS, "shared"):
            for left in out.glob(f"{name}.{_ANY_MARK}.partial"):
                left.unlink()
        place.partial("shared").touch()
    comm.Barrier()  # rank 0 made its file
    if not place.partial("shared").exists():
        raise FileNotFoundError(f"{out}: rank {comm.rank} does not see what rank 0 writes there; --out must be shared by all nodes")
    comm.Barrier()  # all ranks saw it
    if comm.rank == 0:
        place.partial("shared").unlink()
    return place


def write_results(
    comm: Communicator, place: Place, table: tuple[Kmers, Counts], spectrum: Histogram, summary: Summary, *, as_text: bool
) -> None:
    """Write everything, then make it visible.

    Args:
        comm: the ranks.
        place: from `prepare`.
        table: this rank's range of the table.
        spectrum: of all ranks.
        summary: of all ranks.
        as_text: write ``dump.tsv``.
    """
    kmers, counts = table
    for name, array in (("kmers.npy", kmers), ("counts.npy", counts)):
        header = _npy_header(array.dtype, summary.kept)
        _write_in_rank_order(comm, place.partial(name), header, array.nbytes, [np.ascontiguousarray(array)])
    if as_text:
        size = dump.lines_size(counts, summary.k)
        _write_in_rank_order(comm, place.partial("dump.tsv"), b"", size, dump.lines(kmers, counts, summary.k))
    comm.Barrier()  # every rank's part is written
    if comm.rank == 0:
        texts = (as_jellyfish(spectrum), svg(spectrum, summary.k), json.dumps(asdict(summary), indent=2, sort_keys=True) + "\n")
        for name, text in zip(_REPORTS, texts, strict=True):
            place.partial(name).write_text(text, encoding="utf-8")
        place.make_visible()
    comm.Barrier()  # the results are there when any rank returns


def _npy_header(dtype: np.dtype[Any], length: int) -> bytes:
    """What stands before the elements in the .npy file of a one-dimensional array."""
    header = io.BytesIO()
    shape = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": (length,)}
    np.lib.format.write_array_header_1_0(header, shape)
    return header.getvalue()


def _write_in_rank_order(comm: Communicator, path: Path, header: bytes, size: int, parts: Iterable[np.ndarray[Any, Any]]) -> None:
    """Write one file: the header, then the parts of rank 0, of rank 1, ...; ``size`` is that of this rank's, in bytes."""
    sizes = comm.allgather(size)
    if comm.rank == 0:
        with path.open("wb") as file:
            file.write(header)
            file.truncate(len(header) + sum(sizes))
    comm.Barrier()  # the file is there
    with path.open("r+b") as file:
        file.seek(len(header) + sum(sizes[: comm.rank]))
        for part in parts:
            file.write(part.data)
