"""What a SIGTERM means to a child of a gang: AWS Batch ends the job, or the host goes; only the clock can tell."""

from __future__ import annotations

import time

_MARGIN = 5.0  # seconds that the container ran before its agent did, and that AWS Batch may be early

TIME_IS_UP = "time limit"


class Stop:
    """Knows how long this node has been running.

    Args:
        time_limit: seconds after which AWS Batch ends an attempt (R40).
    """

    def __init__(self, time_limit: float) -> None:
        self._until = time.monotonic() + time_limit - _MARGIN

    @property
    def time_is_up(self) -> bool:
        """Whether a SIGTERM now is the time limit's; else the host may be going, and will be replaced."""
        return time.monotonic() >= self._until

    def told(self, reason: str, seconds: float, final: bool) -> tuple[str, float, bool]:
        """Reason, seconds left and whether the job ends, as the leader is to be told: only a time limit ends it."""
        ends = final and self.time_is_up
        return TIME_IS_UP if ends else reason, seconds, ends
