"""A program's state, kept so that another run goes on from it: on another number of ranks, with the same bits.

Takes: named numpy arrays of every rank, a little JSON, and where to keep them: a directory that all nodes share, or s3://.
Gives: `Checkpoint`: `save` in the background, `load` on any number of ranks, `due`, `wait`.
May import: agent.contract, errors, the standard library, numpy; `s3_store` alone boto3, on first use.
Never does: call MPI from its thread, import mpi4py, give data that differ from what was saved, need the agent.

What lies at the place, and what each name is for::

    journal/0000000012.json            one entry a run and one a checkpoint, numbered without gaps (`journal`)
    parts/0000000011-000003/000002.bin   the bytes of rank 2 in the third save of the run that took number 11 (`snapshot`)
    parts/0000000011-000003/000002.json  what they are, with a checksum of each 8 MiB (`manifest`)
    tmp/                               files that are not whole yet

A part has no meaning until the journal names it. The entry is made once all parts are durable, and made exclusively: so a
checkpoint is there as a whole or not at all, and an older run that is still alive somewhere cannot commit over a newer one.
"""

from __future__ import annotations

from batchhpc.rank.checkpoint.checkpoint import Checkpoint
from batchhpc.rank.checkpoint.errors import (
    CheckpointDamaged,
    CheckpointError,
    CheckpointMismatch,
    CheckpointWarning,
    Overtaken,
    StoreFailed,
)
from batchhpc.rank.checkpoint.loading import Loaded

__all__ = [
    "Checkpoint",
    "CheckpointDamaged",
    "CheckpointError",
    "CheckpointMismatch",
    "CheckpointWarning",
    "Loaded",
    "Overtaken",
    "StoreFailed",
]
