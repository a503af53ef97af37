"""The launch template of the nodes."""

from __future__ import annotations

from typing import Any, Final

from batchhpc.compiler.environment import EnvironmentPlan
from batchhpc.compiler.stack.interfaces import interfaces
from batchhpc.compiler.stack.mounting import data_device
from batchhpc.compiler.stack.resource import Resources, gib, tags
from batchhpc.compiler.stack.user_data import user_data
from batchhpc.spec import Capacity
from batchhpc.spec.environment_spec import RootVolume
from batchhpc.spec.storage import Ebs

TEMPLATE: Final = "LaunchTemplate"
ROOT_DEVICE: Final = "/dev/xvda"  # of Amazon Linux, AWS Batch's images and those made from them (R54)


def launch_template(plan: EnvironmentPlan) -> Resources:
    """What instances have beyond what the compute environment itself says.

    AWS Batch ignores instance type, role, subnets, market options and protection given here (R75): none is.
    """
    spec = plan.spec
    data: dict[str, Any] = {
        "BlockDeviceMappings": _volumes(plan),
        # Tokens only. One hop keeps the node's own credentials from containers. On Spot there must be two: the agent asks from
        # its container whether the instance is being taken (R70).
        "MetadataOptions": {
            "HttpTokens": "required",
            "HttpPutResponseHopLimit": 2 if spec.capacity is Capacity.SPOT else 1,
            "HttpEndpoint": "enabled",
        },
        "TagSpecifications": [
            {"ResourceType": kind, "Tags": tags(plan, what)} for kind, what in (("instance", "node"), ("volume", "node"))
        ],
        "UserData": user_data(plan),
    }
    if nics := interfaces(plan):
        data["NetworkInterfaces"] = nics
    if not spec.hyperthreading and plan.types:
        # EC2 wants both numbers, so that all types must have as many cores; the rules see to it
        data["CpuOptions"] = {"CoreCount": plan.types[0].cores, "ThreadsPerCore": 1}
    if spec.capacity_reservation is not None:
        own = spec.capacity_reservation.startswith("cr-")
        name = "CapacityReservationId" if own else "CapacityReservationResourceGroupArn"
        data["CapacityReservationSpecification"] = {"CapacityReservationTarget": {name: spec.capacity_reservation}}
    return {
        TEMPLATE: {
            "Type": "AWS::EC2::LaunchTemplate",
            "Properties": {
                "LaunchTemplateData": data,
                "TagSpecifications": [{"ResourceType": "launch-template", "Tags": tags(plan)}],
            },
        }
    }


def _volumes(plan: EnvironmentPlan) -> list[dict[str, Any]]:
    data = [each.ebs for each in plan.spec.storage if each.ebs is not None]
    return [
        {"DeviceName": ROOT_DEVICE, "Ebs": _volume(plan, plan.spec.root_volume)},
        *({"DeviceName": data_device(i), "Ebs": _volume(plan, each)} for i, each in enumerate(data)),
    ]


def _volume(plan: EnvironmentPlan, volume: Ebs | RootVolume) -> dict[str, Any]:
    made: dict[str, Any] = {
        "VolumeType": volume.type.value,
        "VolumeSize": gib(volume.size),
        "Encrypted": True,
        "DeleteOnTermination": True,
    }
    wanted = {"Iops": volume.iops, "Throughput": volume.throughput, "KmsKeyId": plan.spec.kms_key}
    return {**made, **{name: value for name, value in wanted.items() if value is not None}}
