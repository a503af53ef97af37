"""Network ACLs of a new VPC (R136): stateless, so what comes back must be let in on the ports it comes back to."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any, Final

from batchhpc.compiler.environment import EnvironmentPlan
from batchhpc.compiler.stack.resource import Resources, ref, tags

_ANY: Final = "0.0.0.0/0"
_RETURN: Final = (1024, 65535)  # ports that answers come back to; NAT gateways use all of them
_TCP, _UDP, _ALL = 6, 17, -1


def node_acl(plan: EnvironmentPlan, vpc: Any, subnet: str) -> Resources:
    """The nodes' subnet: everything within the VPC, HTTP and HTTPS out, answers in.

    Also without a way to the internet: the gateway endpoint of S3 has public addresses, and an ACL takes no prefix lists.
    EFA and MPI traffic stays within the subnet, where no ACL sees it.
    """
    cidr = plan.spec.network.cidr
    return _acl(
        plan,
        "NodeAcl",
        vpc,
        subnet,
        incoming=[(_ALL, None, cidr), (_TCP, _RETURN, _ANY)],
        outgoing=[(_ALL, None, cidr), (_TCP, (443, 443), _ANY), (_TCP, (80, 80), _ANY)],
    )


def public_acl(plan: EnvironmentPlan, vpc: Any, subnet: str, nodes: IPv4Network) -> Resources:
    """The NAT gateway's subnet: HTTP and HTTPS from the nodes and on, answers back."""
    return _acl(
        plan,
        "PublicAcl",
        vpc,
        subnet,
        incoming=[(_TCP, (443, 443), str(nodes)), (_TCP, (80, 80), str(nodes)), (_TCP, _RETURN, _ANY)],
        outgoing=[(_TCP, _RETURN, str(nodes)), (_TCP, (443, 443), _ANY), (_TCP, (80, 80), _ANY)],
    )


_Entry = tuple[int, tuple[int, int] | None, str]


def _acl(plan: EnvironmentPlan, name: str, vpc: Any, subnet: str, *, incoming: list[_Entry], outgoing: list[_Entry]) -> Resources:
    made: Resources = {
        name: {"Type": "AWS::EC2::NetworkAcl", "Properties": {"VpcId": vpc, "Tags": tags(plan, "acl")}},
        f"{name}OfSubnet": {
            "Type": "AWS::EC2::SubnetNetworkAclAssociation",
            "Properties": {"NetworkAclId": ref(name), "SubnetId": ref(subnet)},
        },
    }
    for egress, entries in ((False, incoming), (True, outgoing)):
        for i, (protocol, ports, cidr) in enumerate(entries, 1):
            made[f"{name}{'Out' if egress else 'In'}{i}"] = {
                "Type": "AWS::EC2::NetworkAclEntry",
                "Properties": {
                    "NetworkAclId": ref(name),
                    "RuleNumber": 100 * i,
                    "Egress": egress,
                    "RuleAction": "allow",
                    "Protocol": protocol,
                    "CidrBlock": cidr,
                    **({"PortRange": {"From": ports[0], "To": ports[1]}} if ports else {}),
                },
            }
    return made
