"""``batchhpc run``."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from batchhpc.agent.contract import parse_event_line
from batchhpc.cli.inputs import compiled, read_environment, read_job
from batchhpc.cli.main import EXIT_INTERRUPTED
from batchhpc.cli.view import PlainView, View, summary
from batchhpc.errors import InvalidSpec, Problem
from batchhpc.jobs import Job, JobStatus, LogLine
from batchhpc.local import Fault, LocalRunner
from batchhpc.local.namespaces import isolation_command
from batchhpc.spec import JobSpec


def run(args: argparse.Namespace) -> int:
    """Runs a job here and ends with its exit code."""
    if args.isolate:
        become_isolator()
    spec, environment = changed(read_job(args), args), read_environment(args)
    compiled_job = compiled(spec, environment, args.job)
    runner = LocalRunner(
        Path(args.directory),
        faults=[Fault.parse(text) for text in args.fault],
        isolate=args.isolate,
        secrets=_secrets(spec, args.secret),
        mounts=_mounts(args.mount),
        seed=args.seed,
        stop_grace=float(environment.stop_grace.seconds),
    )
    for warning in compiled_job.warnings:
        print(warning.text(args.job), file=sys.stderr)
    with _stop_signals(), runner, _view(args) as view:
        job = runner.submit(compiled_job)
        interrupted, reasons = follow(runner, job, view)
    status, logs = job.status(), os.path.relpath(Path(args.directory) / "jobs" / job.id)
    if args.json:
        warnings = [asdict(warning) for warning in compiled_job.warnings]
        print(json.dumps({**status_data(status, reasons), "warnings": warnings, "logs": logs}, indent=2))
    else:
        print(summary(status, logs, reasons))
    return EXIT_INTERRUPTED if interrupted else status.process_exit_code


def become_isolator() -> None:
    """Starts this command anew, as root of a user namespace, where that is what it takes to isolate nodes.

    Raises:
        Unavailable: nodes cannot be isolated here.
    """
    command = isolation_command(sys.orig_argv)
    if command != sys.orig_argv:
        os.execvp(command[0], command)  # noqa: S606 - the same command again


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
        source, directory = pair(text, "--mount", "SOURCE=DIR")
        if not Path(directory).is_dir():
            raise InvalidSpec([Problem("--mount", f"{source} means {directory}, which is not a directory here")], "batchhpc run")
        mounts[source] = Path(directory).resolve()
    return mounts


def _secrets(spec: JobSpec, names: list[str]) -> dict[str, str]:
    """Values by ARN, from this process's environment: on the command line anybody could read them."""
    problems = [Problem(f"--secret {name}", "is not a secret of the job") for name in names if name not in spec.secrets]
    problems += [Problem(f"--secret {name}", "is not set here") for name in names if name not in os.environ]
    if problems:
        raise InvalidSpec(problems, "batchhpc run")
    return {spec.secrets[name]: os.environ[name] for name in names}


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


def follow(runner: LocalRunner, job: Job, view: View) -> tuple[bool, dict[int, str]]:
    """Shows a job until it ends. Ctrl-C terminates it and waits for its end.

    Returns:
        Whether it was interrupted; and why each attempt ended, in the words of the main node's agent.

    Raises:
        KeyboardInterrupt: the second Ctrl-C; the runner kills what is left as it closes.
    """
    show = _Show(runner, job, view)
    show.start()
    interrupted = False
    while not show.over.is_set():
        try:
            show.over.wait()  # not Thread.join: once Ctrl-C has interrupted it, Python 3.11 takes the thread for ended
        except KeyboardInterrupt:
            if interrupted:
                raise
            interrupted = True
            view.note(
                "stopping the job: ranks get the time they need to save their work, at most the grace; once more to leave at once"
            )
            job.terminate("interrupted")
    if show.error:
        raise show.error
    return interrupted, show.reasons


class _Show(threading.Thread):
    """Shows what happens to a job as it comes; ``error`` is why that failed, a closed pipe perhaps."""

    def __init__(self, runner: LocalRunner, job: Job, view: View) -> None:
        super().__init__(name="show", daemon=True)
        self._changes, self._view = runner.changes(job.id), view
        self._main = next(node.index for node in job.status().nodes if node.main)
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
