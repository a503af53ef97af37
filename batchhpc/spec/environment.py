"""What a job must know of the environment it is compiled for."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from batchhpc.spec.document import Document
from batchhpc.spec.model import FrozenMap
from batchhpc.spec.quantities import Duration, Memory, Rate

ARN = r"^arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:\d{12}:.+$"


class Capacity(StrEnum):
    """How the environment buys its instances."""

    ON_DEMAND = "on-demand"
    SPOT = "spot"


class Fabric(StrEnum):
    """What carries MPI messages between nodes: EFA, plain TCP over ENA, or EFA wherever the instance type has it."""

    AUTO = "auto"
    EFA = "efa"
    ENA = "ena"


class Environment(Document):
    """What a job must know of the environment it is compiled for: its queue, its instances, its roles.

    `batchhpc.compiler.environment_of` makes one of an `EnvironmentSpec`, with the ARNs of its stack once it is deployed.
    Written by hand it describes a queue that somebody else made. The defaults describe an environment nobody has deployed:
    on-demand, any type, and names that say so; ``check``, ``compile`` and local runs use them if no environment is named.
    """

    name: str = Field(default="local", pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$")
    """Name of the environment."""
    queue: str = Field(default="local", min_length=1)
    """Name or ARN of the job queue."""
    capacity: Capacity = Capacity.ON_DEMAND
    """``on-demand`` or ``spot``. Multi-node parallel jobs do not run on Spot (R11): there a job of n nodes becomes a gang."""
    fabric: Fabric = Fabric.AUTO
    """``efa``, ``ena`` or ``auto``: what carries MPI messages between nodes."""
    instance_types: tuple[str, ...] = ()
    """Instance types that the compute environment may launch, preferred first; types only, no families. Empty: not known."""
    efa_interfaces: int | None = Field(default=None, ge=1, le=32)
    """EFA interfaces per node in the launch template; all that the type has if left out (R87)."""
    max_vcpus: int | None = Field(default=None, ge=1)
    """Upper bound of the compute environment's vCPUs (R27); not checked if left out."""
    fair_share: bool = False
    """Whether the queue has a fair-share policy, so that jobs must name a share (R51)."""
    reserved_memory: Memory = Memory.parse("32 MiB")
    """Memory that the ECS agent keeps for the host, ``ECS_RESERVED_MEMORY`` (R25)."""
    stop_grace: Duration = Duration.parse("30s")
    """Time between SIGTERM and SIGKILL, ``ECS_CONTAINER_STOP_TIMEOUT`` (R40)."""
    secret_arn: str = Field(default="arn:aws:secretsmanager:us-east-1:000000000000:secret:batchhpc-local", pattern=ARN)
    """The secret that the agents of a job authenticate each other with."""
    execution_role_arn: str = Field(default="arn:aws:iam::000000000000:role/batchhpc-execution", pattern=ARN)
    """Role that fetches secrets and writes logs (R17)."""
    job_role_arn: str | None = Field(default=None, pattern=ARN)
    """Role that the program itself may use."""
    log_group: str | None = None
    """CloudWatch log group; ``/aws/batch/job`` if left out (R43)."""
    region: str | None = None
    """AWS Region; what the AWS SDK finds if left out."""
    storage: FrozenMap = Field(default_factory=dict)
    """Directory of each storage on the hosts, by its name; mounts of jobs refer to them."""
    bucket: str | None = None
    """Name of the environment's S3 bucket. Gangs keep their records in it, so the job role must read and write it."""
    interruption_rate: Rate | None = None
    """How often AWS takes back an instance on Spot, per hour that it runs: ``0.02/h``. Stated, never guessed; for estimates
    only."""
    hyperthreading: bool = True
    """Whether cores run two threads; without, a node has a vCPU per core."""
