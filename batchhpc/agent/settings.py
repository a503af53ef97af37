"""What a node is told by its environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from batchhpc.agent import contract
from batchhpc.agent.session import job_key
from batchhpc.errors import Misconfigured

LAUNCHERS = ("auto", "openmpi", "mpich", "intelmpi", "none")


@dataclass(frozen=True, slots=True)
class GangSettings:
    """What only a child of a gang is told. Times are seconds.

    Attributes:
        records: where gangs keep their record: ``s3://bucket/prefix``, or a directory.
        min_nodes: fewest nodes that the gang runs on.
        min_nodes_after: how long all nodes are waited for before so few are enough.
        reform_timeout: how long nodes that were lost are waited for.
        time_limit: after which AWS Batch ends an attempt (R40).
    """

    records: str
    min_nodes: int
    min_nodes_after: float
    reform_timeout: float
    time_limit: float


@dataclass(frozen=True, slots=True)
class Settings:
    """One node of one attempt of one job. Times are seconds.

    Attributes:
        job_id: without the node's ``#n`` or the array child's ``:n`` (R41, R42).
        address: this node's own address where it cannot be found by connecting; None on AWS.
        main_address: where the main node listens; None on the main node itself (R41), and in a gang, whose record tells.
        ranks: MPI ranks on this node.
        secret: what the agents of the job authenticate each other with; None in a job of one node.
        metadata_endpoint: the instance metadata service, without a slash at its end.
    """

    job_id: str
    attempt: int
    node: int
    nodes: int
    main_node: int
    main_address: str | None
    address: str | None
    launcher: str
    ranks: int
    cpus_per_rank: int
    fabric: str
    join_timeout: float
    lost_after: float
    stop_grace: float
    secret: str | None
    metadata_endpoint: str
    command: tuple[str, ...]
    gang: GangSettings | None = None

    @property
    def is_main(self) -> bool:
        """Whether this is the main node, which starts mpirun and decides the job's exit code (R37)."""
        return self.node == self.main_node

    @property
    def key(self) -> bytes:
        """What the agents of this attempt know; of a gang, whose nodes are tried again one by one, those of all attempts."""
        assert self.secret
        return job_key(self.secret, self.job_id, 0 if self.gang else self.attempt)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], command: tuple[str, ...]) -> Settings:
        """Reads the variables of `contract`.

        Raises:
            Misconfigured: naming every variable that is missing or wrong.
        """
        reader = _Reader(environ)
        multinode, gang = contract.NODE_INDEX in environ, contract.RECORDS in environ
        index, size = (contract.ARRAY_INDEX, contract.ARRAY_SIZE) if gang else (contract.NODE_INDEX, contract.NUM_NODES)
        nodes = reader.whole(size, 1) if multinode or gang else 1
        node = reader.whole(index, 0) if multinode or gang else 0
        main_node = reader.whole(contract.MAIN_NODE_INDEX, 0) if multinode else 0
        settings = cls(
            job_id=reader.text(contract.JOB_ID).partition("#")[0].partition(":")[0],
            attempt=reader.whole(contract.JOB_ATTEMPT, 1),
            node=node,
            nodes=nodes,
            main_node=main_node,
            main_address=reader.text(contract.MAIN_NODE_ADDRESS) if multinode and node != main_node else None,
            address=environ.get(contract.NODE_ADDRESS) or None,
            launcher=reader.one_of(contract.LAUNCHER, LAUNCHERS),
            ranks=reader.whole(contract.RANKS_PER_NODE, 1),
            cpus_per_rank=reader.whole(contract.CPUS_PER_RANK, 1),
            fabric=reader.one_of(contract.FABRIC, ("efa", "ena")),
            join_timeout=reader.seconds(contract.JOIN_TIMEOUT),
            lost_after=reader.seconds(contract.LOST_AFTER),
            stop_grace=reader.seconds(contract.STOP_GRACE),
            secret=reader.text(contract.SECRET) if nodes > 1 else None,
            metadata_endpoint=environ.get(contract.METADATA_ENDPOINT, "http://169.254.169.254").rstrip("/"),
            command=command,
            gang=reader.gang() if gang else None,
        )
        if not command:
            reader.problems.append("there is no command after --")
        if node >= nodes or main_node >= nodes:
            reader.problems.append(f"node {node} and main node {main_node} must both be below the number of nodes, {nodes}")
        if settings.gang and settings.gang.min_nodes > nodes:
            reader.problems.append(f"{contract.MIN_NODES} is {settings.gang.min_nodes}, more than the gang has, {nodes}")
        if reader.problems:
            raise Misconfigured("the node's environment is not that of a batchhpc job: " + "; ".join(reader.problems))
        return settings


class _Reader:
    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.problems: list[str] = []

    def text(self, name: str) -> str:
        value = self._environ.get(name, "")
        if not value:
            self.problems.append(f"{name} is missing")
        return value

    def whole(self, name: str, least: int) -> int:
        value = self.text(name)
        if value and not (value.isdecimal() and int(value) >= least):
            self.problems.append(f"{name} is {value!r}, not a whole number of at least {least}")
        return int(value) if value.isdecimal() else least

    def seconds(self, name: str) -> float:
        value = self.text(name)
        try:
            seconds = float(value or "nan")
        except ValueError:
            seconds = -1.0
        if value and not 0 < seconds < float("inf"):
            self.problems.append(f"{name} is {value!r}, not a number of seconds")
        return seconds

    def gang(self) -> GangSettings:
        return GangSettings(
            records=self.text(contract.RECORDS),
            min_nodes=self.whole(contract.MIN_NODES, 1),
            min_nodes_after=self.seconds(contract.MIN_NODES_AFTER),
            reform_timeout=self.seconds(contract.REFORM_TIMEOUT),
            time_limit=self.seconds(contract.TIME_LIMIT),
        )

    def one_of(self, name: str, allowed: tuple[str, ...]) -> str:
        value = self.text(name)
        if value and value not in allowed:
            self.problems.append(f"{name} is {value!r}, not one of {', '.join(allowed)}")
        return value
