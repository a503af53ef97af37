"""``batchhpc report``."""

from __future__ import annotations

import argparse
import json

from batchhpc.cli.deployed import Warnings, runner_of
from batchhpc.cli.time_line import report_text
from batchhpc.errors import Unavailable
from batchhpc.report import RunReport


def run(args: argparse.Namespace) -> int:
    """Says what became of the time of a gang on AWS, from the lines of its agents."""
    report = RunReport.of(runner_of(args, Warnings()).logs(args.id))
    if report is None:
        text = f"job {args.id}: its logs tell of no gang whose ranks were started"
        raise Unavailable(f"{text}\n  hint: batchhpc status {args.id} says how the job is")
    if args.json:
        print(json.dumps(report.to_data(), indent=2))
    else:
        print(f"{args.id}\n{report_text(report)}")
    return 0
