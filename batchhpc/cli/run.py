"""``batchhpc run``."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from batchhpc.cli.following import follow, status_data, view_of
from batchhpc.cli.inputs import changed, compiled, pair, read_environment, read_job
from batchhpc.cli.main import EXIT_INTERRUPTED
from batchhpc.cli.time_line import report_text
from batchhpc.cli.view import View, summary
from batchhpc.errors import InvalidSpec, Problem
from batchhpc.jobs import Job
from batchhpc.local import Chaos, Fault, LocalRunner
from batchhpc.local.faults import FaultKind
from batchhpc.local.namespaces import isolation_command
from batchhpc.report import RunReport
from batchhpc.spec import Duration, JobSpec


def run(args: argparse.Namespace) -> int:
    """Runs a job here and ends with its exit code."""
    if args.isolate:
        become_isolator()
    environment = read_environment(args)
    spec = changed(read_job(args, environment), args)
    compiled_job = compiled(spec, environment, args.job)
    runner = LocalRunner(
        Path(args.directory),
        faults=[Fault.parse(text) for text in (*args.fault, *(f"{FaultKind.RECLAIM}:{each}" for each in args.reclaim))],
        chaos=_chaos(args),
        isolate=args.isolate,
        secrets=_secrets(spec, args.secret),
        mounts=_mounts(args.mount),
        records=args.records,
        seed=args.seed,
        stop_grace=float(environment.stop_grace.seconds),
    )
    for warning in compiled_job.warnings:
        print(warning.text(args.job), file=sys.stderr)
    with _stop_signals(), runner, view_of(args) as view:
        job = runner.submit(compiled_job)
        interrupted, reasons = follow(runner.changes(job.id), job, view, lambda: _stop(job, view))
    status, logs = job.status(), os.path.relpath(Path(args.directory) / "jobs" / job.id)
    report = RunReport.of(runner.logs(job.id))
    if args.json:
        warnings = [asdict(warning) for warning in compiled_job.warnings]
        told = {"warnings": warnings, "logs": logs, "report": report and report.to_data()}
        print(json.dumps({**status_data(status, reasons), **told}, indent=2))
    else:
        print(summary(status, logs, reasons))
        if report:
            print(report_text(report))
    return EXIT_INTERRUPTED if interrupted else status.process_exit_code


def become_isolator() -> None:
    """Starts this command anew, as root of a user namespace, where that is what it takes to isolate nodes.

    Raises:
        Unavailable: nodes cannot be isolated here.
    """
    command = isolation_command(sys.orig_argv)
    if command != sys.orig_argv:
        os.execvp(command[0], command)  # noqa: S606 - the same command again


def _chaos(args: argparse.Namespace) -> Chaos:
    """How nodes are reclaimed."""
    return Chaos(
        rate=Chaos.parse_rate(args.chaos) if args.chaos is not None else 0.0,
        seed=args.seed,
        notice=_seconds("--notice", args.notice),
        shutdown=_seconds("--shutdown", args.shutdown),
        replacement=_seconds("--replacement", args.replacement) or 0.0,
    )


def _seconds(option: str, text: str | None) -> float | None:
    try:
        return None if text is None else float(Duration.parse(text).seconds)
    except ValueError as error:
        raise InvalidSpec([Problem(option, str(error), "write it with its unit, as in 5s")], "batchhpc run") from error


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


@contextmanager
def _stop_signals() -> Iterator[None]:
    """SIGTERM and a closed terminal end the job as Ctrl-C does."""
    before = {number: signal.signal(number, signal.default_int_handler) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(job: Job, view: View) -> bool:
    """Ends the job and waits for its end."""
    view.note("stopping the job: ranks get the time they need to save their work, at most the grace; once more to leave at once")
    job.terminate("interrupted")
    return True
