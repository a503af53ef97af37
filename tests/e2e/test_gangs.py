"""Gangs with real agents and real mpirun, through the losses that Spot means: what a user and AWS Batch see of each.

For each: how it ends, on which nodes each generation ran, the record, and no process left behind.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from pathlib import Path
from typing import Any

import pytest

from batchhpc import JobSpec, JobState, LocalRunner, compile_job
from batchhpc.agent import contract
from batchhpc.agent.contract import parse_event_line
from batchhpc.agent.session import ChildSession, job_key
from batchhpc.agent.transport import connect
from batchhpc.jobs import JobStatus
from batchhpc.local import Chaos, Fault
from batchhpc.spec import Environment
from tests.e2e.emulator import Emulator
from tests.e2e.local_jobs import processes_of

PROGRAM = Path(__file__).with_name("gang_program.py")
SPOT = Environment(capacity="spot", stop_grace="2s")
RECORDS = "s3://records/gangs"


def spec(*words: object, **fields: Any) -> JobSpec:
    command = ["python3", "-m", "mpi4py", str(PROGRAM), *map(str, words)]
    env = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", **fields.pop("env", {})}
    waits = {"join_timeout": "60s", "reform_timeout": "60s", "lost_after": "10s"}
    return JobSpec(name="gang", image="none", command=command, **{"nodes": 3, "attempts": 4, "env": env, **waits, **fields})


class Run:
    """A gang that has ended; no process of it is left.

    Attributes:
        launches: the nodes of each generation, in order.
        record: as it was left.
    """

    def __init__(self, directory: Path, job: JobSpec, *faults: str, **options: Any) -> None:
        given = {"stop_grace": 2.0, "faults": [Fault.parse(text) for text in faults], **options}
        with LocalRunner(directory, **given) as runner:
            submission = runner.submit(compile_job(job, SPOT))
            self.status: JobStatus = submission.wait(100)
            self.lines = list(submission.logs())
        assert processes_of(self.status.id) == []
        self.text = "\n".join(line.text for line in self.lines)
        record = directory / "jobs" / self.status.id / "records" / f"{self.status.id}.json"
        self.record: dict[str, Any] = json.loads(record.read_text()) if record.exists() else {}

    def events(self, name: str) -> list[dict[str, str]]:
        found = [parse_event_line(line.text) for line in self.lines]
        return [event for event in found if event and event["event"] == name]

    @property
    def launches(self) -> list[tuple[str, str]]:
        return [(event["generation"], event["nodes"]) for event in self.events("launching")]

    @property
    def codes(self) -> list[int | None]:
        return [node.exit_code for node in self.status.nodes]

    def assert_succeeded(self) -> None:
        assert (self.status.state, self.codes) == (JobState.SUCCEEDED, [0] * len(self.codes)), self.text
        assert (self.record["state"], self.record["code"]) == ("finished", 0)


def test_a_gang_runs_where_multinode_jobs_never_start(tmp_path: Path) -> None:
    """Two ranks on each of three children of an array meet in a barrier, numbered node by node."""
    run = Run(tmp_path, spec("generation", 1, ranks_per_node=2))
    run.assert_succeeded()
    for rank in range(6):
        assert f"rank {rank} of 6 on node {rank // 2} in generation 1" in run.text


LOSSES = {
    "a child": ["kill:2@2s"],
    "the leader": ["kill:0@2s"],
    "two children": ["kill:1@2s", "kill:2@2s"],
    "leader and child": ["kill:0@2s", "kill:1@2s"],
    "all": ["kill:0@2s", "kill:1@2s", "kill:2@2s"],
}


@pytest.mark.parametrize(
    ("lost", "isolate"),
    [
        *((lost, False) for lost in LOSSES),
        *(pytest.param(lost, True, marks=pytest.mark.isolate) for lost in ("a child", "the leader")),
    ],
)
def test_lost_nodes_are_replaced_and_the_ranks_start_again(tmp_path: Path, lost: str, isolate: bool) -> None:
    """Whoever is lost, the second generation runs on all nodes; only what was lost is started anew by AWS Batch."""
    faults = LOSSES[lost]
    run = Run(tmp_path, spec("generation", 2, lost_after="2s"), *faults, isolate=isolate)
    run.assert_succeeded()
    assert run.launches[-1][1] == "0,1,2"
    lost_nodes = {text[5] for text in faults}
    for node in range(3):
        attempts = {line.attempt for line in run.lines if line.node == node}
        assert attempts == ({1, 2} if str(node) in lost_nodes else {1})


def test_a_node_lost_again_and_again(tmp_path: Path) -> None:
    """Its replacement is lost as well, and the next one; the fourth attempt finishes the job."""
    run = Run(tmp_path, spec("generation", 4), "kill:1@2s", "kill:1@2s/2", "kill:1@2s/3")
    run.assert_succeeded()
    assert [generation for generation, _ in run.launches] == ["1", "2", "3", "4"]


@pytest.mark.parametrize("moment", ["0s", "0.25s", "0.4s"])
@pytest.mark.parametrize("node", [0, 1])
def test_a_node_lost_while_the_gang_assembles(tmp_path: Path, node: int, moment: str) -> None:
    """Nothing has run yet, or just begun: the others wait for the replacement, and run once it is there."""
    run = Run(tmp_path, spec("generation", 1), f"kill:{node}@{moment}", "late:2@0.6s")
    run.assert_succeeded()


def test_a_gang_goes_on_with_fewer_and_takes_the_others_in_again(tmp_path: Path) -> None:
    """After a while the fewest nodes are enough; the late one waits for a checkpoint, from which all go on."""
    there = tmp_path / "there"
    job = spec("until", there, min_nodes=2, min_nodes_after="1s")
    with LocalRunner(tmp_path, faults=[Fault.parse("kill:2@2s"), Fault.parse("late:2@4s/2")], stop_grace=2.0) as runner:
        submission = runner.submit(compile_job(job, SPOT))
        launches = []
        for line in submission.logs(follow=True):
            event = parse_event_line(line.text) or {}
            if event.get("event") == "launching":
                launches.append(event["nodes"])
            if "on node 2 in generation 3" in line.text:
                there.touch()
        status = submission.wait(60)
        text = "\n".join(line.text for line in submission.logs())
    assert status.state is JobState.SUCCEEDED, text
    assert launches == ["0,1,2", "0,1", "0,1,2"]
    assert re.search(r'event=reforming generation=3 reason="node 2 can take part from step \d+ on" missing=0', text)


def test_nodes_that_never_come_give_the_others_back(tmp_path: Path) -> None:
    """After the deadline every node ends with the code that is not retried, and the reason names who was missing."""
    run = Run(tmp_path, spec("generation", 1, join_timeout="2s"), "never:2")
    assert run.status.state is JobState.FAILED
    assert run.codes == [contract.EXIT_GAVE_UP] * 3
    assert run.record["why"] == "node 2 did not come within 2 s; 2 of 3 nodes were here, at least 3 are needed"
    assert {line.attempt for line in run.lines} == {1}


def test_a_leader_that_never_comes_back_is_given_up(tmp_path: Path) -> None:
    """A leader out of attempts: the survivors give their instances back, each with its own reason."""
    run = Run(tmp_path, spec("generation", 9, attempts=1, reform_timeout="3s"), "kill:0@2s")
    assert (run.status.state, run.codes) == (JobState.FAILED, [None, contract.EXIT_GAVE_UP, contract.EXIT_GAVE_UP])
    assert "node 1 found no leader within 3 s: the leader at 127." in run.text


def test_the_program_s_failure_ends_all_nodes_with_its_code(tmp_path: Path) -> None:
    """Code 3 of one rank is every node's, recorded, and costs no second attempt."""
    run = Run(tmp_path, spec("exit", 3, lost_after="3s"))
    assert (run.status.state, run.codes, run.record["code"]) == (JobState.FAILED, [3, 3, 3], 3)
    assert {line.attempt for line in run.lines} == {1}


@pytest.mark.parametrize("code", [0, 3])
def test_a_child_that_comes_after_the_end_ends_with_the_job_s_code(tmp_path: Path, code: int) -> None:
    """It reads the record and runs nothing."""
    words = ["exit", code] if code else ["generation", 1]
    run = Run(tmp_path, spec(*words, min_nodes=2, min_nodes_after="0.5s", lost_after="3s"), "late:2@4s")
    assert run.codes == [code] * 3
    assert [event["reason"] for event in run.events("finished") if event["node"] == "2"] == [run.record["why"]]
    assert len(run.launches) == 1


def test_an_image_with_another_mpi_fails_once_on_all_nodes(tmp_path: Path) -> None:
    """What cannot be helped is recorded: no node waits, or is tried again."""
    run = Run(tmp_path, spec("generation", 1, launcher="openmpi"))
    assert run.codes == [contract.EXIT_MISCONFIGURED] * 3
    assert "asks for launcher openmpi, but this image's mpirun is MPICH" in run.record["why"]


def test_without_an_mpi_the_command_runs_once_per_node(tmp_path: Path) -> None:
    """Every generation tells it who takes part."""
    script = 'echo "$BATCHHPC_GENERATION hosts $BATCHHPC_HOSTS"; [ $BATCHHPC_GENERATION = 2 ] || sleep 60'
    run = Run(tmp_path, spec(launcher="none").replace(command=["sh", "-c", script]), "kill:1@2s")
    run.assert_succeeded()
    assert len(re.findall(r"^2 hosts 127\.\S+,127\.\S+,127\.\S+$", run.text, re.MULTILINE)) == 3


def test_cancelling_a_gang_ends_all_its_nodes(tmp_path: Path) -> None:
    """Each gets SIGTERM; the ranks that do not listen are ended at once, and nothing is recorded or tried again."""
    command = ["sh", "-c", "trap '' USR1; echo up; sleep 60"]
    with LocalRunner(tmp_path, stop_grace=30.0) as runner:
        submission = runner.submit(compile_job(spec(launcher="none").replace(command=command), SPOT))
        up = 0
        for line in submission.logs(follow=True):
            up += line.text == "up"
            if up == 3:
                runner.terminate(submission.id, "enough")
                up = 4
        status = submission.wait(60)
    assert status.state is JobState.FAILED
    assert [node.status_reason for node in status.nodes] == ["enough"] * 3
    assert [node.exit_code for node in status.nodes] == [contract.EXIT_INFRASTRUCTURE] * 3  # and yet not tried again (R38)
    assert {node.index for node in status.nodes} == {line.node for line in runner.logs(submission.id) if line.attempt == 1}
    assert processes_of(status.id) == []


def test_a_spot_notice_reaches_the_ranks_of_all_nodes(tmp_path: Path) -> None:
    """One node's instance is to go; every rank hears of it, saves, and ends."""
    run = Run(tmp_path, spec("notice"), "notice:1@2s", batch_second=0.5)
    run.assert_succeeded()
    assert run.text.count("told") == 3
    assert len(run.events("notice_passed")) == 3


@pytest.mark.parametrize("node", [0, 1])
def test_a_host_that_shuts_down_in_order_is_replaced(tmp_path: Path, node: int) -> None:
    """SIGTERM, then the host is gone: whatever ranks say meanwhile is not the job's end, and the node is tried again."""
    chaos = Chaos(shutdown=3.0)
    run = Run(tmp_path, spec("generation", 2), f"reclaim:{node}@5s", chaos=chaos, stop_grace=2.0)
    run.assert_succeeded()
    assert {line.attempt for line in run.lines if line.node == node} == {1, 2}


def test_ranks_that_save_and_end_on_sigterm_have_not_finished(tmp_path: Path) -> None:
    """They end with 0 as one node's host shuts down; the job goes on in the next generation."""
    script = "import os, pathlib, time; p = pathlib.Path(os.environ['BATCHHPC_NOTICE_FILE'])\n"
    script += "import signal; signal.signal(signal.SIGUSR1, lambda *_: None)\n"
    script += "while os.environ['BATCHHPC_GENERATION'] == '1' and not p.exists(): time.sleep(0.1)"
    job = spec(launcher="none").replace(command=["python3", "-c", script])
    run = Run(tmp_path, job, "reclaim:1@5s", chaos=Chaos(shutdown=3.0))
    run.assert_succeeded()
    assert int(run.launches[-1][0]) > 1


def test_a_notice_does_not_outlive_the_node_it_was_about(tmp_path: Path) -> None:
    """The ranks of the next generation are not told of an instance that has gone before its time."""
    script = 'import os, pathlib, time; p = pathlib.Path(os.environ["BATCHHPC_NOTICE_FILE"])\n'
    script += (
        'if os.environ["BATCHHPC_GENERATION"] == "1": time.sleep(60)\ntime.sleep(1); print("told" if p.exists() else "not told")'
    )
    job = spec(launcher="none").replace(command=["python3", "-c", script])
    run = Run(tmp_path, job, "notice:2@1s", "kill:2@4s", batch_second=0.5)
    run.assert_succeeded()
    assert run.events("notice_passed")
    assert re.findall(r"^(?:not )?told$", run.text, re.MULTILINE) == ["not told"] * 3


def test_ranks_that_start_on_a_node_that_will_go_hear_of_it(tmp_path: Path) -> None:
    """Another node is lost meanwhile: the new ranks are told of the reclaim that is still to come."""
    script = 'import os, pathlib, time; p = pathlib.Path(os.environ["BATCHHPC_NOTICE_FILE"])\n'
    script += 'while os.environ["BATCHHPC_GENERATION"] == "1" or not p.exists(): time.sleep(0.1)\nprint("told")'
    job = spec(launcher="none").replace(command=["python3", "-c", script])
    run = Run(tmp_path, job, "notice:2@1s", "kill:1@5s", batch_second=0.5)
    run.assert_succeeded()
    assert run.text.count("told") >= 3


def test_a_record_in_s3_is_kept_through_faults(tmp_path: Path, emulator: Emulator) -> None:
    """Errors, lost answers and lost races of the bucket delay a gang, and change nothing else."""
    import boto3

    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="records", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    emulator.fault("s3", "*", "SlowDown", times=2)
    emulator.fault("s3", "*", "InternalError", times=3, after=6)
    emulator.fault("s3", "*", "drop", times=2, after=12)
    run = Run(tmp_path, spec("generation", 2, env=emulator.variables), "kill:0@3s", records=RECORDS)
    assert run.status.state is JobState.SUCCEEDED, run.text
    record = json.loads(s3.get_object(Bucket="records", Key=f"gangs/{run.status.id}.json")["Body"].read())
    assert (record["state"], record["code"], record["leader_attempt"]) == ("finished", 0, 2)


def test_a_bucket_that_refuses_is_named(tmp_path: Path, emulator: Emulator) -> None:
    """Trying again cannot help: the nodes end with the code that says so, naming the record and what is wrong."""
    run = Run(tmp_path, spec("generation", 1, env=emulator.variables), records=RECORDS)
    assert run.codes == [contract.EXIT_MISCONFIGURED] * 3
    assert f"s3://records/gangs/{run.status.id}.json, the record of this gang: NoSuchBucket" in run.text


def test_a_node_behind_another_address_ends_the_gang(tmp_path: Path) -> None:
    """A child whose container has a network of its own comes from its host's address: the leader says so, and all end (R62)."""
    with LocalRunner(tmp_path, stop_grace=2.0, faults=[Fault.parse("never:1")]) as runner:
        submission = runner.submit(compile_job(spec("generation", 1, nodes=2), SPOT))
        claimed = next(event for line in submission.logs(follow=True) if (event := leader_claimed(line.text)))
        about = {"hostname": "h", "ranks": 1, "attempt": 1, "address": "172.17.0.2"}
        session = ChildSession(job_key(runner._agent_secret, submission.id, 0), secrets.token_hex(16), 1, about)

        async def join() -> None:
            (await connect(claimed["address"], contract.PORT, None, session, lambda *_: None, lambda *_: None)).close()

        asyncio.run(join())
        status = submission.wait(60)
        text = "\n".join(line.text for line in submission.logs())
    assert [node.exit_code for node in status.nodes] == [contract.EXIT_MISCONFIGURED] * 2
    assert "node 1 says its address is 172.17.0.2, but connects from 127." in text


def leader_claimed(line: str) -> dict[str, str] | None:
    event = parse_event_line(line)
    return event if event and event["event"] == "leader_claimed" else None
