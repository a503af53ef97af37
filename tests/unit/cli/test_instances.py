"""instances: a search of the catalogue."""

from typing import Any

import pytest

from batchhpc.cli import screen
from tests.unit.cli.conftest import Cli


def found(cli: Cli, *words: str) -> list[dict[str, Any]]:
    """The instance types that a search finds."""
    instances: list[dict[str, Any]] = cli("instances", *words, "--json").json["instances"]
    return instances


def test_exact_name(cli: Cli) -> None:
    """A name finds the one type of that name."""
    assert [each["name"] for each in found(cli, "c7i.8xlarge")] == ["c7i.8xlarge"]


def test_table(cli: Cli) -> None:
    """People get one row per type, and how many there are on standard error."""
    said = cli("instances", "c7i.8xlarge")
    head, row = said.out.splitlines()
    assert head.split() == ["type", "vCPU", "cores", "memory", "GPUs", "EFA", "cards", "ENIs", "Gbit/s", "disks", "Spot", "arch"]
    assert row.split() == ["c7i.8xlarge", "32", "16", "64", "GiB", "1", "8", "12.5", "yes", "x86_64"]
    assert said.err == "1 instance type\n"


@pytest.mark.parametrize(
    ("width", "titles"),
    [
        (80, ["type", "vCPU", "cores", "memory", "GPUs", "EFA", "cards", "Gbit/s", "disks", "Spot", "arch"]),
        (60, ["type", "vCPU", "cores", "memory", "GPUs", "EFA", "Gbit/s", "Spot"]),
        (30, ["type", "vCPU", "cores"]),
        (8, ["type"]),
    ],
)
def test_narrow_table(cli: Cli, monkeypatch: pytest.MonkeyPatch, width: int, titles: list[str]) -> None:
    """On a narrow screen the least important columns are left to --json, and no row is broken."""
    monkeypatch.setattr(screen, "PIPE_WIDTH", width)
    rows = cli("instances", "c7i.8xlarge").out.splitlines()
    assert rows[0].split() == titles
    assert len(rows) == 2
    assert found(cli, "c7i.8xlarge")[0]["card_slots"] == [8]


@pytest.mark.parametrize(
    ("words", "holds"),
    [
        (["--efa"], lambda each: each["efa"] > 0),
        (["--min-efa", "4"], lambda each: each["efa"] >= 4),
        (["--min-gbps", "12.5"], lambda each: each["gbps"] >= 12.5),
        (["--min-disks", "2"], lambda each: each["disks"] >= 2),
        (["--cluster"], lambda each: each["cluster"]),
        (["--spot", "c7*"], lambda each: each["spot"]),
        (["--min-vcpus", "96"], lambda each: each["vcpus"] >= 96),
        (["--min-cores", "96"], lambda each: each["cores"] >= 96),
        (["--max-vcpus", "8"], lambda each: each["vcpus"] <= 8),
        (["c7i"], lambda each: each["name"].startswith("c7i.")),
        (["--min-memory", "1.5 TiB"], lambda each: each["memory_mib"] >= 1536 * 1024),
        (["--gpus", "8"], lambda each: each["gpus"] >= 8),
        (["--arch", "arm64"], lambda each: "arm64" in each["arch"]),
        (["c7[ag].*"], lambda each: each["name"].startswith(("c7a.", "c7g."))),
    ],
)
def test_conditions(cli: Cli, words: list[str], holds: Any) -> None:
    """Every type that is found meets the condition, and some do."""
    types = found(cli, *words)
    assert types
    assert all(holds(each) for each in types)


def test_conditions_together(cli: Cli) -> None:
    """Several conditions must all hold."""
    assert {each["name"] for each in found(cli, "hpc7*", "--efa", "--min-vcpus", "96", "--arch", "x86_64")} == {
        "hpc7a.48xlarge",
        "hpc7a.96xlarge",
    }


def test_none(cli: Cli) -> None:
    """A search that finds nothing is an answer, not an error."""
    said = cli("instances", "hpc*", "--spot")
    assert (said.code, said.err) == (0, "0 instance types\n")


def test_order(cli: Cli) -> None:
    """Types come smallest first in the column that is asked for, or largest first."""
    memory = [each["memory_mib"] for each in found(cli, "m7*", "--sort", "memory")]
    assert memory == sorted(memory)
    assert [each["memory_mib"] for each in found(cli, "m7*", "--sort", "memory", "--reverse")] == memory[::-1]


def test_limit(cli: Cli) -> None:
    """--limit shows the first of the order, and says how many were found."""
    whole, cut = cli("instances", "c7i.*", "--json").json, cli("instances", "c7i.*", "--limit", "2", "--json").json
    assert cut == {"found": whole["found"], "instances": whole["instances"][:2]}
    assert "2 shown" in cli("instances", "c7i.*", "--limit", "2").err


def test_misspelt(cli: Cli) -> None:
    """A name that is not in the catalogue is an error that says what was meant."""
    said = cli("instances", "c7i.8xlrge")
    assert (said.code, said.out) == (2, "")
    assert said.err == "batchhpc instances: c7i.8xlrge: is not in the catalogue\n  hint: did you mean c7i.8xlarge?\n"


def test_memory_without_unit(cli: Cli) -> None:
    """An amount of memory needs its unit here, too."""
    assert cli("instances", "--min-memory", "64").err == (
        "batchhpc instances: --min-memory: '64' is not an amount of memory\n  hint: write it with its unit: 56 GiB, 512 MiB\n"
    )
