"""A running job as text: what each line and each change of state looks like, and how far the ranks are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from math import isfinite
from typing import Any, Protocol, Self, TextIO

from batchhpc.agent.contract import parse_event_line
from batchhpc.cli.wording import counted, lasted
from batchhpc.jobs import Attempt, JobStatus, LogLine


@dataclass(slots=True)
class Progress:
    """How far the program is, as its ranks tell in ``event=progress`` lines.

    Attributes:
        rate: ``unit`` a second; 0 if not known.
        told_at: Unix seconds; 0 if not known.
    """

    done: float = 0
    total: float = 0
    unit: str = ""
    attempt: int = 0
    rate: float = 0
    told_at: float = 0

    @property
    def seconds_left(self) -> float | None:
        """At the rate so far; None if it cannot be said."""
        return max(0.0, self.total - self.done) / self.rate if self.rate > 0 and self.total > 0 else None

    def to_data(self) -> dict[str, Any]:
        """As JSON types."""
        return {**asdict(self), "seconds_left": self.seconds_left}

    def text(self) -> str:
        """``250 of 1,000 reads, 12/s, 60 s left``; of these what is known."""
        unit = f" {self.unit}".rstrip()
        parts = [f"{self.done:,.0f} of {self.total:,.0f}{unit}" if self.total > 0 else f"{self.done:,.0f}{unit}"]
        if self.rate > 0:
            parts.append(f"{self.rate:,.0f}/s" if self.rate >= 100 else f"{self.rate:.2g}/s")
        if self.seconds_left:
            parts.append(f"{lasted(self.seconds_left)} left")
        return ", ".join(parts)

    def take(self, event: dict[str, str], attempt: int) -> bool:
        """Takes one such line; gives whether it makes sense: one that does not is left alone, for it is only for show."""
        try:
            done, total, rate = float(event["done"]), float(event["total"]), float(event.get("rate", "0"))
        except (KeyError, ValueError):
            return False
        if not (isfinite(done) and isfinite(total) and isfinite(rate)):
            return False
        self.done, self.total, self.rate = done, total, rate
        self.unit, self.attempt = event.get("unit", ""), attempt
        return True


def newest_progress(lines: Iterable[LogLine]) -> Progress | None:
    """How far the program was at the end of these lines; None if it has not said in them."""
    progress, told = Progress(), False
    for line in lines:
        event = parse_event_line(line.text)
        if event and event["event"] == "progress" and progress.take(event, line.attempt):
            told, progress.told_at = True, datetime.fromisoformat(line.text.partition(" ")[0]).timestamp()
    return progress if told else None


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
