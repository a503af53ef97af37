"""What a run saves, so that another goes on from it on any number of ranks.

The records of all ranks, one after the other, are in the order of places of the bins: one global array. Another number of ranks
cuts it at other places, and nothing need be sent again. Counting itself is not saved: it is done again from the records of the
last checkpoint, which is made when everything is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from batchhpc.rank import Checkpoint
from examples.genomics.kmers.bins import Assignment, cut
from examples.genomics.kmers.exchange import Received
from examples.genomics.kmers.minimizers import Scheme
from examples.genomics.kmers.superkmers import words_of_record
from examples.workload.communicator import Communicator

_RECORDS, _ORDER, _SIZES = "superkmers", "order of bins", "superkmers of bins"


@dataclass(frozen=True, slots=True)
class Saved:
    """Where an earlier run was.

    Attributes:
        step: its rounds.
        state: as it was saved.
    """

    step: int
    assignment: Assignment
    received: Received
    state: dict[str, Any]


def save(comm: Communicator, checkpoint: Checkpoint, saved: Saved, *, wait: bool) -> None:
    """Save all ranks' records; collective. The copy that is being written takes as much memory again as the records."""
    records = saved.received.merged()
    sizes = np.concatenate(comm.allgather(saved.received.sizes()))
    checkpoint.save(
        saved.step, {_RECORDS: records}, shared={_ORDER: saved.assignment.order, _SIZES: sizes}, state=saved.state, wait=wait
    )


def load(comm: Communicator, checkpoint: Checkpoint, scheme: Scheme) -> Saved | None:
    """This rank's part of the newest checkpoint; None if there is none; collective."""
    found = checkpoint.load(without=[_RECORDS])
    if not found or _ORDER not in found.shared:
        return None
    sizes = found.shared[_SIZES]
    assignment = cut(found.shared[_ORDER], sizes, comm.size)
    first, last = assignment.first[comm.rank : comm.rank + 2].tolist()
    own, before = sizes[first:last], int(sizes[:first].sum())
    whole = checkpoint.load(
        bounds={_RECORDS: (before, before + int(own.sum()))}
    )  # the same: no run before this one may write any more
    assert whole
    received = Received(last - first, words_of_record(scheme.k))
    received.add(whole.arrays[_RECORDS], own[None, :])
    return Saved(whole.step, assignment, received, dict(whole.state))
