"""A running job as text: what each line and each change of state looks like, and how far the ranks are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Protocol, Self, TextIO

from batchhpc.agent.contract import parse_event_line
from batchhpc.cli.wording import counted
from batchhpc.jobs import Attempt, JobStatus, LogLine


@dataclass(slots=True)
class Progress:
    """How far the program is, as its ranks tell in ``event=progress`` lines."""

    done: float = 0
    total: float = 0
    unit: str = ""
    attempt: int = 0

    def take(self, event: dict[str, str], attempt: int) -> None:
        """Takes one such line; lines that make no sense are left alone, they are only for show."""
        try:
            done, total = float(event["done"]), float(event["total"])
        except (KeyError, ValueError):
            return
        if not (isfinite(done) and isfinite(total)):
            return
        self.done, self.total, self.unit, self.attempt = done, total, event.get("unit", ""), attempt


class View(Protocol):
    """Where a running job is shown."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *error: object) -> None: ...

    def line(self, line: LogLine) -> None:
        """Shows one line of a node's output."""
        ...

    def note(self, text: str) -> None:
        """Says something about the job."""
        ...

    def state(self, status: JobStatus) -> None:
        """Shows the job's state; called whenever it, or a node's, is another."""
        ...


@dataclass(slots=True)
class PlainView:
    """Lines only, for pipes and files."""

    out: TextIO
    quiet: bool = False
    _shown: str = field(default="", init=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.out.flush()

    def line(self, line: LogLine) -> None:
        """One line, its node before it."""
        if not (self.quiet and parse_event_line(line.text)):
            print(f"[node {line.node}] {line.text}", file=self.out, flush=True)

    def note(self, text: str) -> None:
        """One line of our own."""
        print(f"[job] {text}", file=self.out, flush=True)

    def state(self, status: JobStatus) -> None:
        """One line for each change of the job's state."""
        reason = f": {status.status_reason}" if status.status_reason else ""
        text = f"{status.state}{reason}"
        if text != self._shown:
            self._shown = text
            self.note(text)


def summary(status: JobStatus, logs: str, reasons: Mapping[int, str]) -> str:
    """What there is to say at a job's end: its state, every attempt, how long it took, where its logs are.

    Args:
        status: the job's last.
        logs: where they are.
        reasons: of each attempt, why it ended in the words of the agent; AWS Batch's own say less.
    """
    begin, end = status.created_at, status.stopped_at or status.created_at  # all attempts, and what was between them
    head = f"{status.name} {status.state} after {end - begin:.1f} s, {counted(len(status.attempts), 'attempt')}"
    ends = [_end(attempt, reasons.get(number, "")) for number, attempt in enumerate(status.attempts, 1)]
    lines = [f"  attempt {number}: {text}" for number, text in enumerate(ends, 1)]
    if status.status_reason and not any(status.status_reason in text for text in ends[-1:]):
        head += f": {status.status_reason}"
    return "\n".join([head, *lines, f"  logs: {logs}"])


def _end(attempt: Attempt, said: str) -> str:
    code = "no exit code" if attempt.exit_code is None else f"exit code {attempt.exit_code}"
    code += f": {said}" if said else ""
    reasons = "; ".join(dict.fromkeys(text for text in (attempt.reason, attempt.status_reason) if text))
    return f"{code} ({reasons})" if reasons else code
