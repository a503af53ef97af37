"""Prices: asked once, kept, exact, and never guessed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from batchhpc.aws.prices.prices import Prices
from batchhpc.compiler.billing import Product
from tests.unit.aws.price_documents import NOW, REGION, StubbedClients, instance, product, spot, steps

NAT = Product("AmazonEC2", "NatGateway-Hours", "hour")


@pytest.fixture
def aws() -> Iterator[StubbedClients]:
    """Clients all of whose answers must be used."""
    clients = StubbedClients()
    yield clients
    clients.done()


def prices(aws: StubbedClients, path: Path | None = None, now: float = NOW) -> Prices:
    """Prices from these clients."""
    return Prices(aws.clients, path, lambda: now)


def term(field: str, value: str, sort: str = "TERM_MATCH") -> dict[str, str]:
    """A filter of GetProducts."""
    return {"Type": sort, "Field": field, "Value": value}


def instances_request(*more: dict[str, str]) -> dict[str, Any]:
    """The request for instance types."""
    linux = {"operatingSystem": "Linux", "tenancy": "Shared", "preInstalledSw": "NA", "capacitystatus": "Used"}
    filters = [term("regionCode", REGION), *(term(field, value) for field, value in linux.items()), *more]
    return {"ServiceCode": "AmazonEC2", "Filters": filters, "MaxResults": 100}


def test_an_instance_type_is_asked_for_by_its_name(aws: StubbedClients) -> None:
    """The price of one type is that of Linux with shared tenancy in the Region, to the last digit."""
    aws.listed(instance("c7i.8xlarge", "1.4280000001"), request=instances_request(term("instanceType", "c7i.8xlarge")))
    assert prices(aws).on_demand(["c7i.8xlarge"])["c7i.8xlarge"].usd == Decimal("1.4280000001")


def test_many_types_take_a_call_for_each_family(aws: StubbedClients) -> None:
    """Families are asked for whole, page by page, and what only contains the family's name does not count."""
    kinds = [f"c7a.{size}xlarge" for size in (8, 16, 32)] + ["m7i.large"]
    request = instances_request(term("instanceType", "c7a.", "CONTAINS"))
    aws.listed(instance("hpc7a.96xlarge", "9"), *(instance(kind, "1") for kind in kinds[:2]), request=request, token="more")
    aws.listed(instance(kinds[2], "3"), request={**request, "NextToken": "more"})
    aws.listed(instance("m7i.large", "4"), request=instances_request(term("instanceType", "m7i.", "CONTAINS")))
    assert [each.usd for each in prices(aws).on_demand(kinds).values()] == [1, 1, 3, 4]


def test_very_many_types_are_asked_for_at_once(aws: StubbedClients) -> None:
    """With more than a dozen families one question for the Region replaces one for each."""
    kinds = [f"x{i}.large" for i in range(13)]
    aws.listed(*(instance(kind, "1") for kind in kinds), request=instances_request())
    assert all(each.usd == 1 for each in prices(aws).on_demand(kinds).values())


@pytest.mark.parametrize("prefix", ["", "EU-", "USE1-", "APN1-", "EUC2-"])
def test_usage_types_have_a_prefix_of_their_region(aws: StubbedClients, prefix: str) -> None:
    """A usage type is known whatever the Region's prefix; one that only contains it is another."""
    aws.listed(product(f"{prefix}NatGateway-Hours", "0.048"), product(f"{prefix}RegionalNatGateway-Hours", "0.9"))
    assert prices(aws).products([NAT])[NAT].usd == Decimal("0.048")


def test_a_product_is_asked_for_by_region_and_usage(aws: StubbedClients) -> None:
    """One call, whose answer cannot be of another Region."""
    filters = [term("regionCode", REGION), term("usagetype", "NatGateway-Hours", "CONTAINS")]
    aws.listed(product("EU-NatGateway-Hours", "0.048"), request={"ServiceCode": "AmazonEC2", "Filters": filters, "MaxResults": 100})
    assert prices(aws).products([NAT])[NAT].usd == Decimal("0.048")


@pytest.mark.parametrize(
    ("documents", "why"),
    [
        ([], "not in the price list"),
        ([product("EU-NatGateway-Hours", "0.1"), product("EU-NatGateway-Hours", "0.2")], "several in the price list: 0.1, 0.2"),
        ([product("EU-NatGateway-Hours", "0.0000000000")], "not in the price list"),
        ([product("EU-NatGateway-Hours", "0.3", currency="CNY")], "not in the price list"),
        ([product("EU-NatGateway-Hours", "0.3", "GB")], "not in the price list"),
        ([product("EU-NatGateway-Hours", "n/a")], "not in the price list"),
        ([product("EU-NatGateway-Hours", "0.3", locationType="AWS Outposts")], "not in the price list"),
        ([json.dumps({"product": {}, "terms": {}})], "not in the price list"),
    ],
)
def test_what_the_list_does_not_say_is_unknown(aws: StubbedClients, documents: list[str], why: str) -> None:
    """No price, several, nothing, another currency, unit or kind of place: None with the reason, never a number."""
    aws.listed(*documents)
    price = prices(aws).products([NAT])[NAT]
    assert price.usd is None
    assert why in price.unknown


def test_free_use_is_not_the_price(aws: StubbedClients) -> None:
    """Of a price in steps it is that of the first that is not free."""
    aws.listed(steps("EU-NatGateway-Hours", [("1000", "0.02"), ("0", "0.00"), ("750", "0.03")], "Hrs"))
    assert prices(aws).products([NAT])[NAT].usd == Decimal("0.03")


def test_units_are_turned_into_ours(aws: StubbedClients) -> None:
    """AWS prices gp3's throughput by GiB/s; a MiB/s is the 1,024th part of it, exactly."""
    throughput = Product("AmazonEC2", "EBS:VolumeP-Throughput.gp3", "MiB/s-month")
    aws.listed(product("APN1-EBS:VolumeP-Throughput.gp3", "49.152", "GiBps-mo"))
    assert prices(aws).products([throughput])[throughput].usd == Decimal("0.048")


def test_without_permission_prices_are_unknown_after_one_call(aws: StubbedClients) -> None:
    """A refusal is said as the reason, and nothing more is asked of that service."""
    aws.refuse("pricing", "get_products")
    found = prices(aws)
    assert "access denied" in found.on_demand(["c7i.large"])["c7i.large"].unknown
    assert found.products([NAT])[NAT] == found.on_demand(["c7i.large"])["c7i.large"]


def test_spot_prices_by_zone(aws: StubbedClients) -> None:
    """Of each zone the newest price counts; the highest is what one must reckon with where the zone is not known."""
    old = spot("c7i.large", "euw1-az1", "0.09", NOW - 900)
    aws.history(spot("c7i.large", "euw1-az1", "0.031"), old, spot("c7i.large", "euw1-az2", "0.04"))
    found = prices(aws).spot(["c7i.large", "c7i.metal"])
    assert found["c7i.large"].zones == {"euw1-az1": Decimal("0.031"), "euw1-az2": Decimal("0.04")}
    assert (found["c7i.large"].at_most(), found["c7i.large"].at_most("euw1-az1")) == (Decimal("0.04"), Decimal("0.031"))
    assert found["c7i.metal"].at_most() is None
    assert found["c7i.metal"].unknown == "EC2 has no Spot price of it"


def test_a_spot_price_of_the_past_is_a_mean_over_time(aws: StubbedClients) -> None:
    """What held before the beginning counts from there on, each price as long as it held."""
    aws.history(
        spot("c7i.large", "euw1-az1", "9", NOW - 9000),
        spot("c7i.large", "euw1-az1", "1", NOW - 5000),
        spot("c7i.large", "euw1-az1", "3", NOW - 1000),
    )
    assert prices(aws).spot_mean("c7i.large", NOW - 4000, NOW).zones == {"euw1-az1": Decimal("1.5")}


def test_prices_are_kept(aws: StubbedClients, tmp_path: Path) -> None:
    """A second process asks nothing: list prices for a day, Spot prices for an hour."""
    path = tmp_path / "a" / "prices.json"
    aws.listed(instance("c7i.large", "0.1"))
    aws.history(spot("c7i.large", "euw1-az1", "0.03"))
    first = prices(aws, path)
    assert (first.on_demand(["c7i.large"])["c7i.large"].usd, first.spot(["c7i.large"])["c7i.large"].lowest) == (
        Decimal("0.1"),
        Decimal("0.03"),
    )
    later = prices(aws, path, NOW + 3599)
    assert later.on_demand(["c7i.large"])["c7i.large"].usd == Decimal("0.1")
    assert later.spot(["c7i.large"])["c7i.large"].lowest == Decimal("0.03")
    aws.history(spot("c7i.large", "euw1-az1", "0.05"))
    assert prices(aws, path, NOW + 3601).spot(["c7i.large"])["c7i.large"].lowest == Decimal("0.05")
    aws.listed(instance("c7i.large", "0.2"))
    assert prices(aws, path, NOW + 86_401).on_demand(["c7i.large"])["c7i.large"].usd == Decimal("0.2")


def test_what_is_unknown_is_not_kept(aws: StubbedClients, tmp_path: Path) -> None:
    """A refusal today is no reason not to ask again in the next process."""
    aws.refuse("pricing", "get_products")
    assert prices(aws, tmp_path / "p").on_demand(["c7i.large"])["c7i.large"].usd is None
    aws.listed(instance("c7i.large", "0.1"))
    assert prices(aws, tmp_path / "p").on_demand(["c7i.large"])["c7i.large"].usd == Decimal("0.1")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 1}', '{"version": 1, "source": "x", "entries": {"a": 1}}', "\x00"])
def test_a_damaged_cache_is_no_cache(aws: StubbedClients, tmp_path: Path, text: str) -> None:
    """Whatever the file holds, prices are asked for, and the file is whole again afterwards."""
    path = tmp_path / "prices.json"
    path.write_text(text)
    aws.listed(instance("c7i.large", "0.1"))
    assert prices(aws, path).on_demand(["c7i.large"])["c7i.large"].usd == Decimal("0.1")
    assert prices(aws, path).on_demand(["c7i.large"])["c7i.large"].usd == Decimal("0.1")
    assert [each.name for each in tmp_path.iterdir()] == ["prices.json"]


def test_a_directory_that_cannot_be_written_is_no_cache(aws: StubbedClients, tmp_path: Path) -> None:
    """Prices are told all the same."""
    (tmp_path / "file").touch()
    aws.listed(instance("c7i.large", "0.1"))
    assert prices(aws, tmp_path / "file" / "prices.json").on_demand(["c7i.large"])["c7i.large"].usd == Decimal("0.1")


def test_prices_of_another_source_do_not_count(aws: StubbedClients, tmp_path: Path) -> None:
    """What an emulator said never passes for Amazon's price."""
    path = tmp_path / "prices.json"
    aws.listed(instance("c7i.large", "0.1"))
    assert prices(aws, path).on_demand(["c7i.large"])
    path.write_text(path.read_text().replace("amazonaws.com", "example.org"))
    aws.listed(instance("c7i.large", "0.2"))
    assert prices(aws, path).on_demand(["c7i.large"])["c7i.large"].usd == Decimal("0.2")


@pytest.mark.parametrize(
    ("zone", "sort"), [(None, "region"), ("euw1-az1", "availability-zone-id"), ("eu-west-1a", "availability-zone")]
)
def test_what_a_region_or_zone_offers(aws: StubbedClients, tmp_path: Path, zone: str | None, sort: str) -> None:
    """Offers are asked for by Region, zone id or zone name, and kept for a day."""
    filters = [{"Name": "location", "Values": [zone]}] if zone else []
    answer = {"InstanceTypeOfferings": [{"InstanceType": "c7i.large", "LocationType": sort, "Location": zone or REGION}]}
    aws.stubs["ec2"].add_response("describe_instance_type_offerings", answer, {"LocationType": sort, "Filters": filters})
    assert prices(aws, tmp_path / "p").offered(zone) == (frozenset({"c7i.large"}), "")
    assert prices(aws, tmp_path / "p").offered(zone) == (frozenset({"c7i.large"}), "")


def test_offers_that_cannot_be_asked_for_are_unknown(aws: StubbedClients) -> None:
    """Without permission nothing is said to be offered, or not."""
    aws.refuse("ec2", "describe_instance_type_offerings", "UnauthorizedOperation")
    offered, why = prices(aws).offered()
    assert offered is None
    assert "access denied" in why
