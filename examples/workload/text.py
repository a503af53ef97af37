"""Small text files of people: lines of CSV with their numbers, numbers as people write them, one error of all problems."""

from __future__ import annotations

import csv
import gzip
import io
import math
from collections.abc import Iterator, Sequence

from examples.workload.errors import Malformed
from examples.workload.files import source

_GZIP = b"\x1f\x8b"
_MOST_TOLD = 20  # problems


def number_of(cell: str) -> float:
    """As people write it; nan if it is none: Python takes 1_000 for a number, but in a file that is a slip."""
    try:
        return math.nan if "_" in cell else float(cell)
    except ValueError:
        return math.nan


def lines_of(address: str, problems: list[str]) -> Iterator[tuple[int, list[str]]]:
    """The lines of a CSV, each with its number, whatever ends them; one that cannot be read is a problem more, and the last.

    Raises:
        OSError: it cannot be read.
        Malformed: it is no text.
    """
    return _lines(text_of(address), problems)


def _lines(text: str, problems: list[str]) -> Iterator[tuple[int, list[str]]]:
    lines = csv.reader(io.StringIO(text, newline=None))
    try:
        for cells in lines:
            yield lines.line_num, cells
    except csv.Error as error:
        problems.append(f"line {lines.line_num}: is no line of a CSV: {error}")


def text_of(address: str) -> str:
    """A text file, here or in S3, compressed or not.

    Raises:
        OSError: it cannot be read.
        Malformed: it is no text.
    """
    with source(address).stream() as file:
        content = file.read()
    try:
        return (gzip.decompress(content) if content.startswith(_GZIP) else content).decode("utf-8-sig")
    except (OSError, EOFError) as error:
        raise Malformed(address, f"cannot be decompressed: {error}") from None
    except UnicodeDecodeError as error:
        raise Malformed(address, f"is not text in UTF-8: byte {error.start:,} is {content[error.start]:#x}") from None


def malformed(address: str, problems: Sequence[str]) -> Malformed:
    """One error of all problems, each a line."""
    if len(problems) == 1:
        return Malformed(address, problems[0])
    told = [*problems[:_MOST_TOLD], *([f"and {len(problems) - _MOST_TOLD:,} more"] if len(problems) > _MOST_TOLD else [])]
    return Malformed(address, f"{len(problems):,} problems\n  " + "\n  ".join(told))
