"""What was asked for, or every problem with it."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from examples.genomics.kmers.kernel import MAX_K

_UNITS = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_CHUNK_LIMITS = 64, 1 << 28


class BadArguments(Exception):
    """The command line cannot be run; ``problems`` are all reasons, each beginning with the argument it is about."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(problems))


@dataclass(frozen=True, slots=True)
class Arguments:
    """What one run does.

    Attributes:
        inputs: FASTA and FASTQ files, gzipped or not.
        k: length of a k-mer, in bases.
        out: directory of the results.
        min: fewest occurrences of a k-mer in the table.
        tsv: write the table as text, too.
        chunk: bytes of unpacked input that a rank reads in one round.
    """

    inputs: tuple[str, ...]
    k: int
    out: Path
    min: int
    tsv: bool
    chunk: int


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise BadArguments([message])


def make_parser() -> argparse.ArgumentParser:
    """The arguments as ``--help`` shows them; all values are checked together, in `read_arguments`."""
    parser = _Parser(prog="kmers", description="Exact canonical k-mer counts of FASTA and FASTQ files, over MPI.", add_help=False)
    parser.add_argument("inputs", nargs="*", metavar="INPUT", help="FASTA or FASTQ file, plain or gzipped")
    parser.add_argument("-k", default="31", metavar="BASES", help=f"length of a k-mer in bases, 1 to {MAX_K} (default: 31)")
    parser.add_argument("--out", metavar="DIR", help="directory of the results; all nodes must see it")
    parser.add_argument(
        "--min",
        default="1",
        metavar="TIMES",
        help="leave k-mers that occur less often out of the table, not the histogram (default: 1)",
    )
    parser.add_argument("--tsv", action="store_true", help="write the table as text, too: dump.tsv")
    parser.add_argument(
        "--chunk",
        default="4 MiB",
        metavar="SIZE",
        help="text that a rank reads in one round, as in 512 KiB (default: 4 MiB)",
    )
    parser.add_argument("-h", "--help", action="store_true", help="show this and exit")
    return parser


def read_arguments(words: Sequence[str]) -> Arguments | None:
    """Check the words of a command line; None if it asks for help.

    Raises:
        BadArguments: with all problems.
    """
    given, unknown = make_parser().parse_known_args(words)
    if given.help:
        return None
    problems = [f"{word}: is not an argument of this program" for word in unknown]
    if not given.inputs:
        problems.append("INPUT: is missing; name at least one FASTA or FASTQ file")
    problems += [problem for path in given.inputs if (problem := _file_problem(path))]
    problems += [f"INPUT: {path} is named twice" for path in dict.fromkeys(given.inputs) if given.inputs.count(path) > 1]
    k = _whole_number("-k", given.k, (1, MAX_K), problems)
    if given.out is None:
        problems.append("--out: is missing; name a directory for the results")
    elif Path(given.out).exists() and not Path(given.out).is_dir():
        problems.append(f"--out: {given.out} is there and is not a directory")
    least = _whole_number("--min", given.min, (1, 2**62), problems)
    chunk = _size("--chunk", given.chunk, _CHUNK_LIMITS, problems)
    if problems:
        raise BadArguments(problems)
    return Arguments(tuple(given.inputs), k, Path(given.out), least, given.tsv, chunk)


def _file_problem(path: str) -> str | None:
    if not Path(path).exists():
        return f"INPUT: {path} does not exist"
    if not Path(path).is_file():
        return f"INPUT: {path} is not a file"
    if not os.access(path, os.R_OK):
        return f"INPUT: {path} may not be read by this user"
    return None


def _whole_number(name: str, text: str, limits: tuple[int, int], problems: list[str]) -> int:
    if re.fullmatch(r"-?\d{1,18}", text) and limits[0] <= int(text) <= limits[1]:
        return int(text)
    upper = f" to {limits[1]}" if limits[1] < 2**62 else " on"
    problems.append(f"{name}: is {text!r}, but must be a whole number from {limits[0]}{upper}")
    return limits[0]


def _size(name: str, text: str, limits: tuple[int, int], problems: list[str]) -> int:
    match = re.fullmatch(r"(\d{1,12}) ?([KMG]iB|)", text)
    size = int(match[1]) * _UNITS[match[2]] if match else -1
    if limits[0] <= size <= limits[1]:
        return size
    problems.append(f"{name}: is {text!r}, but must be a size from {limits[0]} bytes to {limits[1] >> 20} MiB, as in '512 KiB'")
    return limits[0]
