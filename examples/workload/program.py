"""One run of a workload on all ranks, from the command line to the exit code.

Exit codes: 0 done; 1 failed; 2 the arguments are wrong, or a checkpoint is of other ones; 65 an input file is malformed; 74 reading
or writing failed; 130 interrupted.
"""

from __future__ import annotations

import sys
import traceback
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from typing import TypeVar

from batchhpc.rank import CheckpointError
from batchhpc.rank.checkpoint.errors import CheckpointMismatch
from examples.workload.communicator import Communicator
from examples.workload.errors import BadArguments, Malformed

EXIT_FAILED, EXIT_ARGUMENTS, EXIT_MALFORMED, EXIT_FILES, EXIT_INTERRUPTED = 1, 2, 65, 74, 130
A = TypeVar("A")


def run_program(
    comm: Communicator,
    parser: ArgumentParser,
    check: Callable[[Sequence[str]], A | None],
    work: Callable[[Communicator, A], None],
    words: Sequence[str],
) -> int:
    """Check the command line on rank 0, and work on all ranks.

    An exception on one rank ends all of them: the others may wait for it in MPI for ever.

    Args:
        comm: the ranks.
        parser: for its name and its help.
        check: what was asked for; None if that was help. It may raise `BadArguments`, or what `work` may raise.
        work: what to do.
        words: of the command line.
    """
    try:
        arguments, problems = comm.bcast(_checked(check, words) if comm.rank == 0 else None)
        if arguments is not None:
            work(comm, arguments)
            return 0
    except CheckpointError as error:  # all ranks raise it, so none waits, and one tells
        if comm.rank == 0:
            print(f"{parser.prog}: {error}", file=sys.stderr, flush=True)
        return EXIT_ARGUMENTS if isinstance(error, CheckpointMismatch) else EXIT_FILES
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - whatever it is, the other ranks must not hang
        code, message = _told(error, comm.rank)
    else:
        if comm.rank == 0:
            _explain(parser, problems)
        return EXIT_ARGUMENTS if problems else 0
    sys.stdout.flush()
    print(f"{parser.prog}: {message}", file=sys.stderr, flush=True)
    if comm.size > 1:
        comm.Abort(code)
    return code


def _told(error: BaseException, rank: int) -> tuple[int, str]:
    """The exit code for what went wrong, and what is said of it."""
    if isinstance(error, Malformed):
        return EXIT_MALFORMED, str(error)
    if isinstance(error, OSError):
        return EXIT_FILES, str(error)
    if isinstance(error, KeyboardInterrupt):
        return EXIT_INTERRUPTED, "interrupted"
    return EXIT_FAILED, f"rank {rank} failed\n{traceback.format_exc()}"


def _checked(check: Callable[[Sequence[str]], A | None], words: Sequence[str]) -> tuple[A | None, tuple[str, ...]]:
    try:
        return check(words), ()
    except BadArguments as error:
        return None, error.problems


def _explain(parser: ArgumentParser, problems: Sequence[str]) -> None:
    for problem in problems:
        print(f"{parser.prog}: {problem}", file=sys.stderr)
    if problems:
        print("  hint: --help lists the arguments", file=sys.stderr)
    else:
        parser.print_help()
