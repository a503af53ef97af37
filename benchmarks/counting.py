"""A communicator that counts what goes through it."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable
from typing import Any, cast

import numpy as np

from examples.workload.communicator import Communicator

COLLECTIVES = (
    *("Barrier", "bcast", "allgather", "allreduce", "alltoall", "Allreduce", "Alltoallv", "Ialltoallv", "Ibarrier"),
    *("Bcast", "Allgather", "Allgatherv", "gather", "Gather", "Gatherv", "scatter", "Reduce", "reduce", "Exscan", "Scan"),
)


class Counting:
    """Everything else goes on to the communicator as it is.

    Args:
        comm: of mpi4py.

    Attributes:
        calls: collective ones.
        bytes: that this rank gave to them.
        waiting: CPU seconds in them: ranks that wait for others are busy.
    """

    def __init__(self, comm: Communicator) -> None:
        self._comm, self.calls, self.bytes, self.waiting = comm, 0, 0, 0.0

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._comm, name)
        return self._counted(found) if name in COLLECTIVES else found

    def _counted(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*given: Any) -> Any:
            self.calls += 1
            self.bytes += _size(given[0]) if given else 0
            start = time.process_time()
            try:
                return call(*given)
            finally:
                self.waiting += time.process_time() - start

        return counted

    @property
    def comm(self) -> Communicator:
        """This one, for calls that take a communicator."""
        return cast("Communicator", self)


def _size(sent: Any) -> int:
    """Bytes of a buffer, of the array in (array, counts), or of an object as it is sent."""
    if isinstance(sent, (list, tuple)) and sent and isinstance(sent[0], np.ndarray):
        sent = sent[0]
    return int(np.asarray(sent).nbytes) if isinstance(sent, np.ndarray) else len(pickle.dumps(sent))
