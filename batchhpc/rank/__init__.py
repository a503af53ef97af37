"""In the user's program, on every rank.

Takes: what the program tells (how far it is), and ``comm`` where ranks must agree.
Gives: progress that ``batchhpc run`` shows as a bar, and plain text under a plain mpirun.
May import: agent.contract, errors, the standard library, numpy.
Never does: import mpi4py, need the agent, change what the program prints.
"""

from __future__ import annotations

from batchhpc.rank.checkpoint import Checkpoint, CheckpointError, Loaded
from batchhpc.rank.progress import Progress

__all__ = ["Checkpoint", "CheckpointError", "Loaded", "Progress"]
