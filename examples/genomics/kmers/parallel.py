"""Counting over MPI, in rounds. Functions take ``comm``; nothing here imports MPI.

Every rank owns a range of k-mers, so that the ranks' tables, one after the other, are the whole table in order. In each
round a rank reads a piece of text, makes its k-mers, and sends each to its owner. A round's messages are bounded by the
size of a piece. At the end each rank sorts what it received and counts equal neighbours. Where the ranges are cut decides
how evenly the work is spread, never the result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

from examples.genomics.kmers.kernel import Counts, Kmers, Text, canonical_kmers, run_lengths

_SAMPLES = 1024  # k-mers looked at per rank to cut the ranges: shares even to a few per cent
_BREAK = np.frombuffer(b"\n", np.uint8)
_EMPTY = np.empty(0, np.uint8)


class Communicator(Protocol):
    """The calls of mpi4py's ``MPI.Comm`` that this program makes."""

    @property
    def rank(self) -> int: ...
    @property
    def size(self) -> int: ...
    def Barrier(self) -> None: ...  # noqa: N802 - MPI's name
    def bcast(self, obj: Any, /) -> Any: ...
    def allgather(self, sendobj: Any, /) -> list[Any]: ...
    def allreduce(self, sendobj: Any, /) -> Any: ...
    def alltoall(self, sendobj: Any, /) -> list[Any]: ...
    def Alltoallv(self, sendbuf: Any, recvbuf: Any, /) -> None: ...  # noqa: N802 - MPI's name
    def Abort(self, errorcode: int, /) -> Any: ...  # noqa: N802 - MPI's name


def count_kmers(
    comm: Communicator, pieces: Iterator[Text], k: int, after_round: Callable[[], None] = lambda: None
) -> tuple[Kmers, Counts]:
    """Count the canonical k-mers of all ranks' pieces.

    Args:
        comm: the ranks.
        pieces: this rank's text; ranks may have different numbers of pieces.
        k: length of a k-mer.
        after_round: called on every rank after each round.

    Returns:
        This rank's range of the table: k-mers in order, and how often each occurs. Rank 0 has the smallest k-mers.
    """
    cuts: Kmers | None = None
    received: list[Kmers] = []
    for text in _rounds(comm, pieces, k):
        kmers = canonical_kmers(text, k)
        kmers.sort()
        if cuts is None:
            cuts = _cut_ranges(comm, kmers)
        if cuts is not None:
            received.append(_send_to_owners(comm, kmers, cuts))
        after_round()
    mine = np.concatenate(received) if received else np.empty(0, np.uint64)
    received.clear()
    mine.sort()
    return run_lengths(mine)


def _rounds(comm: Communicator, pieces: Iterator[Text], k: int) -> Iterator[Text]:
    """This rank's text of each round, until no rank has any left.

    Where one rank holds more than twice its part (it alone reads a gzip file, or others are done), the round is dealt out.
    """
    while True:
        piece = next(pieces, None)
        sizes = comm.allgather(-1 if piece is None else len(piece))
        if max(sizes) < 0:
            return
        text = _EMPTY if piece is None else piece
        uneven = max(sizes) * comm.size > 2 * sum(size for size in sizes if size > 0)
        yield _deal(comm, text, k) if uneven else text


def _deal(comm: Communicator, text: Text, k: int) -> Text:
    """Give every rank an equal part of every rank's text, each part with the k - 1 characters after it, and a break."""
    bounds = [len(text) * rank // comm.size for rank in range(comm.size + 1)]
    parts = [text[start : stop + k - 1] for start, stop in pairwise(bounds)]
    ended = np.concatenate([array for part in parts for array in (part, _BREAK)])
    return _exchange(comm, ended, [len(part) + 1 for part in parts])


def _cut_ranges(comm: Communicator, kmers: Kmers) -> Kmers | None:
    """The first k-mer of each rank's range but rank 0's, so that the ranges hold about as many; None if no rank has any.

    Args:
        comm: the ranks.
        kmers: this rank's, in order. All ranks sample theirs at the same rate, so that each counts by what it has.
    """
    total = comm.allreduce(len(kmers))
    rate = max(1, total // (_SAMPLES * comm.size))
    sample = np.sort(np.concatenate(comm.allgather(kmers[::rate])))
    if not len(sample):
        return None
    return sample[[len(sample) * rank // comm.size for rank in range(1, comm.size)]]


def _send_to_owners(comm: Communicator, kmers: Kmers, cuts: Kmers) -> Kmers:
    """Send each of this rank's k-mers, which are in order, to the rank it belongs to; what came in for this rank."""
    bounds = np.concatenate(([0], np.searchsorted(kmers, cuts), [len(kmers)]))
    return _exchange(comm, kmers, np.diff(bounds).tolist())


def _exchange(comm: Communicator, array: np.ndarray[Any, Any], counts: list[int]) -> np.ndarray[Any, Any]:
    """Send ``counts[r]`` elements to rank r, one group after the other; what all ranks sent here, in order of rank."""
    if comm.size == 1:
        return array
    arriving = comm.alltoall(counts)
    incoming = np.empty(sum(arriving), array.dtype)
    comm.Alltoallv([array, counts], [incoming, arriving])
    return incoming
