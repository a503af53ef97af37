"""How each MPI is started over other nodes: arguments, variables, hosts file. Pure: what was measured, written down.

All four take a program instead of ``ssh`` to reach other nodes; they are given the shim. Ranks are numbered node by node.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from batchhpc.errors import Misconfigured


class Mpi(StrEnum):
    """The MPI implementations whose mpirun is known."""

    OPENMPI4 = "Open MPI 4"
    OPENMPI5 = "Open MPI 5"
    MPICH = "MPICH"
    INTELMPI = "Intel MPI"


_LAUNCHER_OF = {Mpi.OPENMPI4: "openmpi", Mpi.OPENMPI5: "openmpi", Mpi.MPICH: "mpich", Mpi.INTELMPI: "intelmpi"}


@dataclass(frozen=True, slots=True)
class Host:
    """A node as mpirun sees it."""

    address: str
    hostname: str
    ranks: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be started over which nodes.

    Attributes:
        mpirun: absolute path: with a bare name Open MPI would start its daemons from another installation's path.
        hosts: all nodes, in node order.
        shim: the program given to mpirun instead of ssh.
        command: what each rank runs.
        cpus_per_rank: vCPUs of each rank.
        cpus: vCPUs that this node's container may use.
        efa: whether MPI messages travel over EFA.
        subnet: the nodes' network, ``10.0.1.0/24``, for TCP.
        interface: the network interface with the main node's address.
        root: whether the agent runs as root.
    """

    mpirun: str
    hosts: tuple[Host, ...]
    shim: str
    command: tuple[str, ...]
    cpus_per_rank: int
    cpus: int
    efa: bool
    subnet: str
    interface: str
    root: bool

    @property
    def ranks(self) -> int:
        """Ranks of the job."""
        return sum(host.ranks for host in self.hosts)

    @property
    def shared(self) -> bool:
        """Whether several nodes share this machine, and so its CPUs and shared memory."""
        return len(self.hosts) > 1 and self.subnet.startswith("127.")

    @property
    def bind(self) -> bool:
        """Whether mpirun may bind each rank to one CPU: only if each needs one, and has one of its own."""
        return self.cpus_per_rank == 1 and not self.crowded

    @property
    def crowded(self) -> bool:
        """Whether ranks share CPUs, so that one that waits must let another run."""
        return self.shared or max(host.ranks for host in self.hosts) > self.cpus


def recognise(version: str, asked: str) -> Mpi:
    """Which MPI an ``mpirun --version`` speaks of.

    Args:
        version: what it printed.
        asked: the job's launcher: openmpi, mpich, intelmpi, or auto for whichever is there.

    Raises:
        Misconfigured: it is none of the known, or not the one that was asked for.
    """
    if "Open MPI" in version:
        number = version.partition("(Open MPI)")[2].split()[:1] or ["0"]
        mpi = Mpi.OPENMPI4 if number[0].startswith("4.") else Mpi.OPENMPI5
    elif "Intel(R) MPI" in version:
        mpi = Mpi.INTELMPI
    elif "HYDRA" in version:
        mpi = Mpi.MPICH
    else:
        first = (version.strip().splitlines() or ["nothing"])[0]
        raise Misconfigured(f"this image's mpirun is none of Open MPI, MPICH and Intel MPI: it says {first!r}")
    if asked not in ("auto", _LAUNCHER_OF[mpi]):
        raise Misconfigured(
            f"the job asks for launcher {asked}, but this image's mpirun is {mpi}; write launcher: {_LAUNCHER_OF[mpi]}"
        )
    return mpi


def hosts_file(mpi: Mpi, hosts: Sequence[Host]) -> str:
    """The hosts file, in that MPI's form."""
    form = "{0.address} slots={0.ranks}" if mpi in (Mpi.OPENMPI4, Mpi.OPENMPI5) else "{0.address}:{0.ranks}"
    return "".join(form.format(host) + "\n" for host in hosts)


def arguments(mpi: Mpi, plan: Plan, hosts_path: str) -> list[str]:
    """The command line of mpirun."""
    build = _open_mpi if mpi in (Mpi.OPENMPI4, Mpi.OPENMPI5) else _hydra
    return [plan.mpirun, *build(mpi, plan, hosts_path), "-n", str(plan.ranks), *plan.command]


def variables(mpi: Mpi, plan: Plan, environ: Mapping[str, str]) -> dict[str, str]:
    """Variables that mpirun needs beyond the node's own; those the user has set stay."""
    wanted = {"SHELL": "/bin/sh"}  # the syntax of what the shim is given; it is run by sh
    if mpi in (Mpi.OPENMPI4, Mpi.OPENMPI5) and plan.root:  # containers run as root more often than not
        wanted |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    if plan.efa:
        wanted["FI_PROVIDER"] = "efa"  # fail loudly instead of falling back to TCP in silence (R92)
    elif mpi is Mpi.INTELMPI:
        wanted["FI_PROVIDER"] = "tcp"
    return {name: value for name, value in wanted.items() if name == "SHELL" or name not in environ}


def _open_mpi(mpi: Mpi, plan: Plan, hosts_path: str) -> list[str]:
    four = mpi is Mpi.OPENMPI4
    words = ["--map-by", "slot", *([] if plan.bind else ["--bind-to", "none"])]
    if plan.efa:
        words += ["-x", "FI_PROVIDER"]  # mpirun hands on OMPI_* only
    else:  # R91; `ofi` costs a second of start-up where there is no such device
        # Nodes that share a host name would meet in each other's shared-memory files, and hang (Open MPI 4).
        words += _mca("pml", "ob1") + _mca("btl", "self,tcp" if plan.shared else "^ofi,uct") + _mca("mtl", "^ofi")
    if plan.crowded:
        words += _mca("mpi_yield_when_idle", "1")
    if len(plan.hosts) == 1:
        return [*words, "--host", f"localhost:{plan.ranks}"]
    if not plan.efa:
        words += _mca("btl_tcp_if_include", plan.subnet)
    if len({host.hostname for host in plan.hosts}) < len(plan.hosts):
        words += _mca("coll", "^han")  # its barrier hangs if nodes share a host name (Open MPI 5)
    if four:
        # Without --leave-session-attached a daemon that fails does so unheard, and mpirun waits for ever. Tree spawn
        # fails in MPI_Init of Open MPI 4.
        words += [*_mca("plm_rsh_agent", plan.shim), *_mca("plm_rsh_no_tree_spawn", "1"), "--leave-session-attached"]
        words += _mca("oob_tcp_if_include", plan.subnet)
    else:
        words += ["--prtemca", "plm_ssh_agent", plan.shim, "--prtemca", "plm_ssh_no_tree_spawn", "1"]
        if not plan.shared:
            words += ["--prtemca", "prte_if_include", plan.interface]
    return [*words, "--hostfile", hosts_path]


def _hydra(mpi: Mpi, plan: Plan, hosts_path: str) -> list[str]:
    if len(plan.hosts) == 1:
        return []
    words = ["-launcher", "ssh", "-launcher-exec", plan.shim]
    if mpi is Mpi.INTELMPI:  # -iface: it must not depend on host names that resolve
        return [*words, "-machinefile", hosts_path, *(["-iface", plan.interface] if not plan.shared else [])]
    return [*words, "-f", hosts_path]


def _mca(name: str, value: str) -> list[str]:
    return ["--mca", name, value]
