"""How large a node's container is: vCPUs, memory, shared memory, EFA devices."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil

from batchhpc.compiler.instances import InstanceType, instance_type
from batchhpc.spec import Environment, JobSpec, Memory, NodeGroup

_PER_VCPU = 2048  # MiB, where no instance type is known
_PER_RANK = 256  # MiB of /dev/shm: what MPI's shared-memory transport uses of it, with room
_LEAST_SHARED = 64  # MiB, Docker's own default
_LEAST_MEMORY = 4  # MiB (R9)
_LARGE_NODE = 16384  # MiB from which on the kernel's and the agent's share is worth 1 GiB (R26)


@dataclass(frozen=True, slots=True)
class NodeSize:
    """What one node's container asks for.

    Attributes:
        vcpus: what is asked of AWS; the whole node for jobs of several nodes (R10), so often more than the ranks use.
        memory: MiB.
        shared_memory: MiB.
    """

    ranks: int
    cpus_per_rank: int
    vcpus: int
    memory: int
    gpus: int
    shared_memory: int

    @property
    def busy_vcpus(self) -> int:
        """How many vCPUs the ranks use."""
        return self.ranks * self.cpus_per_rank


def node_type(name: str, environment: Environment) -> InstanceType | None:
    """The type as nodes of an environment are: with a vCPU per core if it has no hyper-threading. None if there is none.

    Only R27 counts otherwise: the vCPUs of a compute environment are those that its types have by default.
    """
    kind = instance_type(name)
    return kind if kind is None or environment.hyperthreading else replace(kind, vcpus=kind.cores)


def whole_mib(memory: Memory) -> int:
    """MiB, rounded up; that the amount must be whole is said by its rule (R9)."""
    return ceil(memory.mib)


def fitted_memory(kind: InstanceType, reserved: Memory) -> int:
    """MiB that a container can surely have on that type: what the kernel and the ECS agent keep is left out (R25, R26)."""
    room = kind.memory_mib * 93 // 100 - whole_mib(reserved)
    return room - 1024 if kind.memory_mib >= _LARGE_NODE else room


def node_size(spec: JobSpec, group: NodeGroup | None, kind: InstanceType | None, *, whole_node: bool, reserved: Memory) -> NodeSize:
    """The size of the nodes of a group, or of those in no group.

    A container that shares its node gets the part of the node's memory that its vCPUs are of the node's.
    """
    ranks = (group and group.ranks_per_node) or spec.ranks_per_node
    cpus = (group and group.cpus_per_rank) or spec.cpus_per_rank
    gpus = spec.gpus_per_node if group is None or group.gpus_per_node is None else group.gpus_per_node
    asked = spec.memory_per_node if group is None or group.memory_per_node is None else group.memory_per_node
    shared = spec.shared_memory if group is None or group.shared_memory is None else group.shared_memory
    busy = ranks * cpus
    vcpus = max(busy, kind.vcpus) if kind and whole_node else busy
    if asked is not None:
        memory = whole_mib(asked)
    elif kind is None:
        memory = vcpus * _PER_VCPU
    else:
        part = min(Fraction(1), Fraction(vcpus, kind.vcpus))
        memory = max(_LEAST_MEMORY, int(fitted_memory(kind, reserved) * part))
    chosen = min(memory, max(_LEAST_SHARED, min(_PER_RANK * ranks, memory // 4)))
    return NodeSize(ranks, cpus, vcpus, memory, gpus, chosen if shared is None else whole_mib(shared))
