"""``batchhpc wait``."""

from __future__ import annotations

import argparse
import json
import sys

from batchhpc.cli.deployed import Warnings, runner_of
from batchhpc.cli.following import status_data
from batchhpc.cli.main import EXIT_INTERRUPTED
from batchhpc.cli.wording import counted
from batchhpc.errors import InvalidSpec, Problem
from batchhpc.jobs import JobStatus
from batchhpc.spec import Duration


def run(args: argparse.Namespace) -> int:
    """Waits for jobs; ends with the exit code of the first in the order given that failed, or 0."""
    runner = runner_of(args, Warnings())
    wanted = list(dict.fromkeys(args.ids))
    ended: dict[str, JobStatus] = {}
    try:
        for status in runner.as_ended(wanted, _seconds(args.timeout)):
            ended[status.id] = status
            if not args.json:
                print(_line(status), flush=True)
                if len(ended) < len(wanted):
                    print(f"  {len(ended)} of {len(wanted)} have ended", file=sys.stderr)
    except KeyboardInterrupt:
        print(f"still going on: {counted(len(wanted) - len(ended), 'job')}; batchhpc cancel ID ends one", file=sys.stderr)
        return EXIT_INTERRUPTED
    if args.json:
        print(json.dumps({"jobs": [status_data(ended[each], {}) for each in wanted]}, indent=2))
    return next((code for each in wanted if (code := ended[each].process_exit_code)), 0)


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return float(Duration.parse(text).seconds)
    except ValueError as error:
        raise InvalidSpec([Problem("--timeout", str(error))], "batchhpc wait") from error


def _line(status: JobStatus) -> str:
    code = "" if status.exit_code is None else f", exit code {status.exit_code}"
    reason = f": {status.status_reason}" if status.status_reason else ""
    return f"{status.id} {status.name} {status.state}{code}{reason}"
