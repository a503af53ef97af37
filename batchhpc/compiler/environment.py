"""What is decided about an environment before its template is written, and what jobs must know of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from batchhpc.compiler.instances import InstanceType, search
from batchhpc.spec import Capacity, Environment, EnvironmentSpec, Fabric
from batchhpc.spec.environment_spec import ImageType, Requirements

# Outputs of the stack: what a job must know of a deployed environment, and what `destroy` must find again.
OUTPUTS: Final = {
    "QueueArn": "The job queue",
    "ComputeEnvironmentArn": "The compute environment",
    "SecretArn": "The secret that the agents of a job derive its key from",
    "ExecutionRoleArn": "Role that fetches secrets and writes logs",
    "JobRoleArn": "Role of the programs",
    "LogGroupName": "Logs of jobs",
    "BucketName": "Inputs, results and checkpoints",
    "VpcId": "The network",
    "SubnetId": "The nodes' subnet",
    "SecurityGroupId": "Security group of nodes, containers and file systems",
}
STACK_PREFIX: Final = "batchhpc-"
_MADE_UP_ROLE: Final = "arn:aws:iam::000000000000:role/batchhpc-job"  # of an environment that is not deployed
ENVIRONMENT_TAG: Final = "batchhpc:environment"


@dataclass(frozen=True, slots=True)
class Interface:
    """One network interface of the launch template (R81-R83).

    Attributes:
        card: network card index.
        device: device index on the card.
        kind: ``interface``, ``efa`` or ``efa-only``.
    """

    card: int
    device: int
    kind: str


@dataclass(frozen=True, slots=True)
class EnvironmentPlan:
    """The decisions about one environment.

    Attributes:
        types: the instance types it may launch, preferred first.
        unmatched: indices of ``instance_types`` that no type of the catalogue matches, requirements considered.
        interfaces: network interfaces of each node; empty for the default one (no EFA).
        placement_group: whether there is a cluster placement group.
        image_type: of AWS Batch's machine images; empty with an image of the user's own.
    """

    spec: EnvironmentSpec
    types: tuple[InstanceType, ...]
    unmatched: tuple[int, ...]
    interfaces: tuple[Interface, ...]
    placement_group: bool
    image_type: str

    @property
    def efa(self) -> int:
        """EFA interfaces of each node."""
        return sum(each.kind.startswith("efa") for each in self.interfaces)

    @property
    def max_vcpus(self) -> int:
        """VCPUs of as many nodes as there may be, of the largest type (R27)."""
        return self.spec.max_nodes * max((kind.vcpus for kind in self.types), default=1)

    @property
    def min_vcpus(self) -> int:
        """VCPUs of as many nodes as are kept, of the smallest type."""
        return self.spec.min_nodes * min((kind.vcpus for kind in self.types), default=1)

    @property
    def stack(self) -> str:
        """Name of the CloudFormation stack."""
        return stack_name(self.spec.name)

    @property
    def queue(self) -> str:
        """Name of the queue. Another one with fair share, since a queue cannot get or lose its policy (R50)."""
        return f"{STACK_PREFIX}{self.spec.name}{'-fair-share' if self.spec.queue.fair_share else ''}"

    @property
    def log_group(self) -> str:
        """Name of the log group of the environment's jobs."""
        return f"/batchhpc/{self.spec.name}"


def stack_name(environment: str) -> str:
    """Name of the CloudFormation stack of an environment."""
    return f"{STACK_PREFIX}{environment}"


def plan_environment(spec: EnvironmentSpec) -> EnvironmentPlan:
    """Decides; what speaks against the decisions is said by the rules."""
    types, unmatched = resolve_types(spec.instance_types, spec.requirements)
    interfaces = tuple(_interfaces(spec, types))
    group = spec.placement_group
    if group is None:
        group = spec.capacity is Capacity.ON_DEMAND and bool(interfaces) and all(kind.cluster for kind in types)
    return EnvironmentPlan(spec, types, unmatched, interfaces, group, _image_type(spec, types))


def resolve_types(names: tuple[str, ...], requirements: Requirements) -> tuple[tuple[InstanceType, ...], tuple[int, ...]]:
    """The types that types, families and patterns stand for, in their order, each once; smallest first within a family.

    Requirements narrow families and patterns. A type that is named whole must meet them, too: it is told as unmatched if not.

    Returns:
        The types, and the indices of names that stand for none.
    """
    found: dict[str, InstanceType] = {}
    unmatched = []
    for i, name in enumerate(names):
        matching = search(name, requirements)
        if not matching:
            unmatched.append(i)
        for kind in matching:
            found.setdefault(kind.name, kind)
    return tuple(found.values()), tuple(unmatched)


def _interfaces(spec: EnvironmentSpec, types: tuple[InstanceType, ...]) -> Iterator[Interface]:
    """The layout that all types can have: AWS's own, less what would fill the container's slot (R32, R83)."""
    wanted = spec.efa_interfaces
    most = min((kind.efa_beside_task for kind in types), default=0)
    if spec.fabric is Fabric.ENA or not types or (spec.fabric is Fabric.AUTO and not most):
        return
    count = most if wanted is None else wanted
    first = next((kind for kind in types if kind.efa), types[0])
    cards = first.efa_cards
    if 0 not in cards:  # card 0 is ENA only (p6-b300)
        yield Interface(0, 0, "interface")
    for card in (cards or range(count))[:count]:
        yield Interface(card, 0, "efa" if card == 0 else "efa-only")


def _image_type(spec: EnvironmentSpec, types: tuple[InstanceType, ...]) -> str:
    if spec.image_id is not None:
        return ""
    if spec.image_type is not ImageType.AUTO:
        return spec.image_type.value.upper().replace("-", "_")
    return "ECS_AL2023_NVIDIA" if any("NVIDIA" in kind.gpu for kind in types) else "ECS_AL2023"


def environment_of(spec: EnvironmentSpec, outputs: Mapping[str, str] | None = None) -> Environment:
    """What jobs must know of an environment.

    Args:
        spec: the environment.
        outputs: those of its stack (`OUTPUTS`); without them ARNs and bucket are made up, as before it is deployed.
    """
    plan, found = plan_environment(spec), outputs or {}
    known: dict[str, Any] = {
        "secret_arn": found.get("SecretArn"),
        "execution_role_arn": found.get("ExecutionRoleArn"),
        "job_role_arn": found.get("JobRoleArn", _MADE_UP_ROLE),
        "bucket": found.get("BucketName", plan.stack),
    }
    return Environment(
        name=spec.name,
        queue=plan.queue,
        capacity=spec.capacity,
        fabric=spec.fabric,
        instance_types=tuple(kind.name for kind in plan.types),
        efa_interfaces=plan.efa or None,
        max_vcpus=plan.max_vcpus,
        fair_share=spec.queue.fair_share is not None,
        reserved_memory=spec.reserved_memory,
        stop_grace=spec.stop_grace,
        log_group=plan.log_group,
        region=spec.region,
        storage={each.name: each.mount.rstrip("/") for each in spec.storage},
        hyperthreading=spec.hyperthreading,
        interruption_rate=spec.interruption_rate,
        **{name: value for name, value in known.items() if value is not None},
    )
