"""What is in the emulated account: asked for, or made before a test, as somebody else would have."""

from __future__ import annotations

from typing import Any

import boto3


def left_of(name: str) -> list[str]:
    """What carries the environment's name or tag, in the services that hold or cost something."""
    ec2, batch = boto3.client("ec2"), boto3.client("batch")
    tagged: Any = [{"Name": "tag:batchhpc:environment", "Values": [name]}]
    return [
        *(vpc["VpcId"] for vpc in ec2.describe_vpcs(Filters=tagged)["Vpcs"]),
        *(subnet["SubnetId"] for subnet in ec2.describe_subnets(Filters=tagged)["Subnets"]),
        *(bucket["Name"] for bucket in boto3.client("s3").list_buckets()["Buckets"]),
        *(system["FileSystemId"] for system in boto3.client("efs").describe_file_systems()["FileSystems"]),
        *(system["FileSystemId"] for system in boto3.client("fsx").describe_file_systems()["FileSystems"]),
        *(queue["jobQueueName"] for queue in batch.describe_job_queues()["jobQueues"]),
        *(each["computeEnvironmentName"] for each in batch.describe_compute_environments()["computeEnvironments"]),
        *(group["logGroupName"] for group in boto3.client("logs").describe_log_groups()["logGroups"]),
        *(stack["StackName"] for stack in boto3.client("cloudformation").describe_stacks()["Stacks"]),
    ]


def existing_network(*, public: bool = False) -> dict[str, str]:
    """A VPC with DNS names and one subnet, whose default route leads to a NAT gateway or straight to the internet."""
    ec2 = boto3.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.0.0/20")["Subnet"]["SubnetId"]
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    if public:
        ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    else:
        address = ec2.allocate_address(Domain="vpc")["AllocationId"]
        nat = ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address)["NatGateway"]["NatGatewayId"]
        ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=nat)
    return {"vpc": vpc, "subnet": subnet}
