"""How far a program is, told now and then, without a message between ranks.

Rank 0 speaks, for what it was told; the other ranks are silent, so that a thousand of them do not fill the log. Ranks are
never asked how far they are: a call that waits for others could hang a program that is otherwise right. So the figures
mean what the program gives them:

- ranks that meet in rounds know the whole job's figures anyway: they pass these, and the line tells of the whole job;
- ranks that do not meet pass their own share, and the line tells of rank 0's share, as an estimate for the rest.

Under the agent a line is a ``progress`` event on stdout, which ``batchhpc run``, ``status`` and ``logs --follow`` show as a bar.
Elsewhere it is plain text on stderr: renewed in place on a terminal; every ten seconds, so never in a short run, in a log.

The rate is of what this run has done: a program that resumes from a checkpoint has not done the rest in no time.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Final, Protocol, Self, TextIO

from batchhpc.agent.contract import AGENT_SOCKET, ARRAY_INDEX, NODE_INDEX, event_line

EVENT_INTERVAL: Final = 0.5  # seconds between two events, and between two renewals on a terminal
LOG_INTERVAL: Final = 10.0  # seconds between two lines of plain text in a log


class _HasRank(Protocol):
    """What is asked of mpi4py's ``MPI.Comm``."""

    @property
    def rank(self) -> int: ...


class Progress:
    """Tells how much of ``total`` is done. A ``with`` block ends it, with a last line unless an exception goes through.

    Args:
        total: how much there is to do, in ``unit``; 0 if it is not known.
        unit: what is counted: ``bytes``, ``paths``.
        comm: the ranks; None if this program is the only one. Nothing is sent.
        start: how much was done before, as a checkpoint says; it does not count for the rate.
        environ: the rank's environment.
        clock: seconds that never go back.
        stdout: where events go.
        stderr: where plain text goes.
    """

    def __init__(
        self,
        total: int,
        unit: str,
        comm: _HasRank | None = None,
        *,
        start: int = 0,
        environ: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = time.monotonic,
        stdout: TextIO | None = None,
        stderr: TextIO | None = None,
    ) -> None:
        self._total, self._unit, self._clock = total, unit, clock
        self._stdout, self._stderr = stdout or sys.stdout, stderr or sys.stderr
        self._speaks = comm is None or comm.rank == 0
        self._node = int(environ.get(NODE_INDEX) or environ.get(ARRAY_INDEX) or "0")  # of a gang the child's
        self._under_agent = AGENT_SOCKET in environ
        self._on_terminal = not self._under_agent and self._stderr.isatty()
        self._interval = EVENT_INTERVAL if self._under_agent or self._on_terminal else LOG_INTERVAL
        self._done = self._start = start
        self._ended = False
        self._began = self._told_at = clock()

    def leads_to(self, done: int, total: int, unit: str) -> bool:
        """Whether these figures go on with this work, rather than begin another."""
        return (total, unit) == (self._total, self._unit) and done >= self._done

    def begin(self) -> None:
        """Tells where it begins, at once; in a log of plain text nothing."""
        if self._speaks and self._interval == EVENT_INTERVAL:
            self._tell()

    def advance(self, amount: int) -> None:
        """``amount`` more is done. Cheap: most calls only add and look at the clock."""
        self.reach(self._done + amount)

    def reach(self, done: int) -> None:
        """So much is done in all. As cheap as `advance`."""
        self._done = done
        if self._speaks and not self._ended and (now := self._clock()) - self._told_at >= self._interval:
            self._told_at = now
            self._tell()

    def done(self) -> None:
        """The work is over: tell the last figure, whenever the one before was told. Further calls change nothing."""
        if self._speaks and not self._ended and self._interval == EVENT_INTERVAL:
            self._tell(last=True)
        self._ended = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self.done()

    def _tell(self, *, last: bool = False) -> None:
        if self._under_agent:
            fields = {"rank": 0, "done": self._done, "total": self._total, "unit": self._unit, **self._rate()}
            line = event_line(time.time(), self._node, "progress", **fields)
            self._stdout.flush()  # what the program printed before goes first; then the line in one write
            self._stdout.write(f"{line}\n")
            self._stdout.flush()
            return
        share = f"{self._done:,} of {self._total:,} {self._unit} ({self._done / self._total:.0%})" if self._total else ""
        text = share or f"{self._done:,} {self._unit}"
        start, end = ("\r", "\n" if last else "\x1b[K") if self._on_terminal else ("", "\n")
        self._stderr.write(f"{start}{text}{end}")
        self._stderr.flush()

    def _rate(self) -> dict[str, str]:
        """``unit`` a second since this run began; nothing while nobody can say."""
        seconds, more = self._clock() - self._began, self._done - self._start
        return {"rate": f"{more / seconds:.6g}"} if seconds > 0 and more > 0 else {}


class Loop:
    """What a program's loop tells, from one call to the next.

    Args:
        make: makes the `Progress` of something new.
    """

    def __init__(self, make: Callable[..., Progress] = Progress) -> None:
        self._make = make
        self._current: Progress | None = None

    def tell(self, done: int, total: int, unit: str, comm: _HasRank | None = None) -> None:
        """See the function `progress`."""
        current = self._current
        if current is None or not current.leads_to(done, total, unit):
            current = self._current = self._make(total, unit, comm, start=done)
            current.begin()
        current.reach(done)
        if total and done >= total:
            current.done()


_LOOP = Loop()


def progress(done: int, total: int, unit: str, comm: _HasRank | None = None) -> None:
    """Tells how far the program is, in one call from its loop; most calls only look at the clock. See `Progress`.

    The first call may come with what a checkpoint says: the rate is of what is done from then on. Another ``total`` or ``unit``
    begins something new, and so does less than before. ``done == total`` ends it.

    Args:
        done: so much in all.
        total: how much there is to do, in ``unit``; 0 if it is not known.
        unit: what is counted: ``bytes``, ``paths``.
        comm: the ranks; None if this program is the only one. Nothing is sent.
    """
    _LOOP.tell(done, total, unit, comm)
