"""A deployment for people and programs: its plan as a table, its progress as it happens."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from batchhpc.aws.environments.change_set import Action, Change
from batchhpc.aws.environments.deploy import Progress
from batchhpc.aws.environments.events import Event
from batchhpc.aws.environments.planning import DeploymentPlan, loss_text
from batchhpc.cli.screen import console
from batchhpc.cli.wording import counted
from batchhpc.errors import Refused

_SIGNS = {
    Action.ADD: ("+", "green"),
    Action.CHANGE: ("~", "yellow"),
    Action.REPLACE: ("-/+", "red"),
    Action.MAY_REPLACE: ("-/+?", "red"),
    Action.REMOVE: ("-", "red"),
    Action.IMPORT: ("<", "green"),
}
_MOST_ROWS = 12  # resources that a terminal shows at once


def check_terminal(args: argparse.Namespace) -> None:
    """Whether somebody can be asked.

    Raises:
        Refused: nobody can, and ``--yes`` is missing.
    """
    if not args.yes and (args.json or not sys.stdin.isatty()):
        why = "with --json nobody is asked" if args.json else "standard input is no terminal, so nobody can be asked"
        raise Refused(
            f"batchhpc {args.verb}: {why}\n  hint: --yes does it without a question; batchhpc plan shows what it would do"
        )


def ask(question: str) -> bool:
    """Whether the answer is ``yes``; anything else is a no."""
    print(f"{question} Only 'yes' is a yes: ", end="", flush=True)
    return sys.stdin.readline().strip() == "yes"


def show_plan(plan: DeploymentPlan, document: str) -> None:
    """The plan on standard output, its warnings on standard error."""
    for warning in plan.warnings:
        print(warning.text(document), file=sys.stderr)
    screen = console()
    where = f" in {plan.zone}" if plan.zone else ""
    print(f"environment {plan.environment}{where} ({plan.region}): {'new' if plan.new else 'deployed already'}")
    if plan.nothing:
        print("nothing to do: it is as the spec says")
    if plan.changes:
        screen.print(change_table(plan.changes))
        print(_counts(plan.changes))
    if plan.protection is not None:
        print(f"termination protection will be {'on' if plan.protection else 'off'}")
    if plan.data_losses:
        screen.print(Text(f"DATA WOULD BE LOST\n{loss_text(plan.data_losses)}", style="bold red"))
    _show_drift(plan, screen)
    if plan.costs is not None:
        print(f"\n{plan.costs.text()}")


def _show_drift(plan: DeploymentPlan, screen: Console) -> None:
    if plan.drift is None:
        return
    if not plan.drift:
        print("no drift: everything is as it was deployed")
    for each in plan.drift:
        screen.print(Text(f"changed by hand: {each.logical} ({each.physical}) {each.state}", style="yellow"))
        for path, expected, actual in each.differences:
            print(f"  {path}: {expected} -> {actual}")


def change_table(changes: tuple[Change, ...]) -> Table:
    """A row for each resource that changes; one for all of a type that are added, which have no more to them than a name."""
    table = Table("", "type", "resource", "id", "what", box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    added: dict[str, list[str]] = {}
    for each in changes:
        if each.action is Action.ADD:
            added.setdefault(each.type, []).append(each.logical)
    sign, style = _SIGNS[Action.ADD]
    for kind, names in added.items():
        table.add_row(Text(sign, style=style), kind.removeprefix("AWS::"), ", ".join(names))
    for each in changes:
        if each.action is Action.ADD:
            continue
        sign, style = _SIGNS[each.action]
        what = ", ".join(each.properties)
        if each.action in (Action.REPLACE, Action.MAY_REPLACE):
            what = (
                f"{'replaced' if each.action is Action.REPLACE else 'replaced, perhaps'}: {', '.join(each.why or each.properties)}"
            )
        table.add_row(Text(sign, style=style), each.type.removeprefix("AWS::"), each.logical, each.physical, what)
    return table


def _counts(changes: tuple[Change, ...]) -> str:
    words = {Action.ADD: "to add", Action.CHANGE: "to change", Action.REMOVE: "to remove", Action.IMPORT: "to import"}
    words |= {Action.REPLACE: "to replace", Action.MAY_REPLACE: "to replace, perhaps"}
    counts = {word: sum(each.action is action for each in changes) for action, word in words.items()}
    return f"{counted(len(changes), 'resource')}: {', '.join(f'{count} {word}' for word, count in counts.items() if count)}"


def plan_data(plan: DeploymentPlan) -> dict[str, Any]:
    """The plan as JSON."""
    return {
        "environment": plan.environment,
        "region": plan.region,
        "zone": plan.zone,
        "new": plan.new,
        "nothing": plan.nothing,
        "changes": [{**asdict(each), "loses_data": each.loses_data} for each in plan.changes],
        "termination_protection": plan.protection,
        "drift": None if plan.drift is None else [asdict(each) for each in plan.drift],
        "costs": None if plan.costs is None else plan.costs.to_data(),
        "warnings": [asdict(each) for each in plan.warnings],
    }


@contextmanager
def shown_progress(*, to_errors: bool) -> Iterator[Progress]:
    """Gives what is to be told of events: a table that changes on a terminal, lines otherwise.

    Args:
        to_errors: lines go to standard error, since standard output is for JSON.
    """
    if to_errors or not sys.stdout.isatty():
        yield _lines(sys.stderr if to_errors else sys.stdout)
        return
    view = _Resources(console())
    with view.live:
        yield view.take


def _lines(stream: Any) -> Callable[[Event | str], None]:
    def take(event: Event | str) -> None:
        print(event if isinstance(event, str) else _line(event), file=stream, flush=True)

    return take


def _line(event: Event) -> str:
    reason = f": {event.reason}" if event.reason and "FAILED" in event.status else ""
    what = event.logical if event.of_stack else f"{event.logical} ({event.type.removeprefix('AWS::')})"
    return f"{event.at:%H:%M:%S} {event.status} {what}{reason}"


class _Resources:
    """The resources that CloudFormation is at work on, and how many are done."""

    def __init__(self, screen: Console) -> None:
        self._screen = screen
        self._last: dict[str, Event] = {}
        self.live = Live(Text(""), console=screen, auto_refresh=False, transient=True)

    def take(self, event: Event | str) -> None:
        """One more event, or a note."""
        if isinstance(event, str):
            self._screen.print(Text(event, style="yellow"))
        else:
            self._last[event.logical] = event
            if event.of_stack or event.failed:
                self._screen.print(
                    Text(_line(event), style="red" if "FAILED" in event.status or "ROLLBACK" in event.status else "bold")
                )
        self.live.update(self._table(), refresh=True)

    def _table(self) -> Table:
        resources = [each for each in self._last.values() if not each.of_stack]
        working = [each for each in resources if each.status.endswith("_IN_PROGRESS")]
        table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
        for each in working[-_MOST_ROWS:]:
            table.add_row(f"{each.at:%H:%M:%S}", each.logical, each.type.removeprefix("AWS::"), Text(each.status, style="cyan"))
        more = f", {len(working)} under way" if working else ""
        table.add_row("", f"{len(resources) - len(working)} done{more}", "", "")
        return table
