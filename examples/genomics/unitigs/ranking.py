"""Where each piece stands in its unitig, by pointer doubling over all ranks. Takes ``comm``; nothing here imports MPI.

Every piece looks both ways, and in each round what it sees reaches twice as far (Wyllie 1979), until it sees the unitig's end:
after as many rounds as the longest unitig's number of pieces has bits. Each round is one question (8 bytes) and its answer (24
bytes) for every view that has not reached an end yet. Views that never do are in cycles, which are cut at their smallest k-mer,
and ranked again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from examples.genomics.kmers.words import Kmers
from examples.genomics.unitigs.chains import NOBODY
from examples.genomics.unitigs.exchange import Numbers, first_numbers, look_up
from examples.genomics.unitigs.joins import Ends
from examples.genomics.unitigs.pieces import Flags
from examples.genomics.unitigs.segments import Segments
from examples.workload.communicator import Communicator

_UNKNOWN = -1


@dataclass(frozen=True, slots=True)
class Ranks:
    """Of each piece.

    Attributes:
        unitig: the first k-mer of its unitig, as it is written: no two unitigs have the same.
        offset: k-mers of the unitig before the piece.
        turned: whether the unitig is read from the piece's end 1 to its end 0.
        circular: whether the unitig is; then it is cut anywhere, and ``unitig`` is its smallest canonical k-mer.
    """

    unitig: Kmers
    offset: Numbers
    turned: Flags
    circular: Flags


@dataclass(slots=True)
class _Views:
    """What is seen by those who enter a piece at an end and go out at the other, by that end.

    Attributes:
        following: the end by which the next piece beyond the view is entered; `NOBODY`: the view reaches the unitig's end.
        seen: k-mers in view.
        word: the unitig's first k-mer when it is read backwards, from the end in view; `_UNKNOWN`.
    """

    following: Ends
    seen: Numbers
    word: Numbers

    def table(self) -> Numbers:
        return np.stack((self.following, self.seen, self.word), axis=1)


def rank_pieces(comm: Communicator, pieces: Segments) -> Ranks:
    """Find each piece's unitig, and its place in it; collective."""
    firsts = 2 * first_numbers(comm, len(pieces.sizes))
    mates = pieces.mates
    views = _first_views(pieces, mates)
    endless = _look_ahead(comm, views, firsts, np.flatnonzero(views.following >= 0))
    circular = np.zeros(len(pieces.sizes), bool)
    circular[endless >> 1] = True
    least = pieces.least.view(np.int64).copy()
    if comm.allreduce(len(endless)):
        least[circular], cut_at = _smallest(comm, pieces, endless, firsts)
        mates = _cut(mates, circular, cut_at, int(firsts[comm.rank]))
        fresh = _first_views(pieces, mates)
        for ours, new in ((views.following, fresh.following), (views.seen, fresh.seen), (views.word, fresh.word)):
            ours[endless] = new[endless]
        _look_ahead(comm, views, firsts, endless[views.following[endless] >= 0])
    # Entering at end 0 one sees the end that is on the right; its word is how the unitig begins if it is read from there.
    to_right, to_left = views.seen[0::2], views.seen[1::2]
    from_right, from_left = views.word[0::2], views.word[1::2]
    turned = from_right < from_left
    return Ranks(
        unitig=np.where(circular, least, np.minimum(from_left, from_right)).view(np.uint64),
        offset=(np.where(turned, to_right, to_left) - pieces.sizes).astype(np.int64),
        turned=turned,
        circular=circular,
    )


def _first_views(pieces: Segments, mates: Ends) -> _Views:
    """Each piece sees itself, and who is next."""
    following = mates.reshape(-1, 2)[:, ::-1].reshape(-1).copy()
    words = pieces.words[:, ::-1].reshape(-1).view(np.int64)
    return _Views(following, np.repeat(pieces.sizes.astype(np.int64), 2), np.where(following < 0, words, _UNKNOWN))


def _look_ahead(comm: Communicator, views: _Views, firsts: Numbers, active: Ends) -> Ends:
    """Double all views until they reach an end; the views that never will."""
    while True:
        answers = look_up(comm, views.table(), firsts, views.following[active])
        views.following[active] = answers[:, 0]
        views.seen[active] += answers[:, 1]
        views.word[active] = answers[:, 2]
        arrived = answers[:, 0] < 0
        # Ends lie at all distances, so as long as there are any, some view arrives in each round.
        if not comm.allreduce(int(arrived.sum())):
            return active
        active = active[~arrived]


def _smallest(comm: Communicator, pieces: Segments, endless: Ends, firsts: Numbers) -> tuple[Numbers, Numbers]:
    """Of each piece in a cycle, by rising number: the cycle's smallest canonical k-mer, and the number of the piece that has it."""
    following = _first_views(pieces, pieces.mates).following
    smallest = np.repeat(pieces.least.view(np.int64), 2)
    holder = np.repeat(np.arange(len(pieces.sizes)) + firsts[comm.rank] // 2, 2)
    reach, longest = 1, comm.allreduce(len(endless)) // 2
    while reach < longest:
        answers = look_up(comm, np.stack((following, smallest, holder), axis=1), firsts, following[endless])
        following[endless] = answers[:, 0]
        better = answers[:, 1] < smallest[endless]
        smallest[endless[better]], holder[endless[better]] = answers[better, 1], answers[better, 2]
        reach *= 2
    entered_at_0 = endless[endless & 1 == 0]
    return smallest[entered_at_0], holder[entered_at_0]


def _cut(mates: Ends, circular: Flags, holders: Numbers, first: int) -> Ends:
    """Part end 0 of the piece that holds each cycle's smallest k-mer from the end it is joined to, seen from both."""
    cut = mates.copy()
    ends = np.flatnonzero(np.repeat(circular, 2))
    at = np.repeat(2 * holders, 2)
    cut[ends[(mates[ends] == at) | (ends + first == at)]] = NOBODY
    return cut
