"""``batchhpc status``."""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict

from rich.padding import Padding

from batchhpc.aws.jobs.runner import BatchRunner
from batchhpc.aws.jobs.waiting import Waiting, explained
from batchhpc.cli.deployed import Warnings, runner_of
from batchhpc.cli.following import status_data
from batchhpc.cli.live import node_table, progress_bar
from batchhpc.cli.prices import hurried, spent_so_far
from batchhpc.cli.screen import console
from batchhpc.cli.view import Progress, newest_progress, summary
from batchhpc.cli.wording import lasted
from batchhpc.errors import Problem, Unavailable
from batchhpc.jobs import JobStatus

_LINES = 1000  # of the leader's log, in which its progress is looked for
_OLD = 30.0  # seconds after which it is said how old the figures are


def run(args: argparse.Namespace) -> int:
    """Shows a job: its state, why it has not started, what it has cost, its nodes and attempts."""
    runner = runner_of(args, Warnings())
    status, waiting = runner.status(args.id), runner.waiting(args.id)
    reason = explained(status.status_reason) if waiting is None and status.attempts == () else None
    began = status.started_at is not None or bool(status.attempts)
    progress = _progress(runner, status.id) if status.started_at and not status.state.ended else None
    cost = spent_so_far(status, hurried(runner.region)) if began else None
    if args.json:
        told = {
            "waiting": waiting and asdict(waiting),
            "cost": cost and cost.to_data(),
            "progress": progress and progress.to_data(),
        }
        print(json.dumps({**status_data(status, {}), **told}, indent=2))
        return 0
    print(summary(status, f"batchhpc logs {status.id}", {}) if status.state.ended else _head(status, waiting))
    for cause in waiting.causes if waiting else (reason,) if reason else ():
        print(_indented(cause))
    if cost:
        print(f"  {cost.text()}")
    if progress:
        console().print(Padding(progress_bar(progress), (0, 2)))
        if (age := time.time() - progress.told_at) >= _OLD:
            print(f"  told {lasted(age)} ago")
    if status.nodes and (status.started_at or len(status.nodes) > 1):
        console().print(node_table(status.nodes))
    return 0


def _progress(runner: BatchRunner, job_id: str) -> Progress | None:
    """The newest that the leader has told; only for show, so it is left out if its log cannot be read."""
    try:
        return newest_progress(runner.last_lines(job_id, _LINES))
    except Unavailable:
        return None


def _head(status: JobStatus, waiting: Waiting | None) -> str:
    """One line on the job, and one on its place in the queue."""
    lines = [f"{status.name} {status.state}  {status.id}"]
    if waiting:
        lines[0] += f"  submitted {lasted(waiting.seconds)} ago"
    if waiting and waiting.position and waiting.listed:
        since = f", for {lasted(waiting.position_seconds)}" if waiting.position_seconds is not None else ""
        lines.append(f"  place {waiting.position} of the {waiting.listed} next in the queue{since}")
    elif waiting and waiting.listed:
        lines.append(f"  not among the {waiting.listed} next in the queue")
    for number, attempt in enumerate(status.attempts, 1):
        code = "no exit code" if attempt.exit_code is None else f"exit code {attempt.exit_code}"
        lines.append(f"  attempt {number}: {code} ({attempt.status_reason})")
    return "\n".join(lines)


def _indented(cause: Problem) -> str:
    rule = f" ({cause.rule})" if cause.rule else ""
    return f"  {cause.path}: {cause.message}{rule}" + (f"\n    hint: {cause.hint}" if cause.hint else "")
