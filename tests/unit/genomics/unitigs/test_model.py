from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from examples.genomics.kmers.bins import spread
from examples.genomics.kmers.minimizers import Scheme, minimizer_bins
from examples.genomics.kmers.model import Cluster
from examples.genomics.kmers.words import Kmers
from examples.genomics.unitigs.assembly import assemble
from examples.genomics.unitigs.graph import Bin, segments_of
from examples.genomics.unitigs.model import sent, times
from examples.genomics.unitigs.pieces import pieces_of
from examples.genomics.unitigs.ranking import rank_pieces
from examples.genomics.unitigs.strands import reverse_complement
from tests.unit.workload.thread_ranks import ThreadComm, run_ranks

K, SEQUENCES, UNITIG = 31, 60, 1500


class CountingComm(ThreadComm):
    """Counts the bytes that go to other ranks."""

    def __init__(self, comm: ThreadComm) -> None:
        super().__init__(comm._board, comm.rank)
        self.sent = 0

    def Alltoallv(self, sendbuf: Any, recvbuf: Any, /) -> None:  # noqa: N802 - MPI's name
        array, counts = sendbuf
        self.sent += (sum(counts) - counts[self.rank]) * array.itemsize
        super().Alltoallv(sendbuf, recvbuf)


def kmers_of_random_sequences() -> Kmers:
    bases = np.random.default_rng(2).integers(0, 4, (SEQUENCES, UNITIG + K - 1), np.uint64)
    words = np.zeros((SEQUENCES, UNITIG), np.uint64)
    for place in range(K):
        words = words << np.uint64(2) | bases[:, place : place + UNITIG]
    return np.unique(np.minimum(words, reverse_complement(words, K)))


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_bytes_sent_are_those_of_the_model(ranks: int) -> None:
    """On 1, 2 and 4 ranks each step sends the model's bytes to 10 %."""
    kmers, scheme = kmers_of_random_sequences(), Scheme(K, 256)
    number = minimizer_bins(kmers, scheme)
    assignment = spread(np.bincount(number, minlength=256), ranks)

    def program(plain: ThreadComm) -> list[int]:
        comm = CountingComm(plain)
        own = np.flatnonzero(assignment.owner == comm.rank).tolist()
        bins = [Bin(each, kmers[number == each], np.ones(int((number == each).sum()), np.int64)) for each in own]
        marks = [0]
        segments = segments_of(comm, bins, scheme, assignment.owner)
        marks.append(comm.sent)
        pieces = pieces_of(comm, segments)
        marks.append(comm.sent)
        places = rank_pieces(comm, pieces)
        marks.append(comm.sent)
        unitigs = assemble(comm, pieces, places, K)
        assert set(unitigs.sizes.tolist()) <= {UNITIG}
        marks.append(comm.sent)
        return [after - before for before, after in pairwise(marks)]

    counted = np.sum(run_ranks(ranks, program), axis=0) / len(kmers)
    model = sent(K, UNITIG, ranks)
    assert counted == pytest.approx([model.joins, model.pieces, model.ranking, model.letters], rel=0.1, abs=1e-9)


def test_times_of_a_human_genome() -> None:
    """3 billion k-mers on 1,000 ranks take about a second of computing, and less of sending on the faster network."""
    slow, fast = (times(3e9, 31, 500, Cluster(1000, 96, rate)) for rate in (100e9, 300e9))
    assert slow[0] == fast[0] == pytest.approx(0.8, rel=0.1)
    assert fast[1] < slow[0] < 3 * slow[1]
    assert fast[1] < slow[1]
