"""``batchhpc cancel``."""

from __future__ import annotations

import argparse
import json

from batchhpc.cli.deployed import Warnings, runner_of
from batchhpc.errors import JobNotFound


def run(args: argparse.Namespace) -> int:
    """Ends jobs, started or not; one that is not known does not keep the others alive."""
    runner = runner_of(args, Warnings())
    done: dict[str, str] = {}
    unknown: list[JobNotFound] = []
    for job_id in dict.fromkeys(args.ids):
        try:
            done[job_id] = runner.cancel(job_id, args.reason)
        except JobNotFound as error:
            unknown.append(error)
            continue
        if not args.json:
            print(f"{job_id} {done[job_id]}", flush=True)
    if unknown:
        raise JobNotFound("\n".join(map(str, unknown)))
    if args.json:
        print(json.dumps({"jobs": done}, indent=2))
    return 0
