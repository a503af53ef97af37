"""Whether a VPC and subnet that are there can hold the nodes."""

from __future__ import annotations

from typing import Any

import pytest

from batchhpc.aws.environments.change_set import mark_of
from batchhpc.aws.environments.planning import deployable, prepare
from batchhpc.aws.environments.subnets import subnet_problems, zone_name_of, zone_of
from batchhpc.errors import Problem, Severity, Unavailable
from tests.unit.aws.account import INTERNET, NAT, NETWORK, SUBNET, VPC, account, dns, route_table, spec, subnet
from tests.unit.aws.fake_aws import Answer, FakeAws
from tests.unit.aws.fake_jobs import Refusal

NOT_FOUND = Refusal("The subnet ID does not exist", "InvalidSubnetID.NotFound")
BLACKHOLE = {**NAT, "State": "blackhole"}
IPV6_INTERNET = {"DestinationIpv6CidrBlock": "::/0", "GatewayId": "igw-1", "State": "active"}


def problems(fake: FakeAws, **changes: Any) -> list[Problem]:
    """What speaks against the subnet."""
    return list(subnet_problems(spec(network=NETWORK, **changes), fake.clients))


def test_a_private_subnet() -> None:
    """A subnet with a NAT gateway in a VPC with DNS is as it should be."""
    assert problems(account()) == []


def test_a_subnet_that_is_not_there() -> None:
    """A subnet that is not there is an error, and has no zone."""
    fake = account().on("ec2.DescribeSubnets", NOT_FOUND)
    assert [each.message for each in problems(fake)] == [f"there is no {SUBNET} in eu-west-1"]
    assert (zone_of(SUBNET, fake.clients), zone_name_of(SUBNET, fake.clients)) == (None, None)


def test_the_zone_of_a_subnet() -> None:
    """A subnet's zone is known by id and by name; a refusal is none of "not there"."""
    assert (zone_of(SUBNET, account().clients), zone_name_of(SUBNET, account().clients)) == ("euw1-az1", "eu-west-1a")
    with pytest.raises(Unavailable, match="access denied"):
        zone_of(SUBNET, account().on("ec2.DescribeSubnets", Refusal("no", "UnauthorizedOperation")).clients)


def test_a_subnet_of_another_vpc() -> None:
    """A subnet of another VPC is an error that names the right one."""
    (only,) = problems(account().on("ec2.DescribeSubnets", subnet(VpcId="vpc-2")))
    assert (only.message, only.hint) == (f"{SUBNET} is in vpc-2, not in {VPC}", "vpc: vpc-2")


def test_a_subnet_of_another_zone() -> None:
    """A zone in the spec that is not the subnet's is an error."""
    (only,) = problems(account(), availability_zone="euw1-az3")
    assert (only.path, only.message) == ("availability_zone", f"is euw1-az3, but {SUBNET} is in euw1-az1")


@pytest.mark.parametrize(("free", "said"), [(8, []), (7, [f"{SUBNET} has 7 free addresses; 4 nodes need 8, 2 each (R28)"])])
def test_a_subnet_that_is_too_small(free: int, said: list[str]) -> None:
    """Fewer free addresses than all nodes take are a warning with both numbers (R28)."""
    found = problems(account().on("ec2.DescribeSubnets", subnet(AvailableIpAddressCount=free)))
    assert [each.message for each in found] == said
    assert all(each.severity is Severity.WARNING for each in found)


@pytest.mark.parametrize(
    ("tables", "severity", "said"),
    [
        ([route_table(NAT)], None, ""),
        ([route_table(INTERNET)], Severity.ERROR, "is public: its default route goes to igw-1"),
        ([route_table(INTERNET, of=None, main=True)], Severity.ERROR, "is public"),
        ([route_table(INTERNET, of=None, main=True), route_table(NAT)], None, ""),
        ([route_table(NAT, of=None, main=True), route_table(INTERNET)], Severity.ERROR, "is public"),
        ([route_table(NAT), route_table(INTERNET, of="subnet-2")], None, ""),
        ([route_table(NAT, IPV6_INTERNET)], None, ""),
        ([route_table()], Severity.WARNING, "has no default route"),
        ([route_table(BLACKHOLE)], Severity.WARNING, "has no default route"),
        ([], Severity.WARNING, "has no default route"),
    ],
    ids=["nat", "public", "main public", "own nat", "own public", "other's", "ipv6", "none", "blackhole", "no table"],
)
def test_the_way_out(tables: list[Answer], severity: Severity | None, said: str) -> None:
    """A subnet's own table, else the VPC's main one, must not lead to an internet gateway (R29); without a way out it is said."""
    found = problems(account().on("ec2.DescribeRouteTables", {"RouteTables": tables}))
    assert [(each.severity, each.rule) for each in found] == ([(severity, "R29")] if severity else [])
    assert all(said in each.message for each in found)


@pytest.mark.parametrize(
    ("off", "option"), [("enableDnsSupport", "--enable-dns-support"), ("enableDnsHostnames", "--enable-dns-hostnames")]
)
def test_a_vpc_without_dns(off: str, option: str) -> None:
    """A VPC without DNS is an error with the command that turns it on (R34)."""
    (only,) = problems(account().on("ec2.DescribeVpcAttribute", dns(off)))
    assert (only.path, only.rule, off in only.message) == ("network.vpc", "R34", True)
    assert only.hint == f"aws ec2 modify-vpc-attribute --vpc-id {VPC} {option}"


def test_all_problems_of_a_subnet_at_once() -> None:
    """Addresses, route and DNS are told together."""
    fake = account().on("ec2.DescribeSubnets", subnet(AvailableIpAddressCount=0))
    fake.on("ec2.DescribeRouteTables", {"RouteTables": [route_table(INTERNET)]})
    fake.on("ec2.DescribeVpcAttribute", dns("enableDnsSupport", "enableDnsHostnames"))
    assert [each.rule for each in problems(fake)] == ["", "R29", "R34", "R34"]


def test_the_zone_by_name_where_the_template_wants_it() -> None:
    """A one-zone file system in a VPC that is there is told the name of the subnet's zone."""
    storage = [{"name": "shared", "mount": "/shared", "efs": {"one_zone": True}}]
    what = deployable(spec(network=NETWORK, storage=storage))
    assert mark_of(what.template, what.tags) == what.mark
    stack = "arn:aws:cloudformation:eu-west-1:123456789012:stack/batchhpc-genomics/1"
    found = {"ChangeSetName": "batchhpc-1", "StackId": stack, "Status": "CREATE_COMPLETE", "Changes": []}
    fake = account().on("cloudformation.CreateChangeSet", {"Id": "arn:set", "StackId": stack})
    fake.on("cloudformation.DescribeChangeSet", found).on("pricing.GetProducts", {"PriceList": []})
    prepare(what, fake.clients, None)
    (request,) = fake.asked("cloudformation.CreateChangeSet")
    assert request["Parameters"] == [{"ParameterKey": "AvailabilityZoneName", "ParameterValue": "eu-west-1a"}]
