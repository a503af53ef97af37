"""The network: a new VPC with one private subnet for the nodes, and their ways out; or nothing, where a VPC is there."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any, Final

from batchhpc.compiler.environment import EnvironmentPlan
from batchhpc.compiler.stack import network_acl
from batchhpc.compiler.stack.resource import Resources, att, ref, sub, tags
from batchhpc.compiler.stack.zone import zone_id
from batchhpc.spec.network import Outbound

VPC: Final = "Vpc"
SUBNET: Final = "NodeSubnet"
ROUTES: Final = "NodeRoutes"
PUBLIC: Final = "PublicSubnet"

# What a node without a way to the internet must reach, and for what. There is none for STS (credentials come from the ECS
# agent and the instance metadata), EC2, Batch or KMS (AWS's services call it, not the nodes).
ENDPOINTS: Final = {
    "ecs": "the agent registers the node and reports its tasks",
    "ecs-agent": "the agent is told of tasks to start and stop",
    "ecs-telemetry": "the agent reports health",
    "ecr.api": "the agent asks for the right to pull images",
    "ecr.dkr": "the agent pulls manifests of images; their layers come through the S3 endpoint",
    "logs": "output of jobs",
    "secretsmanager": "the agent fetches the secret that jobs authenticate their nodes with",
}


def endpoints(plan: EnvironmentPlan) -> list[str]:
    """The interface endpoints that an environment needs; parameters that jobs take as secrets are one more (R17)."""
    parameters = any(text.split(":")[2] == "ssm" for text in plan.spec.access.secrets)
    return [*ENDPOINTS, *(["ssm"] if parameters else [])]


def vpc_id(plan: EnvironmentPlan) -> Any:
    """The VPC, new or not."""
    return plan.spec.network.vpc or ref(VPC)


def subnet_id(plan: EnvironmentPlan) -> Any:
    """The nodes' subnet, new or not."""
    return plan.spec.network.subnet or ref(SUBNET)


def node_cidr(plan: EnvironmentPlan) -> IPv4Network:
    """Addresses of the nodes: the first half of the VPC's."""
    return next(IPv4Network(plan.spec.network.cidr, strict=False).subnets(1))


def public_cidr(plan: EnvironmentPlan) -> IPv4Network:
    """Addresses of the NAT gateway's subnet: the first 16 of the second half; AWS makes none smaller."""
    second = list(IPv4Network(plan.spec.network.cidr, strict=False).subnets(1))[1]
    return next(second.subnets(new_prefix=28))


def network(plan: EnvironmentPlan) -> Resources:
    """The VPC and all in it; nothing for a VPC that is there."""
    if not plan.spec.network.is_new:
        return {}
    nat = plan.spec.network.outbound is Outbound.NAT
    return {
        **_vpc(plan),
        **(_nat(plan) if nat else _endpoints(plan)),
        **network_acl.node_acl(plan, vpc_id(plan), SUBNET),
        **(network_acl.public_acl(plan, vpc_id(plan), PUBLIC, node_cidr(plan)) if nat else {}),
    }


def ways_out(plan: EnvironmentPlan) -> list[str]:
    """What must be there before the first node starts, and must not go before the last one has."""
    if not plan.spec.network.is_new:
        return []
    made = ["NodeRoutesOfSubnet", "NodeAclOfSubnet", "S3Endpoint"]
    nat = plan.spec.network.outbound is Outbound.NAT
    return [
        *made,
        *(["NodeDefaultRoute", "PublicRoutesOfSubnet", "PublicDefaultRoute"] if nat else map(_endpoint_name, endpoints(plan))),
    ]


def _vpc(plan: EnvironmentPlan) -> Resources:
    return {
        VPC: {
            "Type": "AWS::EC2::VPC",
            "Properties": {
                "CidrBlock": plan.spec.network.cidr,
                # Host names of nodes and file systems, and private names of endpoints (R34)
                "EnableDnsHostnames": True,
                "EnableDnsSupport": True,
                "Tags": tags(plan, "network"),
            },
        },
        SUBNET: {
            "Type": "AWS::EC2::Subnet",
            "Properties": {
                "VpcId": ref(VPC),
                "CidrBlock": str(node_cidr(plan)),
                "AvailabilityZoneId": zone_id(plan),
                "MapPublicIpOnLaunch": False,
                "Tags": tags(plan, "nodes"),
            },
        },
        ROUTES: {"Type": "AWS::EC2::RouteTable", "Properties": {"VpcId": ref(VPC), "Tags": tags(plan, "nodes")}},
        "NodeRoutesOfSubnet": {
            "Type": "AWS::EC2::SubnetRouteTableAssociation",
            "Properties": {"RouteTableId": ref(ROUTES), "SubnetId": ref(SUBNET)},
        },
        "S3Endpoint": {
            "Type": "AWS::EC2::VPCEndpoint",
            "Properties": {
                "VpcEndpointType": "Gateway",
                "VpcId": ref(VPC),
                "ServiceName": sub("com.amazonaws.${AWS::Region}.s3"),
                "RouteTableIds": [ref(ROUTES)],
                "Tags": tags(plan, "s3"),
            },
        },
    }


def _nat(plan: EnvironmentPlan) -> Resources:
    return {
        "InternetGateway": {"Type": "AWS::EC2::InternetGateway", "Properties": {"Tags": tags(plan, "internet")}},
        "InternetGatewayOfVpc": {
            "Type": "AWS::EC2::VPCGatewayAttachment",
            "Properties": {"VpcId": ref(VPC), "InternetGatewayId": ref("InternetGateway")},
        },
        PUBLIC: {
            "Type": "AWS::EC2::Subnet",
            "Properties": {
                "VpcId": ref(VPC),
                "CidrBlock": str(public_cidr(plan)),
                # The nodes' own zone: traffic between zones costs
                "AvailabilityZone": att(SUBNET, "AvailabilityZone"),
                "MapPublicIpOnLaunch": False,
                "Tags": tags(plan, "nat"),
            },
        },
        "PublicRoutes": {"Type": "AWS::EC2::RouteTable", "Properties": {"VpcId": ref(VPC), "Tags": tags(plan, "nat")}},
        "PublicRoutesOfSubnet": {
            "Type": "AWS::EC2::SubnetRouteTableAssociation",
            "Properties": {"RouteTableId": ref("PublicRoutes"), "SubnetId": ref(PUBLIC)},
        },
        "PublicDefaultRoute": {
            "Type": "AWS::EC2::Route",
            "DependsOn": ["InternetGatewayOfVpc"],
            "Properties": {
                "RouteTableId": ref("PublicRoutes"),
                "DestinationCidrBlock": "0.0.0.0/0",
                "GatewayId": ref("InternetGateway"),
            },
        },
        "NatAddress": {
            "Type": "AWS::EC2::EIP",
            "DependsOn": ["InternetGatewayOfVpc"],
            "Properties": {"Domain": "vpc", "Tags": tags(plan, "nat")},
        },
        "NatGateway": {
            "Type": "AWS::EC2::NatGateway",
            "DependsOn": ["InternetGatewayOfVpc"],
            "Properties": {"AllocationId": att("NatAddress", "AllocationId"), "SubnetId": ref(PUBLIC), "Tags": tags(plan, "nat")},
        },
        "NodeDefaultRoute": {
            "Type": "AWS::EC2::Route",
            "Properties": {
                "RouteTableId": ref(ROUTES),
                "DestinationCidrBlock": "0.0.0.0/0",
                "NatGatewayId": ref("NatGateway"),
            },
        },
    }


def _endpoints(plan: EnvironmentPlan) -> Resources:
    made: Resources = {
        "EndpointSecurityGroup": {
            "Type": "AWS::EC2::SecurityGroup",
            "Properties": {
                "GroupDescription": f"Endpoints of {plan.stack}: HTTPS from its nodes",
                "VpcId": ref(VPC),
                "SecurityGroupIngress": [
                    {
                        "Description": "HTTPS from nodes and containers",
                        "IpProtocol": "tcp",
                        "FromPort": 443,
                        "ToPort": 443,
                        "SourceSecurityGroupId": att("SecurityGroup", "GroupId"),
                    }
                ],
                # One rule that lets nothing out stands for none: without any, everything would be allowed
                "SecurityGroupEgress": [
                    {"Description": "nothing", "IpProtocol": "icmp", "FromPort": 252, "ToPort": 86, "CidrIp": "255.255.255.255/32"}
                ],
                "Tags": tags(plan, "endpoints"),
            },
        }
    }
    for service in endpoints(plan):
        made[_endpoint_name(service)] = {
            "Type": "AWS::EC2::VPCEndpoint",
            "Properties": {
                "VpcEndpointType": "Interface",
                "VpcId": ref(VPC),
                "ServiceName": sub(f"com.amazonaws.${{AWS::Region}}.{service}"),
                "SubnetIds": [ref(SUBNET)],
                "SecurityGroupIds": [att("EndpointSecurityGroup", "GroupId")],
                "PrivateDnsEnabled": True,
                "Tags": tags(plan, service),
            },
        }
    return made


def _endpoint_name(service: str) -> str:
    return "".join(part.capitalize() for part in service.replace(".", "-").split("-")) + "Endpoint"
