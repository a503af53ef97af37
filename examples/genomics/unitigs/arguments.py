"""What was asked for, or every problem with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from examples.genomics.kmers.words import LONGEST_IN_ONE_WORD
from examples.genomics.sequences.arguments import Reading, add_reading, read_reading
from examples.workload.arguments import WITHOUT_END, Parser, whole_number

_SHORTEST = 3


@dataclass(frozen=True, slots=True)
class Arguments:
    """What one run does.

    Attributes:
        reading: of which files, and where to.
        k: length of a k-mer, in bases; odd.
        min: fewest occurrences of a k-mer in the graph.
    """

    reading: Reading
    k: int
    min: int


def make_parser() -> Parser:
    """The arguments as ``--help`` shows them; all values are checked together, in `read_arguments`."""
    parser = Parser("unitigs", "Unitigs of the de Bruijn graph of FASTA and FASTQ files, over MPI.")
    parser.add_argument(
        "-k",
        default="31",
        metavar="BASES",
        help=f"length of a k-mer in bases: odd, {_SHORTEST} to {LONGEST_IN_ONE_WORD} (default: 31)",
    )
    parser.add_argument(
        "--min",
        default="2",
        metavar="TIMES",
        help="leave k-mers that occur less often out of the graph: most are errors of sequencing (default: 2)",
    )
    add_reading(parser)
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
    k = whole_number("-k", given.k, (_SHORTEST, LONGEST_IN_ONE_WORD), problems)
    if k % 2 == 0:
        problems.append(
            f"-k: is {k}, but must be odd: a k-mer of even length can be its own reverse complement, and has no two ends"
        )
    least = whole_number("--min", given.min, (1, WITHOUT_END), problems)
    return Arguments(read_reading(given, problems), k, least)
