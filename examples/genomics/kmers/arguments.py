"""What was asked for, or every problem with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from examples.genomics.kmers.words import MAX_K
from examples.genomics.sequences.arguments import Reading, add_reading, read_reading
from examples.workload.arguments import WITHOUT_END, Parser, whole_number


@dataclass(frozen=True, slots=True)
class Arguments:
    """What one run does.

    Attributes:
        reading: of which files, and where to.
        k: length of a k-mer, in bases.
        min: fewest occurrences of a k-mer in the table.
        tsv: write the table as text, too.
    """

    reading: Reading
    k: int
    min: int
    tsv: bool


def make_parser() -> Parser:
    """The arguments as ``--help`` shows them; all values are checked together, in `read_arguments`."""
    parser = Parser("kmers", "Exact canonical k-mer counts of FASTA and FASTQ files, over MPI.")
    parser.add_argument("-k", default="31", metavar="BASES", help=f"length of a k-mer in bases, 1 to {MAX_K} (default: 31)")
    parser.add_argument(
        "--min",
        default="1",
        metavar="TIMES",
        help="leave k-mers that occur less often out of the table, not the histogram (default: 1)",
    )
    parser.add_argument("--tsv", action="store_true", help="write the table as text, too: dump.tsv")
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
    k = whole_number("-k", given.k, (1, MAX_K), problems)
    least = whole_number("--min", given.min, (1, WITHOUT_END), problems)
    return Arguments(read_reading(given, problems), k, least, given.tsv)
