"""What a job's thread waits for: files to become readable, moments to come, orders of other threads."""

from __future__ import annotations

import contextlib
import heapq
import os
import selectors
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

LONGEST_WAIT = 3600.0  # seconds; epoll takes 2^31 ms at most


class HasFileno(Protocol):
    """What has a file descriptor."""

    def fileno(self) -> int:
        """Its number."""
        ...


@dataclass(order=True, slots=True)
class Timer:
    """Something to do at a moment of `time.monotonic`; nothing any more once it is done or cancelled."""

    when: float
    number: int  # of two at one moment the one that was set first comes first
    action: Callable[[], None] | None = field(compare=False)

    def cancel(self) -> None:
        """The moment will pass without it; also after it has."""
        self.action = None


class Loop:
    """One thread's; nothing of it may be called from another."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._timers: list[Timer] = []
        self._count = 0

    def watch(self, file: int | HasFileno, action: Callable[[], None]) -> None:
        """Does something whenever the file can be read."""
        self._selector.register(file, selectors.EVENT_READ, action)

    def unwatch(self, file: int | HasFileno) -> None:
        """The file is of no interest any more; to be called before it is closed. No effect on one that is not watched."""
        if self.watches(file):
            self._selector.unregister(file)

    def watches(self, file: int | HasFileno) -> bool:
        """Whether the file is watched."""
        return file in self._selector.get_map()

    def after(self, seconds: float, action: Callable[[], None]) -> Timer:
        """Does something once, that many seconds from now."""
        self._count += 1
        timer = Timer(time.monotonic() + seconds, self._count, action)
        heapq.heappush(self._timers, timer)
        return timer

    def step(self) -> None:
        """Waits until something is to be done, and does it: of moments that have passed one, so that files are not kept waiting."""
        while self._timers and self._timers[0].action is None:
            heapq.heappop(self._timers)
        wait = min(max(0.0, self._timers[0].when - time.monotonic()), LONGEST_WAIT) if self._timers else None
        for key, _ in self._selector.select(wait):
            # An earlier event of the same moment may have closed what this one is about, and its number may be in use again.
            if self._selector.get_map().get(key.fd) is key:
                key.data()
        if self._timers and self._timers[0].when <= time.monotonic():
            timer = heapq.heappop(self._timers)
            action, timer.action = timer.action, None
            if action:
                action()

    def close(self) -> None:
        """Forgets all of it."""
        self._selector.close()
        self._timers.clear()


class Orders:
    """What other threads want of a job's thread; also wakes it."""

    def __init__(self) -> None:
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._stops = deque[tuple[str, int | None]]()
        self.stop_reason: str | None = None
        self.at_once = False

    def stop(self, reason: str, child: int | None = None, *, at_once: bool = False) -> None:
        """The job, or one child of an array, shall end; of several reasons the first is told; ``at_once``: by SIGKILL."""
        if child is None:
            self.stop_reason = self.stop_reason if self.stop_reason is not None else reason
            self.at_once = self.at_once or at_once
        self._stops.append((reason, child))
        self.wake()

    def wake(self) -> None:
        os.eventfd_write(self._wake, 1)

    def fileno(self) -> int:
        return self._wake

    def take(self) -> list[tuple[str, int | None]]:
        """What has been ordered since: reasons, and the children that are to end, None for all of them.

        Makes `fileno` unreadable until the next call of `wake`.
        """
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._wake)
        return [self._stops.popleft() for _ in range(len(self._stops))]

    def close(self) -> None:
        """Nobody orders anything any more; may be called again."""
        if self._wake >= 0:
            os.close(self._wake)
            self._wake = -1
