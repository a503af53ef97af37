"""One node's container: what ``containerProperties`` and a node range's ``container`` have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from batchhpc.agent import contract
from batchhpc.compiler.plan import Plan
from batchhpc.compiler.sizing import NodeSize
from batchhpc.spec import Duration, Environment, LogConfiguration, Mount, NodeGroup, Shape

# What EFA needs, from AWS's own templates (R19); plain TCP does not mind.
_ULIMITS = (("memlock", -1), ("nofile", 1024000), ("stack", 67108864))


def container(plan: Plan, group: NodeGroup | None) -> dict[str, Any]:
    """The container of the nodes of a group, or of those in no group."""
    spec, environment, size = plan.spec, plan.environment, plan.size(group)
    mounts = (*spec.mounts, *(group.mounts if group else ()))
    made: dict[str, Any] = {
        "image": spec.image,
        "command": [*contract.NODE_COMMAND, *spec.command],
        "executionRoleArn": environment.execution_role_arn,
        "resourceRequirements": _resources(size),
        "environment": _variables(plan, group, size),
        "ulimits": [{"name": name, "softLimit": limit, "hardLimit": limit} for name, limit in _ULIMITS],
        "linuxParameters": {"initProcessEnabled": True, "sharedMemorySize": size.shared_memory, **_devices(plan.devices)},
    }
    if environment.job_role_arn:
        made["jobRoleArn"] = environment.job_role_arn
    if plan.kind and plan.shape is Shape.MULTINODE:  # other jobs take what the queue gives (R7)
        made["instanceType"] = plan.kind.name
    if mounts:
        made["volumes"] = [_volume(i, mount, environment) for i, mount in enumerate(mounts)]
        made["mountPoints"] = [
            {
                "sourceVolume": _volume_name(i),
                "containerPath": mount.target or host_path(mount, environment),
                "readOnly": mount.read_only,
            }
            for i, mount in enumerate(mounts)
        ]
    secrets = dict(spec.secrets) if spec.nodes == 1 else {contract.SECRET: environment.secret_arn, **spec.secrets}
    if secrets:
        made["secrets"] = _secrets(secrets)
    if spec.user is not None:
        made["user"] = spec.user
    if log := _log(spec.log, environment):
        made["logConfiguration"] = log
    return made


def _resources(size: NodeSize) -> list[dict[str, str]]:
    asked = [("VCPU", size.vcpus), ("MEMORY", size.memory), *([("GPU", size.gpus)] if size.gpus else [])]
    return [{"type": kind, "value": str(amount)} for kind, amount in asked]


def _variables(plan: Plan, group: NodeGroup | None, size: NodeSize) -> list[dict[str, str]]:
    spec = plan.spec
    values = {
        **({} if "OMP_NUM_THREADS" in spec.secrets else {"OMP_NUM_THREADS": str(size.cpus_per_rank)}),
        **_region(plan),
        **spec.env,
        **(group.env if group else {}),
        contract.LAUNCHER: spec.launcher.value,
        contract.RANKS_PER_NODE: str(size.ranks),
        contract.CPUS_PER_RANK: str(size.cpus_per_rank),
        contract.FABRIC: "efa" if plan.devices else "ena",
        contract.JOIN_TIMEOUT: _seconds(plan.join_timeout),
        contract.LOST_AFTER: _seconds(spec.lost_after),
        contract.STOP_GRACE: _seconds(plan.environment.stop_grace),
        **(_of_gangs(plan) if plan.shape is Shape.GANG else {}),
    }
    return [{"name": name, "value": values[name]} for name in sorted(values)]


def _region(plan: Plan) -> dict[str, str]:
    """Where the SDKs of agent and program look for S3: nodes behind endpoints reach that of their own Region only."""
    region, given = plan.environment.region, {*plan.spec.env, *plan.spec.secrets}
    return {"AWS_DEFAULT_REGION": region} if region and not given & {"AWS_REGION", "AWS_DEFAULT_REGION"} else {}


def _of_gangs(plan: Plan) -> dict[str, str]:
    """What the agents of a gang must know beside: where to find each other, and how long to wait for whom."""
    return {
        contract.RECORDS: plan.records,
        contract.MIN_NODES: str(plan.min_nodes),
        contract.MIN_NODES_AFTER: _seconds(plan.spec.min_nodes_after),
        contract.REFORM_TIMEOUT: _seconds(plan.spec.reform_timeout),
        contract.TIME_LIMIT: str(plan.time_limit),
    }


def _seconds(length: Duration) -> str:
    whole, rest = divmod(int(length), 1000)
    return f"{whole}.{rest:03}".rstrip("0") if rest else str(whole)


def _devices(count: int) -> dict[str, Any]:
    if not count:
        return {}
    paths = [f"/dev/infiniband/uverbs{i}" for i in range(count)]
    return {"devices": [{"hostPath": path, "containerPath": path, "permissions": ["READ", "WRITE", "MKNOD"]} for path in paths]}


def _secrets(names: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "valueFrom": names[name]} for name in sorted(names)]


def _volume_name(i: int) -> str:
    return f"mount-{i}"


def host_path(mount: Mount, environment: Environment) -> str | None:
    """The host directory that a mount shows; of a storage that the environment has not, which R23 tells, its name."""
    if mount.storage is None:
        return mount.host or mount.target
    directory = environment.storage.get(mount.storage, f"/{mount.storage}")
    return f"{directory}/{mount.directory.rstrip('/')}" if mount.directory else directory


def _volume(i: int, mount: Mount, environment: Environment) -> dict[str, Any]:
    if mount.efs is None:
        return {"name": _volume_name(i), "host": {"sourcePath": host_path(mount, environment)}}
    efs = mount.efs
    made: dict[str, Any] = {
        "fileSystemId": efs.file_system_id,
        "transitEncryption": "ENABLED" if efs.transit_encryption else "DISABLED",
    }
    if efs.root_directory is not None:
        made["rootDirectory"] = efs.root_directory
    if efs.transit_encryption_port is not None:
        made["transitEncryptionPort"] = efs.transit_encryption_port
    if efs.access_point or efs.iam:
        made["authorizationConfig"] = {
            **({"accessPointId": efs.access_point} if efs.access_point else {}),
            "iam": "ENABLED" if efs.iam else "DISABLED",
        }
    return {"name": _volume_name(i), "efsVolumeConfiguration": made}


def _log(log: LogConfiguration | None, environment: Environment) -> dict[str, Any]:
    if log is None and environment.log_group is None:
        return {}
    log = log or LogConfiguration()
    options = dict(log.options)
    if log.driver == "awslogs" and environment.log_group:
        options.setdefault("awslogs-group", environment.log_group)
    made: dict[str, Any] = {"logDriver": log.driver}
    if options:
        made["options"] = options
    if log.secret_options:
        made["secretOptions"] = _secrets(log.secret_options)
    return made
