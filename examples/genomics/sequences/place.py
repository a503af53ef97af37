"""What is wrong with a file, and where: record and line."""

from __future__ import annotations

import gzip
import io
import zlib
from typing import cast

from examples.genomics.sequences.inputs import Format, Input, Packing
from examples.workload.errors import Malformed
from examples.workload.files import source

_READ = 1 << 20


def malformed(item: Input, what: str, offset: int | None = None) -> Malformed:
    """An error about the byte ``offset`` of the file's text; None: about the last byte that can be read."""
    return Malformed(item.address, what, _place_of(item, offset))


def _place_of(item: Input, offset: int | None) -> str:
    """Record and line, both from 1.

    A rank that reads from the middle of a file does not know how many lines came before: they are counted here, from the
    start, once something is wrong.
    """
    lines = headers = 0
    at_start = True  # of a line
    left = offset
    with source(item.address).stream() as stored:
        file = stored if item.packing is Packing.PLAIN else cast(io.BufferedIOBase, gzip.GzipFile(fileobj=stored))
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
    record = lines // 4 + 1 if item.format is Format.FASTQ else headers
    return f"record {record}, line {lines + 1}"
