"""What check says of a job on Spot before it is submitted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.conftest import JOB, Cli

SPOT = "name: cheap\nregion: eu-west-1\ninstance_types: [c7i.8xlarge]\ncapacity: spot\nmax_nodes: 16\n"
MEASURED = JOB + "time_limit: 12h\nattempts: 10\ncheckpoint_time: 45s\n"


class Check:
    """``check`` of a job for an environment, both written to files."""

    def __init__(self, cli: Cli, directory: Path) -> None:
        self._cli, self._directory = cli, directory

    def __call__(self, job: str, environment: str, *words: str) -> Any:
        self._directory.joinpath("job.yaml").write_text(job)
        self._directory.joinpath("spot.yaml").write_text(environment)
        return self._cli("check", self._directory / "job.yaml", "--environment", self._directory / "spot.yaml", *words)

    def rows(self, job: str, environment: str, *words: str) -> dict[str, str]:
        """The first row of each name, as people see it."""
        said = self(job, environment, *words)
        assert said.code == 0, said.err
        lines = [line.partition("  ") for line in said.out.splitlines()[1:] if line[:1].strip()]
        return {name: " ".join(text.split()) for name, _, text in lines}


@pytest.fixture
def check(cli: Cli, tmp_path: Path) -> Check:
    return Check(cli, tmp_path)


def test_nothing_is_reckoned_from_a_rate_that_nobody_stated(check: Check) -> None:
    """Without a rate the outlook says what to state, and has no number."""
    rows = check.rows(MEASURED, SPOT)
    assert rows["interruptions"].startswith("how often is not stated, so nothing is reckoned: interruption_rate")
    assert not {"checkpoints", "expected", "overhead"} & set(rows)
    told = check(MEASURED, SPOT, "--json").json["interruptions"]
    assert (told["missing"], told["mean_seconds"], told["daly_seconds"]) == (["interruption_rate", "--work"], None, None)
    assert told["compared"]["on_demand"] == {"node_hours": None, "usd": None}


def test_without_a_measured_checkpoint_it_says_how_to_measure(check: Check) -> None:
    """The rate alone gives the time between two interruptions, and what a job without checkpoints comes to."""
    rows = check.rows(JOB, SPOT + "interruption_rate: 0.25/h\n", "--work", "3h")
    assert rows["interruptions"] == "one every 1h on average, of 4 nodes, each at 0.25/h, independent of each other"
    assert rows["checkpoints"] == "checkpoint_time is not stated: batchhpc run tells at its end how long one takes"
    assert rows["expected"] == "without checkpoints: 20h45m for 3h of computing"  # e^(1/12) (e^3 - 1) hours


def test_the_best_interval_is_proposed_and_what_it_costs(check: Check) -> None:
    """Rate and checkpoint time give Young's and Daly's intervals, the overhead, the expected time and node-hours."""
    rows = check.rows(MEASURED, SPOT + "interruption_rate: 0.25/h\n", "--work", "8h")
    assert rows["checkpoints"] == "45s each, best every 9m of computing (Daly; Young: 9m29s)"
    assert rows["overhead"].endswith("% waiting, with a checkpoint every 9m")
    assert rows["compared"] == "on demand 32.0 node-hours, price unknown (--price asks AWS)"
    assert rows["assumed"].startswith("5m from losing a node until ranks compute again (--replacement)")


def test_the_jobs_own_interval_is_held_against_the_best(check: Check) -> None:
    """Both overheads are told; what is expected follows from the job's own interval, and is worse."""
    environment = SPOT + "interruption_rate: 0.25/h\n"
    own = check(MEASURED + "checkpoint_interval: 1h\n", environment, "--work", "8h", "--json").json["interruptions"]
    best = check(MEASURED, environment, "--work", "8h", "--json").json["interruptions"]
    assert [each["interval_seconds"] for each in own["overheads"]] == [3600, own["daly_seconds"]]
    assert own["expected"]["wall"] > best["expected"]["wall"] > 8 * 3600
    assert best["without_checkpoints"]["wall"] > own["expected"]["wall"]
    hours = best["compared"]["spot"]["node_hours"]
    assert hours == pytest.approx(4 * best["expected"]["wall"] / 3600)
    rows = check.rows(MEASURED.replace("12h", "9h") + "checkpoint_interval: 1h\n", environment, "--work", "8h")
    assert "of computing, but time_limit is 9h: " in rows["expected"]


def test_a_slower_replacement_takes_longer(check: Check) -> None:
    """The time in which a node is replaced is an assumption that can be changed."""
    environment = SPOT + "interruption_rate: 0.25/h\n"
    told = [
        check(MEASURED, environment, "--work", "8h", *more, "--json").json["interruptions"]
        for more in ((), ("--replacement", "20m"))
    ]
    assert [each["replacement_seconds"] for each in told] == [300, 1200]
    assert told[1]["expected"]["reforming"] > 4 * told[0]["expected"]["reforming"]


def test_a_job_that_never_ends_is_not_a_number(check: Check) -> None:
    """Interruptions that leave no time for computing are said in words, and null in JSON."""
    environment = SPOT + "interruption_rate: 9999/h\n"
    rows = check.rows(MEASURED, environment, "--work", "8h")
    assert rows["expected"].startswith("no end for 8h of computing")
    told = check(MEASURED, environment, "--work", "8h", "--json").json["interruptions"]
    assert (told["expected"]["wall"], told["compared"]["spot"]["node_hours"]) == (None, None)


def test_gangs_say_how_long_they_wait(check: Check) -> None:
    """A gang's deadlines are shown, and its fewest nodes where it has some; each node has its own time and attempts."""
    rows = check.rows(MEASURED, SPOT)
    assert rows["waits"] == "30m for all nodes at first, 15m for others in place of lost ones; then it gives back its instances"
    assert rows["time limit"] == "12h an attempt, 10 attempts of each node at most"
    rows = check.rows(MEASURED + "min_nodes: 3\nmin_nodes_after: 1m\n", SPOT)
    assert rows["waits"].endswith("15m for others in place of lost ones, after 1m with 3; then it gives back its instances")


def test_one_node_on_spot_has_an_outlook_and_nothing_on_demand_has(check: Check) -> None:
    """A container job on Spot is interrupted, too; on demand nothing is said of interruptions."""
    one = MEASURED.replace("nodes: 4", "nodes: 1")
    assert check.rows(one, SPOT + "interruption_rate: 0.25/h\n")["interruptions"] == "one every 4h on average, of one node"
    on_demand = SPOT.replace("capacity: spot\n", "interruption_rate: 0.25/h\n")
    assert "interruptions" not in check.rows(MEASURED, on_demand)
    assert check(MEASURED, on_demand, "--json").json["interruptions"] is None


@pytest.mark.parametrize(("option", "text"), [("--work", "8"), ("--replacement", "soon"), ("--work", "0s")])
def test_a_time_that_is_none_is_told(check: Check, option: str, text: str) -> None:
    """An option that is no length of time, or none at all, is refused with its name."""
    said = check(MEASURED, SPOT, option, text)
    assert (said.code, said.err.startswith(f"batchhpc check: {option}: ")) == (2, True)
