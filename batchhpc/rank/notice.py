"""Whether this node has been told to stop, and how much time is left: a Spot instance's two minutes, a time limit's grace.

The agent writes the notice into a file and sends SIGUSR1, which would end a program that does not expect it: so it goes to those
that listen, and where none does and the end is certain, SIGTERM goes to all. A program that asks `notice` in its loop has no need
of the signal, but must be taken for one that listens. So the first call makes it one, by a handler that does nothing but let the
next call look at once. It is not set where the program, or its MPI (MPICH does), has seen to SIGUSR1 itself, and cannot be
outside the main thread; a program that never asks in its main thread calls `listen` there once.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from batchhpc.agent.contract import NOTICE_FILE
from batchhpc.rank.communicator import Communicator

INTERVAL: Final = 0.1  # seconds between two looks at the file, unless a signal has come


@dataclass(frozen=True, slots=True)
class Notice:
    """This node, or one of the job's, is going to stop.

    Attributes:
        reason: ``spot-reclaim``, or the signal that the agent got.
        seconds_left: until the ranks are ended; 0 if that time has come.
    """

    reason: str
    seconds_left: float


class Listener:
    """Looks for the notice, at most ten times a second.

    Args:
        environ: the rank's environment.
        clock: seconds that never go back.
        now: Unix seconds.
    """

    def __init__(
        self,
        environ: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._file = Path(environ[NOTICE_FILE]) if NOTICE_FILE in environ else None
        self._clock, self._now = clock, now
        self._look_at = clock()
        self._told: tuple[str, float] | None = None
        self._tried = False

    def listen(self) -> bool:
        """Sets the handler where nobody has seen to SIGUSR1; gives whether somebody has, now. No effect without the agent."""
        if self._file is None:
            return False
        self._tried = True
        if not _is_fatal(signal.SIGUSR1):
            return True
        if threading.current_thread() is not threading.main_thread():
            return False
        signal.signal(signal.SIGUSR1, self._woken)
        signal.siginterrupt(signal.SIGUSR1, False)  # system calls of libraries go on as if nothing had happened
        return True

    def notice(self, comm: Communicator | None = None) -> Notice | None:
        """See the function `notice`."""
        mine = self._mine()
        if comm is None:
            return mine
        told = array("q", [0])
        comm.Allreduce(array("q", [mine is not None]), told)
        if not told[0]:
            return None
        all_of_them = comm.allgather(mine and (mine.seconds_left, mine.reason))
        seconds, reason = min(each for each in all_of_them if each)
        return Notice(reason, seconds)

    def _mine(self) -> Notice | None:
        if self._file is None:
            return None
        if not self._tried:
            self.listen()
        if (now := self._clock()) >= self._look_at:
            self._look_at = now + INTERVAL
            self._told = _read(self._file)
        return self._told and Notice(self._told[0], max(0.0, self._told[1] - self._now()))

    def _woken(self, *_: object) -> None:
        self._look_at = -float("inf")


def _read(file: Path) -> tuple[str, float] | None:
    """Reason and Unix seconds. The agent puts the file there whole."""
    try:
        told = json.loads(file.read_text())
    except OSError:
        return None
    return str(told["reason"]), float(told["deadline"])


def _is_fatal(number: signal.Signals) -> bool:
    """Whether a signal would end this process. Python knows of its own handlers only, the kernel of a library's, too."""
    masks = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("Sig"))
    return not any(int(masks[name], 16) >> (number - 1) & 1 for name in ("SigCgt", "SigBlk", "SigIgn"))


_LISTENER = Listener()


def listen() -> bool:
    """Makes this process one that SIGUSR1 does not end, if the agent could send it; the first `notice` does the same.

    Returns:
        Whether the agent will count this process among those that listen: false without the agent, and where nobody has seen to
        SIGUSR1 and this is not the main thread, the only one in which Python sets handlers.
    """
    return _LISTENER.listen()


def notice(comm: Communicator | None = None) -> Notice | None:
    """Whether ranks should save their work, for they are going to be ended; None as long as nobody says so.

    Without ``comm`` it is what this node was told: cheap enough for every turn of a loop, and not the same on all ranks at once.
    With ``comm`` it is collective, one message of 8 bytes, and the same on all ranks: the least time that any has. Without
    batchhpc's agent nobody is told anything.
    """
    return _LISTENER.notice(comm)
