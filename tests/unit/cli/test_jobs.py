"""status, list, logs, wait and cancel: what they say, as text and as JSON, and what they end with."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest

from batchhpc.agent.contract import event_line
from batchhpc.cli.main import main
from tests.unit.aws.fake_jobs import FakeJob
from tests.unit.cli.account import Account, interrupted

# --- status and list ------------------------------------------------------------------------------------------------------


def test_status_of_a_job_that_waits(account: Account) -> None:
    """A RUNNABLE job is shown with its place in the queue, why it waits, and what to do."""
    _, held = account.aws.submit(2)
    held.move("RUNNABLE", "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY - none left")
    said = account("status", held.id)
    assert said.code == 0
    lines = said.out.splitlines()
    assert lines[0].startswith(f"kmers RUNNABLE  {held.id}  submitted ")
    assert "  place 1 of the 1 next in the queue" in lines[1]
    assert "EC2 has not enough instances of the type" in said.out
    assert "    hint: wait, or deploy the environment with more instance types" in said.out


def test_status_of_a_job_that_runs(account: Account) -> None:
    """A running job is shown with all its nodes."""
    _, held = account.aws.submit(3)
    held.run()
    said = account("status", held.id)
    assert said.out.splitlines()[0] == f"kmers RUNNING  {held.id}"
    assert said.out.count("RUNNING") >= 4


def test_status_of_a_job_that_has_ended(account: Account) -> None:
    """A job that failed is shown with its attempts; status itself ends with 0, for it did what was asked."""
    held = account.end(3)
    said = account("status", held.id)
    assert said.code == 0
    assert "kmers FAILED after" in said.out
    assert "attempt 1: exit code 3" in said.out


def test_status_as_json(account: Account) -> None:
    """The JSON has the job's codes and nodes, and why it waits; null where it does not."""
    _, held = account.aws.submit(2)
    held.move("RUNNABLE")
    shown = account("status", held.id, "--json").json
    assert (shown["state"], shown["process_exit_code"], len(shown["nodes"])) == ("RUNNABLE", 1, 2)
    assert (shown["waiting"]["position"], shown["waiting"]["listed"]) == (1, 1)
    assert account("status", account.end(5).id, "--json").json["waiting"] is None


def tells(account: Account, node: FakeJob, *done: int) -> None:
    """Rank 0 of that node says how far it is, after other output."""
    for at, figure in enumerate(done):
        line = event_line(1_800_000_000.0, 0, "progress", rank=0, done=figure, total=1000, unit="paths", rate=25)
        account.aws.fake.logs.put(node.stream, (2 * at, "output"), (2 * at + 1, line))


def test_status_shows_the_newest_progress(account: Account) -> None:
    """A running job that tells how far it is has a line with its newest figures, rate and time left; one call reads them."""
    _, held = account.aws.submit(2)
    held.run()
    assert "paths" not in account("status", held.id).out
    tells(account, held.nodes[0], 100, 200, 250)
    tells(account, held.nodes[1], 999)
    account.aws.fake.calls.clear()
    said = account("status", held.id)
    assert "250 of 1,000 paths, 25/s, 30 s left" in said.out
    assert account.aws.fake.calls["GetLogEvents"] == 1
    assert account("status", held.id, "--json").json["progress"] == {
        "done": 250.0,
        "total": 1000.0,
        "unit": "paths",
        "attempt": 1,
        "rate": 25.0,
        "told_at": 1_800_000_000.0,
        "seconds_left": 30.0,
    }


def test_status_of_a_gang_shows_its_leaders_progress(account: Account) -> None:
    """Of an array, which is never RUNNING itself (R60), child 0 tells, in its newest attempt."""
    held = account.aws.array(3)
    held.run()
    tells(account, held.children[0], 40)
    assert account("status", held.id, "--json").json["progress"]["done"] == 40


def test_status_without_a_log(account: Account) -> None:
    """A log that cannot be read leaves out the progress, and nothing else."""
    _, held = account.aws.submit(2)
    held.run()
    tells(account, held.nodes[0], 100)
    account.aws.fake.fault("GetLogEvents", "AccessDeniedException")
    said = account("status", held.id)
    assert (said.code, "paths" in said.out) == (0, False)
    assert said.out.startswith(f"kmers RUNNING  {held.id}\n")


def test_status_says_how_old_figures_are(account: Account) -> None:
    """Figures that were told long ago are shown with their age."""
    _, held = account.aws.submit(1)
    held.run()
    account.aws.fake.logs.put(held.stream, (1, event_line(0.0, 0, "progress", rank=0, done=1, total=9, unit="paths")))
    assert re.search(r"1 of 9 paths *\n  told \d+ d ago\n", account("status", held.id).out)


@pytest.mark.parametrize("words", [["status", "nope"], ["logs", "nope"], ["wait", "nope"], ["cancel", "nope"]])
def test_unknown_jobs(account: Account, words: list[str]) -> None:
    """A job that AWS Batch does not know ends with 66, in text and as JSON."""
    said = account(*words)
    assert (said.code, said.out) == (66, "")
    assert "AWS Batch knows no job nope in this Region\n  hint: --region" in said.err
    said = account(*words, "--json")
    assert (said.code, said.json["error"]) == (66, "JobNotFound")


def test_list(account: Account) -> None:
    """One line for each job, newest first, the queue left out where there is only one."""
    first = account.end(3)
    account.aws.time.now += 60
    _, second = account.aws.submit(1)
    said = account("list", "--environment", account.environment)
    head, *rows = said.out.splitlines()
    assert head.split()[:4] == ["id", "name", "state", "nodes"]
    assert "queue" not in head
    assert [row.split()[:4] for row in rows] == [[second.id, "kmers", "SUBMITTED", "1"], [first.id, "kmers", "FAILED", "2"]]


def test_list_as_json(account: Account) -> None:
    """The JSON has the jobs of the states asked for, at most as many as asked for, and the queues that were looked at."""
    for _ in range(3):
        account.end(0)
    account.aws.submit()
    words = ["list", "--environment", account.environment, "--json"]
    shown = account(*words, "--state", "SUCCEEDED", "--limit", "2").json
    assert ([each["state"] for each in shown["jobs"]], shown["queues"]) == (["SUCCEEDED"] * 2, ["batchhpc-test"])
    assert set(shown["jobs"][0]) == {
        *("id", "name", "state", "queue", "status_reason", "created_at", "started_at", "stopped_at", "nodes", "exit_code")
    }


def test_list_of_the_region(account: Account) -> None:
    """Without an environment all queues that batchhpc made are listed, with a column for them."""
    account.aws.fake.queue("batchhpc-other")
    account.aws.submit()
    said = account("list", "--region", "eu-west-1")
    assert "queue" in said.out.splitlines()[0]
    assert said.out.splitlines()[1].split()[-1] == "batchhpc-test"


def test_list_of_nothing(account: Account) -> None:
    """An empty queue, or no environment at all, is said in words."""
    assert account("list", "--environment", account.environment).out == "no jobs in batchhpc-test\n"
    account.aws.fake.queues.clear()
    assert account("list").out == "no environment is deployed here: batchhpc deploy makes one\n"


# --- report ---------------------------------------------------------------------------------------------------------------


def test_report_of_a_gang(account: Account) -> None:
    """The time line comes from the agents' lines in the children's streams; --json gives the same facts."""
    held = account.aws.array(2)
    held.run()
    events: list[tuple[str, dict[str, Any]]] = [("agent_started", {}), ("launching", {"generation": 1, "nodes": "0,1"})]
    events += [
        ("ranks_running", {"ranks": 2}),
        ("checkpoint", {"step": 3, "bytes": 10, "seconds": 0.5}),
        ("recorded", {"state": "finished", "code": 0}),
    ]
    for at, (event, fields) in enumerate(events):
        account.aws.fake.logs.put(held.children[0].stream, (at, event_line(1000.0 + at, 0, event, **fields)))
    said = account("report", held.id)
    assert said.code == 0
    assert "1 generation in 4.0 s; node-seconds: 2.0 useful (50%), 0.0 lost (0%), 2.0 idle (50%)" in said.out
    assert account("report", held.id, "--json").json["generations"][0]["why"] == "finished"


def test_report_of_what_is_no_gang(account: Account) -> None:
    """A job without generations has no report, and is told where to look instead."""
    said = account("report", logged(account).id)
    assert said.code == 69
    assert "its logs tell of no gang" in said.err


# --- logs -----------------------------------------------------------------------------------------------------------------


def logged(account: Account) -> FakeJob:
    """A job of two nodes that run and have each put out a line."""
    _, held = account.aws.submit(2)
    held.run()
    for node in held.nodes:
        account.aws.fake.logs.put(node.stream, (2 - (node.index or 0), f"hello {node.index}"))
    return held


def test_logs(account: Account) -> None:
    """Lines of all nodes are printed by time, each with its node's number."""
    held = logged(account)
    said = account("logs", held.id)
    assert (said.code, said.out) == (0, "[node 1] hello 1\n[node 0] hello 0\n")


def test_logs_of_one_node_and_attempt(account: Account) -> None:
    """--node and --attempt leave out the rest."""
    held = logged(account)
    assert account("logs", held.id, "--node", "0").out == "[node 0] hello 0\n"
    assert account("logs", f"{held.id}#1").out == "[node 1] hello 1\n"
    assert account("logs", held.id, "--attempt", "2").out == ""


def test_logs_as_json(account: Account) -> None:
    """The JSON is one document, also of no line at all."""
    held = logged(account)
    assert account("logs", held.id, "--json").json == {
        "lines": [{"node": 1, "attempt": 1, "text": "hello 1"}, {"node": 0, "attempt": 1, "text": "hello 0"}]
    }
    assert account("logs", held.id, "--attempt", "2", "--json").json == {"lines": []}


def test_logs_followed(account: Account) -> None:
    """--follow goes on until the job has ended."""
    held = logged(account)
    stream = held.nodes[1].stream
    account.then(lambda: account.aws.fake.logs.put(stream, (9, "more")), lambda: held.finish(3), lambda: None)
    said = account("logs", held.id, "--follow")
    assert (said.code, said.out.splitlines()[-1]) == (0, "[node 1] more")


def test_ctrl_c_on_logs(account: Account) -> None:
    """Ctrl-C on --follow ends with 130, leaves the job running, and says how to end it."""
    held = logged(account)
    account.then(interrupted)
    said = account("logs", f"{held.id}#1", "--follow", "--region", "eu-west-1")
    assert (said.code, held.status) == (130, "RUNNING")
    assert said.err.endswith(f"\njob {held.id} goes on; batchhpc cancel {held.id} --region eu-west-1 ends it\n")
    assert not {"CancelJob", "TerminateJob"} & set(account.aws.fake.calls)


class Terminal(io.StringIO):
    """What a person looks at."""

    def isatty(self) -> bool:
        return True


def test_logs_followed_on_a_terminal(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal progress becomes a bar below the lines, and no line of its own; in a pipe it stays a line."""
    held = logged(account)
    tells(account, held.nodes[0], 250)
    account.then(lambda: held.finish(0), lambda: None)
    terminal = Terminal()
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdout", terminal)
        assert main(["logs", held.id, "--follow"]) == 0
    assert "[node 1] \x1b[0mhello 1" in terminal.getvalue()
    assert "250 of 1,000 paths, 25/s, 30 s left" in terminal.getvalue()
    assert "event=progress" not in terminal.getvalue()
    assert "node=0 event=progress rank=0 done=250 total=1000" in account("logs", held.id).out


# --- wait and cancel ------------------------------------------------------------------------------------------------------


def test_wait(account: Account) -> None:
    """Each job is told as it ends, with its code; the first that failed, in the order given, speaks for all."""
    good, bad, worse = (account.end(code) for code in (0, 3, 4))
    said = account("wait", good.id, worse.id, bad.id)
    assert said.code == 4
    assert said.out.splitlines()[0] == f"{good.id} kmers SUCCEEDED, exit code 0: Essential container in task exited"
    assert "  1 of 3 have ended\n" in said.err
    assert account("wait", good.id).code == 0


def test_wait_for_a_job_without_code(account: Account) -> None:
    """A job that failed without an exit code makes the command end with 1."""
    _, held = account.aws.submit()
    held.cancel("no more")
    said = account("wait", held.id)
    assert (said.code, said.out) == (1, f"{held.id} kmers FAILED: no more\n")


def test_wait_as_json(account: Account) -> None:
    """The JSON has the jobs in the order given, each once."""
    one, two = account.end(0), account.end(7)
    said = account("wait", two.id, one.id, two.id, "--json")
    assert (said.code, [each["id"] for each in said.json["jobs"]]) == (7, [two.id, one.id])
    assert [each["process_exit_code"] for each in said.json["jobs"]] == [7, 0]


def test_wait_too_long(account: Account) -> None:
    """A wait that takes longer than --timeout ends with 124, and the job goes on."""
    _, held = account.aws.submit()
    said = account("wait", held.id, "--timeout", "1m")
    assert (said.code, held.status) == (124, "SUBMITTED")
    assert f"not ended within 60 s: {held.id} is SUBMITTED\n  hint: the jobs go on" in said.err


def test_wait_for_no_time(account: Account) -> None:
    """A time that is none is refused with exit code 2, by its option's name."""
    said = account("wait", "x", "--timeout", "soon")
    assert said.code == 2
    assert said.err.startswith("batchhpc wait: --timeout: ")


def test_ctrl_c_on_wait(account: Account) -> None:
    """Ctrl-C ends with 130 and leaves the jobs alone, with how to end one."""
    _, held = account.aws.submit()
    account.then(interrupted)
    said = account("wait", held.id)
    assert (said.code, held.status) == (130, "SUBMITTED")
    assert "still going on: 1 job;" in said.err
    assert "batchhpc cancel" in said.err


def test_cancel(account: Account) -> None:
    """Each job is told with what was done: cancelled before it started, terminated while it ran, left alone after its end."""
    ended = account.end(0)
    (_, waits), (_, runs) = account.aws.submit(), account.aws.submit()
    waits.move("RUNNABLE")
    runs.run()
    said = account("cancel", waits.id, runs.id, ended.id, "--reason", "wrong input")
    assert said.code == 0
    assert said.out == f"{waits.id} cancelled\n{runs.id} terminated\n{ended.id} ended before\n"
    assert (waits.reason, runs.reason) == ("wrong input", "wrong input")


def test_cancel_as_json(account: Account) -> None:
    """The JSON tells what was done, by id."""
    _, held = account.aws.submit()
    assert account("cancel", held.id, "--json").json == {"jobs": {held.id: "cancelled"}}


def test_an_unknown_job_keeps_no_other_alive(account: Account) -> None:
    """All other jobs are cancelled, then the unknown one is told with 66."""
    _, held = account.aws.submit()
    said = account("cancel", "nope", held.id)
    assert (said.code, said.out, held.status) == (66, f"{held.id} cancelled\n", "FAILED")
    assert "knows no job nope" in said.err


def test_a_reason_that_is_too_long(account: Account) -> None:
    """A reason that AWS Batch would refuse is refused with exit code 2, and nothing is ended (R44)."""
    _, held = account.aws.submit()
    said = account("cancel", held.id, "--reason", "x" * 1025)
    assert (said.code, held.status) == (2, "SUBMITTED")
    assert "has 1025 characters (R44)" in said.err
