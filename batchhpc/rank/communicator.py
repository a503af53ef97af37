"""What is asked of the communicator that a program passes in: mpi4py's ``MPI.Comm``, or anything that behaves like it.

All calls are made from the caller's own thread.
"""

from __future__ import annotations

from typing import Any, Protocol


class Communicator(Protocol):
    """The calls of mpi4py's ``MPI.Comm`` that are made; ``Allreduce`` adds."""

    @property
    def rank(self) -> int: ...
    @property
    def size(self) -> int: ...
    def bcast(self, obj: Any, /) -> Any: ...
    def allgather(self, sendobj: Any, /) -> list[Any]: ...
    def Allreduce(self, sendbuf: Any, recvbuf: Any, /) -> None: ...  # noqa: N802 - MPI's name


class Alone:
    """A program of one rank, without MPI."""

    rank, size = 0, 1

    def bcast(self, obj: Any, /) -> Any:
        return obj

    def allgather(self, sendobj: Any, /) -> list[Any]:
        return [sendobj]

    def Allreduce(self, sendbuf: Any, recvbuf: Any, /) -> None:  # noqa: N802 - MPI's name
        recvbuf[...] = sendbuf
