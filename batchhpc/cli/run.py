"""``batchhpc run``."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from batchhpc.cli.inputs import compiled, read_environment, read_job
from batchhpc.cli.view import PlainView, View, summary
from batchhpc.errors import InvalidSpec, Problem, WaitTimeout
from batchhpc.jobs import Job, JobStatus
from batchhpc.local import Fault, LocalRunner
from batchhpc.spec import JobSpec

EXIT_INTERRUPTED = 130
LOOK_EVERY = 0.1  # seconds between two looks at the job's state


def run(args: argparse.Namespace) -> int:
    """Runs a job here and ends with its exit code."""
    spec = changed(read_job(args), args)
    job = compiled(spec, read_environment(args), args.job)
    faults = [Fault.parse(text) for text in args.fault]
    view = _view(args)
    for warning in job.warnings:
        print(warning.text(args.job), file=sys.stderr)
    with LocalRunner(
        Path(args.directory), faults=faults, isolate=args.isolate, mounts=_mounts(args.mount), seed=args.seed
    ) as runner:
        submitted = runner.submit(job)
        with _stop_signals(), view:
            status, interrupted = follow(submitted, view)
        logs = str(runner.directory_of(submitted.id))
    if args.json:
        print(json.dumps({**status_data(status), "logs": logs}, indent=2))
    else:
        print(summary(status, logs))
    return EXIT_INTERRUPTED if interrupted else status.process_exit_code


def changed(spec: JobSpec, args: argparse.Namespace) -> JobSpec:
    """The spec with the command line's changes, checked again.

    Raises:
        InvalidSpec: a change is wrong.
    """
    changes: dict[str, Any] = {
        name: value for name in ("nodes", "ranks_per_node", "time_limit", "attempts") if (value := getattr(args, name)) is not None
    }
    if args.command:
        changes["command"] = tuple(args.command)
    if args.env:
        changes["env"] = {**spec.env, **dict(pair(text, "--env", "NAME=VALUE") for text in args.env)}
    if not changes:
        return spec
    try:
        return spec.replace(**changes)
    except InvalidSpec as error:
        raise error.of(args.job) from error


def pair(text: str, option: str, form: str) -> tuple[str, str]:
    """``NAME=VALUE`` in two.

    Raises:
        InvalidSpec: there is no ``=``, or nothing before it.
    """
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise InvalidSpec([Problem(option, f"is {text!r}, which is not {form}")], "batchhpc run")
    return name, value


def _mounts(texts: list[str]) -> dict[str, Path]:
    mounts = {}
    for text in texts:
        target, directory = pair(text, "--mount", "TARGET=DIR")
        if not Path(directory).is_dir():
            raise InvalidSpec([Problem("--mount", f"{target} means {directory}, which is not a directory here")], "batchhpc run")
        mounts[target] = Path(directory).resolve()
    return mounts


def _view(args: argparse.Namespace) -> View:
    out = sys.stderr if args.json else sys.stdout
    if not out.isatty():
        return PlainView(out, quiet=args.quiet)
    from rich.console import Console  # noqa: PLC0415 - a pipe needs none of this

    from batchhpc.cli.live import LiveView  # noqa: PLC0415

    return LiveView(Console(file=out, highlight=False, markup=False, emoji=False), quiet=args.quiet)


@contextmanager
def _stop_signals() -> Iterator[None]:
    """SIGTERM and a closed terminal end the job as Ctrl-C does."""

    before = {number: signal.signal(number, signal.default_int_handler) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def follow(job: Job, view: View) -> tuple[JobStatus, bool]:
    """Shows a job until it ends. Ctrl-C terminates it and waits for its end; a second one leaves at once.

    Returns:
        The job's last status, and whether it was interrupted.

    Raises:
        KeyboardInterrupt: the second Ctrl-C; the runner kills what is left as it closes.
    """
    lines = _Lines(job, view)
    lines.start()
    interrupted = False
    while True:
        try:
            status = job.status()
            view.state(status)
            if status.state.ended:
                break
            if lines.error:
                job.terminate("nobody reads its output")
                break
            job.wait(LOOK_EVERY)
        except WaitTimeout:
            continue
        except KeyboardInterrupt:
            if interrupted:
                raise
            interrupted = True
            view.note("stopping the job; once more to leave at once")
            job.terminate("interrupted")
    lines.join()
    if lines.error:
        raise lines.error
    return status, interrupted


class _Lines(threading.Thread):
    """Shows a job's output as it comes; ``error`` is why it could not."""

    def __init__(self, job: Job, view: View) -> None:
        super().__init__(daemon=True)
        self._job, self._view = job, view
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            for line in self._job.logs(follow=True):
                self._view.line(line)
        except Exception as error:  # noqa: BLE001 - raised again in the main thread
            self.error = error


def status_data(status: JobStatus) -> dict[str, Any]:
    """A status as JSON types, with the exit code that the command ends with."""
    return {**asdict(status), "exit_code": status.exit_code, "process_exit_code": status.process_exit_code}
