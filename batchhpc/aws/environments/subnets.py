"""Whether a VPC and subnet that are there can hold an environment's nodes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from batchhpc.aws.refusals import code_of
from batchhpc.aws.sdk import sdk_errors
from batchhpc.errors import Problem, Severity

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import SubnetTypeDef

    from batchhpc.aws.sdk import Clients
    from batchhpc.spec import EnvironmentSpec

_EVERYWHERE = "0.0.0.0/0"  # a way out for IPv6 alone neither helps nor harms: nodes and containers speak IPv4
_ADDRESSES_PER_NODE = 2  # the host's own, and the container's (R28)


def zone_of(subnet: str, clients: Clients) -> str | None:
    """Id of the zone that a subnet is in; None if there is no such subnet.

    Raises:
        Unavailable: AWS cannot be asked.
    """
    found = _subnet(subnet, clients)
    return found.get("AvailabilityZoneId") if found else None


def zone_name_of(subnet: str, clients: Clients) -> str | None:
    """Name of the zone that a subnet is in, ``eu-west-1a``; None if there is no such subnet.

    Raises:
        Unavailable: AWS cannot be asked.
    """
    found = _subnet(subnet, clients)
    return found.get("AvailabilityZone") if found else None


def subnet_problems(spec: EnvironmentSpec, clients: Clients) -> Iterator[Problem]:
    """What speaks against the spec's VPC and subnet.

    Raises:
        Unavailable: AWS cannot be asked.
    """
    network = spec.network
    assert network.subnet is not None
    assert network.vpc is not None
    found = _subnet(network.subnet, clients)
    if found is None:
        yield Problem("network.subnet", f"there is no {network.subnet} in {spec.region}", "aws ec2 describe-subnets lists them")
        return
    if found["VpcId"] != network.vpc:
        yield Problem("network.subnet", f"{network.subnet} is in {found['VpcId']}, not in {network.vpc}", f"vpc: {found['VpcId']}")
        return
    zone = found.get("AvailabilityZoneId", "")
    if spec.availability_zone not in (None, zone):
        yield Problem("availability_zone", f"is {spec.availability_zone}, but {network.subnet} is in {zone}", f"{zone}, or none")
    free, wanted = found["AvailableIpAddressCount"], spec.max_nodes * _ADDRESSES_PER_NODE
    if free < wanted:
        text = f"{network.subnet} has {free} free addresses; {spec.max_nodes} nodes need {wanted}, 2 each (R28)"
        yield Problem("network.subnet", text, "a larger subnet, or fewer max_nodes", severity=Severity.WARNING)
    yield from _route_problems(network.subnet, network.vpc, clients)
    yield from _dns_problems(network.vpc, clients)


def _subnet(subnet: str, clients: Clients) -> SubnetTypeDef | None:
    with sdk_errors():
        from botocore.exceptions import ClientError  # noqa: PLC0415 - half a second

        try:
            return clients.ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]
        except ClientError as error:
            if code_of(error) == "InvalidSubnetID.NotFound":
                return None
            raise


def _route_problems(subnet: str, vpc: str, clients: Clients) -> Iterator[Problem]:
    """Containers of multi-node jobs have no way out of a public subnet (R29)."""
    with sdk_errors():
        tables = clients.ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"]
    own = [each for each in tables if any(link.get("SubnetId") == subnet for link in each["Associations"])]
    # A subnet without a table of its own has the VPC's main one.
    main = [each for each in tables if any(link.get("Main") for link in each["Associations"])]
    routes = [route for table in (own or main)[:1] for route in table["Routes"]]
    out = [route for route in routes if route.get("DestinationCidrBlock") == _EVERYWHERE]
    public = [route for route in out if route.get("GatewayId", "").startswith("igw-")]
    if public:
        text = f"{subnet} is public: its default route goes to {public[0]['GatewayId']}, and containers have no public address"
        yield Problem("network.subnet", text, "a private subnet with a NAT gateway, or with VPC endpoints", "R29")
    elif not any(route.get("State") != "blackhole" for route in out):
        text = f"{subnet} has no default route: the nodes reach AWS only by VPC endpoints, which were not checked"
        hint = "endpoints: ecs, ecs-agent, ecs-telemetry, ecr.api, ecr.dkr, logs, secretsmanager, s3"
        yield Problem("network.subnet", text, hint, "R29", Severity.WARNING)


def _dns_problems(vpc: str, clients: Clients) -> Iterator[Problem]:
    """File systems and endpoints are found by name (R34)."""
    with sdk_errors():
        support = clients.ec2.describe_vpc_attribute(VpcId=vpc, Attribute="enableDnsSupport")["EnableDnsSupport"]
        names = clients.ec2.describe_vpc_attribute(VpcId=vpc, Attribute="enableDnsHostnames")["EnableDnsHostnames"]
    for name, value in (("enableDnsSupport", support), ("enableDnsHostnames", names)):
        if not value.get("Value"):
            hint = f"aws ec2 modify-vpc-attribute --vpc-id {vpc} --{_dashed(name)}"
            yield Problem("network.vpc", f"{vpc} has {name} off: nodes do not find file systems by their names", hint, "R34")


def _dashed(name: str) -> str:
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name)
