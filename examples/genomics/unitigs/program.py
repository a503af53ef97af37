"""One run on all ranks. Takes ``comm``; nothing here imports MPI."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from batchhpc.rank import Checkpoint, Progress
from examples.genomics.kmers.counting import Keeping, count_bins, identity, scheme_for
from examples.genomics.kmers.minimizers import Scheme
from examples.genomics.unitigs.arguments import Arguments, make_parser, read_arguments
from examples.genomics.unitigs.assembly import Unitigs, assemble
from examples.genomics.unitigs.graph import Bin, segments_of
from examples.genomics.unitigs.links import links_of
from examples.genomics.unitigs.output import NAMES, Input, write_results
from examples.genomics.unitigs.pieces import pieces_of
from examples.genomics.unitigs.ranking import rank_pieces
from examples.genomics.unitigs.resume import Solid, load, save
from examples.workload.communicator import Communicator
from examples.workload.program import run_program
from examples.workload.results import prepare

_VERSION = "1"  # of what checkpoints hold


def main(comm: Communicator, words: Sequence[str]) -> int:
    """Run the program on this rank; the exit code."""
    return run_program(comm, make_parser(), read_arguments, find_unitigs, words)


def find_unitigs(comm: Communicator, arguments: Arguments) -> None:
    """Count, compact, write the results, and print the table of the run on rank 0; collective."""
    place = prepare(comm, arguments.reading.out, NAMES)
    scheme = scheme_for(arguments.reading.inputs, arguments.k)
    with ExitStack() as open_until_done:
        solid = _solid_kmers(comm, arguments, open_until_done)
        what = Input(
            k=arguments.k,
            min=arguments.min,
            inputs=[{"path": item.address, "bytes": item.size} for item in arguments.reading.inputs],
            sequences=solid.sequences,
            bases=solid.bases,
            kmers=int(comm.allreduce(sum(len(item.kmers) for item in solid.bins))),
        )
        unitigs = _compact(comm, solid, scheme, what.kmers)
    summary = write_results(comm, place, unitigs, links_of(comm, unitigs), what)
    if comm.rank == 0:
        print(summary.as_table(str(arguments.reading.out)), flush=True)


def _solid_kmers(comm: Communicator, arguments: Arguments, open_until_done: ExitStack) -> Solid:
    """The k-mers that occur often enough: counted, or from the checkpoint."""
    plan = arguments.reading.checkpoint
    if not plan.where:
        return _count(comm, arguments, None)
    # What was read holds for any --min: two checkpoints, each of its own arguments.
    of_read = identity(arguments.reading.inputs, arguments.k)
    of_counted = {**of_read, "min": str(arguments.min)}
    counted = Checkpoint(f"{plan.where}/counted-{arguments.min}", comm, inputs=of_counted, version=_VERSION)
    open_until_done.enter_context(counted)
    if solid := load(comm, counted):
        if comm.rank == 0:
            print(f"goes on from the counted k-mers in {plan.where}", flush=True)
        return solid
    read = Checkpoint(f"{plan.where}/read", comm, inputs=of_read, version=_VERSION)
    solid = _count(comm, arguments, Keeping(open_until_done.enter_context(read), plan.every))
    save(comm, counted, solid)
    return solid


def _count(comm: Communicator, arguments: Arguments, keeping: Keeping | None) -> Solid:
    with Progress(sum(item.size for item in arguments.reading.inputs), "bytes", comm) as progress:
        counted = count_bins(
            comm, arguments.reading.inputs, arguments.k, chunk=arguments.reading.chunk, keeping=keeping, after_round=progress.reach
        )
        progress.reach(counted.tally.consumed)  # a gzip file's end mark comes after its last text
    bins = []
    for number, kmers, counts in counted.bins():
        if (often := counts >= arguments.min).any():
            bins.append(Bin(number, kmers[often], counts[often]))
    return Solid(bins, counted.assignment, counted.tally.sequences, counted.tally.bases)


def _compact(comm: Communicator, solid: Solid, scheme: Scheme, total: int) -> Unitigs:
    own = max(1, sum(len(item.kmers) for item in solid.bins))
    with Progress(total, "k-mers", comm) as progress:
        # Ranks do not meet between bins; rank 0 tells of all what it knows of itself.
        segments = segments_of(comm, solid.bins, scheme, solid.assignment.owner, lambda done: progress.reach(total * done // own))
    pieces = pieces_of(comm, segments)
    return assemble(comm, pieces, rank_pieces(comm, pieces), scheme.k)
