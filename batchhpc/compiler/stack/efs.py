"""Amazon EFS (R102)."""

from __future__ import annotations

from typing import Any, Final

from batchhpc.compiler.environment import EnvironmentPlan
from batchhpc.compiler.stack.network import subnet_id
from batchhpc.compiler.stack.policies import document
from batchhpc.compiler.stack.resource import Resource, Resources, att, kept, ref, tags, title
from batchhpc.compiler.stack.security_group import GROUP
from batchhpc.compiler.stack.zone import zone_name
from batchhpc.spec.storage import Efs, EfsThroughput, Storage

MOUNT: Final = "elasticfilesystem:ClientMount"
WRITE: Final = "elasticfilesystem:ClientWrite"
ROOT: Final = "elasticfilesystem:ClientRootAccess"


def efs_name(storage: Storage) -> str:
    """Name of a file system in the template."""
    return f"Efs{title(storage.name)}"


def target_name(storage: Storage) -> str:
    """Name of a file system's mount target in the template."""
    return f"{efs_name(storage)}Target"


def efs(plan: EnvironmentPlan) -> Resources:
    """The file systems, each with a mount target in the nodes' subnet."""
    made: Resources = {}
    for storage in plan.spec.storage:
        if storage.efs is None:
            continue
        made[efs_name(storage)] = _file_system(plan, storage.name, storage.efs)
        made[target_name(storage)] = {
            "Type": "AWS::EFS::MountTarget",
            "Properties": {
                "FileSystemId": ref(efs_name(storage)),
                "SubnetId": subnet_id(plan),
                "SecurityGroups": [att(GROUP, "GroupId")],
            },
        }
    return made


def _file_system(plan: EnvironmentPlan, name: str, wanted: Efs) -> Resource:
    properties: dict[str, Any] = {
        "Encrypted": True,
        "PerformanceMode": "maxIO" if wanted.max_io else "generalPurpose",
        "ThroughputMode": wanted.throughput.value,
        "BackupPolicy": {"Status": "ENABLED" if wanted.backup else "DISABLED"},
        "FileSystemPolicy": _policy(),
        "FileSystemTags": tags(plan, name),
    }
    if wanted.throughput is EfsThroughput.PROVISIONED:
        properties["ProvisionedThroughputInMibps"] = wanted.provisioned_mibps
    if plan.spec.kms_key is not None:
        properties["KmsKeyId"] = plan.spec.kms_key
    if wanted.one_zone:
        properties["AvailabilityZoneName"] = zone_name(plan)
    if wanted.archive_after_days is not None:
        days = wanted.archive_after_days
        properties["LifecyclePolicies"] = [
            {"TransitionToIA": f"AFTER_{days}_DAY{'' if days == 1 else 'S'}"},
            {"TransitionToPrimaryStorageClass": "AFTER_1_ACCESS"},
        ]
    return kept({"Type": "AWS::EFS::FileSystem", "Properties": properties})


def _policy() -> dict[str, Any]:
    """Nothing without TLS. Where there is a policy, who is nobody may do nothing: the roles' own policies say who may."""
    return document(
        {
            "Sid": "OnlyOverTls",
            "Effect": "Deny",
            "Principal": {"AWS": "*"},
            "Action": [MOUNT, ROOT, WRITE],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
    )
