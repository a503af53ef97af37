"""What is wrong with an input file, and where: file, record, line."""

from __future__ import annotations

import gzip
import zlib
from io import BufferedIOBase
from pathlib import Path

_READ = 1 << 20


class Malformed(Exception):
    """An input file cannot be what it claims to be; the message names file, record and line."""

    def __init__(self, path: str, what: str, place: str = "") -> None:
        self.path, self.what, self.place = path, what, place
        super().__init__(": ".join(part for part in (path, place, what) if part))


def open_text(path: str, *, gzipped: bool) -> BufferedIOBase:
    """The file's text as bytes, unpacked if need be."""
    return gzip.open(path, "rb") if gzipped else Path(path).open("rb")


def place_of(path: str, offset: int | None, *, fastq: bool, gzipped: bool) -> str:
    """Record and line (both from 1) of the byte ``offset`` of the text; None: of the last byte that can be read.

    A rank that reads from the middle of a file does not know how many lines came before: they are counted here, from the
    start, once something is wrong.
    """
    lines = headers = 0
    at_start = True  # of a line
    left = offset
    with open_text(path, gzipped=gzipped) as file:
        while left is None or left > 0:
            try:
                part = file.read1(_READ if left is None else min(_READ, left))
            except (EOFError, zlib.error, gzip.BadGzipFile):
                break
            if not part:
                break
            lines += part.count(b"\n")
            headers += part.count(b"\n>") + (at_start and part.startswith(b">"))
            at_start = part.endswith(b"\n")
            left = None if left is None else left - len(part)
        if at_start and offset is not None and file.read(1) == b">":
            headers += 1
    record = lines // 4 + 1 if fastq else headers
    return f"record {record}, line {lines + 1}"
