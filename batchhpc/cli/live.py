"""A running job on a terminal: output streams by, and below it the job's state, its nodes and its progress."""

from __future__ import annotations

import re
import threading
import time
from typing import Self

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from batchhpc.agent.contract import parse_event_line
from batchhpc.cli.view import Progress
from batchhpc.jobs import JobState, JobStatus, LogLine, NodeStatus

MOST_NODES = 12
REDRAW_EVERY = 0.1  # seconds
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f]")
_STYLE = {JobState.RUNNING: "cyan", JobState.SUCCEEDED: "green", JobState.FAILED: "red"}


class LiveView:
    """A view that redraws itself, so often and no more: a program may print faster than a terminal can show.

    Where nobody tells it the job's state, the progress alone stays below the output.
    """

    def __init__(self, console: Console, *, quiet: bool = False) -> None:
        self._console = console
        self._quiet = quiet
        self._status: JobStatus | None = None
        self._progress = Progress()
        self._new: list[Text] = []
        self._lock = threading.Lock()
        self._live = Live(self, console=console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False)
        self._left = threading.Event()
        self._clock = threading.Thread(target=self._redraw, name="redraw", daemon=True)

    def __enter__(self) -> Self:
        self._live.start()
        self._clock.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._left.set()
        self._clock.join()
        self._live.stop()

    def _redraw(self) -> None:
        left = False
        while not left:
            left = self._left.wait(REDRAW_EVERY)
            with self._lock:
                new, self._new = self._new, []
            if new:
                self._console.print(Text("\n").join(new), soft_wrap=True)  # redraws what stays below, too
            else:
                self._live.refresh()

    def line(self, line: LogLine) -> None:
        """One line above the table; the agent's own are dimmed."""
        event = parse_event_line(line.text)
        if event and event["event"] == "progress":
            with self._lock:
                self._progress.take(event, line.attempt)
        elif not (event and self._quiet):
            self._add(shown(line, dim=event is not None))

    def note(self, text: str) -> None:
        """One line of our own above the table."""
        self._add(Text(f"[job] {text}", style="yellow"))

    def _add(self, text: Text) -> None:
        with self._lock:
            self._new.append(text)

    def state(self, status: JobStatus) -> None:
        """The newest state; drawn with the next refresh."""
        with self._lock:
            self._status = status

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draws the part that stays below the output."""
        with self._lock:
            status, progress = self._status, self._progress
        if status is not None:
            yield Group(*self._parts(status, progress))
        elif progress.done > 0:
            yield progress_bar(progress)

    def _parts(self, status: JobStatus, progress: Progress) -> list[Text | Table]:
        since = f" {time.time() - status.started_at:.0f} s" if status.started_at and not status.state.ended else ""
        number = len(status.attempts) + (not status.state.ended)
        attempt = f", attempt {number}" if number > 1 else ""
        head = Text.assemble((status.name, "bold"), " ", (str(status.state), _STYLE.get(status.state, "")), f"{since}{attempt}")
        if status.status_reason:
            head.append(f"  {status.status_reason}", style="dim")
        parts: list[Text | Table] = [head, node_table(status.nodes)]
        if progress.done > 0 and progress.attempt == number:
            parts.append(progress_bar(progress))
        return parts


def progress_bar(progress: Progress) -> Table:
    """A bar and its numbers; numbers only where the total is not known."""
    row = Table.grid(padding=(0, 1))
    bar = ProgressBar(total=progress.total, completed=min(progress.done, progress.total), width=40)
    row.add_row(*([bar] if progress.total > 0 else []), Text(progress.text()))
    return row


def shown(line: LogLine, *, dim: bool) -> Text:
    """A line with its node before it; of the agent's own only what is not said by that already."""
    if dim:
        time_of_day, _, rest = line.text.partition("T")[2].split(" ", 2)
        return Text(f"[node {line.node}] {time_of_day.rstrip('Z')} {rest.removeprefix('event=')}", style="dim")
    # The program may colour its lines, but a cursor movement or a lone carriage return would tear the table.
    return Text.assemble((f"[node {line.node}] ", "bold"), _text(_CONTROL.sub(" ", _last(line.text))))


def _last(text: str) -> str:
    """What a terminal would show at the end of a line that a progress bar wrote over and over."""
    return text.rstrip("\r").rpartition("\r")[2]


def _text(text: str) -> Text:
    return Text.from_ansi(text) if "\x1b" in text else Text(text)


def node_table(nodes: tuple[NodeStatus, ...]) -> Table:
    """State and exit code of each node; of many nodes, those that need attention first, then a count of the rest."""
    table = Table("node", "state", "exit code", "", box=None, padding=(0, 2, 0, 0), header_style="dim")
    shown = nodes
    if len(nodes) > MOST_NODES:
        unlike_the_rest = [node for node in nodes if node.state is JobState.FAILED or node.exit_code]
        shown = tuple(
            sorted({node.index: node for node in (*unlike_the_rest, *nodes)}.values(), key=lambda n: n not in unlike_the_rest)
        )
        shown = tuple(sorted(shown[: MOST_NODES - 1], key=lambda node: node.index))
    for node in shown:
        name = f"{node.index} main" if node.main else str(node.index)
        code = "" if node.exit_code is None else str(node.exit_code)
        table.add_row(name, Text(str(node.state), style=_STYLE.get(node.state, "")), code, Text(node.status_reason, style="dim"))
    if rest := len(nodes) - len(shown):
        names = {node.index for node in shown}
        counts: dict[str, int] = {}
        for node in nodes:
            if node.index not in names:
                counts[str(node.state)] = counts.get(str(node.state), 0) + 1
        table.add_row(f"+{rest}", ", ".join(f"{count} {state}" for state, count in sorted(counts.items())), "", "")
    return table
