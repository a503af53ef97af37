"""Errors that all ranks raise, whichever of them met one."""

from __future__ import annotations

from batchhpc.rank.checkpoint.errors import CheckpointError
from batchhpc.rank.communicator import Communicator


def raise_together(comm: Communicator, problem: CheckpointError | None) -> None:
    """Raises on every rank what went wrong on any of them, so that none waits for one that has left. Collective."""
    raise_first(comm.allgather(problem), problem)


def raise_first(problems: list[CheckpointError | None], own: CheckpointError | None) -> None:
    """Raises the problem of the lowest rank that has one, if any does; ``problems`` are all ranks', in order."""
    met = [(rank, problem) for rank, problem in enumerate(problems) if problem is not None]
    if met:
        rank, first = met[0]
        where = f"rank {rank}: " if len(problems) > 1 else ""
        more = f"\n  the same or else on {len(met) - 1} more of {len(problems)} ranks" if len(met) > 1 else ""
        raise type(first)(f"{where}{first}{more}") from own
