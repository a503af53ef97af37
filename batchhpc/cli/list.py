"""``batchhpc list``."""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict

from rich.table import Table
from rich.text import Text

from batchhpc.aws.jobs.listing import list_jobs, our_queues
from batchhpc.aws.sdk import Clients
from batchhpc.cli.deployed import named_environment
from batchhpc.cli.screen import console
from batchhpc.cli.wording import lasted
from batchhpc.jobs import JobState, JobSummary


def run(args: argparse.Namespace) -> int:
    """Lists jobs of an environment, or of all that are deployed in the Region."""
    if args.environment:
        named = named_environment(args)
        clients, queues = named.clients, [named.environment.queue]
    else:
        clients = Clients(args.region)
        queues = our_queues(clients.batch)
    states = [JobState(state) for state in args.state] or None
    found = [job for queue in queues for job in list_jobs(clients.batch, queue, states, args.limit)]
    newest = sorted(found, key=lambda job: -job.created_at)[: args.limit]
    if args.json:
        print(json.dumps({"jobs": [asdict(job) for job in newest], "queues": queues}, indent=2))
    elif newest:
        console().print(_table(newest, several=len(queues) > 1))
    else:
        print(f"no jobs in {', '.join(queues)}" if queues else "no environment is deployed here: batchhpc deploy makes one")
    return 0


def _table(jobs: list[JobSummary], *, several: bool) -> Table:
    columns = ["id", "name", "state", "nodes", "exit code", "submitted", *(["queue"] if several else []), ""]
    table = Table(*columns, box=None, padding=(0, 2, 0, 0), header_style="dim")
    now = time.time()
    for job in jobs:
        code = "" if job.exit_code is None else str(job.exit_code)
        cells = [job.id, job.name, str(job.state), str(job.nodes or ""), code, f"{lasted(now - job.created_at)} ago"]
        table.add_row(*cells, *([job.queue] if several else []), Text(job.status_reason, style="dim", overflow="ellipsis"))
    return table
