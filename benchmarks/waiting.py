"""A communicator that knows how long its ranks wait."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, cast

from examples.workload.communicator import Communicator


class Waiting:
    """All calls go on to the communicator as they are.

    Args:
        comm: of mpi4py.

    Attributes:
        cpu: seconds in its calls: ranks that wait for others are busy.
    """

    def __init__(self, comm: Communicator) -> None:
        self._comm, self.cpu = comm, 0.0

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._comm, name)
        return self._timed(found) if callable(found) else found

    def _timed(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*given: Any) -> Any:
            start = time.process_time()
            try:
                return call(*given)
            finally:
                self.cpu += time.process_time() - start

        return timed

    @property
    def comm(self) -> Communicator:
        """This one, for calls that take a communicator."""
        return cast("Communicator", self)
