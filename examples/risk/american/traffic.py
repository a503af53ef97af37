"""What a phase sends, counted where it is sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from examples.workload.communicator import Communicator


@dataclass(frozen=True, slots=True)
class Traffic:
    """What one rank sends in a phase; the same on any number of ranks.

    Attributes:
        sums: messages, each a sum over all ranks.
        bytes: of all of them together.
    """

    sums: int
    bytes: int


class Counted:
    """A communicator that counts the sums that go through it.

    Args:
        comm: the ranks.
    """

    def __init__(self, comm: Communicator) -> None:
        self._comm, self._sums, self._bytes = comm, 0, 0

    def __getattr__(self, name: str) -> Any:
        """All other calls go on as they are."""
        return getattr(self._comm, name)

    def Allreduce(self, sendbuf: Any, recvbuf: Any, /) -> None:  # noqa: N802 - MPI's name
        """Count, and add."""
        self._sums += 1
        self._bytes += int(np.asarray(sendbuf).nbytes)
        self._comm.Allreduce(sendbuf, recvbuf)

    @property
    def comm(self) -> Communicator:
        """This one, for calls that take a communicator."""
        return cast("Communicator", self)

    @property
    def traffic(self) -> Traffic:
        """Since it was made."""
        return Traffic(self._sums, self._bytes)
