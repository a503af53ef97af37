"""The calls of mpi4py's ``MPI.Comm`` that workloads make; `Alone` makes them without MPI."""

from __future__ import annotations

import time
from typing import Any, NoReturn, Protocol

import numpy as np

_NAP = 0.0002  # seconds


class Request(Protocol):
    """A call that goes on while the caller does something else."""

    def Test(self) -> bool: ...  # noqa: N802 - MPI's name
    def Wait(self) -> Any: ...  # noqa: N802 - MPI's name


class Communicator(Protocol):
    """The ranks. ``Allreduce`` and ``allreduce`` add; buffers are ``[array, counts]`` where a call takes counts, in elements."""

    @property
    def rank(self) -> int: ...
    @property
    def size(self) -> int: ...
    def Barrier(self) -> None: ...  # noqa: N802 - MPI's name
    def bcast(self, obj: Any, /) -> Any: ...
    def allgather(self, sendobj: Any, /) -> list[Any]: ...
    def allreduce(self, sendobj: Any, /) -> Any: ...
    def Allreduce(self, sendbuf: Any, recvbuf: Any, /) -> None: ...  # noqa: N802 - MPI's name
    def alltoall(self, sendobj: Any, /) -> list[Any]: ...
    def Alltoallv(self, sendbuf: Any, recvbuf: Any, /) -> None: ...  # noqa: N802 - MPI's name
    def Ialltoallv(self, sendbuf: Any, recvbuf: Any, /) -> Request: ...  # noqa: N802 - MPI's name
    def Ibarrier(self) -> Request: ...  # noqa: N802 - MPI's name
    def Abort(self, errorcode: int, /) -> Any: ...  # noqa: N802 - MPI's name


def wait_idly(request: Request) -> None:
    """Wait without keeping a processor busy, as MPI's own waiting does: ranks may share it. For what is waited for seldom."""
    while not request.Test():
        time.sleep(_NAP)


class _Done:
    def Test(self) -> bool:  # noqa: N802 - MPI's name
        return True

    def Wait(self) -> None:  # noqa: N802 - MPI's name
        return None


class Alone:
    """A program of one rank, without MPI."""

    rank, size = 0, 1

    def Barrier(self) -> None:  # noqa: N802 - MPI's name
        return None

    def bcast(self, obj: Any, /) -> Any:
        return obj

    def allgather(self, sendobj: Any, /) -> list[Any]:
        return [sendobj]

    def allreduce(self, sendobj: Any, /) -> Any:
        return sendobj

    def Allreduce(self, sendbuf: Any, recvbuf: Any, /) -> None:  # noqa: N802 - MPI's name
        np.asarray(recvbuf)[...] = sendbuf

    def alltoall(self, sendobj: Any, /) -> list[Any]:
        return list(sendobj)

    def Alltoallv(self, sendbuf: Any, recvbuf: Any, /) -> None:  # noqa: N802 - MPI's name
        (array, counts), (incoming, _) = sendbuf, recvbuf
        np.copyto(incoming, array[: counts[0]])

    def Ialltoallv(self, sendbuf: Any, recvbuf: Any, /) -> Request:  # noqa: N802 - MPI's name
        self.Alltoallv(sendbuf, recvbuf)
        return _Done()

    def Ibarrier(self) -> Request:  # noqa: N802 - MPI's name
        return _Done()

    def Abort(self, errorcode: int, /) -> NoReturn:  # noqa: N802 - MPI's name
        raise SystemExit(errorcode)
