"""Prices over the wire: moto's Spot history and offerings, and a price list that has nothing; AWS's own are not judged here."""

import json
from pathlib import Path

import pytest

from tests.e2e.emulator import REGION, Cli, Emulator

SPEC = {"name": "genomics", "region": REGION, "instance_types": ["c7i.8xlarge"], "max_nodes": 4}
JOB = {"name": "j", "image": "i", "command": ["x"], "nodes": 2, "memory_per_node": "8 GiB", "time_limit": "1h", "attempts": 1}


@pytest.fixture(autouse=True)
def files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A directory with the files that the command line names."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "env.json").write_text(json.dumps(SPEC))
    (tmp_path / "spot.json").write_text(json.dumps({**SPEC, "capacity": "spot"}))
    (tmp_path / "job.json").write_text(json.dumps(JOB))


def test_instances_with_spot_prices_and_no_list_prices(cli: Cli, emulator: Emulator):
    """EC2's Spot history gives prices; what the price list does not have is null, and why; a second look asks no Spot price."""
    code, out, _ = cli("instances", "c5.large", "--price", "--region", REGION, "--json")
    said = json.loads(out)
    (row,) = said["instances"]
    assert (code, row["usd"]["on_demand"]) == (0, None)
    assert float(row["usd"]["spot"]) > 0
    assert said["unknown"] == ["prices are unknown: not in the price list of the Region"]
    cli("instances", "c5.large", "--price", "--region", REGION)
    assert emulator.calls().count("ec2.DescribeSpotPriceHistory") == 1


def test_cost_without_list_prices_is_unknown(cli: Cli):
    """What a job can cost is unknown if the price list has nothing, and that is no error."""
    code, out, _ = cli("cost", "job.json", "--environment", "env.json")
    assert (code, out) == (0, "cost: unknown: c7i.8xlarge: not in the price list of the Region\n")


@pytest.mark.parametrize("code", ["AccessDeniedException", "drop"])
def test_a_price_list_that_fails_is_asked_little(cli: Cli, emulator: Emulator, code: str):
    """A price list that refuses or hangs up makes the cost unknown after two tries at most."""
    emulator.fault("pricing", "*", code, times=-1)
    ended, out, _ = cli("cost", "job.json", "--environment", "env.json")
    assert (ended, out.startswith("cost: unknown: c7i.8xlarge: ")) == (0, True)
    assert emulator.calls().count("pricing.GetProducts") <= 2


def test_max_cost_refuses_what_is_unknown(cli: Cli, emulator: Emulator):
    """Submit --max-cost to a deployed environment refuses a job of unknown cost before anything is registered."""
    assert cli("deploy", "env.json", "--yes")[0] == 0
    code, out, err = cli("submit", "job.json", "--environment", "genomics", "--max-cost", "100")
    assert (code, out) == (2, "")
    assert "--max-cost: is $100.00, and what the job can cost is unknown: " in err
    assert not any("registerjobdefinition" in call.lower() for call in emulator.calls())
