"""What kind of file is at an address."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from enum import StrEnum

from examples.genomics.sequences import bgzf
from examples.workload.errors import Malformed
from examples.workload.files import source

_GZIP_MAGIC = b"\x1f\x8b"


class Format(StrEnum):
    """How a file writes its sequences."""

    FASTA = "FASTA"
    FASTQ = "FASTQ"


class Packing(StrEnum):
    """How a file is stored: a BGZF file can be entered in the middle, another gzip file cannot."""

    PLAIN = "plain"
    GZIP = "gzip"
    BGZF = "BGZF"


@dataclass(frozen=True, slots=True)
class Input:
    """One input file.

    Attributes:
        address: as the user wrote it.
        size: bytes of the file as it is stored.
        version: changes when the content does.
    """

    address: str
    size: int
    format: Format
    packing: Packing
    version: str


def inspect(address: str) -> Input:
    """What kind of file this is, by its first bytes; its name does not matter.

    Raises:
        Malformed: it is empty, neither FASTA nor FASTQ, or BGZF without its end.
        OSError: it cannot be read.
    """
    file = source(address)
    start = file.read(0, bgzf.LONGEST_HEADER)
    packing = Packing.PLAIN
    if start.startswith(_GZIP_MAGIC):
        packing = Packing.BGZF if bgzf.size_of_member(start) else Packing.GZIP
    if packing is Packing.BGZF and file.read(file.size - len(bgzf.END), len(bgzf.END)) != bgzf.END:
        raise Malformed(address, "the BGZF file has no end mark: it was cut off")
    try:
        with file.stream() as stored:
            head = (stored if packing is Packing.PLAIN else gzip.GzipFile(fileobj=stored)).read(4)
    except (zlib.error, gzip.BadGzipFile) as error:
        raise Malformed(address, f"the gzip stream is damaged at its start: {error}") from None
    except EOFError:
        raise Malformed(address, "the gzip stream ends within its first bytes: the file was cut off") from None
    if not head:
        raise Malformed(address, "the file is empty")
    formats = {b">": Format.FASTA, b"@": Format.FASTQ}
    if head[:1] not in formats:
        raise Malformed(address, f"neither FASTA nor FASTQ: it begins with {head!r}, not with '>' or '@'")
    return Input(address, file.size, formats[head[:1]], packing, file.version)
