"""Processes of a node: found, and ended for certain."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from batchhpc.agent import contract
from batchhpc.local.init import parents


def below(root: int) -> list[int]:
    """Children of a process, their children, and so on."""
    children: dict[int, list[int]] = {}
    for pid, parent in parents().items():
        children.setdefault(parent, []).append(pid)
    found, todo = [], [root]
    while todo:
        todo += (next_ones := children.get(todo.pop(), []))
        found += next_ones
    return found


def of_attempt(job_id: str, attempt: int, node: int | None = None) -> list[int]:
    """Processes that were started with the variables of this attempt (and node), whoever their parent is now."""
    wanted = {f"{contract.JOB_ID}={job_id}".encode(), f"{contract.JOB_ATTEMPT}={attempt}".encode()}
    if node is not None:
        wanted.add(f"{contract.NODE_INDEX}={node}".encode())
    found = []
    for pid in parents():
        with contextlib.suppress(OSError):  # ended meanwhile, or another user's
            if wanted <= set(Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")):
                found.append(pid)
    return found


def end_all(find: Callable[[], list[int]], timeout: float = 5.0) -> list[int]:
    """SIGKILL to what ``find`` finds, again until it finds nothing, for new ones may come while old ones die.

    Returns:
        What is left after ``timeout`` seconds: processes that the kernel itself holds.
    """
    deadline = time.monotonic() + timeout
    while (found := find()) and time.monotonic() < deadline:
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.002)
    return found


def end_tree(root: int) -> None:
    """SIGKILL to a process and all below it; itself last, so that none of them finds another parent meanwhile."""
    end_all(lambda: below(root))
    with contextlib.suppress(ProcessLookupError):
        os.kill(root, signal.SIGKILL)
