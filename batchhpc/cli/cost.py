"""``batchhpc cost``."""

from __future__ import annotations

import argparse
import json
import re
from typing import Final

from batchhpc.cli.inputs import compiled, read_job
from batchhpc.errors import InvalidSpec, Problem

_JOB_ID: Final = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}([#:]\d+)?"


def run(args: argparse.Namespace) -> int:
    """What a job can cost, or what one cost."""
    return _spent(args) if re.fullmatch(_JOB_ID, args.job) else _estimate(args)


def _estimate(args: argparse.Namespace) -> int:
    if not args.environment:
        hint = "--environment ENV: an environment spec, or the name of a deployed environment"
        raise InvalidSpec([Problem("", "what a job costs depends on where it runs", hint)], "batchhpc cost")
    from batchhpc.cli.deployed import named_environment  # noqa: PLC0415 - what asks AWS is for those who ask it
    from batchhpc.cli.prices import estimated  # noqa: PLC0415

    named = named_environment(args, is_deployed=False)
    job = compiled(read_job(args, named.environment), named.environment, args.job)
    known = estimated(job, named, named.clients)
    print(json.dumps({"job": job.submit["jobName"], **known.to_data()}, indent=2) if args.json else known.text())
    return 0


def _spent(args: argparse.Namespace) -> int:
    from batchhpc.aws.jobs.describe import parent_of  # noqa: PLC0415 - likewise
    from batchhpc.aws.jobs.runner import BatchRunner  # noqa: PLC0415
    from batchhpc.aws.sdk import Clients  # noqa: PLC0415
    from batchhpc.cli.prices import spent_so_far  # noqa: PLC0415
    from batchhpc.spec import Environment  # noqa: PLC0415

    clients, job_id = Clients(args.region), parent_of(args.job)
    status = BatchRunner(Environment(region=args.region), clients).status(job_id)
    known = spent_so_far(status, clients)
    print(json.dumps({"id": job_id, **known.to_data()}, indent=2) if args.json else known.text())
    return 0
