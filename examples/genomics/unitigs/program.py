"""One run on all ranks. Takes ``comm``; nothing here imports MPI."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from batchhpc.rank import Checkpoint, Progress
from examples.genomics.kmers.counting import Keeping, count_bins, scheme_for
from examples.genomics.unitigs.arguments import Arguments, make_parser, read_arguments
from examples.genomics.unitigs.assembly import Unitigs, assemble
from examples.genomics.unitigs.graph import Bin, segments_of
from examples.genomics.unitigs.links import links_of
from examples.genomics.unitigs.output import NAMES, Input, write_results
from examples.genomics.unitigs.pieces import pieces_of
from examples.genomics.unitigs.ranking import rank_pieces
from examples.genomics.unitigs.resume import Solid, load, save
from examples.genomics.unitigs.segments import Segments
from examples.workload.communicator import Communicator
from examples.workload.program import run_program
from examples.workload.results import prepare

VERSION = "1"  # of what checkpoints hold


def main(comm: Communicator, words: Sequence[str]) -> int:
    """Run the program on this rank; the exit code."""
    return run_program(comm, make_parser(), read_arguments, find_unitigs, words)


def find_unitigs(comm: Communicator, arguments: Arguments) -> None:
    """Count, compact, write the results, and print the table of the run on rank 0; collective."""
    place = prepare(comm, arguments.out, NAMES)
    scheme = scheme_for(arguments.inputs, arguments.k)
    with ExitStack() as ends_later:
        solid = _solid_kmers(comm, arguments, ends_later)
        what = Input(
            k=arguments.k,
            min=arguments.min,
            inputs=[{"path": item.address, "bytes": item.size} for item in arguments.inputs],
            sequences=solid.sequences,
            bases=solid.bases,
            kmers=int(comm.allreduce(sum(len(item.kmers) for item in solid.bins))),
        )
        segments = segments_of(comm, solid.bins, scheme, solid.assignment.owner)
        unitigs = _joined(comm, pieces_of(comm, segments), arguments.k)
    summary = write_results(comm, place, unitigs, links_of(comm, unitigs), what)
    if comm.rank == 0:
        print(summary.as_table(str(arguments.out)), flush=True)


def _solid_kmers(comm: Communicator, arguments: Arguments, ends_later: ExitStack) -> Solid:
    """From the checkpoint, or counted."""
    plan, keeping = arguments.checkpoint, None
    after_counting: Checkpoint | None = None
    if plan.where:
        inputs = {item.address: item.version for item in arguments.inputs} | {"k": str(arguments.k)}
        after_counting = ends_later.enter_context(
            Checkpoint(f"{plan.where}/counted", comm, inputs=inputs | {"min": str(arguments.min)}, version=VERSION)
        )
        if solid := load(comm, after_counting):
            if comm.rank == 0:
                print("goes on from counted k-mers", flush=True)
            return solid
        reading = ends_later.enter_context(Checkpoint(f"{plan.where}/read", comm, inputs=inputs, version=VERSION))
        keeping = Keeping(reading, plan.every)
    with Progress(sum(item.size for item in arguments.inputs), "bytes", comm) as progress:
        counted = count_bins(
            comm, arguments.inputs, arguments.k, chunk=arguments.chunk, keeping=keeping, after_round=progress.reach
        )
        progress.done()
    bins = []
    for number, kmers, counts in counted.bins():
        if (often := counts >= arguments.min).any():
            bins.append(Bin(number, kmers[often], counts[often]))
    solid = Solid(bins, counted.assignment, counted.tally.sequences, counted.tally.bases)
    if after_counting:
        save(comm, after_counting, solid)
    return solid


def _joined(comm: Communicator, pieces: Segments, k: int) -> Unitigs:
    return assemble(comm, pieces, rank_pieces(comm, pieces), k)
