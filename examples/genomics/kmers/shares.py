"""Which rank reads what: plain files by byte ranges, a gzip file by one rank (its k-mers are counted by all)."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from examples.genomics.kmers.malformed import Malformed

GZIP_MAGIC = b"\x1f\x8b"
_LINE = 1 << 20  # bytes: longer lines are passed over in pieces, never held whole


class Format(StrEnum):
    """How a file writes its sequences."""

    FASTA = "FASTA"
    FASTQ = "FASTQ"


@dataclass(frozen=True, slots=True)
class Input:
    """One input file.

    Attributes:
        path: as the user wrote it.
        size: bytes of the file as it is stored.
    """

    path: str
    size: int
    format: Format
    gzipped: bool


@dataclass(frozen=True, slots=True)
class Share:
    """Bytes ``start`` to ``stop`` of one input, both at the start of a record (FASTQ) or line (FASTA).

    ``stop`` is None for a gzip file, which is always read whole.
    """

    input: Input
    start: int
    stop: int | None


def inspect(path: str) -> Input:
    """What kind of file this is, by its first bytes; its name does not matter.

    Raises:
        Malformed: it is empty, or neither FASTA nor FASTQ.
    """
    with Path(path).open("rb") as file:
        gzipped = file.read(2) == GZIP_MAGIC
        file.seek(0)
        try:
            head = (gzip.GzipFile(fileobj=file) if gzipped else file).read(4)
        except (zlib.error, gzip.BadGzipFile) as error:
            raise Malformed(path, f"the gzip stream is damaged at its start: {error}") from None
        except EOFError:
            raise Malformed(path, "the gzip stream ends within its first bytes: the file was cut off") from None
        size = os.fstat(file.fileno()).st_size
    if not head:
        raise Malformed(path, "the file is empty")
    formats = {b">": Format.FASTA, b"@": Format.FASTQ}
    if head[:1] not in formats:
        raise Malformed(path, f"neither FASTA nor FASTQ: it begins with {head!r}, not with '>' or '@'")
    return Input(path, size, formats[head[:1]], gzipped)


def shares_of(inputs: Sequence[Input], rank: int, size: int) -> list[Share]:
    """What rank ``rank`` of ``size`` reads; over all ranks, everything exactly once.

    The plain files, laid end to end, are cut into ``size`` equal ranges. Gzip files cannot be entered in the middle: the
    i-th of them goes to rank i, beginning again at rank 0.
    """
    shares = [Share(item, 0, None) for item in [item for item in inputs if item.gzipped][rank::size]]
    plain = [item for item in inputs if not item.gzipped]
    total = sum(item.size for item in plain)
    first, last = total * rank // size, total * (rank + 1) // size  # this rank's range of all the plain bytes
    before = 0
    for item in plain:
        start, stop = (min(max(bound - before, 0), item.size) for bound in (first, last))
        before += item.size
        if start < stop:
            with Path(item.path).open("rb") as file:
                share = Share(item, _next_start(file, start, item), _next_start(file, stop, item))
            if share.start != share.stop:
                shares.append(share)
    return shares


def _next_start(file: BinaryIO, offset: int, item: Input) -> int:
    """The first place after ``offset`` where a share may start; the file's size if there is none, 0 for 0.

    A FASTQ quality may begin with ``@`` as a header does; but two lines after a quality comes a sequence, which never
    begins with ``+``. So a line is a header exactly if it begins with ``@`` and the next but one with ``+``.
    """
    if offset == 0 or offset >= item.size:
        return min(offset, item.size)
    file.seek(offset)
    _skip_line(file)
    lines: list[tuple[int, bytes]] = []
    while True:
        place = file.tell()
        first = file.read(1)
        if item.format is Format.FASTA or not first:
            return place
        lines = [*lines[-2:], (place, first)]
        if len(lines) == 3 and lines[0][1] == b"@" and first == b"+":
            return lines[0][0]
        if first != b"\n":
            _skip_line(file)


def _skip_line(file: BinaryIO) -> None:
    while (part := file.readline(_LINE)) and not part.endswith(b"\n"):
        pass
