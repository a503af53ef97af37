"""cost, and what submit, status and instances say of prices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from batchhpc.aws import sdk
from batchhpc.cli import deployed, prices
from tests.unit.aws.price_documents import instance, spot
from tests.unit.aws.priced_clients import PricedClients
from tests.unit.cli.conftest import Cli, Said

JOB = "name: j\nimage: i\ncommand: [x]\nnodes: 2\nmemory_per_node: 8 GiB\ntime_limit: 2h\nattempts: 1\n"
WRITTEN = "name: test\nqueue: batchhpc-test\nregion: eu-west-1\ninstance_types: [c7i.8xlarge]\nmax_vcpus: 256\n"
SPEC = "name: test\nregion: eu-west-1\ninstance_types: [c7i.8xlarge]\nmax_nodes: 4\n"


class Account(PricedClients):
    """The command line before an account with prices, and the files it names."""

    def __init__(self, cli: Cli, directory: Path) -> None:
        super().__init__()
        self._cli, self.directory = cli, directory
        for name, text in (("job", JOB), ("written", WRITTEN), ("spec", SPEC)):
            (directory / f"{name}.yaml").write_text(text)

    def __call__(self, *words: object) -> Said:
        return self._cli(*(self.directory / str(word) if str(word).endswith(".yaml") else word for word in words))

    def sells(self, usd: str = "1.5") -> None:
        """The price of the type, on demand and half of it on Spot."""
        self.prices.history(spot("c7i.8xlarge", "euw1-az1", "0.75"))
        self.prices.listed(instance("c7i.8xlarge", usd))

    def refuses(self) -> None:
        """No price is told."""
        self.prices.refuse("ec2", "describe_spot_price_history")
        self.prices.refuse("pricing", "get_products")


@pytest.fixture
def account(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Account:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    made = Account(cli, tmp_path)

    def clients(region: str | None = None, **bounds: Any) -> Any:
        del region, bounds
        return made.clients

    for module in (deployed, prices, sdk):
        monkeypatch.setattr(module, "Clients", clients)
    return made


# --- cost -----------------------------------------------------------------------------------------------------------------


def test_cost_in_an_environment_that_is_written_by_hand(account: Account) -> None:
    """Two nodes for two hours at 1.5 dollars are six at most."""
    account.sells()
    said = account("cost", "job.yaml", "--environment", "written.yaml")
    assert (said.code, said.out.startswith("cost: at most $6.0000: 2 x c7i.8xlarge on demand, ")) == (0, True)


def test_cost_in_an_environment_that_is_not_deployed_yet(account: Account) -> None:
    """An environment spec is taken as it is; what its volumes cost counts, and is unknown if nobody tells."""
    account.sells()
    said = account("cost", "job.yaml", "--environment", "spec.yaml", "--json").json
    assert (said["job"], said["on_demand"], said["at_most"]) == ("j", "1.5", None)
    assert said["unknown"]


def test_cost_in_a_deployed_environment(account: Account) -> None:
    """A name is looked up among what is deployed."""
    account.deployed()
    account.sells()
    assert account("cost", "job.yaml", "--environment", "test", "--json").json["on_demand"] == "1.5"


def test_cost_needs_an_environment(account: Account) -> None:
    """Without an environment nobody knows what is paid for."""
    said = account("cost", "job.yaml")
    assert (said.code, "depends on where it runs" in said.err) == (2, True)


def test_a_price_that_is_refused_is_unknown(account: Account) -> None:
    """A refusal is no error: the cost is unknown, and the line says why."""
    account.refuses()
    said = account("cost", "job.yaml", "--environment", "written.yaml")
    assert said.code == 0
    assert said.out.startswith("cost: unknown: c7i.8xlarge: ")
    assert "pricing:GetProducts" in said.out


# --- check ----------------------------------------------------------------------------------------------------------------


RATE = "checkpoint_time: 30s\n"


@pytest.fixture
def spot_account(account: Account) -> Account:
    """One whose hand-written environment is on Spot, with a stated rate, and whose job takes a bucket."""
    more = "capacity: spot\ninterruption_rate: 0.05/h\nbucket: b\njob_role_arn: arn:aws:iam::123456789012:role/j\n"
    (account.directory / "written.yaml").write_text(WRITTEN + more)
    (account.directory / "job.yaml").write_text(JOB + RATE)
    return account


def test_check_compares_what_is_paid(spot_account: Account) -> None:
    """With --price the node-hours on demand and on Spot have their prices, interruptions counted."""
    spot_account.sells()
    said = spot_account("check", "job.yaml", "--environment", "written.yaml", "--price", "--work", "10h", "--json").json
    told = said["interruptions"]["compared"]
    assert told["on_demand"] == {"node_hours": 20.0, "usd": "30.0000"}
    assert 20 < told["spot"]["node_hours"] < 24
    assert float(told["spot"]["usd"]) == pytest.approx(0.75 * told["spot"]["node_hours"], abs=1e-4)
    shown = spot_account("check", "job.yaml", "--environment", "written.yaml", "--price", "--work", "10h").out
    assert "on demand 20.0 node-hours, $30.00" in shown


def test_check_makes_no_price_up(spot_account: Account) -> None:
    """A price that is refused is unknown, and so it is where nobody was asked."""
    spot_account.refuses()
    shown = spot_account("check", "job.yaml", "--environment", "written.yaml", "--price", "--work", "10h").out
    assert "on demand 20.0 node-hours, price unknown: c7i.8xlarge: " in shown


def test_check_for_a_deployed_environment(account: Account) -> None:
    """A name is looked up among what is deployed, with what its spec says of interruptions, and prices are asked for."""
    account.deployed(capacity="spot", interruption_rate="0.05/h")
    account.sells()
    said = account("check", "job.yaml", "--environment", "test", "--json").json
    assert (said["shape"], said["interruptions"]["rate_per_hour"]) == ("gang", 0.05)
    account.deployed(capacity="spot", interruption_rate="0.05/h")
    on_demand = account("check", "job.yaml", "--environment", "test", "--capacity", "on-demand", "--json").json
    assert (on_demand["shape"], on_demand["interruptions"]) == ("multinode", None)


# --- submit ---------------------------------------------------------------------------------------------------------------


def submit(account: Account, *words: str) -> Said:
    """Submits the job of the file."""
    return account("submit", "job.yaml", "--environment", "written.yaml", *words)


def test_submit_says_first_what_the_job_can_cost(account: Account) -> None:
    """The estimate is one line on standard error, before the job is submitted; standard output is the id alone."""
    account.sells()
    said = submit(account)
    (job_id,) = (each for each in account.fake.jobs if "#" not in each)
    assert (said.code, said.out) == (0, f"{job_id}\n")
    assert said.err.splitlines()[0].startswith("cost: at most $6.0000: ")


def test_submit_goes_on_without_prices(account: Account) -> None:
    """A cost that is not known stops nothing, and JSON says why it is not."""
    account.refuses()
    said = submit(account, "--json")
    assert (said.code, said.json["cost"]["at_most"]) == (0, None)
    assert "pricing:GetProducts" in said.json["cost"]["unknown"]


def test_no_job_dearer_than_max_cost(account: Account) -> None:
    """--max-cost refuses a job that can cost more, with both amounts, before AWS Batch hears of it."""
    account.sells()
    said = submit(account, "--max-cost", "5.99")
    assert (said.code, account.fake.jobs) == (2, {})
    assert "batchhpc submit: --max-cost: is $5.9900, and the job can cost more: at most $6.0000" in said.err


def test_a_job_that_costs_just_that_is_submitted(account: Account) -> None:
    """--max-cost is the most that may be spent."""
    account.sells()
    assert submit(account, "--max-cost", "6").code == 0


def test_no_job_of_unknown_cost_with_max_cost(account: Account) -> None:
    """With --max-cost a job whose cost is unknown is refused, too."""
    account.refuses()
    said = submit(account, "--max-cost", "1000")
    assert (said.code, account.fake.jobs, "what the job can cost is unknown" in said.err) == (2, {}, True)


@pytest.mark.parametrize("amount", ["ten", "-1", "nan", "inf", ""])
def test_max_cost_is_an_amount(account: Account, amount: str) -> None:
    """What is no amount of money is refused before anything else."""
    said = submit(account, f"--max-cost={amount}")
    assert (said.code, "is not an amount of US dollars" in said.err) == (2, True)


# --- status and cost of a job that was submitted --------------------------------------------------------------------------


@pytest.fixture
def ended(account: Account) -> str:
    """A job of two nodes that took half an hour."""
    account.sells()
    submit(account)
    job = next(each for each in account.fake.jobs.values() if each.nodes)
    job.run()
    begin = account.fake.clock()
    account.fake.clock = lambda: begin + 1800
    job.finish(0)
    return job.id


def test_status_says_what_the_job_has_cost(account: Account, ended: str) -> None:
    """Two nodes for half an hour at 1.5 dollars were 1.5 dollars, known from the cache."""
    account.gone()
    account.gone()
    said = account("status", ended)
    assert (said.code, "  cost: about $1.5000: 1.00 node-hours of c7i.8xlarge" in said.out) == (0, True)
    assert account("status", ended, "--json").json["cost"]["usd"] == "1.50000"


def test_cost_of_a_job_that_has_ended(account: Account, ended: str) -> None:
    """The id of a job in the spec's place asks what it cost."""
    account.gone()
    said = account("cost", ended, "--json").json
    assert (said["id"], said["node_hours"], said["unknown"]) == (ended, "1.0000", "")


def test_status_of_a_job_that_has_not_started(account: Account) -> None:
    """A job that has not started has cost nothing, and no price is asked for."""
    account.sells()
    job_id = submit(account).out.strip()
    assert account("status", job_id, "--json").json["cost"] is None


def test_status_without_prices(account: Account, ended: str, tmp_path: Path) -> None:
    """A price that is not told does not fail the status."""
    for path in (tmp_path / "cache").rglob("*.json"):
        path.unlink()
    account.gone()
    account.prices.refuse("pricing", "get_products")
    said = account("status", ended)
    assert (said.code, "1.00 node-hours, price unknown: " in said.out) == (0, True)


# --- instances ------------------------------------------------------------------------------------------------------------


def offers(account: Account, *kinds: str) -> None:
    """The next answer on what a Region or zone offers."""
    items = [{"InstanceType": kind, "LocationType": "region", "Location": "eu-west-1"} for kind in kinds]
    account.prices.stubs["ec2"].add_response("describe_instance_type_offerings", {"InstanceTypeOfferings": items})


def test_instances_with_prices(account: Account) -> None:
    """Each type has its price on demand, as Spot in the cheapest and the dearest zone, and by core."""
    account.prices.listed(instance("c7i.8xlarge", "1.6"))
    account.prices.history(spot("c7i.8xlarge", "euw1-az1", "0.75"), spot("c7i.8xlarge", "euw1-az2", "0.5"))
    (row,) = account("instances", "c7i.8xlarge", "--price", "--json").json["instances"]
    assert [row["usd"][name] for name in ("on_demand", "spot", "spot_high")] == ["1.6", "0.5", "0.75"]


def test_instances_without_prices(account: Account) -> None:
    """Types are shown without the prices that are refused, and it is said why."""
    account.prices.refuse("pricing", "get_products")
    account.prices.refuse("ec2", "describe_spot_price_history")
    said = account("instances", "c7i.8xlarge", "--price", "--json").json
    assert set(said["instances"][0]["usd"].values()) == {None}
    assert said["unknown"][0].startswith("prices are unknown: ")


@pytest.mark.parametrize("where", [["--region", "eu-west-1"], ["--zone", "euw1-az1"]])
def test_instances_that_are_offered(account: Account, where: list[str]) -> None:
    """Only types that the Region or zone offers are found."""
    offers(account, "c7i.8xlarge", "c7i.large")
    found = account("instances", "c7i", *where, "--json").json["instances"]
    assert [each["name"] for each in found] == ["c7i.large", "c7i.8xlarge"]


def test_all_instances_if_offers_are_not_told(account: Account) -> None:
    """If AWS does not tell what it offers, all types are shown, with the reason."""
    account.prices.refuse("ec2", "describe_instance_type_offerings", "UnauthorizedOperation")
    said = account("instances", "c7i.8xlarge", "--region", "eu-west-1")
    assert ("c7i.8xlarge" in said.out, "what eu-west-1 offers is unknown, so all types are shown" in said.err) == (True, True)
