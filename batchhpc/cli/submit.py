"""``batchhpc submit``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from batchhpc.aws.jobs.runner import BatchRunner
from batchhpc.aws.prices.costs import dollars
from batchhpc.aws.prices.job_costs import Estimate
from batchhpc.cli.deployed import Warnings, named_environment
from batchhpc.cli.following import follow, status_data, view_of
from batchhpc.cli.inputs import changed, compiled, read_job
from batchhpc.cli.main import EXIT_INTERRUPTED
from batchhpc.cli.prices import estimated, hurried
from batchhpc.cli.view import View, summary
from batchhpc.errors import InvalidSpec, Problem
from batchhpc.jobs import Job


def run(args: argparse.Namespace) -> int:
    """Submits a job to AWS Batch; with --wait or --follow it ends with the job's exit code."""
    warnings = Warnings()
    named = named_environment(args)
    environment = named.environment
    job_spec = changed(read_job(args, environment), args)
    compiled_job = compiled(job_spec, environment, args.job)
    for warning in compiled_job.warnings:
        warnings(warning)
    cost = estimated(compiled_job, named, hurried(named.clients.region))
    print(cost.text().partition("\n")[0], file=sys.stderr, flush=True)
    _refuse_above(args.max_cost, cost)
    runner = BatchRunner(environment, named.clients, warn=warnings)
    job = runner.submit(compiled_job, alongside=args.alongside)
    if not (args.wait or args.follow):
        told = {"id": job.id, "name": job_spec.name, "queue": environment.queue, "shape": str(compiled_job.shape)}
        if args.json:
            print(json.dumps({**told, **_known(cost, warnings)}, indent=2))
        else:
            print(job.id)
            print(how_to_go_on(job.id, args), file=sys.stderr)
        return 0
    return show(args, runner, job, lambda: _known(cost, warnings))


def _refuse_above(usd: Decimal | None, cost: Estimate) -> None:
    """Stops a job that can cost more than that, or nobody knows how much.

    Raises:
        InvalidSpec: so it is.
    """
    if usd is None or (cost.at_most is not None and cost.at_most <= usd):
        return
    can = cost.text().partition("\n")[0].removeprefix("cost: ")
    if cost.at_most is None:
        message, hint = f"is {dollars(usd)}, and what the job can cost is {can}", "leave out --max-cost to submit it all the same"
    else:
        message, hint = (
            f"is {dollars(usd)}, and the job can cost more: {can}",
            "a shorter --time-limit, fewer --attempts or --nodes",
        )
    raise InvalidSpec([Problem("--max-cost", message, hint)], "batchhpc submit")


def show(args: argparse.Namespace, runner: BatchRunner, job: Job, known: Callable[[], dict[str, Any]]) -> int:
    """Shows a job until it ends; Ctrl-C leaves it alone. With --json then all of it, and what else is known."""
    with view_of(args) as view:
        view.note(f"job {job.id}")
        try:
            interrupted, reasons = follow(runner.changes(job.id, lines=args.follow), job, view, lambda: _leave(job, view, args))
        except KeyboardInterrupt:  # while the first look is still under way
            interrupted = not _leave(job, view, args)
    if interrupted:
        return EXIT_INTERRUPTED
    status, logs = job.status(), f"batchhpc logs {job.id}{region_option(args)}"
    if args.json:
        print(json.dumps({**status_data(status, reasons), **known(), "logs": logs}, indent=2))
    else:
        print(summary(status, logs, reasons))
    return status.process_exit_code


def _known(cost: Estimate, warnings: Warnings) -> dict[str, Any]:
    """For JSON."""
    return {"cost": cost.to_data(), "warnings": [asdict(each) for each in warnings]}


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
