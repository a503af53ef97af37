"""What every program that reads sequences is told: which files, where results go, how to save."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from examples.genomics.sequences.inputs import Input, inspect
from examples.workload.arguments import (
    CheckpointPlan,
    Parser,
    add_checkpoint,
    add_out,
    check_out,
    input_problem,
    named_twice,
    read_checkpoint,
    size,
)
from examples.workload.errors import BadArguments

_CHUNK_LIMITS = 64, 1 << 28


@dataclass(frozen=True, slots=True)
class Reading:
    """What is read.

    Attributes:
        inputs: the files.
        out: directory of the results.
        chunk: bytes of text that a rank reads in one round.
        checkpoint: where and how often to save.
    """

    inputs: tuple[Input, ...]
    out: Path
    chunk: int
    checkpoint: CheckpointPlan


def add_reading(parser: Parser) -> None:
    """The arguments of `Reading`."""
    parser.add_argument(
        "inputs", nargs="*", metavar="INPUT", help="FASTA or FASTQ file, plain, gzip or BGZF; a path or s3://bucket/key"
    )
    add_out(parser)
    parser.add_argument(
        "--chunk",
        default="8 MiB",
        metavar="SIZE",
        help="file that a rank reads in one round, as in 512 KiB (default: 8 MiB)",
    )
    add_checkpoint(parser)


def read_reading(given: argparse.Namespace, problems: list[str]) -> Reading:
    """What they say. The program's own arguments are checked before.

    Raises:
        BadArguments: with all problems, those that were found before among them.
        Malformed: a file is empty, or neither FASTA nor FASTQ.
    """
    if not given.inputs:
        problems.append("INPUT: is missing; name at least one FASTA or FASTQ file")
    problems += [problem for address in given.inputs if (problem := input_problem("INPUT", address))]
    problems += named_twice("INPUT", given.inputs)
    check_out(given, problems)
    chunk = size("--chunk", given.chunk, _CHUNK_LIMITS, problems)
    checkpoint = read_checkpoint(given, problems)
    if problems:
        raise BadArguments(problems)
    return Reading(tuple(inspect(address) for address in given.inputs), Path(given.out), chunk, checkpoint)
