"""Showing a job until it ends, wherever it runs."""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Any, TextIO

from batchhpc.agent.contract import parse_event_line
from batchhpc.cli.view import PlainView, View
from batchhpc.jobs import Job, JobStatus, LogLine


def view_of(args: argparse.Namespace) -> View:
    """A live view on a terminal, else plain lines; on standard error if standard output is for JSON."""
    return view_on(sys.stderr if args.json else sys.stdout, quiet=args.quiet)


def view_on(out: TextIO, *, quiet: bool) -> View:
    """A live view on a terminal, else plain lines; quiet ones leave out the agent's own."""
    if not out.isatty():
        return PlainView(out, quiet=quiet)
    from rich.console import Console  # noqa: PLC0415 - a pipe needs none of this

    from batchhpc.cli.live import LiveView  # noqa: PLC0415

    return LiveView(Console(file=out, highlight=False, markup=False, emoji=False), quiet=quiet)


def follow(
    changes: Iterable[LogLine | JobStatus], job: Job, view: View, interrupt: Callable[[], bool]
) -> tuple[bool, dict[int, str]]:
    """Shows a job until it ends.

    Args:
        changes: what happens to it, from its runner.
        job: the job.
        view: where it is shown.
        interrupt: what the first Ctrl-C does; gives whether to go on until the job ends.

    Returns:
        Whether it was interrupted; and why each attempt ended, in the words of the main node's agent.

    Raises:
        KeyboardInterrupt: the second Ctrl-C; a local runner kills what is left as it closes.
    """
    show = _Show(changes, job, view)
    show.start()
    interrupted = False
    while not show.over.is_set():
        try:
            show.over.wait()  # not Thread.join: once Ctrl-C has interrupted it, Python 3.11 takes the thread for ended
        except KeyboardInterrupt:
            if interrupted:
                raise
            interrupted = True
            if not interrupt():
                return True, show.reasons
    if show.error:
        raise show.error
    return interrupted, show.reasons


class _Show(threading.Thread):
    """Shows what happens to a job as it comes; ``error`` is why that failed, a closed pipe perhaps."""

    def __init__(self, changes: Iterable[LogLine | JobStatus], job: Job, view: View) -> None:
        super().__init__(name="show", daemon=True)
        self._changes, self._view = changes, view
        self._main = next((node.index for node in job.status().nodes if node.main), 0)
        self.reasons: dict[int, str] = {}
        self.error: Exception | None = None
        self.over = threading.Event()

    def run(self) -> None:
        try:
            for change in self._changes:
                if isinstance(change, LogLine):
                    self._view.line(change)
                    event = parse_event_line(change.text) if change.node == self._main else None
                    if event and event["event"] == "finished":
                        self.reasons[change.attempt] = event.get("reason", "")
                else:
                    self._view.state(change)
        except Exception as error:  # noqa: BLE001 - raised again in the main thread
            self.error = error
        finally:
            self.over.set()


def status_data(status: JobStatus, reasons: Mapping[int, str]) -> dict[str, Any]:
    """A status as JSON types, with the exit code that the command ends with, and why each attempt ended as `follow` knows it."""
    attempts = [{**asdict(attempt), "why": reasons.get(number, "")} for number, attempt in enumerate(status.attempts, 1)]
    codes = {"exit_code": status.exit_code, "process_exit_code": status.process_exit_code}
    return {**asdict(status), "attempts": attempts, **codes}
