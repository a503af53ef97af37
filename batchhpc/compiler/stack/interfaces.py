"""The network interfaces of each node."""

from __future__ import annotations

from typing import Any

from batchhpc.compiler.environment import EnvironmentPlan
from batchhpc.compiler.stack.security_group import group_ids


def interfaces(plan: EnvironmentPlan) -> list[dict[str, Any]]:
    """The plan's interfaces as the launch template takes them (R81-R84); none for the default interface.

    AWS Batch ignores a subnet given here (R75). The groups are those of the compute environment, which the network
    interface of a multi-node job's container has from there and nowhere else. Where both are given, AWS says that the
    compute environment's apply (R30); whether it takes both has not been tried on an account.
    """
    # EC2 takes the parameter with a single interface only, whatever it says (R84); a private subnet gives none anyway
    private = {"AssociatePublicIpAddress": False} if len(plan.interfaces) == 1 else {}
    return [
        {
            "DeviceIndex": each.device,
            "NetworkCardIndex": each.card,
            "InterfaceType": each.kind,
            "Groups": group_ids(plan),
            "DeleteOnTermination": True,
            **private,
        }
        for each in plan.interfaces
    ]
