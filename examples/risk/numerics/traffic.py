"""What a rank sends, counted where it is sent."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from typing import Any

import numpy as np

from examples.workload.communicator import Communicator, Request


@dataclass(frozen=True, slots=True)
class Traffic:
    """What one rank has sent.

    Attributes:
        collectives: calls in which all ranks meet.
        bytes: of what this rank gave to them.
    """

    collectives: int
    bytes: int


class Counted:
    """A communicator that counts what goes through it.

    Args:
        comm: the ranks.
    """

    def __init__(self, comm: Communicator) -> None:
        self._comm, self._collectives, self._bytes = comm, 0, 0
        self.rank, self.size = comm.rank, comm.size

    @property
    def traffic(self) -> Traffic:
        """Since it was made."""
        return Traffic(self._collectives, self._bytes)

    def _count(self, size: int) -> None:
        self._collectives += 1
        self._bytes += size

    def Barrier(self) -> None:  # noqa: N802 - MPI's name
        self._count(0)
        self._comm.Barrier()

    def bcast(self, obj: Any, /) -> Any:
        self._count(_pickled(obj) if self.rank == 0 else 0)
        return self._comm.bcast(obj)

    def allgather(self, sendobj: Any, /) -> list[Any]:
        self._count(_pickled(sendobj))
        return self._comm.allgather(sendobj)

    def allreduce(self, sendobj: Any, /) -> Any:
        self._count(_pickled(sendobj))
        return self._comm.allreduce(sendobj)

    def Allreduce(self, sendbuf: Any, recvbuf: Any, /) -> None:  # noqa: N802 - MPI's name
        self._count(np.asarray(sendbuf).nbytes)
        self._comm.Allreduce(sendbuf, recvbuf)

    def alltoall(self, sendobj: Any, /) -> list[Any]:
        self._count(_pickled(sendobj))
        return self._comm.alltoall(sendobj)

    def Alltoallv(self, sendbuf: Any, recvbuf: Any, /) -> None:  # noqa: N802 - MPI's name
        self._count(np.asarray(sendbuf[0]).nbytes)
        self._comm.Alltoallv(sendbuf, recvbuf)

    def Ialltoallv(self, sendbuf: Any, recvbuf: Any, /) -> Request:  # noqa: N802 - MPI's name
        self._count(np.asarray(sendbuf[0]).nbytes)
        return self._comm.Ialltoallv(sendbuf, recvbuf)

    def Ibarrier(self) -> Request:  # noqa: N802 - MPI's name
        self._count(0)
        return self._comm.Ibarrier()

    def Abort(self, errorcode: int, /) -> Any:  # noqa: N802 - MPI's name
        return self._comm.Abort(errorcode)


def _pickled(obj: Any) -> int:
    return len(pickle.dumps(obj, pickle.HIGHEST_PROTOCOL))
