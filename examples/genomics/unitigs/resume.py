"""What a run saves once it has counted: the k-mers of the graph, so that another goes on from there on any number of ranks.

The k-mers of all ranks, one rank after the other, are in the order of places of the bins: one global array, which another number
of ranks cuts at other places. What was read before that is saved by `kmers`; what comes after it takes a tenth of the time, and
is done again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from batchhpc.rank import Checkpoint
from examples.genomics.kmers.bins import Assignment, cut
from examples.genomics.unitigs.graph import Bin
from examples.workload.communicator import Communicator

_KMERS, _COUNTS, _ORDER, _SIZES = "kmers", "counts", "order of bins", "k-mers of bins"


@dataclass(frozen=True, slots=True)
class Solid:
    """The k-mers that occur often enough.

    Attributes:
        bins: this rank's, without those that have none.
        assignment: which rank has which bin.
        sequences, bases: that were read, by all ranks.
    """

    bins: Sequence[Bin]
    assignment: Assignment
    sequences: int
    bases: int


def save(comm: Communicator, checkpoint: Checkpoint, solid: Solid) -> None:
    """Save all ranks' k-mers; collective."""
    place_of = solid.assignment.place_of
    ordered = sorted(solid.bins, key=lambda item: int(place_of[item.number]))
    sizes = np.zeros(len(place_of), np.int64)
    for item in ordered:
        sizes[place_of[item.number]] = len(item.kmers)
    total = np.empty_like(sizes)
    comm.Allreduce(sizes, total)
    checkpoint.save(
        1,
        {
            _KMERS: np.concatenate([np.empty(0, np.uint64), *(item.kmers for item in ordered)]),
            _COUNTS: np.concatenate([np.empty(0, np.int64), *(item.counts for item in ordered)]),
        },
        shared={_ORDER: solid.assignment.order, _SIZES: total},
        state={"sequences": solid.sequences, "bases": solid.bases},
    )


def load(comm: Communicator, checkpoint: Checkpoint) -> Solid | None:
    """This rank's part of what an earlier run saved; None if there is nothing; collective."""
    found = checkpoint.load(without=[_KMERS, _COUNTS])
    if not found:
        return None
    order, sizes = found.shared[_ORDER], found.shared[_SIZES]
    assignment = cut(order, sizes, comm.size)
    ends = np.concatenate(([0], np.cumsum(sizes)))
    first, last = assignment.first[comm.rank : comm.rank + 2].tolist()
    share = int(ends[first]), int(ends[last])
    found = checkpoint.load(bounds={_KMERS: share, _COUNTS: share})
    assert found
    kmers, counts = found.arrays[_KMERS], found.arrays[_COUNTS]
    bins = [
        Bin(
            int(order[place]),
            kmers[ends[place] - share[0] : ends[place + 1] - share[0]],
            counts[ends[place] - share[0] : ends[place + 1] - share[0]],
        )
        for place in range(first, last)
        if sizes[place]
    ]
    return Solid(bins, assignment, found.state["sequences"], found.state["bases"])
