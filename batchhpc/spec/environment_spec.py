"""The environment spec: what `deploy` makes in an AWS account so that jobs can run."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any, ClassVar

from pydantic import Field

from batchhpc.errors import Problem
from batchhpc.spec.document import Document
from batchhpc.spec.environment import ARN, Capacity, Fabric
from batchhpc.spec.model import FrozenJson, FrozenMap, Model
from batchhpc.spec.network import Network
from batchhpc.spec.quantities import Duration, Memory, Rate
from batchhpc.spec.storage import Bucket, EbsType, Storage
from batchhpc.spec.waivers import waiver_problems

_BUCKET = r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/.*)?$"


class Allocation(StrEnum):
    """How AWS Batch chooses among instance types (R65)."""

    AUTO = "auto"
    BEST_FIT = "best-fit"
    BEST_FIT_PROGRESSIVE = "best-fit-progressive"
    BEST_FIT_PROGRESSIVE_ORDERED = "best-fit-progressive-ordered"
    SPOT_CAPACITY_OPTIMIZED = "spot-capacity-optimized"
    SPOT_CAPACITY_OPTIMIZED_PRIORITIZED = "spot-capacity-optimized-prioritized"
    SPOT_PRICE_CAPACITY_OPTIMIZED = "spot-price-capacity-optimized"


class ImageType(StrEnum):
    """Machine images that AWS Batch provides (R76); ``auto`` takes the one with NVIDIA's driver for types that have its GPUs."""

    AUTO = "auto"
    ECS_AL2023 = "ecs-al2023"
    ECS_AL2023_NVIDIA = "ecs-al2023-nvidia"


class Requirements(Model):
    """What instance types must have; narrows the families and patterns of ``instance_types``."""

    min_vcpus: int | None = Field(default=None, ge=1)
    """Fewest vCPUs."""
    max_vcpus: int | None = Field(default=None, ge=1)
    """Most vCPUs."""
    min_cores: int | None = Field(default=None, ge=1)
    """Fewest physical cores."""
    min_memory: Memory | None = None
    """Least memory."""
    min_gbps: float | None = Field(default=None, ge=0)
    """Least network bandwidth in Gbit/s."""
    min_efa: int | None = Field(default=None, ge=0)
    """Fewest EFA interfaces."""
    gpus: int | None = Field(default=None, ge=0)
    """Fewest GPUs; 0 for none at all."""
    min_disks: int | None = Field(default=None, ge=0)
    """Fewest instance store disks."""
    arch: str | None = Field(default=None, pattern=r"^(x86_64|arm64)$")
    """Architecture: x86_64 or arm64. All types of an environment have the same (R74)."""


class RootVolume(Model):
    """The volume a node starts from: system, images and logs. Always encrypted."""

    type: EbsType = EbsType.GP3
    """gp3, io2 or io1."""
    size: Memory = Memory.parse("100 GiB")
    """Its size; images must fit in it."""
    iops: int | None = None
    """IOPS (R101)."""
    throughput: int | None = None
    """MiB/s of gp3 (R101)."""


class FairShare(Model):
    """A fair-share policy of the queue (R51); jobs must then name their share."""

    shares: FrozenMap = Field(default_factory=dict)
    """Share identifiers, or prefixes with ``*``, and their weights as text: ``{teamA: "0.5"}``; 0.0001 to 999.9999, a lower
    weight gets more."""
    decay: Duration = Duration.parse("0s")
    """How far back use counts, at most a week."""
    reservation: int = 0
    """Part of the vCPUs, 0 to 99 %, kept for shares that are not active yet."""


class RunnableLimit(Model):
    """How long the job at the head of the queue may wait for each reason before it is cancelled (R49); null for ever."""

    no_capacity: Duration | None = Duration.parse("4h")
    """AWS has no such instances at the moment."""
    too_small: Duration | None = Duration.parse("10m")
    """The environment's maximum is too small for it."""
    impossible: Duration | None = Duration.parse("10m")
    """It asks for more than any instance type of the environment has."""


class Queue(Model):
    """The job queue."""

    priority: int = 1
    """0 to 1000 (R50)."""
    fair_share: FairShare | None = None
    """Fair-share scheduling; first in, first out if left out. Cannot be changed for a queue: another queue is made (R50)."""
    runnable_limit: RunnableLimit = RunnableLimit()
    """Bounds on waiting at the head of the queue."""


class Access(Model):
    """What jobs may use beside the environment's own bucket and storage."""

    read: tuple[str, ...] = ()
    """Buckets, directories or objects of them that jobs read: ``s3://1000genomes/release``."""
    write: tuple[str, ...] = ()
    """Buckets, directories or objects of them that jobs read and write."""
    job_policies: tuple[str, ...] = ()
    """ARNs of further managed policies of the job role."""
    secrets: tuple[str, ...] = ()
    """ARNs of secrets and parameters that job specs may refer to (R17)."""
    repositories: tuple[str, ...] = ("*",)
    """Names of the account's ECR repositories that images may come from; ``*`` stands for any letters."""

    def problems(self) -> list[Problem]:
        """Addresses and ARNs that are none."""
        wrong = []
        for name, pattern, form in (
            ("read", _BUCKET, "s3://bucket/prefix"),
            ("write", _BUCKET, "s3://bucket/prefix"),
            ("job_policies", r"^arn:aws[a-z-]*:iam::(\d{12}|aws):policy/.+$", "arn:aws:iam::123456789012:policy/name"),
            ("secrets", ARN, "arn:aws:secretsmanager:us-east-1:123456789012:secret:name"),
            ("repositories", r"^[a-z0-9*][a-z0-9*._/-]*$", "the name of a repository"),
        ):
            for i, text in enumerate(getattr(self, name)):
                if not re.fullmatch(pattern, text):
                    wrong.append(Problem(f"{name}[{i}]", f"is {text!r}, which is not {form}"))
        return wrong


class Budget(Model):
    """A monthly budget for what carries the environment's tags, and who is told (80 % spent, 100 % foreseen)."""

    monthly_usd: float = Field(gt=0)
    """US dollars a month."""
    emails: tuple[str, ...] = Field(min_length=1)
    """Who is told."""

    def problems(self) -> list[Problem]:
        """Addresses that are none."""
        return [
            Problem(f"emails[{i}]", f"is {text!r}, which is not an e-mail address")
            for i, text in enumerate(self.emails)
            if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", text)
        ]


class EnvironmentSpec(Document):
    """An environment: network, compute environment, queue, storage, roles. One CloudFormation stack, one price tag."""

    _DECISIVE: ClassVar[frozenset[str]] = frozenset(
        {
            "region",
            "instance_types",
            "requirements",
            "capacity",
            "fabric",
            "network",
            "storage",
            "overlay",
            "waive",
            "efa_interfaces",
        }
    )
    _STAND_INS: ClassVar[dict[str, Any]] = {"name": "environment"}

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")
    """Name of the environment and its queue: lower-case letters, digits and ``-``, at most 40. Its stack is ``batchhpc-NAME``."""
    region: str = Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")
    """AWS Region."""
    availability_zone: str | None = Field(default=None, pattern=r"^[a-z]{2,4}\d-az\d$")
    """Id of the zone that the nodes are in, ``euw1-az1``; one that offers the instance type if left out (R94)."""
    instance_types: tuple[str, ...] = Field(min_length=1)
    """Types (``hpc7a.96xlarge``), families (``c7i``) or patterns (``c7?n.*xlarge``), preferred first."""
    requirements: Requirements = Requirements()
    """What types of the families and patterns must have."""
    capacity: Capacity = Capacity.ON_DEMAND
    """``on-demand`` or ``spot``. Jobs of several nodes are multi-node parallel jobs on the one, gangs on the other (R11)."""
    max_nodes: int = Field(ge=1)
    """Most nodes at a time; of the largest type, if there are several (R27)."""
    min_nodes: int = Field(default=0, ge=0)
    """Nodes that are kept, and paid for, while there is no job (R71)."""
    fabric: Fabric = Fabric.AUTO
    """``efa``, ``ena`` or ``auto``: what carries MPI messages between nodes."""
    efa_interfaces: int | None = Field(default=None, ge=1, le=32)
    """EFA interfaces of each node; as many as leave a slot for the container's own interface if left out (R32)."""
    placement_group: bool | None = None
    """Whether nodes are close together in a cluster placement group (R69); if left out, with EFA on demand only."""
    hyperthreading: bool = True
    """Whether cores run two threads. Without, a node has as many vCPUs for ranks as cores."""
    allocation: Allocation = Allocation.AUTO
    """How types are chosen (R65); best-fit-progressive on demand and spot-price-capacity-optimized on Spot if ``auto``."""
    bid_percentage: int | None = None
    """Highest Spot price in percent of the on-demand price; left out is best (R66)."""
    interruption_rate: Rate | None = None
    """How often AWS takes back an instance on Spot, per hour that it runs: ``0.02/h``. ``check`` reckons with it what
    interruptions cost; without it, it does not."""
    capacity_reservation: str | None = Field(default=None, pattern=r"^(cr-[0-9a-f]{8,17}|arn:aws[a-z-]*:resource-groups:.+)$")
    """An on-demand capacity reservation, or the ARN of a resource group of some."""
    scale_down_delay: Duration | None = None
    """How long idle instances are kept for the next job, 20 minutes to a week (R71)."""
    image_type: ImageType = ImageType.AUTO
    """Machine image: ecs-al2023, or ecs-al2023-nvidia (R76)."""
    image_id: str | None = Field(default=None, pattern=r"^ami-[0-9a-f]{8,17}$")
    """A machine image of your own instead: Amazon Linux with ecs-init (R54)."""
    root_volume: RootVolume = RootVolume()
    """The volume nodes start from."""
    reserved_memory: Memory = Memory.parse("32 MiB")
    """Memory that the ECS agent keeps for the host (R25)."""
    stop_grace: Duration = Duration.parse("2m")
    """Time between SIGTERM and SIGKILL for jobs that are stopped (R40); enough to write a checkpoint."""
    network: Network = Network()
    """The network: a new VPC, or one that is there."""
    storage: tuple[Storage, ...] = ()
    """File systems and disks of the nodes."""
    bucket: Bucket = Bucket()
    """The bucket for inputs, results and checkpoints."""
    queue: Queue = Queue()
    """The job queue."""
    access: Access = Access()
    """What jobs may use beside."""
    kms_key: str | None = Field(default=None, pattern=r"^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/.+$")
    """ARN of the KMS key that everything is encrypted with; AWS's own keys if left out."""
    log_days: int = 90
    """Days that logs of jobs are kept: one of CloudWatch's steps."""
    tags: FrozenMap = Field(default_factory=dict)
    """Tags of all resources and instances, for cost allocation; ``batchhpc:environment`` is added."""
    budget: Budget | None = None
    """A monthly budget, and who is told."""
    termination_protection: bool = False
    """Whether the stack cannot be deleted until this is taken back."""
    waive: FrozenMap = Field(default_factory=dict)
    """Rules to waive, each with a reason: ``{R69: "measured, case 123"}``."""
    overlay: FrozenJson = Field(default_factory=dict)
    """Merged last into the template, key by key. Checked like the rest."""

    def problems(self) -> list[Problem]:
        """What is wrong between fields, or within names."""
        found = []
        if self.min_nodes > self.max_nodes:
            found.append(Problem("min_nodes", f"is {self.min_nodes}, more than max_nodes, {self.max_nodes}"))
        for i, text in enumerate(self.instance_types):
            if not re.fullmatch(r"[a-z0-9*?\[\]_-]+(\.[a-z0-9*?\[\]-]+)?", text):
                hint = "a type (c7i.8xlarge), a family (c7i) or a pattern ('c7*.8xlarge')"
                found.append(Problem(f"instance_types[{i}]", f"is {text!r}, which names no instance types", hint))
        found += self._elsewhere()
        found += self._storage_problems()
        return [*found, *waiver_problems(self.waive)]

    def _elsewhere(self) -> list[Problem]:
        """What is of another Region, and a reservation that Spot instances cannot use."""
        found = []
        for name in ("kms_key", "capacity_reservation"):
            arn = getattr(self, name) or ""
            if arn.startswith("arn:") and arn.split(":")[3] != self.region:
                found.append(Problem(name, f"is in {arn.split(':')[3]}, but the environment is in {self.region}"))
        if self.capacity_reservation is not None and self.capacity is Capacity.SPOT:
            found.append(Problem("capacity_reservation", "is of on-demand capacity, but capacity is spot", "leave it out"))
        return found

    def _storage_problems(self) -> list[Problem]:
        found = []
        names = [each.name for each in self.storage]
        mounts = [each.mount.rstrip("/") for each in self.storage]
        for i, each in enumerate(self.storage):
            if each.name in names[:i]:
                found.append(Problem(f"storage[{i}].name", f"is {each.name!r}, as that of storage[{names.index(each.name)}]"))
            if ".." in each.mount.split("/"):
                found.append(Problem(f"storage[{i}].mount", f"is {each.mount!r}, which leads upwards"))
            for k, other in enumerate(mounts[:i]):
                if f"{mounts[i]}/".startswith(f"{other}/") or f"{other}/".startswith(f"{mounts[i]}/"):
                    found.append(Problem(f"storage[{i}].mount", f"is {each.mount}, which overlaps {other} of storage[{k}]"))
        if sum(each.instance_store is not None for each in self.storage) > 1:
            found.append(Problem("storage", "has two instance stores", "all disks of an instance become one RAID 0"))
        return found
