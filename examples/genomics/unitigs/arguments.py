"""What was asked for, or every problem with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from examples.genomics.kmers.words import LONGEST_IN_ONE_WORD
from examples.genomics.sequences import Input, inspect
from examples.workload.arguments import (
    WITHOUT_END,
    CheckpointPlan,
    Parser,
    add_checkpoint,
    input_problem,
    named_twice,
    output_problem,
    read_checkpoint,
    size,
    whole_number,
)
from examples.workload.errors import BadArguments

_SHORTEST = 3
_CHUNK_LIMITS = 64, 1 << 28


@dataclass(frozen=True, slots=True)
class Arguments:
    """What one run does.

    Attributes:
        inputs: the files.
        k: length of a k-mer, in bases; odd.
        out: directory of the results.
        min: fewest occurrences of a k-mer in the graph.
        chunk: bytes of text that a rank reads in one round.
        checkpoint: where and how often to save.
    """

    inputs: tuple[Input, ...]
    k: int
    out: Path
    min: int
    chunk: int
    checkpoint: CheckpointPlan


def make_parser() -> Parser:
    """The arguments as ``--help`` shows them; all values are checked together, in `read_arguments`."""
    parser = Parser("unitigs", "Unitigs of the de Bruijn graph of FASTA and FASTQ files, over MPI.")
    parser.add_argument(
        "inputs", nargs="*", metavar="INPUT", help="FASTA or FASTQ file, plain, gzip or BGZF; a path or s3://bucket/key"
    )
    parser.add_argument(
        "-k",
        default="31",
        metavar="BASES",
        help=f"length of a k-mer in bases: odd, {_SHORTEST} to {LONGEST_IN_ONE_WORD} (default: 31)",
    )
    parser.add_argument("--out", metavar="DIR", help="directory of the results; all nodes must see it")
    parser.add_argument(
        "--min",
        default="2",
        metavar="TIMES",
        help="leave k-mers that occur less often out of the graph: most are errors of sequencing (default: 2)",
    )
    parser.add_argument(
        "--chunk",
        default="8 MiB",
        metavar="SIZE",
        help="file that a rank reads in one round, as in 512 KiB (default: 8 MiB)",
    )
    add_checkpoint(parser)
    return parser


def read_arguments(words: Sequence[str]) -> Arguments | None:
    """Check the words of a command line, and look at the files; None if it asks for help.

    Raises:
        BadArguments: with all problems.
        Malformed: a file is empty, or neither FASTA nor FASTQ.
    """
    problems: list[str] = []
    given = make_parser().read(words, problems)
    if given is None:
        return None
    if not given.inputs:
        problems.append("INPUT: is missing; name at least one FASTA or FASTQ file")
    problems += [problem for address in given.inputs if (problem := input_problem("INPUT", address))]
    problems += named_twice("INPUT", given.inputs)
    k = whole_number("-k", given.k, (_SHORTEST, LONGEST_IN_ONE_WORD), problems)
    if k % 2 == 0:
        problems.append(
            f"-k: is {k}, but must be odd: a k-mer of even length can be its own reverse complement, and has no two ends"
        )
    if given.out is None:
        problems.append("--out: is missing; name a directory for the results")
    elif problem := output_problem("--out", given.out):
        problems.append(problem)
    least = whole_number("--min", given.min, (1, WITHOUT_END), problems)
    chunk = size("--chunk", given.chunk, _CHUNK_LIMITS, problems)
    checkpoint = read_checkpoint(given, problems)
    if problems:
        raise BadArguments(problems)
    inputs = tuple(inspect(address) for address in given.inputs)
    return Arguments(inputs, k, Path(given.out), least, chunk, checkpoint)
