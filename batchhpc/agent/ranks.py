"""The ranks of this node: who they are, how they ended, and how a stop notice reaches them."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from batchhpc.agent.processes import listens_to, send_signal


@dataclass(slots=True)
class Ranks:
    """What this node's agent knows of its ranks.

    Attributes:
        expected: how many there will be.
        started: how many programs have started.
        ended: how many have ended.
        failed: (rank, exit code) of those that ended with another code than 0, not yet reported.
    """

    expected: int
    notice_file: Path
    on_change: Callable[[], None]
    started: int = 0
    ended: int = 0
    failed: list[tuple[int, int]] = field(default_factory=list)
    _pids: dict[int, int] = field(default_factory=dict)

    @property
    def pids(self) -> list[int]:
        """The programs that run, by process id."""
        return list(self._pids.values())

    def start(self, rank: int, pid: int) -> None:
        """A rank's program runs, as that process."""
        self._pids[rank] = pid
        self.started += 1
        self.on_change()

    def end(self, rank: int, code: int | None) -> None:
        """A rank's program ended; None if its wrapper was killed before it could say how.

        The program then no longer has anybody above it but this agent, and is killed.
        """
        pid = self._pids.pop(rank, None)
        if code is None:
            code = 128 + signal.SIGKILL
            if pid is None:
                self.started += 1  # killed between joining and starting: it counts as a rank that was
            else:
                send_signal(pid, signal.SIGKILL)
        self.ended += 1
        if code:
            self.failed.append((rank, code))
        self.on_change()

    def forget_notice(self) -> None:
        """What earlier ranks were told is not for those that come: the node it was about may be gone."""
        self.notice_file.unlink(missing_ok=True)

    def take_failed(self) -> list[tuple[int, int]]:
        """The failures since the last call."""
        taken, self.failed = self.failed, []
        return taken

    def notify(self, reason: str, deadline: float, final: bool, pids: Iterable[int]) -> tuple[int, int]:
        """Tells the programs that the node must stop.

        SIGUSR1 goes to each process that handles it or waits for it; any other would die of it. Where none does and the
        end is certain, SIGTERM gives the programs what time there is.

        Args:
            reason: why, for the notice file.
            deadline: when it will be over, Unix seconds.
            final: whether the node stops for certain.
            pids: the processes of this node's ranks.

        Returns:
            How many processes got SIGUSR1, and how many SIGTERM.
        """
        temporary = self.notice_file.with_suffix(".new")
        temporary.write_text(json.dumps({"reason": reason, "deadline": deadline}))
        temporary.replace(self.notice_file)
        listening = [pid for pid in pids if listens_to(pid, signal.SIGUSR1)]
        for pid in listening:
            send_signal(pid, signal.SIGUSR1)
        deaf = self.pids if final and not listening else []
        for pid in deaf:
            send_signal(pid, signal.SIGTERM)
        return len(listening), len(deaf)
