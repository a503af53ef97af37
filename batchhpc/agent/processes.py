"""Every process below this agent: started, reaped, and none left behind.

The agent makes itself the subreaper of all that it starts, so an orphan becomes its child instead of disappearing; one
SIGCHLD handler reaps them all. That also does an init process's duty if the agent is PID 1 of its container.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

_SET_PDEATHSIG, _SET_CHILD_SUBREAPER = 1, 36
_LIBC = ctypes.CDLL(None, use_errno=True)
_TERM_GRACE = 0.2  # seconds between SIGTERM and SIGKILL: MPI daemons remove their files; more would delay the retry
_KILL_TIME = 2.0  # seconds; a killed process that still runs then hangs in the kernel
_PAUSE = 0.02  # seconds between two looks


def exit_code(status: int) -> int:
    """The exit code a shell would show for what waitpid gave: 128 + n for signal n."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


class Processes:
    """The processes below this agent. Must be made in the main thread, inside the running event loop."""

    def __init__(self) -> None:
        self._on_exit: dict[int, Callable[[int], None]] = {}
        _LIBC.prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, self._reap)

    def start(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        on_exit: Callable[[int], None],
        *,
        stdout: int | None = None,
        stderr: int | None = None,
    ) -> int:
        """Starts a program in a session of its own; it dies with the agent.

        Args:
            argv: program and arguments.
            env: its whole environment.
            on_exit: called with its exit code, 128 + n for signal n.
            stdout: file descriptor for its output; the agent's own if None.
            stderr: likewise.

        Returns:
            Its process id.

        Raises:
            OSError: it cannot be started.
        """
        process = subprocess.Popen(
            argv,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - one call of libc, which needs no lock that another thread could hold
        )
        process.returncode = 0  # this module reaps; Popen must not wait for it as well
        self._on_exit[process.pid] = on_exit
        return process.pid

    def below(self, roots: Iterable[int]) -> list[int]:
        """Process ids of all that live below the given ones, zombies left out."""
        children: dict[int, list[int]] = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and (stat := _stat(int(entry.name))) and stat[0] not in ("Z", "X"):
                children.setdefault(stat[1], []).append(int(entry.name))
        found: list[int] = []
        todo = list(roots)
        while todo:
            next_ones = children.get(todo.pop(), [])
            found += next_ones
            todo += next_ones
        return found

    async def kill_all(self, patience: float = _KILL_TIME) -> int:
        """Ends everything below the agent, by SIGTERM and soon SIGKILL, and waits until it is gone; gives how many there were.

        Args:
            patience: seconds after which what the kernel still holds is left to it.
        """
        ended: set[int] = set()
        start = asyncio.get_running_loop().time()
        while alive := set(self.below([os.getpid()])):
            waited = asyncio.get_running_loop().time() - start
            if waited > patience:
                break
            for pid in alive if waited > _TERM_GRACE else alive - ended:
                send_signal(pid, signal.SIGKILL if waited > _TERM_GRACE else signal.SIGTERM)
            ended |= alive
            await asyncio.sleep(_PAUSE)
        return len(ended)

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if on_exit := self._on_exit.pop(pid, None):
                    on_exit(exit_code(status))


def listens_to(pid: int, number: signal.Signals) -> bool:
    """Whether a process handles a signal or keeps it blocked for a thread that waits for it; else it would die of it.

    MPICH handles SIGUSR1 itself, so that there every rank counts: better to wait for one that does not listen than to end
    one that is saving its work.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    masks = dict(line.split(":\t", 1) for line in status.splitlines() if line.startswith(("SigCgt", "SigBlk")))
    return any(int(mask, 16) >> (number - 1) & 1 for mask in masks.values())


def send_signal(pid: int, number: signal.Signals) -> None:
    """Sends a signal to a process that may just have ended."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _stat(pid: int) -> tuple[str, int] | None:
    """State and parent of a process; None if it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()  # the name may hold blanks and brackets
    except (OSError, IndexError):
        return None
    return fields[0], int(fields[1])


def _die_with_parent() -> None:
    _LIBC.prctl(_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
