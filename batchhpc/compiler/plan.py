"""What is decided about a job before a document is written: its shape, the instance type it is sized for, its fabric."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from batchhpc.compiler.instances import InstanceType
from batchhpc.compiler.sizing import NodeSize, node_size, node_type, whole_mib
from batchhpc.spec import Capacity, Duration, Environment, Fabric, JobSpec, NodeGroup, Shape

_MADE_UP_BUCKET: Final = "batchhpc-local"  # of an environment that nobody has deployed, as its ARNs are
_RECORDS: Final = "batchhpc/gangs"  # below which a bucket holds gangs' records
_JOIN_TIMEOUT: Final = Duration.parse("5m")
_JOIN_TIMEOUT_OF_GANGS: Final = Duration.parse("30m")  # AWS starts their instances one by one, as it finds them


@dataclass(frozen=True, slots=True)
class Plan:
    """The decisions about one job in one environment.

    Attributes:
        why: one sentence: why this shape.
        kind: the type that nodes are sized for; None if nobody names one.
        devices: EFA devices of each node's container; 0 for TCP over ENA.
    """

    spec: JobSpec
    environment: Environment
    shape: Shape
    why: str
    kind: InstanceType | None
    devices: int

    @property
    def join_timeout(self) -> Duration:
        """How long nodes wait for each other at first."""
        default = _JOIN_TIMEOUT_OF_GANGS if self.shape is Shape.GANG else _JOIN_TIMEOUT
        return default if self.spec.join_timeout is None else self.spec.join_timeout

    @property
    def time_limit(self) -> int:
        """The longest time of one attempt in seconds, which AWS Batch counts whole (R40)."""
        return -(-int(self.spec.time_limit) // 1000)

    @property
    def min_nodes(self) -> int:
        """Fewest nodes that the job runs on."""
        return self.spec.min_nodes or self.spec.nodes

    @property
    def records(self) -> str:
        """Where a gang keeps its record: nodes find their leader there, and the end is written down."""
        return f"s3://{self.environment.bucket or _MADE_UP_BUCKET}/{_RECORDS}"

    def size(self, group: NodeGroup | None) -> NodeSize:
        """The size of the nodes of a group, or of those in no group."""
        return node_size(
            self.spec,
            group,
            self.kind,
            whole_node=self.shape is not Shape.CONTAINER,
            reserved=self.environment.reserved_memory,
        )


def make_plan(spec: JobSpec, environment: Environment) -> Plan:
    """Decides; what speaks against the decisions is said by the rules."""
    shape, why = choose_shape(spec, environment)
    kind = choose_type(spec, environment)
    return Plan(spec, environment, shape, why, kind, efa_devices(kind, spec.nodes, environment))


def choose_shape(spec: JobSpec, environment: Environment) -> tuple[Shape, str]:
    """The shape, and one sentence that gives the reason."""
    if spec.shape is not Shape.AUTO:
        return spec.shape, f"{spec.shape.value}, because the spec asks for it."
    if spec.nodes == 1:
        return Shape.CONTAINER, "container, because the job has one node."
    where = f"environment {environment.name} is {environment.capacity.value}"
    if environment.capacity is Capacity.SPOT:
        return (
            Shape.GANG,
            f"gang, because the job has {spec.nodes} nodes and {where}, where multi-node parallel jobs never start (R11).",
        )
    return Shape.MULTINODE, f"multinode, because the job has {spec.nodes} nodes and {where}."


def choose_type(spec: JobSpec, environment: Environment) -> InstanceType | None:
    """The type that nodes are sized for.

    The spec's own; else the first of the environment's that fits, or its largest if none does, so that the rules can say
    what is missing; None if neither names one.
    """
    if spec.instance_type is not None:
        return node_type(spec.instance_type, environment)
    known = [kind for name in environment.instance_types if (kind := node_type(name, environment))]
    fitting = [kind for kind in known if fits(spec, kind, environment)]
    return next(iter(fitting), None) or max(known, key=lambda kind: kind.vcpus, default=None)


def fits(spec: JobSpec, kind: InstanceType, environment: Environment) -> bool:
    """Whether a type can hold the nodes of a job, the largest of its groups included."""
    for group in (None, *spec.node_groups):
        size = node_size(spec, group, kind, whole_node=False, reserved=environment.reserved_memory)
        if size.busy_vcpus > kind.vcpus or size.gpus > kind.gpus:
            return False
        if size.memory > kind.memory_mib - whole_mib(environment.reserved_memory):
            return False
    if environment.capacity is Capacity.SPOT and not kind.spot:
        return False
    return not (spec.nodes > 1 and environment.fabric is Fabric.EFA and not kind.efa)


def efa_devices(kind: InstanceType | None, nodes: int, environment: Environment) -> int:
    """How many EFA devices each node's container gets; 0 for TCP over ENA (R87)."""
    if nodes == 1 or environment.fabric is Fabric.ENA:
        return 0
    if kind is None:
        return (environment.efa_interfaces or 1) if environment.fabric is Fabric.EFA else 0
    if environment.fabric is Fabric.AUTO and not kind.efa:
        return 0
    return environment.efa_interfaces or kind.efa_beside_task
