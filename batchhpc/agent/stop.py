"""What a SIGTERM means to a child of a gang: AWS Batch ends the job, or the host goes; only the clock can tell."""

from __future__ import annotations

import time

from batchhpc.agent.events import StopRequested

_MARGIN = 5.0  # seconds that the container ran before its agent did, and that AWS Batch may be early


class Stop:
    """Knows how long a node has been running.

    Args:
        node: the node.
        time_limit: seconds after which AWS Batch ends an attempt (R40).
    """

    def __init__(self, node: int, time_limit: float) -> None:
        self._node = node
        self._until = time.monotonic() + time_limit - _MARGIN

    def request(self, reason: str, seconds: float, *, final: bool) -> StopRequested:
        """What the leader is to be told of a SIGTERM (``final``) or of a Spot notice."""
        if not final:
            return StopRequested(self._node, reason, seconds, final=False)
        if time.monotonic() < self._until:
            return StopRequested(self._node, reason, seconds, final=False, leaving=True)
        return StopRequested(self._node, "time limit", seconds, final=True)
