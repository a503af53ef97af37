"""``python -m examples.genomics.kmers``: alone, or on every rank of an ``mpirun``.

Exit codes: 0 done; 1 failed; 2 the arguments are wrong; 65 an input file is malformed; 74 reading or writing failed.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence

import numpy as np

from batchhpc.rank import Progress
from examples.genomics.kmers.arguments import Arguments, BadArguments, make_parser, read_arguments
from examples.genomics.kmers.histogram import histogram, peak
from examples.genomics.kmers.malformed import Malformed
from examples.genomics.kmers.output import Place, Summary, prepare, write_results
from examples.genomics.kmers.parallel import Communicator, count_kmers
from examples.genomics.kmers.reads import Tally, read_pieces
from examples.genomics.kmers.shares import Input, inspect, shares_of

EXIT_FAILED, EXIT_ARGUMENTS, EXIT_MALFORMED, EXIT_FILES = 1, 2, 65, 74


def main(comm: Communicator, words: Sequence[str]) -> int:
    """Run the program on this rank; the exit code.

    An exception on one rank ends all of them: the others may wait for it in MPI for ever.
    """
    try:
        return _run(comm, words)
    except Malformed as error:
        code, message = EXIT_MALFORMED, str(error)
    except OSError as error:
        code, message = EXIT_FILES, str(error)
    except Exception:  # noqa: BLE001 - whatever it is, the other ranks must not hang
        code, message = EXIT_FAILED, f"rank {comm.rank} failed\n{traceback.format_exc()}"
    sys.stdout.flush()
    print(f"kmers: {message}", file=sys.stderr, flush=True)
    if comm.size > 1:
        comm.Abort(code)
    return code


def _run(comm: Communicator, words: Sequence[str]) -> int:
    # Rank 0 alone looks at the files, and all ranks go by what it saw.
    arguments, problems = comm.bcast(_check(words) if comm.rank == 0 else None)
    if arguments is None:
        if comm.rank == 0:
            _explain(problems)
        return EXIT_ARGUMENTS if problems else 0
    inputs = comm.bcast([inspect(path) for path in arguments.inputs] if comm.rank == 0 else None)
    count(comm, arguments, inputs, prepare(comm, arguments.out))
    return 0


def _check(words: Sequence[str]) -> tuple[Arguments | None, tuple[str, ...]]:
    try:
        return read_arguments(words), ()
    except BadArguments as error:
        return None, error.problems


def _explain(problems: Sequence[str]) -> None:
    for problem in problems:
        print(f"kmers: {problem}", file=sys.stderr)
    make_parser().print_help(sys.stderr if problems else sys.stdout)


def count(comm: Communicator, arguments: Arguments, inputs: Sequence[Input], place: Place) -> None:
    """Count, write the results, and print the table of the run on rank 0."""
    tally = Tally()
    pieces = read_pieces(shares_of(inputs, comm.rank, comm.size), arguments.k, arguments.chunk, tally)
    with Progress(sum(item.size for item in inputs), "bytes", comm) as progress:
        told = 0

        def tell() -> None:  # all ranks meet after every round, so rank 0 can tell how far the whole job is
            nonlocal told
            consumed = comm.allreduce(tally.consumed)
            progress.advance(consumed - told)
            told = consumed

        kmers, counts = count_kmers(comm, pieces, arguments.k, tell)
        tell()  # the end mark of a gzip file comes after its last text
    spectrum = comm.allreduce(histogram(counts))
    kept = counts >= arguments.min
    mine = [tally.sequences, tally.bases, tally.invalid, counts.sum(), len(counts), kept.sum()]
    sequences, bases, invalid, total, distinct, in_table = comm.allreduce(np.array(mine, np.int64)).tolist()
    summary = Summary(
        k=arguments.k,
        min=arguments.min,
        inputs=[{"path": item.path, "bytes": item.size} for item in inputs],
        sequences=sequences,
        bases=bases,
        invalid=invalid,
        total=total,
        distinct=distinct,
        kept=in_table,
        peak=peak(spectrum),
    )
    write_results(comm, place, (kmers[kept], counts[kept]), spectrum, summary, as_text=arguments.tsv)
    if comm.rank == 0:
        print(_table(summary, arguments), flush=True)


def _table(summary: Summary, arguments: Arguments) -> str:
    stored = sum(int(item["bytes"]) for item in summary.inputs)
    rows = {
        "inputs": f"{len(summary.inputs)} {'file' if len(summary.inputs) == 1 else 'files'}, {stored:,} bytes",
        "sequences": f"{summary.sequences:,}, of {summary.bases:,} bases ({summary.invalid:,} not A, C, G, T)",
        "k": f"{summary.k}",
        "k-mers": f"{summary.total:,}",
        "distinct": f"{summary.distinct:,} ({summary.kept:,} in the table)",
        "peak": f"{summary.peak} {'time' if summary.peak == 1 else 'times'}",
        "results": f"{arguments.out}",
    }
    return "\n".join(f"{name:<10} {value}" for name, value in rows.items())


if __name__ == "__main__":
    from mpi4py import MPI

    sys.exit(main(MPI.COMM_WORLD, sys.argv[1:]))
