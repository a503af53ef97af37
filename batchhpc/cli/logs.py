"""``batchhpc logs``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator

from batchhpc.aws.jobs.describe import parent_of
from batchhpc.cli.deployed import Warnings, runner_of
from batchhpc.cli.following import view_on
from batchhpc.cli.main import EXIT_INTERRUPTED
from batchhpc.cli.submit import region_option
from batchhpc.jobs import LogLine


def run(args: argparse.Namespace) -> int:
    """Prints what a job's nodes have put out, in the order of time."""
    runner = runner_of(args, Warnings())
    lines = runner.logs(args.id, follow=args.follow, attempt=args.attempt)
    wanted = (line for line in lines if args.node in (None, line.node))
    try:
        if args.json:
            _print_json(wanted)
        else:
            _show(wanted, follow=args.follow)
    except KeyboardInterrupt:
        if args.follow:
            job = parent_of(args.id)
            print(f"\njob {job} goes on; batchhpc cancel {job}{region_option(args)} ends it", file=sys.stderr)
        return EXIT_INTERRUPTED
    return 0


def _show(lines: Iterator[LogLine], *, follow: bool) -> None:
    """Line by line; a terminal that follows has the progress below them, as a bar."""
    if follow and sys.stdout.isatty():
        with view_on(sys.stdout, quiet=False) as view:
            for line in lines:
                view.line(line)
        return
    for line in lines:
        print(f"[node {line.node}] {line.text}", flush=follow)


def _print_json(lines: object) -> None:
    """One document, but line by line: a job may have put out more than memory holds."""
    print('{"lines": [', end="")
    for i, line in enumerate(lines):  # type: ignore[arg-type, var-annotated]
        shown = {"node": line.node, "attempt": line.attempt, "text": line.text}
        print(("," if i else "") + "\n  " + json.dumps(shown), end="", flush=True)
    print("\n]}")
