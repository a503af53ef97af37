"""One run on all ranks: from the arguments to the results."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from batchhpc.rank import Checkpoint, Progress
from examples.genomics.kmers.arguments import Arguments, make_parser, read_arguments
from examples.genomics.kmers.counting import Keeping, count_bins, identity
from examples.genomics.kmers.output import NAMES, Summary, finish
from examples.genomics.kmers.writing import write_table
from examples.workload.communicator import Communicator
from examples.workload.program import run_program
from examples.workload.results import prepare

_VERSION = "1"  # of what a checkpoint means


def main(comm: Communicator, words: Sequence[str]) -> int:
    """The exit code."""
    return run_program(comm, make_parser(), read_arguments, count, words)


def count(comm: Communicator, arguments: Arguments) -> None:
    """Count, write the results, and print the table of the run on rank 0."""
    place = prepare(comm, arguments.reading.out, NAMES)
    with ExitStack() as open_until_done:
        progress = open_until_done.enter_context(Progress(sum(item.size for item in arguments.reading.inputs), "bytes", comm))
        keeping = None
        if arguments.reading.checkpoint.where:
            checkpoint = Checkpoint(
                arguments.reading.checkpoint.where, comm, inputs=identity(arguments.reading.inputs, arguments.k), version=_VERSION
            )
            keeping = Keeping(open_until_done.enter_context(checkpoint), arguments.reading.checkpoint.every)
        counted = count_bins(
            comm, arguments.reading.inputs, arguments.k, chunk=arguments.reading.chunk, keeping=keeping, after_round=progress.reach
        )
        progress.reach(counted.tally.consumed)  # a gzip file's end mark comes after its last text
    totals = write_table(comm, place, counted, arguments.min, as_text=arguments.tsv)
    summary = Summary.of(arguments.reading.inputs, arguments.k, arguments.min, counted.tally, totals)
    finish(comm, place, totals.spectrum, summary)
    if comm.rank == 0:
        print(summary.as_table(str(arguments.reading.out)), flush=True)
