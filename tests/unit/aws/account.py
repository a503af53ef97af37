"""An account as the pre-flight of environments sees it: zones, one VPC with a subnet, quotas."""

from __future__ import annotations

from typing import Any

from batchhpc.compiler.environment import EnvironmentPlan, plan_environment
from batchhpc.spec import EnvironmentSpec
from tests.unit.aws.fake_aws import REGION, Answer, FakeAws, Request

VPC, SUBNET = "vpc-0123456789abcdef0", "subnet-0123456789abcdef0"
NETWORK = {"vpc": VPC, "subnet": SUBNET}
NAT = {"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat-1", "State": "active"}
INTERNET = {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1", "State": "active"}
LOCAL = {"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local", "State": "active"}
STANDARD = "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances"


def spec(**changes: Any) -> EnvironmentSpec:
    """A small environment, with changes."""
    return EnvironmentSpec.from_data(
        {"name": "genomics", "region": REGION, "instance_types": ["c7i.8xlarge", "c7i.16xlarge"], "max_nodes": 4, **changes}, "test"
    )


def plan(**changes: Any) -> EnvironmentPlan:
    """The plan of it."""
    return plan_environment(spec(**changes))


def offerings(zones: dict[str, tuple[str, ...]]) -> Answer:
    """An answer of DescribeInstanceTypeOfferings."""
    found = [
        {"InstanceType": kind, "LocationType": "availability-zone-id", "Location": zone}
        for zone, kinds in zones.items()
        for kind in kinds
    ]
    return {"InstanceTypeOfferings": found}


def quotas(**vcpus: float) -> Answer:
    """An answer of ListServiceQuotas: by the families in the quota's name, ``P5``, or the standard ones."""
    names = {name: STANDARD if name == "standard" else f"Running On-Demand {name} instances" for name in vcpus}
    return {"Quotas": [{"QuotaName": names[name], "Value": value} for name, value in vcpus.items()]}


def subnet(**changes: Any) -> Answer:
    """An answer of DescribeSubnets."""
    one = {
        "SubnetId": SUBNET,
        "VpcId": VPC,
        "AvailabilityZoneId": "euw1-az1",
        "AvailabilityZone": "eu-west-1a",
        "AvailableIpAddressCount": 250,
        **changes,
    }
    return {"Subnets": [one]}


def route_table(*routes: Answer, of: str | None = SUBNET, main: bool = False) -> Answer:
    """One route table, of a subnet or the VPC's main one."""
    link = {"Main": main, **({"SubnetId": of} if of and not main else {})}
    return {"RouteTableId": "rtb-1", "Associations": [link], "Routes": [LOCAL, *routes]}


def dns(*off: str) -> Any:
    """Answers of DescribeVpcAttribute: everything on but what is named."""

    def answer(request: Request) -> Answer:
        name = request["Attribute"]
        return {"VpcId": VPC, name[0].upper() + name[1:]: {"Value": name not in off}}

    return answer


def account(zones: dict[str, tuple[str, ...]] | None = None) -> FakeAws:
    """An account that nothing speaks against."""
    both = ("c7i.8xlarge", "c7i.16xlarge")
    fake = FakeAws().on("ec2.DescribeInstanceTypeOfferings", offerings({"euw1-az1": both} if zones is None else zones))
    fake.on("service-quotas.ListServiceQuotas", quotas(standard=1000))
    fake.on("ec2.DescribeSubnets", subnet()).on("ec2.DescribeVpcAttribute", dns())
    return fake.on("ec2.DescribeRouteTables", {"RouteTables": [route_table(NAT)]})
