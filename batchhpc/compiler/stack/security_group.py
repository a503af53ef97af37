"""The one security group of nodes, containers and file systems."""

from __future__ import annotations

from typing import Any, Final

from batchhpc.compiler.environment import EnvironmentPlan
from batchhpc.compiler.stack.network import vpc_id
from batchhpc.compiler.stack.resource import Resources, att, tags

GROUP: Final = "SecurityGroup"
RULES: Final = ("SecurityGroupSelfIn", "SecurityGroupSelfOut")


def group_ids(plan: EnvironmentPlan) -> list[Any]:
    """Security groups of every interface: the environment's own, and the user's of a VPC that is there (R30)."""
    return [att(GROUP, "GroupId"), *plan.spec.network.security_groups]


def security_group(plan: EnvironmentPlan) -> Resources:
    """All traffic within the group, in and out (R85): MPI over EFA, Lustre (988, 1018-1023), NFS (2049); HTTP and HTTPS out."""
    own = att(GROUP, "GroupId")
    return {
        GROUP: {
            "Type": "AWS::EC2::SecurityGroup",
            "Properties": {
                "GroupDescription": f"Nodes, containers and file systems of {plan.stack}",
                "VpcId": vpc_id(plan),
                "SecurityGroupEgress": [
                    {
                        "Description": f"{what}: AWS, images, packages",
                        "IpProtocol": "tcp",
                        "FromPort": port,
                        "ToPort": port,
                        "CidrIp": "0.0.0.0/0",
                    }
                    for port, what in ((443, "HTTPS"), (80, "HTTP"))
                ],
                "Tags": tags(plan, "nodes"),
            },
        },
        # The rule that lets everything out to 0.0.0.0/0 is not enough for EFA: both must name the group itself (R85)
        "SecurityGroupSelfIn": {
            "Type": "AWS::EC2::SecurityGroupIngress",
            "Properties": {
                "Description": "everything from the group itself",
                "GroupId": own,
                "IpProtocol": "-1",
                "SourceSecurityGroupId": own,
            },
        },
        "SecurityGroupSelfOut": {
            "Type": "AWS::EC2::SecurityGroupEgress",
            "Properties": {
                "Description": "everything to the group itself",
                "GroupId": own,
                "IpProtocol": "-1",
                "DestinationSecurityGroupId": own,
            },
        },
    }
