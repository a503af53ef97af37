"""What a deployment shows: its progress as a table that changes or as lines, its plan, and the question."""

from __future__ import annotations

import argparse
import io
import re
import sys
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from rich.console import Console

from batchhpc.aws.environments.change_set import Action, Change
from batchhpc.aws.environments.events import Event
from batchhpc.cli.deployment import _Resources, ask, change_table, check_terminal, show_plan, shown_progress
from batchhpc.errors import Refused

START = datetime(2027, 1, 15, 8, tzinfo=UTC)


def event(logical: str, status: str, reason: str = "", *, second: int = 0) -> Event:
    """An event; ``stack`` is the stack's own."""
    of_stack = logical == "stack"
    kind = "AWS::CloudFormation::Stack" if of_stack else "AWS::EC2::VPC"
    at = START + timedelta(seconds=second)
    return Event(f"{logical}-{status}", at, logical, kind, status, reason, "id", "token", of_stack)


def terminal() -> Console:
    """A terminal whose text is recorded."""
    return Console(file=io.StringIO(), force_terminal=True, width=100, highlight=False, markup=False, emoji=False, record=True)


def recorded(screen: Console) -> str:
    """What the terminal got, without colours and cursor movements."""
    assert isinstance(screen.file, io.StringIO)
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\r", "", screen.file.getvalue())


def table(view: _Resources) -> list[list[str]]:
    """The rows of the table as it is now."""
    screen = terminal()
    screen.print(view._table())
    return [line.split() for line in screen.export_text().splitlines()]


def test_the_table_holds_what_is_under_way() -> None:
    """A row for each resource that CloudFormation is at work on, and a line that counts; what is done leaves its row."""
    view = _Resources(terminal())
    view.take(event("stack", "CREATE_IN_PROGRESS"))
    view.take(event("Vpc", "CREATE_IN_PROGRESS", second=1))
    view.take(event("Bucket", "CREATE_IN_PROGRESS", second=2))
    assert table(view) == [
        ["08:00:01", "Vpc", "EC2::VPC", "CREATE_IN_PROGRESS"],
        ["08:00:02", "Bucket", "EC2::VPC", "CREATE_IN_PROGRESS"],
        ["0", "done,", "2", "under", "way"],
    ]
    view.take(event("Vpc", "CREATE_COMPLETE", second=3))
    assert table(view) == [["08:00:02", "Bucket", "EC2::VPC", "CREATE_IN_PROGRESS"], ["1", "done,", "1", "under", "way"]]
    view.take(event("Bucket", "CREATE_COMPLETE", second=4))
    assert table(view) == [["2", "done"]]


def test_the_table_fits_a_terminal() -> None:
    """However many resources are under way, a terminal shows the last twelve, and the count tells of all."""
    view = _Resources(terminal())
    for i in range(40):
        view.take(event(f"Endpoint{i}", "CREATE_IN_PROGRESS"))
    rows = table(view)
    assert [row[1] for row in rows[:-1]] == [f"Endpoint{i}" for i in range(28, 40)]
    assert " ".join(rows[-1]) == "0 done, 40 under way"


def test_what_stays_on_the_screen() -> None:
    """Notes, failures and the stack's own events stay above the table; what only goes on, or was cancelled, does not."""
    screen = terminal()
    view = _Resources(screen)
    with view.live:
        view.take("termination protection is on")
        view.take(event("stack", "CREATE_IN_PROGRESS"))
        view.take(event("Nat", "CREATE_FAILED", "no more [of them]", second=1))
        view.take(event("Queue", "CREATE_FAILED", "Resource creation cancelled", second=2))
        view.take(event("stack", "ROLLBACK_COMPLETE", second=3))
    text = recorded(screen)
    assert "termination protection is on" in text
    assert "08:00:00 CREATE_IN_PROGRESS stack" in text
    assert "08:00:01 CREATE_FAILED Nat (EC2::VPC): no more [of them]" in text
    assert "08:00:03 ROLLBACK_COMPLETE stack" in text
    assert "Queue" not in text


@pytest.mark.parametrize("to_errors", [True, False])
def test_lines_where_there_is_no_terminal(to_errors: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal each event is a line; beside JSON on standard error."""
    with shown_progress(to_errors=to_errors) as progress:
        progress(event("Nat", "CREATE_FAILED", "no more"))
        progress("a note")
    out, err = capsys.readouterr()
    assert (err if to_errors else out) == "08:00:00 CREATE_FAILED Nat (EC2::VPC): no more\na note\n"
    assert (out if to_errors else err) == ""


def test_changes_as_a_table() -> None:
    """What is added is a row for each type; any other change is one of its own, with the property that forces a replacement."""
    screen = terminal()
    changes = (
        Change(Action.ADD, "Role", "AWS::IAM::Role"),
        Change(Action.ADD, "Vpc", "AWS::EC2::VPC"),
        Change(Action.ADD, "JobRole", "AWS::IAM::Role"),
        Change(Action.CHANGE, "Queue", "AWS::Batch::JobQueue", "arn", ("Priority",)),
        Change(Action.REPLACE, "Subnet", "AWS::EC2::Subnet", "subnet-1", ("Tags", "CidrBlock"), ("CidrBlock",)),
        Change(Action.MAY_REPLACE, "Efs", "AWS::EFS::FileSystem", "fs-1", ("Encrypted",)),
        Change(Action.REMOVE, "Nat", "AWS::EC2::NatGateway", "nat-1"),
    )
    screen.print(change_table(changes))
    lines = [" ".join(line.split()) for line in screen.export_text().splitlines()]
    assert lines[1:] == [
        "+ IAM::Role Role, JobRole",
        "+ EC2::VPC Vpc",
        "~ Batch::JobQueue Queue arn Priority",
        "-/+ EC2::Subnet Subnet subnet-1 replaced: CidrBlock",
        "-/+? EFS::FileSystem Efs fs-1 replaced, perhaps: Encrypted",
        "- EC2::NatGateway Nat nat-1",
    ]


def test_a_loss_is_shouted(capsys: pytest.CaptureFixture[str]) -> None:
    """A plan that loses data says so, names the store, and whether it is deleted or only taken out."""
    from batchhpc.aws.environments.planning import DeploymentPlan

    changes = (
        Change(Action.REMOVE, "Bucket", "AWS::S3::Bucket", "genomics-1", keeps=True),
        Change(Action.MAY_REPLACE, "Scratch", "AWS::FSx::FileSystem", "fs-1", why=("StorageCapacity",)),
    )
    show_plan(DeploymentPlan("genomics", "eu-west-1", False, "euw1-az1", changes, True, ()), "env.yaml")
    out = capsys.readouterr().out
    assert "environment genomics in euw1-az1 (eu-west-1): deployed already" in out
    assert "2 resources: 1 to remove, 1 to replace, perhaps" in out
    assert "termination protection will be on" in out
    assert "DATA WOULD BE LOST\nBucket: the bucket genomics-1 is taken out of the environment, but stays in the account" in out
    assert "Scratch: the Lustre file system fs-1 perhaps is deleted with all it holds (because of StorageCapacity)" in out


@pytest.mark.parametrize(("typed", "yes"), [("yes\n", True), (" yes \n", True), ("y\n", False), ("YES\n", False), ("", False)])
def test_only_yes_is_a_yes(typed: str, yes: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the whole word is a yes; the end of input is a no."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    assert ask("Deploy?") is yes


@pytest.mark.parametrize(
    ("yes", "json", "tty", "why"),
    [(True, True, False, ""), (False, False, True, ""), (False, True, True, "--json"), (False, False, False, "no terminal")],
)
def test_who_can_be_asked(yes: bool, json: bool, tty: bool, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody can be asked, --yes is wanted."""
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: tty))
    args = argparse.Namespace(yes=yes, json=json, verb="deploy")
    if not why:
        check_terminal(args)
        return
    with pytest.raises(Refused, match=f"batchhpc deploy: .*{why}"):
        check_terminal(args)
