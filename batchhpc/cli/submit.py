"""``batchhpc submit``."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict

from batchhpc.aws.runner import BatchRunner
from batchhpc.cli.deployed import Warnings, environment_of
from batchhpc.cli.following import follow, status_data, view_of
from batchhpc.cli.inputs import changed, compiled, read_job
from batchhpc.cli.main import EXIT_INTERRUPTED
from batchhpc.cli.view import View, summary
from batchhpc.jobs import Job


def run(args: argparse.Namespace) -> int:
    """Submits a job to AWS Batch; with --wait or --follow it ends with the job's exit code."""
    warnings = Warnings()
    environment, clients = environment_of(args)
    job_spec = changed(read_job(args, environment), args)
    compiled_job = compiled(job_spec, environment, args.job)
    for warning in compiled_job.warnings:
        warnings(warning)
    runner = BatchRunner(environment, clients, warn=warnings)
    job = runner.submit(compiled_job)
    if not (args.wait or args.follow):
        told = {"id": job.id, "name": job_spec.name, "queue": environment.queue, "shape": str(compiled_job.shape)}
        if args.json:
            print(json.dumps({**told, "warnings": [asdict(each) for each in warnings]}, indent=2))
        else:
            print(job.id)
            print(how_to_go_on(job.id, args), file=sys.stderr)
        return 0
    return show(args, runner, job, warnings, lines=args.follow)


def show(args: argparse.Namespace, runner: BatchRunner, job: Job, warnings: Warnings, *, lines: bool) -> int:
    """Shows a job until it ends; Ctrl-C leaves it alone."""
    with view_of(args) as view:
        view.note(f"job {job.id}")
        interrupted, reasons = follow(runner.changes(job.id, lines=lines), job, view, lambda: _leave(job, view, args))
    if interrupted:
        return EXIT_INTERRUPTED
    status, logs = job.status(), f"batchhpc logs {job.id}{region_option(args)}"
    if args.json:
        print(json.dumps({**status_data(status, reasons), "warnings": [asdict(each) for each in warnings], "logs": logs}, indent=2))
    else:
        print(summary(status, logs, reasons))
    return status.process_exit_code


def how_to_go_on(job_id: str, args: argparse.Namespace) -> str:
    """How to follow a job and how to end it."""
    verbs = ("status {}", "logs {} --follow", "cancel {}")
    return "\n".join(f"  batchhpc {verb.format(job_id)}{region_option(args)}" for verb in verbs)


def region_option(args: argparse.Namespace) -> str:
    """The option that makes another command ask the same Region."""
    return f" --region {args.region}" if args.region else ""


def _leave(job: Job, view: View, args: argparse.Namespace) -> bool:
    view.note(f"job {job.id} goes on:\n{how_to_go_on(job.id, args)}")
    return False
