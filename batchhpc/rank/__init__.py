"""In the user's program, on every rank.

Takes: what the program tells (how far it is), its numbers and arrays, and ``comm`` where ranks must agree.
Gives: progress as a bar, notice of a stop, checkpoints, sums and quantiles that are the same on any number of ranks.
May import: agent.contract, errors, the standard library, numpy.
Never does: import mpi4py, need the agent, change what the program prints.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from batchhpc.rank.notice import Notice, listen, notice
from batchhpc.rank.progress import Progress, progress

if TYPE_CHECKING:
    from batchhpc.rank.checkpoint import Checkpoint, CheckpointError, Loaded
    from batchhpc.rank.order import exact_quantile, order_statistics
    from batchhpc.rank.sums import ExactSum, block_range, block_sums, exact_sum

_HOME = {  # what needs numpy, which a program without it must not miss
    "Checkpoint": "checkpoint",
    "CheckpointError": "checkpoint",
    "ExactSum": "sums",
    "Loaded": "checkpoint",
    "block_range": "sums",
    "block_sums": "sums",
    "exact_quantile": "order",
    "exact_sum": "sums",
    "order_statistics": "order",
}

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "ExactSum",
    "Loaded",
    "Notice",
    "Progress",
    "block_range",
    "block_sums",
    "exact_quantile",
    "exact_sum",
    "listen",
    "notice",
    "order_statistics",
    "progress",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'batchhpc.rank' has no attribute {name!r}")
    return getattr(import_module(f"batchhpc.rank.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
