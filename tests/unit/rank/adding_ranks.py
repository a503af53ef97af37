"""Ranks as threads that also add up arrays, and count what they send."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from tests.unit.workload.thread_ranks import ThreadComm
from tests.unit.workload.thread_ranks import run_ranks as run_threads

Result = TypeVar("Result")


class AddingComm:
    """The calls of `batchhpc.rank.communicator.Communicator`, with MPI's own meaning; ``sent``: bytes of each Allreduce."""

    def __init__(self, comm: ThreadComm) -> None:
        self._comm, self.rank, self.size = comm, comm.rank, comm.size
        self.sent: list[int] = []

    def bcast(self, obj: Any, /) -> Any:
        return self._comm.bcast(obj)

    def allgather(self, sendobj: Any, /) -> list[Any]:
        return self._comm.allgather(sendobj)

    def Allreduce(self, sendbuf: Any, recvbuf: Any, /) -> None:  # noqa: N802 - MPI's name
        self.sent.append(np.asarray(sendbuf).nbytes)
        self._comm.Allreduce(sendbuf, recvbuf)


def run_ranks(size: int, program: Callable[[AddingComm], Result]) -> list[Result]:
    """What each of so many ranks returned."""
    return run_threads(size, lambda comm: program(AddingComm(comm)))


def shares(values: np.ndarray[Any, Any], cuts: Sequence[int]) -> list[np.ndarray[Any, Any]]:
    """The values, cut before these rows."""
    return np.split(values, sorted(min(cut, len(values)) for cut in cuts))
