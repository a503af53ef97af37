"""The verbs of a job's life on AWS, and their options."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final

STATES: Final = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED", "FAILED")


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb: what it does, an example, and what adds its arguments."""

    text: str
    example: str
    add: Callable[[argparse.ArgumentParser], None]


def changes(verb: argparse.ArgumentParser) -> None:
    """Options that change the spec, of ``run`` and ``submit`` alike."""
    change = verb.add_argument_group("changes to the spec")
    change.add_argument("--nodes", type=int, metavar="N", help="number of nodes")
    change.add_argument("--ranks-per-node", type=int, metavar="N", help="MPI ranks on each node")
    change.add_argument("--env", action="append", default=[], metavar="NAME=VALUE", help="one more variable; may be repeated")
    change.add_argument("--time-limit", metavar="TIME", help="longest time an attempt may run, such as 10m")
    change.add_argument("--attempts", type=int, metavar="N", help="how often the job may be started in all")


def _usd(text: str) -> Decimal:
    """An amount of US dollars."""
    try:
        amount = Decimal(text.removeprefix("$"))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not an amount of US dollars, such as 25 or 12.50")
    return amount


def _where(verb: argparse.ArgumentParser, *, required: bool = False) -> None:
    text = "a deployed environment, or a file: an environment spec, whose name is looked up, or a hand-written environment"
    verb.add_argument("--environment", required=required, metavar="NAME", help=text)
    verb.add_argument("--region", metavar="REGION", help="AWS Region; the environment's, or what the AWS SDK finds, if left out")


def _submit(verb: argparse.ArgumentParser) -> None:
    verb.usage = "batchhpc submit JOB --environment NAME [options] [-- COMMAND ...]"
    verb.add_argument("job", metavar="JOB", help="the job spec: a .yaml, .yml or .json file, or - for standard input")
    _where(verb, required=True)
    changes(verb)
    verb.add_argument("--max-cost", type=_usd, metavar="USD", help="refuse a job that can cost more, or whose cost is unknown")
    verb.add_argument("--alongside", action="store_true", help="a gang on Spot does not wait for the gang before it in its queue")
    then = verb.add_argument_group("then")
    then.add_argument("--wait", action="store_true", help="wait for the end, and end with the job's exit code")
    then.add_argument(
        "--follow", action="store_true", help="the same, and show what its nodes put out; Ctrl-C leaves the job alone"
    )
    then.add_argument("--quiet", action="store_true", help="do not show the agent's own lines")


def _status(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("id", metavar="ID", help="a job, a node of it (ID#2), or a child of an array (ID:2)")
    _where(verb)


def _list(verb: argparse.ArgumentParser) -> None:
    _where(verb)
    text = "only jobs in this state; may be repeated; default: those that go on, then the newest others"
    verb.add_argument("--state", action="append", default=[], choices=STATES, help=text)
    verb.add_argument("--limit", type=int, default=100, metavar="N", help="at most N, newest first; default: 100")


def _logs(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("id", metavar="ID", help="a job, a node of it (ID#2), or a child of an array (ID:2)")
    _where(verb)
    verb.add_argument("--follow", action="store_true", help="go on until the job ends; Ctrl-C leaves the job alone")
    verb.add_argument("--node", type=int, metavar="N", help="this node's lines only")
    verb.add_argument("--attempt", type=int, metavar="N", help="this attempt's lines only, 1 for the first")


def _report(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("id", metavar="ID", help="a gang: the array job that several nodes on Spot are")
    _where(verb)


def _wait(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("ids", nargs="+", metavar="ID", help="jobs; a hundred are asked for in one call")
    _where(verb)
    verb.add_argument("--timeout", metavar="TIME", help="longest time to wait for all, such as 2h; default: 7 days")


def _cancel(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("ids", nargs="+", metavar="ID", help="jobs, started or not")
    _where(verb)
    verb.add_argument("--reason", default="cancelled by batchhpc cancel", help="what AWS Batch keeps as the reason")


JOB_VERBS: Final[dict[str, Verb]] = {
    "submit": Verb("Submit a job to AWS Batch.", "batchhpc submit job.yaml --environment genomics --follow", _submit),
    "status": Verb(
        "Say how a job is, and why it has not started yet.", "batchhpc status 5ba5f0ee-0000-4000-8000-00c0ffee0001", _status
    ),
    "list": Verb("List jobs on AWS Batch.", "batchhpc list --environment genomics --state RUNNING", _list),
    "logs": Verb(
        "Print what a job's nodes put out, in the order of time.",
        "batchhpc logs 5ba5f0ee-0000-4000-8000-00c0ffee0001 --follow",
        _logs,
    ),
    "report": Verb(
        "Say what became of a gang's time: nodes, generations, checkpoints, what was lost.",
        "batchhpc report 5ba5f0ee-0000-4000-8000-00c0ffee0001",
        _report,
    ),
    "wait": Verb(
        "Wait for jobs, and end with their exit code.", "batchhpc wait 5ba5f0ee-0000-4000-8000-00c0ffee0001 --timeout 2h", _wait
    ),
    "cancel": Verb(
        "End jobs, started or not.", "batchhpc cancel 5ba5f0ee-0000-4000-8000-00c0ffee0001 --reason 'wrong input'", _cancel
    ),
}
