"""Amazon FSx for Lustre (R103-R105)."""

from __future__ import annotations

from typing import Any, Final

from batchhpc.compiler.environment import EnvironmentPlan
from batchhpc.compiler.stack.bucket import BUCKET
from batchhpc.compiler.stack.network import subnet_id
from batchhpc.compiler.stack.resource import Resource, Resources, att, gib, kept, ref, sub, tags, title
from batchhpc.compiler.stack.security_group import GROUP, RULES
from batchhpc.spec.storage import DataRepository, Lustre, LustreDeployment, LustreStorage, Storage

_CHANGES: Final = ("NEW", "CHANGED", "DELETED")


def lustre_name(storage: Storage) -> str:
    """Name of a file system in the template."""
    return f"Lustre{title(storage.name)}"


def lustre(plan: EnvironmentPlan) -> Resources:
    """The Lustre file systems and the parts of buckets that they show."""
    made: Resources = {}
    for storage in plan.spec.storage:
        if storage.lustre is None:
            continue
        name = lustre_name(storage)
        made[name] = _file_system(plan, storage.name, storage.lustre)
        for i, data in enumerate(storage.lustre.data):
            made[f"{name}Data{i}"] = _association(plan, name, data)
    return made


def _persistent(lustre: Lustre) -> bool:
    return lustre.deployment in {LustreDeployment.PERSISTENT_1, LustreDeployment.PERSISTENT_2}


def _file_system(plan: EnvironmentPlan, name: str, wanted: Lustre) -> Resource:
    properties: dict[str, Any] = {
        "FileSystemType": "LUSTRE",
        "FileSystemTypeVersion": "2.15",  # otherwise an older one, which Amazon Linux 2023 has no client for (R103)
        "StorageType": wanted.storage.value.upper().replace("-", "_"),
        "SubnetIds": [subnet_id(plan)],  # one (R103), the nodes' (R105)
        "SecurityGroupIds": [att(GROUP, "GroupId")],
        "LustreConfiguration": _configuration(wanted),
        "Tags": tags(plan, name),
    }
    if wanted.capacity is not None:
        properties["StorageCapacity"] = gib(wanted.capacity)
    persistent = _persistent(wanted)
    if persistent and plan.spec.kms_key is not None:
        properties["KmsKeyId"] = plan.spec.kms_key
    made: Resource = {
        "Type": "AWS::FSx::FileSystem",
        "DependsOn": sorted(RULES),  # FSx looks whether the group lets Lustre's ports through before it makes anything
        "Properties": properties,
    }
    if not persistent:
        return {**made, "DeletionPolicy": "Delete", "UpdateReplacePolicy": "Delete"}
    return kept(made)


def _configuration(wanted: Lustre) -> dict[str, Any]:
    made: dict[str, Any] = {
        "DeploymentType": wanted.deployment.value.upper().replace("-", "_"),
        "DataCompressionType": "LZ4" if wanted.compression else "NONE",
    }
    tiering = wanted.storage is LustreStorage.INTELLIGENT_TIERING
    if tiering:
        made["ThroughputCapacity"] = wanted.throughput
        made["DataReadCacheConfiguration"] = (
            {"SizingMode": "USER_PROVISIONED", "SizeGiB": gib(wanted.read_cache)}
            if wanted.read_cache is not None
            else {"SizingMode": "PROPORTIONAL_TO_THROUGHPUT_CAPACITY"}
        )
    elif wanted.throughput is not None:
        made["PerUnitStorageThroughput"] = wanted.throughput
    if wanted.storage is LustreStorage.HDD:
        made["DriveCacheType"] = "READ" if wanted.drive_cache else "NONE"
    if wanted.metadata_iops is not None:
        made["MetadataConfiguration"] = {"Mode": "USER_PROVISIONED", "Iops": wanted.metadata_iops}
    elif wanted.deployment is LustreDeployment.PERSISTENT_2:
        # By size, which intelligent-tiering cannot have; 6,000 is the least there
        made["MetadataConfiguration"] = {"Mode": "USER_PROVISIONED", "Iops": 6000} if tiering else {"Mode": "AUTOMATIC"}
    if wanted.efa:
        made["EfaEnabled"] = True
    if _persistent(wanted):
        made["AutomaticBackupRetentionDays"] = wanted.backup_days
        if wanted.backup_days:
            made["CopyTagsToBackups"] = True
    return made


def _association(plan: EnvironmentPlan, file_system: str, data: DataRepository) -> Resource:
    own = not data.s3.startswith("s3://")
    policies = (("AutoImportPolicy", data.import_changes), ("AutoExportPolicy", data.export_changes))
    made: dict[str, Any] = {
        "FileSystemId": ref(file_system),
        "FileSystemPath": data.path,
        "DataRepositoryPath": sub(f"s3://${{{BUCKET}}}{data.s3.removeprefix('bucket')}") if own else data.s3,
        "BatchImportMetaDataOnCreate": True,  # what is there already shows up as well
        "Tags": tags(plan),
    }
    if s3 := {policy: {"Events": list(_CHANGES)} for policy, wanted in policies if wanted}:
        made["S3"] = s3
    return {"Type": "AWS::FSx::DataRepositoryAssociation", "Properties": made}
