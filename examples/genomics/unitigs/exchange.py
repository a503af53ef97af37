"""Rows of numbers from rank to rank. Takes ``comm``; nothing here imports MPI."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from examples.genomics.unitigs.joins import Ends
from examples.workload.communicator import Communicator

Rows = np.ndarray[Any, Any]
Numbers = npt.NDArray[np.int64]


def exchange(comm: Communicator, rows: Rows, counts: Numbers, arriving: Numbers | None = None) -> tuple[Rows, Numbers]:
    """Send the first ``counts[0]`` rows to rank 0, the next to rank 1, ...; collective.

    Args:
        comm: the ranks.
        rows: (n,) or (n, columns).
        counts: (ranks,) how many rows go to each.
        arriving: how many come from each, if that is known.

    Returns:
        What came in, in the order of ranks, and how many rows from each.
    """
    if comm.size == 1:
        return rows, counts
    if arriving is None:
        arriving = np.array(comm.alltoall(counts.tolist()), np.int64)
    width = int(np.prod(rows.shape[1:]))
    incoming = np.empty((int(arriving.sum()), *rows.shape[1:]), rows.dtype)
    flat = np.ascontiguousarray(rows).reshape(-1)
    comm.Alltoallv([flat, (counts * width).tolist()], [incoming.reshape(-1), (arriving * width).tolist()])
    return incoming, arriving


def by_rank(comm: Communicator, ranks: Numbers) -> tuple[Ends, Numbers]:
    """The order that puts rows for the same rank together, those of one rank as they were; and how many each rank gets."""
    return np.argsort(ranks, kind="stable"), np.bincount(ranks, minlength=comm.size)


def first_numbers(comm: Communicator, own: int) -> Numbers:
    """(ranks + 1,) where each rank's things begin if those of all ranks are numbered through; the last is their number."""
    return np.concatenate(([0], np.cumsum(comm.allgather(own))))


def look_up(comm: Communicator, table: Rows, firsts: Numbers, numbers: Numbers) -> Rows:
    """Rows of a table that all ranks hold together; collective.

    Args:
        comm: the ranks.
        table: this rank's rows.
        firsts: (ranks + 1,) the number of each rank's first row.
        numbers: of the wanted rows, in any order.
    """
    if comm.size == 1:
        return table[numbers]
    order, counts = by_rank(comm, np.searchsorted(firsts, numbers, side="right") - 1)
    asked, sizes = exchange(comm, numbers[order], counts)
    answers, _ = exchange(comm, table[asked - firsts[comm.rank]], sizes, counts)
    wanted = np.empty_like(answers)
    wanted[order] = answers
    return wanted
