"""submit: what it says, as text and as JSON, what it ends with, and what Ctrl-C leaves behind."""

from __future__ import annotations

import signal
import threading

import pytest

from tests.unit.aws.fake_batch import Lost
from tests.unit.cli.account import Account


def test_submit_prints_the_id(account: Account) -> None:
    """Standard output is the id alone, for scripts; how to go on is said on standard error."""
    said = account.submit()
    job_id = account.newest.id
    assert (said.code, said.out) == (0, f"{job_id}\n")
    assert said.err.endswith(f"  batchhpc status {job_id}\n  batchhpc logs {job_id} --follow\n  batchhpc cancel {job_id}\n")


def test_submit_as_json(account: Account) -> None:
    """The JSON tells id, name, queue, shape, what it costs, as far as that is known, and warnings."""
    shown = account.submit("--json").json
    assert (shown.pop("warnings"), shown.pop("cost")["at_most"]) == ([], None)
    assert shown == {"id": account.newest.id, "name": "kmers", "queue": "batchhpc-test", "shape": "multinode"}


def test_submit_with_changes(account: Account) -> None:
    """Options and a command after -- change the spec, as they do for run."""
    account.submit("--nodes", "3", "--env", "A=1", "--", "echo", "--json")
    definition = account.newest.definition["nodeProperties"]
    assert definition["numNodes"] == 3
    assert "echo --json" in " ".join(definition["nodeRangeProperties"][0]["container"]["command"])


def test_submit_to_another_region(account: Account) -> None:
    """What is said about how to go on names the Region that was given."""
    said = account.submit("--region", "us-east-1")
    assert account.regions == ["us-east-1"]
    assert f"batchhpc cancel {account.newest.id} --region us-east-1\n" in said.err


def test_submit_where_the_queue_cannot(account: Account) -> None:
    """What speaks against a job in the queue as it is now is told with exit code 2, and nothing is registered."""
    account.aws.fake.queues["batchhpc-test"]["state"] = "DISABLED"
    said = account.submit("--json")
    assert (said.code, [each["path"] for each in said.json["problems"]]) == (2, ["queue batchhpc-test"])
    assert not account.aws.fake.definitions


@pytest.mark.parametrize("code", [0, 3])
def test_submit_and_wait(account: Account, code: int) -> None:
    """With --wait the command ends with the job's own code, shows states but no lines, and says where the logs are."""
    account.then(account.run, lambda: account.newest.finish(code))
    said = account.submit("--wait")
    state = "FAILED" if code else "SUCCEEDED"
    assert said.code == code
    assert said.out.splitlines()[:3] == [f"[job] job {account.newest.id}", "[job] SUBMITTED", "[job] RUNNING"]
    assert f"kmers {state} after" in said.out
    assert said.out.endswith(f"  logs: batchhpc logs {account.newest.id}\n")


def test_submit_and_follow(account: Account) -> None:
    """With --follow lines of all nodes are shown as they come."""
    account.then(account.run, lambda: account.newest.finish(0), lambda: None)
    said = account.submit("--follow")
    assert said.code == 0
    assert [line for line in said.out.splitlines() if line.startswith("[node")] == ["[node 0] hello 0", "[node 1] hello 1"]


def test_submit_and_wait_as_json(account: Account) -> None:
    """With --json the one document is the job's end, and what happens meanwhile is on standard error."""
    account.then(account.run, lambda: account.newest.finish(4))
    said = account.submit("--wait", "--json")
    assert (said.code, said.json["state"], said.json["process_exit_code"]) == (4, "FAILED", 4)
    assert said.json["logs"] == f"batchhpc logs {account.newest.id}"
    assert "[job] RUNNING" in said.err


@pytest.mark.parametrize("option", ["--wait", "--follow"])
def test_ctrl_c_leaves_the_job(account: Account, option: str) -> None:
    """Ctrl-C ends the command with 130, leaves the job running, and says how to follow and how to cancel it."""
    over = threading.Event()

    def ctrl_c() -> None:
        """Interrupts the command, which waits in the main thread, and lets the follower go no further."""
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        over.wait(20)
        raise Lost

    account.then(account.run, ctrl_c)
    said = account.submit(option)
    over.set()
    job = account.newest
    assert (said.code, job.status) == (130, "RUNNING")
    assert not {"CancelJob", "TerminateJob"} & set(account.aws.fake.calls)
    assert f"[job] job {job.id} goes on:" in said.out
    assert f"  batchhpc logs {job.id} --follow\n  batchhpc cancel {job.id}\n" in said.out
