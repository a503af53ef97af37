"""What is asked of the communicator that a program passes in: mpi4py's ``MPI.Comm``, or anything that behaves like it."""

from __future__ import annotations

from typing import Any, Protocol


class Communicator(Protocol):
    """The calls of mpi4py's ``MPI.Comm`` that `notice` and the exact reductions make; ``Allreduce`` adds."""

    @property
    def rank(self) -> int: ...
    @property
    def size(self) -> int: ...
    def allgather(self, sendobj: Any, /) -> list[Any]: ...
    def Allreduce(self, sendbuf: Any, recvbuf: Any, /) -> None: ...  # noqa: N802 - MPI's name
