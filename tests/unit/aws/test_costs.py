"""What an environment costs by the hour."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest

from batchhpc.aws.prices.costs import Total, dollars, environment_costs
from batchhpc.aws.prices.price_list import Price
from batchhpc.aws.prices.prices import Prices, SpotPrice
from batchhpc.aws.sdk import Clients
from batchhpc.compiler.billing import Product
from batchhpc.compiler.environment import plan_environment
from batchhpc.spec import EnvironmentSpec

GOLDEN = Path(__file__).with_name("costs")


class ListedPrices:
    """Prices of a small price list; ``without`` are usage types and instance types it does not have."""

    def __init__(self, *without: str, why: str = "access denied") -> None:
        self.without, self.why = without, why
        self.usd = {"c7i.8xlarge": Decimal("1.5"), "c7i.16xlarge": Decimal(3), "hpc7a.96xlarge": Decimal("7.2")}

    def now(self) -> float:
        """Unix time."""
        return 1_800_000_000.0

    def _price(self, name: str, usd: Decimal) -> Price:
        return Price(None, self.why) if name in self.without or "*" in self.without else Price(usd)

    def on_demand(self, kinds: Iterable[str]) -> dict[str, Price]:
        """By instance type."""
        return {kind: self._price(kind, self.usd[kind]) for kind in kinds}

    def spot(self, kinds: Iterable[str]) -> dict[str, SpotPrice]:
        """Two zones at a third and at half of the list price."""
        found = {}
        for kind in kinds:
            usd = self._price(f"spot {kind}", self.usd[kind]).usd
            zones = {} if usd is None else {"euw1-az1": usd / 2, "euw1-az2": usd / 3}
            found[kind] = SpotPrice(zones, "" if zones else self.why)
        return found

    def spot_mean(self, kind: str, begin: float, end: float) -> SpotPrice:
        """As today."""
        del begin, end
        return self.spot([kind])[kind]

    def products(self, products: Iterable[Product]) -> dict[Product, Price]:
        """Of each unit a price of its own."""
        usd = {"hour": "0.05", "GiB-month": "0.1", "IOPS-month": "0.01", "MiB/s-month": "0.04", "secret-month": "0.4"}
        return {each: self._price(each.usage, Decimal(usd[each.unit])) for each in products}


def prices(*without: str, why: str = "access denied") -> Prices:
    """A price list as the code under test knows it."""
    return cast(Prices, ListedPrices(*without, why=why))


def spec(**more: Any) -> EnvironmentSpec:
    """An environment."""
    data = {"name": "demo", "region": "eu-west-1", "instance_types": ["c7i.8xlarge", "c7i.16xlarge"], "max_nodes": 4}
    return EnvironmentSpec.from_data({**data, **more})


ENVIRONMENTS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "nat": ({}, ()),
    "endpoints-on-spot": ({"network": {"outbound": "endpoints"}, "capacity": "spot", "min_nodes": 1}, ()),
    "storage": (
        {
            "storage": [
                {"name": "a", "mount": "/a", "lustre": {"deployment": "persistent-2", "throughput": 250, "capacity": "2400 GiB"}},
                {"name": "b", "mount": "/b", "efs": {"throughput": "provisioned", "provisioned_mibps": 100}},
                {"name": "c", "mount": "/c", "ebs": {"type": "io2", "size": "500 GiB", "iops": 70000}},
            ]
        },
        (),
    ),
    "partly-unknown": ({"min_nodes": 2}, ("NatGateway-Hours", "c7i.16xlarge")),
    "unknown": ({}, ("*",)),
}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_the_table_of_costs(name: str) -> None:
    """Costs of an environment as people read them: what there is, how much of it, at which price, and the sums."""
    more, without = ENVIRONMENTS[name]
    found = environment_costs(plan_environment(spec(**more)), cast(Clients, None), prices(*without))
    golden = GOLDEN / f"{name}.txt"
    assert found.text() + "\n" == golden.read_text()


def test_a_sum_without_a_part_is_at_least() -> None:
    """What is not known never counts as nothing: the sum says that it is at least that much."""
    plan = plan_environment(spec())
    whole = environment_costs(plan, cast(Clients, None), prices())
    part = environment_costs(plan, cast(Clients, None), prices("NatGateway-Hours"))
    assert not whole.idle_total.at_least
    assert part.idle_total.at_least
    assert (whole.idle_total.text(), part.idle_total.text()) == ("$0.1005", "at least $0.0505")
    assert environment_costs(plan, cast(Clients, None), prices("*")).idle_total == Total(None, at_least=True)


def test_json_has_exact_amounts_and_null() -> None:
    """Amounts are text, so that no digit is lost; what is not known is null, with the reason."""
    data = environment_costs(plan_environment(spec()), cast(Clients, None), prices("NatGateway-Hours")).to_data()
    nat = data["idle"][0]
    assert (nat["text"], nat["per_hour"], nat["unknown"]) == ("NAT gateway", None, "access denied")
    assert data["instances"][0]["per_hour"] == "1.5"
    assert data["idle_per_hour"]["at_least"]


def test_the_zone_of_the_environment_sets_its_spot_price() -> None:
    """With the zone named, its own price counts, not the dearest zone's."""
    made = spec(capacity="spot", availability_zone="euw1-az2")
    assert environment_costs(plan_environment(made), cast(Clients, None), prices()).instances[0].per_hour == Decimal("0.5")


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0", "$0"),
        ("0.00001", "under $0.0001"),
        ("0.0005", "$0.0005"),
        ("9.87654", "$9.8765"),
        ("10", "$10.00"),
        ("12345.678", "$12,345.68"),
    ],
)
def test_dollars(amount: str, text: str) -> None:
    """Small amounts stay visible, large ones are in cents."""
    assert dollars(Decimal(amount)) == text
