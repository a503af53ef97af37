"""What each mpirun is given."""

import dataclasses

import pytest

from batchhpc.agent.launch import Host, Mpi, Plan, arguments, hosts_file, recognise, variables
from batchhpc.errors import Misconfigured

PLAN = Plan(
    mpirun="/opt/mpi/bin/mpirun",
    hosts=(Host("10.0.1.4", "ip-10-0-1-4", 2), Host("10.0.1.9", "ip-10-0-1-9", 2)),
    shim="/tmp/b/shim",
    command=("wrap", "--", "prog"),
    cpus_per_rank=1,
    cpus=4,
    efa=False,
    subnet="10.0.1.0/24",
    interface="eth0",
    root=True,
)

TCP = "--mca pml ob1 --mca btl ^ofi,uct --mca mtl ^ofi"
END = "-n 4 wrap -- prog"


HYDRA = "-launcher ssh -launcher-exec /tmp/b/shim"
EXPECTED = {
    Mpi.OPENMPI4: f"""--map-by slot {TCP} --mca btl_tcp_if_include 10.0.1.0/24
        --mca plm_rsh_agent /tmp/b/shim --mca plm_rsh_no_tree_spawn 1 --leave-session-attached
        --mca oob_tcp_if_include 10.0.1.0/24 --hostfile /h {END}""",
    Mpi.OPENMPI5: f"""--map-by slot {TCP} --mca btl_tcp_if_include 10.0.1.0/24
        --prtemca plm_ssh_agent /tmp/b/shim --prtemca plm_ssh_no_tree_spawn 1
        --prtemca prte_if_include eth0 --hostfile /h {END}""",
    Mpi.MPICH: f"{HYDRA} -f /h {END}",
    Mpi.INTELMPI: f"{HYDRA} -machinefile /h -iface eth0 {END}",
}


@pytest.mark.parametrize("mpi", Mpi)
def test_each_mpi_reaches_other_nodes_through_the_shim(mpi):
    """The command line per MPI is the one that was measured to work."""
    assert arguments(mpi, PLAN, "/h") == ["/opt/mpi/bin/mpirun", *EXPECTED[mpi].split()]


def test_efa_leaves_the_choice_of_transport_to_the_mpi():
    """On EFA no TCP setting gets in the way, and libfabric may not fall back in silence (R91, R92)."""
    plan = dataclasses.replace(PLAN, efa=True)
    for mpi in Mpi:
        assert not {"pml", "btl", "mtl", "btl_tcp_if_include"} & set(arguments(mpi, plan, "/h"))
        assert variables(mpi, plan, {})["FI_PROVIDER"] == "efa"


@pytest.mark.parametrize("change", [{"cpus_per_rank": 2}, {"cpus": 1}, {"subnet": "127.0.0.0/8"}])
def test_ranks_are_not_bound_to_cores_they_would_have_to_share(change):
    """Threads of a rank, more ranks than CPUs, or nodes that share a machine: no binding."""
    words = arguments(Mpi.OPENMPI5, dataclasses.replace(PLAN, **change), "/h")
    assert words[words.index("--bind-to") + 1] == "none"


def test_nodes_that_share_a_host_name_avoid_what_hangs():
    """Open MPI 5's han barrier hangs if nodes share a host name, so it is switched off there, and only there."""
    twins = tuple(dataclasses.replace(host, hostname="same") for host in PLAN.hosts)
    assert "^han" in arguments(Mpi.OPENMPI5, dataclasses.replace(PLAN, hosts=twins), "/h")
    assert "^han" not in arguments(Mpi.OPENMPI5, PLAN, "/h")


def test_one_node_needs_no_shim():
    """A job of one node is a plain mpirun there."""
    plan = dataclasses.replace(PLAN, hosts=PLAN.hosts[:1])
    for mpi in Mpi:
        assert "/tmp/b/shim" not in arguments(mpi, plan, "/h")
    assert arguments(Mpi.MPICH, plan, "/h") == ["/opt/mpi/bin/mpirun", "-n", "2", "wrap", "--", "prog"]


def test_variables_the_user_set_stay():
    """The agent's choice is a default; only the shell must be the one that runs the shim's commands."""
    given = {"FI_PROVIDER": "tcp;ofi_rxm", "SHELL": "/bin/csh"}
    assert variables(Mpi.INTELMPI, PLAN, given) == {"SHELL": "/bin/sh"}


def test_hosts_files_have_each_mpis_form():
    """Open MPI counts slots, Hydra counts after a colon."""
    assert hosts_file(Mpi.OPENMPI5, PLAN.hosts) == "10.0.1.4 slots=2\n10.0.1.9 slots=2\n"
    assert hosts_file(Mpi.INTELMPI, PLAN.hosts) == "10.0.1.4:2\n10.0.1.9:2\n"


@pytest.mark.parametrize(
    ("version", "mpi"),
    [
        ("mpirun (Open MPI) 4.1.8\n\nReport bugs to http://www.open-mpi.org/community/help/", Mpi.OPENMPI4),
        ("mpirun (Open MPI) 5.0.11\n", Mpi.OPENMPI5),
        ("HYDRA build details:\n    Version:                                 5.0.2\n", Mpi.MPICH),
        ("Intel(R) MPI Library for Linux* OS, Version 2021.18 Build 20260101 (id: 1)\n", Mpi.INTELMPI),
    ],
)
def test_mpirun_is_recognised_by_its_version(version, mpi):
    """What each mpirun says of itself is enough to know how to start it."""
    assert recognise(version, "auto") is mpi


def test_another_mpi_than_asked_for_is_named():
    """A job that asks for MPICH in an image with Open MPI ends before it starts, saying what to write."""
    with pytest.raises(
        Misconfigured, match="asks for launcher mpich, but this image's mpirun is Open MPI 5; write launcher: openmpi"
    ):
        recognise("mpirun (Open MPI) 5.0.11", "mpich")
    with pytest.raises(Misconfigured, match="it says 'slurm-mpirun 3'"):
        recognise("slurm-mpirun 3\n", "auto")
