"""The agent's own lines on standard output, written without ever waiting for whoever reads them.

Ranks share the agent's standard output. A reader that is slow, or a rank that changes the file's mode, must not stop the
agent's heartbeats: so it writes through a file description of its own, and keeps what does not fit for later.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import time
from collections import deque

from batchhpc.agent import contract

_KEPT = 10_000  # lines that wait for a slow reader; older ones are dropped
_LAST_WORDS = 1.0  # seconds that a slow reader is given at the end


class EventLog:
    """Event lines of one node."""

    def __init__(self, node: int) -> None:
        self._node = node
        self._waiting: deque[bytes] = deque(maxlen=_KEPT)
        self._watching = False
        try:
            self._fd = os.open("/proc/self/fd/1", os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK)
        except OSError:  # a socket cannot be opened a second time
            self._fd = os.dup(1)

    def write(self, event: str, **fields: object) -> None:
        """Writes an event line in one piece, now or as soon as there is room."""
        self._waiting.append((contract.event_line(time.time(), self._node, event, **fields) + "\n").encode())
        self._flush()

    def close(self) -> None:
        """Gives a slow reader a moment for the last lines."""
        end = time.monotonic() + _LAST_WORDS
        while self._waiting and (left := end - time.monotonic()) > 0:
            select.select([], [self._fd], [], left)
            self._flush()
        os.close(self._fd)

    def _flush(self) -> None:
        try:
            while self._waiting:
                written = os.write(self._fd, self._waiting[0])
                rest = self._waiting.popleft()[written:]
                if rest:
                    self._waiting.appendleft(rest)
        except BlockingIOError:
            self._watch(on=True)
        except OSError:  # nobody reads any more
            self._waiting.clear()
        if not self._waiting:
            self._watch(on=False)

    def _watch(self, *, on: bool) -> None:
        with contextlib.suppress(RuntimeError):  # no loop runs: the last lines are flushed by `close`
            loop = asyncio.get_running_loop()
            if on and not self._watching:
                loop.add_writer(self._fd, self._flush)
            elif self._watching and not on:
                loop.remove_writer(self._fd)
            self._watching = on
