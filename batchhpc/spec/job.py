"""The job spec: what a user asks for, in the words of the field."""

from __future__ import annotations

import re
import shlex
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field

from batchhpc.errors import Problem
from batchhpc.spec.document import Document
from batchhpc.spec.model import FrozenJson, FrozenMap, Model, Text
from batchhpc.spec.mounts import Mount
from batchhpc.spec.quantities import Duration, Memory
from batchhpc.spec.waivers import waiver_problems
from batchhpc.spec.wording import shown

_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WAITS = ("min_nodes_after", "reform_timeout", "join_timeout", "lost_after", "checkpoint_time", "checkpoint_interval")
_RANGE = re.compile(r"([0-9]{1,9})?(?::([0-9]{1,9})?)?")


class Launcher(StrEnum):
    """Which ``mpirun`` starts the ranks; ``auto`` asks the one it finds, ``none`` runs the command once per node."""

    AUTO = "auto"
    OPENMPI = "openmpi"
    MPICH = "mpich"
    INTELMPI = "intelmpi"
    NONE = "none"


class Shape(StrEnum):
    """What a job becomes on AWS Batch; ``auto`` lets the number of nodes and the environment's capacity decide."""

    AUTO = "auto"
    CONTAINER = "container"
    MULTINODE = "multinode"
    GANG = "gang"


class LogConfiguration(Model):
    """Where a node's output goes (R20)."""

    driver: str = "awslogs"
    """Docker log driver: awslogs, awsfirelens, fluentd, gelf, json-file, journald, logentries, splunk or syslog (R20)."""
    options: FrozenMap = Field(default_factory=dict)
    """The driver's options."""
    secret_options: FrozenMap = Field(default_factory=dict)
    """Options whose value is a secret: name to ARN (R17)."""


class NodeGroup(Model):
    """Nodes that differ from the rest. What is left out is as in the job; ``env`` and ``mounts`` are added to the job's."""

    nodes: Text = Field(min_length=1)
    """Which nodes: ``0``, ``0:3``, or ``4:`` for all from 4 on. A narrower range inside a wider one wins (R5)."""
    ranks_per_node: int | None = Field(default=None, ge=1)
    """MPI ranks on each node of the group."""
    cpus_per_rank: int | None = Field(default=None, ge=1)
    """vCPUs of each rank."""
    memory_per_node: Memory | None = None
    """Memory of each node's container."""
    gpus_per_node: int | None = Field(default=None, ge=0)
    """GPUs of each node's container."""
    shared_memory: Memory | None = None
    """Size of ``/dev/shm``."""
    env: FrozenMap = Field(default_factory=dict)
    """Further variables of the group's nodes; the group's value wins."""
    mounts: tuple[Mount, ...] = ()
    """Further mounts of the group's nodes."""

    def bounds(self, nodes: int) -> tuple[int, int]:
        """First and last node of the group in a job of that many nodes; R5's grammar, ``a`` meaning ``a:a``."""
        match = _RANGE.fullmatch(self.nodes)
        assert match, self.nodes
        first = int(match[1] or 0)
        return first, first if ":" not in self.nodes else int(match[2] or nodes - 1)


def _words(value: object) -> object:
    return tuple(shlex.split(value)) if isinstance(value, str) else value


class JobSpec(Document):
    """One tightly coupled job: a program, and the nodes and ranks it runs on."""

    # Limits of AWS are left to the compiler's rules, which have a number and can be waived; the schema tells them to editors.

    _DECISIVE: ClassVar[frozenset[str]] = frozenset(
        {
            "nodes", "node_groups", "ranks_per_node", "cpus_per_rank", "memory_per_node", "gpus_per_node", "shared_memory",
            "instance_type", "shape", "share", "parameters", "command", "env", "secrets", "overlay", "waive",
        }
    )  # fmt: skip
    _STAND_INS: ClassVar[dict[str, Any]] = {"name": "job", "image": "image", "command": ("true",)}

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", json_schema_extra={"maxLength": 128})
    """Name of the job: letters, digits, ``-`` and ``_``, at most 128 (R14)."""
    image: str = Field(min_length=1)
    """Container image. It needs Python 3.11 and ``pip install --no-deps batchhpc``; local runs use this machine instead."""
    command: Annotated[tuple[Text, ...], BeforeValidator(_words, json_schema_input_type=str | tuple[str | int, ...])] = Field(
        min_length=1
    )
    """The program and its arguments: a list, or one line that is split as a shell would, without running one."""
    nodes: int = Field(default=1, ge=1, le=1_000_000)
    """Number of nodes, each one instance."""
    min_nodes: int | None = Field(default=None, ge=1)
    """Fewest nodes that a gang on Spot runs on while others are missing; all of them if left out. The others are taken in
    again at the next checkpoint."""
    min_nodes_after: Duration = Duration.parse("2m")
    """How long a gang waits for all its nodes before it goes on with ``min_nodes``."""
    reform_timeout: Duration = Duration.parse("15m")
    """How long a gang that lost nodes waits for others in their place; then it fails, and gives back the instances it has."""
    ranks_per_node: int = Field(default=1, ge=1)
    """MPI ranks on each node. Ranks are numbered node by node."""
    cpus_per_rank: int = Field(default=1, ge=1)
    """vCPUs of each rank; also ``OMP_NUM_THREADS`` unless ``env`` sets it."""
    memory_per_node: Memory | None = None
    """Memory of each node's container; what the instance type can give, or 2 GiB per vCPU if the type is not known."""
    gpus_per_node: int = Field(default=0, ge=0)
    """GPUs of each node's container."""
    instance_type: str | None = Field(default=None, pattern=r"^[a-z0-9-]+\.[a-z0-9-]+$")
    """EC2 instance type of all nodes (R7); chosen by the environment if left out."""
    env: FrozenMap = Field(default_factory=dict)
    """Environment variables of every rank. Names must not start with ``AWS_BATCH`` (R16) or ``BATCHHPC``."""
    secrets: FrozenMap = Field(default_factory=dict)
    """Variables whose value AWS fetches: name to ARN of a Secrets Manager secret or SSM parameter (R17)."""
    mounts: tuple[Mount, ...] = ()
    """Directories of the host, or EFS file systems, that every node sees."""
    shared_memory: Memory | None = None
    """Size of ``/dev/shm``, which MPI uses between ranks of a node; chosen from ranks and memory if left out."""
    time_limit: Duration = Duration.parse("1h")
    """Longest time one attempt may run, at least 60 s (R40). There is always one: a hung job must not run for ever. Each node
    of a gang has its own, from its own start, and waits for the others within it (R60)."""
    attempts: int = Field(default=3, ge=1, json_schema_extra={"maximum": 10})
    """How often the job may be started in all (R38); of a gang, each node (R60). Only lost nodes and failed image pulls are
    tried again, never the program's own failure."""
    launcher: Launcher = Launcher.AUTO
    """Which ``mpirun`` starts the ranks: auto, openmpi, mpich, intelmpi, or none to run the command once per node."""
    node_groups: tuple[NodeGroup, ...] = Field(default=(), json_schema_extra={"maxItems": 5})
    """Up to five ranges of nodes that differ in resources, variables or mounts (R4)."""
    tags: FrozenMap = Field(default_factory=dict)
    """Tags of the job and its definition, for cost allocation (R21)."""
    priority: int | None = Field(default=None, ge=0, json_schema_extra={"maximum": 9999})
    """Scheduling priority within the share, 0 to 9999; fair-share queues only (R21)."""
    share: str | None = Field(default=None, json_schema_extra={"pattern": "^[A-Za-z0-9]{1,255}$"})
    """Share identifier; must be given exactly if the queue has a fair-share policy (R51)."""
    parameters: FrozenMap = Field(default_factory=dict)
    """Values for ``Ref::name`` words of the command (R46)."""
    depends_on: tuple[str, ...] = Field(default=(), json_schema_extra={"maxItems": 20})
    """Ids of jobs that must have succeeded first; at most 20 (R47)."""
    user: Text | None = None
    """User the container runs as; the image's own if left out."""
    log: LogConfiguration | None = None
    """Log driver and options; CloudWatch logs if left out."""
    join_timeout: Duration | None = None
    """How long the main node waits for the other nodes to start, image pull included (R36): 5m, or 30m of a gang, whose
    instances AWS starts one by one as it finds them. Should be less than ``time_limit``: only a node that is missed before
    then makes AWS Batch try again."""
    lost_after: Duration = Duration.parse("2s")
    """Silence after which a node counts as lost. AWS Batch does nothing when a child node dies (R37); the agents do."""
    checkpoint_time: Duration | None = None
    """How long the program takes for one checkpoint, as measured: ``run`` tells it at its end. For estimates only."""
    checkpoint_interval: Duration | None = None
    """How long the program computes between two checkpoints; ``check`` proposes the best if left out. For estimates only."""
    shape: Shape = Shape.AUTO
    """What the job becomes on AWS Batch: container, multinode or gang; chosen and explained if ``auto``."""
    waive: FrozenMap = Field(default_factory=dict)
    """Rules to waive, each with a reason: ``{R11: "limit raised, case 123"}``. A waived rule becomes a warning that every
    plan and document shows."""
    overlay: FrozenJson = Field(default_factory=dict)
    """Merged last into the compiled documents, key by key: ``{register: {...}, submit: {...}}``. Checked like the rest."""

    def problems(self) -> list[Problem]:
        """What is wrong between fields, or within names."""
        found = [*self._node_problems(), *self._name_problems()]
        found += [Problem(name, "must be more than 0s, but is 0s") for name in _WAITS if getattr(self, name) == 0]
        unknown = [name for name in self.overlay if name not in ("register", "submit")]
        found += [Problem(f"overlay.{name}", "is not a document", "overlay has two parts: register and submit") for name in unknown]
        found += [
            Problem(f"overlay.{name}", f"must be a mapping, but is {value!r}")
            for name, value in self.overlay.items()
            if name not in unknown and not isinstance(value, dict)
        ]
        return found

    def _node_problems(self) -> list[Problem]:
        found = []
        if self.min_nodes is not None and self.min_nodes > self.nodes:
            found.append(Problem("min_nodes", f"is {self.min_nodes}, more than nodes, {self.nodes}"))
        for i, group in enumerate(self.node_groups):
            path = f"node_groups[{i}].nodes"
            if not _RANGE.fullmatch(group.nodes):
                found.append(Problem(path, f"is {shown(group.nodes)}, which is not a range", "write 0, 0:3 or 4:", "R5"))
                continue
            first, last = group.bounds(self.nodes)
            if first > last or last >= self.nodes:
                reach = f"covers nodes {first} to {last}, but the job has nodes 0 to {self.nodes - 1}"
                found.append(Problem(path, reach, rule="R5"))
        return found

    def _name_problems(self) -> list[Problem]:
        found = []
        groups = [(f"node_groups[{i}].env", group.env) for i, group in enumerate(self.node_groups)]
        for path, names in (("env", self.env), ("secrets", self.secrets), *groups):
            for name in names:
                if not _ENV_NAME.fullmatch(name):
                    found.append(
                        Problem(f"{path}.{name}", "is not a variable name", "letters, digits and _, not starting with a digit")
                    )
                elif name.startswith("BATCHHPC"):
                    found.append(Problem(f"{path}.{name}", "starts with BATCHHPC, which the agent keeps for itself"))
        twice = sorted(set(self.env) & set(self.secrets))
        found += [Problem(f"secrets.{name}", "is also in env", "a variable has one value") for name in twice]
        for path, names in groups:
            twice = sorted(set(names) & set(self.secrets))
            found += [Problem(f"{path}.{name}", "is also in secrets", "a variable has one value") for name in twice]
        return [*found, *waiver_problems(self.waive)]
