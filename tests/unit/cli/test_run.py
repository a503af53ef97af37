"""run: the command line's changes to a spec, and what is said at the end; running for real is in tests/e2e/test_cli.py."""

from pathlib import Path

import pytest

from batchhpc.cli import arguments, run
from batchhpc.cli.following import status_data
from batchhpc.cli.inputs import changed as with_changes
from batchhpc.cli.inputs import read_environment
from batchhpc.cli.view import summary
from batchhpc.errors import InvalidSpec
from batchhpc.jobs import Attempt, JobState, JobStatus
from batchhpc.local import Chaos
from batchhpc.spec import Capacity, Environment, JobSpec
from tests.unit.cli.conftest import JOB, Cli


def changed(*words: str) -> JobSpec:
    """The spec of these tests, changed by a command line."""
    return with_changes(JobSpec.from_yaml(JOB), arguments.parse(["run", "job.yaml", *words]))


def test_nothing_changed() -> None:
    """Without options the spec stays what it is."""
    assert changed() == JobSpec.from_yaml(JOB)


def test_changes() -> None:
    """Each option changes its field, and env is added to."""
    spec = JobSpec.from_yaml(JOB + "env: {A: '1', B: '2'}\n")
    words = "run j --nodes 2 --ranks-per-node 3 --time-limit 5m --attempts 1 --env B=x=y --env C= -- echo --nodes 9 -- --json"
    spec = with_changes(spec, arguments.parse(words.split()))
    assert (spec.nodes, spec.ranks_per_node, str(spec.time_limit), spec.attempts) == (2, 3, "5m", 1)
    assert dict(spec.env) == {"A": "1", "B": "x=y", "C": ""}
    assert spec.command == ("echo", "--nodes", "9", "--", "--json")


def test_options_of_the_command_are_not_ours(cli: Cli, tmp_path: Path) -> None:
    """--json behind -- belongs to the job's command: errors stay text."""
    assert cli("run", tmp_path / "missing.yaml", "--", "program", "--json").err.endswith("there is no such file\n")


def test_wrong_change() -> None:
    """A change that makes the spec wrong is refused in the spec's own words, with its name."""
    with pytest.raises(InvalidSpec, match=r"^job\.yaml: nodes: must be at least 1, but is 0$"):
        changed("--nodes", "0")


@pytest.mark.parametrize("text", ["A", "=b", ""])
def test_not_a_pair(text: str) -> None:
    """--env wants NAME=VALUE."""
    with pytest.raises(InvalidSpec, match=f"--env: is '{text}', which is not NAME=VALUE"):
        changed("--env", text)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--mount", "/fsx=/nowhere/at/all"], "--mount: /fsx means /nowhere/at/all, which is not a directory here"),
        (["--fault", "explode:1"], "fault 'explode:1': is not a fault"),
        (["--fault", "kill:9@1s"], "names node 9, but the job has nodes 0 to 3"),
        (["--reclaim", "9@1s"], "fault reclaim:9@1s: names node 9, but the job has nodes 0 to 3"),
        (["--reclaim", "1"], "fault 'reclaim:1': has no time"),
        (["--chaos", "often"], "chaos 'often': is not a rate"),
        (["--notice", "5"], "--notice: '5' is not a length of time"),
        (["--replacement", "soon"], "--replacement: 'soon' is not a length of time"),
        (["--secret", "TOKEN"], "--secret TOKEN: is not a secret of the job"),
    ],
)
def test_refused_before_anything_runs(cli: Cli, job: Path, tmp_path: Path, words: list[str], message: str) -> None:
    """A wrong mount, fault or secret is refused with exit code 2, and nothing is left behind."""
    said = cli("run", job, "--directory", tmp_path / "made", *words)
    assert (said.code, said.out) == (2, "")
    assert message in said.err
    assert not (tmp_path / "made").exists()


def test_reclaims() -> None:
    """--chaos, --notice, --shutdown and --replacement say how nodes are reclaimed; without them it is by name, and at once."""
    args = arguments.parse(
        ["run", "j", "--chaos", "3/m", "--seed", "7", "--notice", "1.5s", "--shutdown", "0s", "--replacement", "2m"]
    )
    assert run._chaos(args) == Chaos(rate=0.05, seed=7, notice=1.5, shutdown=0.0, replacement=120.0)
    assert run._chaos(arguments.parse(["run", "j"])) == Chaos()


@pytest.mark.parametrize(
    ("words", "capacity"),
    [("", Capacity.ON_DEMAND), ("--capacity spot", Capacity.SPOT), ("--capacity on-demand", Capacity.ON_DEMAND)],
)
def test_capacity(words: str, capacity: Capacity) -> None:
    """--capacity compiles for the same environment with another capacity."""
    environment = read_environment(arguments.parse(["run", "j", *words.split()]))
    assert environment == Environment(capacity=capacity)


def test_secret_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret's value comes from this process's environment, and one that is not set is named."""
    spec = JobSpec.from_yaml(JOB + "secrets: {TOKEN: 'arn:aws:secretsmanager:us-east-1:000000000000:secret:t'}\n")
    with pytest.raises(InvalidSpec, match="--secret TOKEN: is not set here"):
        run._secrets(spec, ["TOKEN"])
    monkeypatch.setenv("TOKEN", "value")
    assert run._secrets(spec, ["TOKEN"]) == {"arn:aws:secretsmanager:us-east-1:000000000000:secret:t": "value"}


def status(state: JobState, *attempts: Attempt, reason: str = "") -> JobStatus:
    """A job that began at second 10 and ended at second 22."""
    return JobStatus("id", "kmers", state, reason, 9.0, 10.0, 22.0, attempts, ())


def test_summary_of_success() -> None:
    """A job's end: state, time, attempts, and where its logs are."""
    attempt = Attempt(0, "", "Essential container in task exited", 10.0, 22.0)
    assert summary(status(JobState.SUCCEEDED, attempt, reason=attempt.status_reason), "logs/id", {1: "all ranks ended with 0"}) == (
        "kmers SUCCEEDED after 13.0 s, 1 attempt\n"
        "  attempt 1: exit code 0: all ranks ended with 0 (Essential container in task exited)\n"
        "  logs: logs/id"
    )


def test_summary_of_failure() -> None:
    """Every attempt is there with its exit code, or that it has none, and with the reasons that are known."""
    attempts = Attempt(75, "", "", 10.0, 12.0), Attempt(None, "OutOfMemory", "Host EC2 terminated", 13.0, 22.0)
    assert summary(status(JobState.FAILED, *attempts, reason="Host EC2 terminated"), "l", {1: "node 2 is lost"}) == (
        "kmers FAILED after 13.0 s, 2 attempts\n"
        "  attempt 1: exit code 75: node 2 is lost\n"
        "  attempt 2: no exit code (OutOfMemory; Host EC2 terminated)\n"
        "  logs: l"
    )


def test_summary_without_attempt() -> None:
    """A job that never started says why."""
    assert summary(status(JobState.FAILED, reason="Dependent Job failed"), "l", {}).splitlines()[0] == (
        "kmers FAILED after 13.0 s, 0 attempts: Dependent Job failed"
    )


def test_status_as_json() -> None:
    """The status that --json prints has the exit codes, and plain JSON types."""
    data = status_data(status(JobState.FAILED, Attempt(3, "", "", 10.0, 12.0)), {})
    assert (data["state"], data["exit_code"], data["process_exit_code"]) == ("FAILED", 3, 3)


def test_reasons_as_json() -> None:
    """Each attempt in the JSON says why it ended in the agent's words, or nothing where the agent could not speak."""
    ended = status(JobState.FAILED, Attempt(75, "", "", 10.0, 12.0), Attempt(None, "", "", 13.0, 14.0))
    data = status_data(ended, {1: "lost node 1"})
    assert [(each["exit_code"], each["why"]) for each in data["attempts"]] == [(75, "lost node 1"), (None, "")]
