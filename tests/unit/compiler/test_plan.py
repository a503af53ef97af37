from __future__ import annotations

import pytest

from batchhpc.compiler.plan import make_plan
from batchhpc.spec import Environment, JobSpec, Shape

JOB = JobSpec(name="job", image="image", command=["program"])
SPOT = Environment(name="cheap", capacity="spot")


@pytest.mark.parametrize(
    ("nodes", "environment", "shape"),
    [
        (1, Environment(), Shape.CONTAINER),
        (1, SPOT, Shape.CONTAINER),
        (4, Environment(), Shape.MULTINODE),
        (4, SPOT, Shape.GANG),
    ],
)
def test_the_shape_follows_from_nodes_and_capacity(nodes, environment, shape):
    """One node is a container; several are multinode on demand and a gang on Spot, and the reason names what decided."""
    plan = make_plan(JOB.replace(nodes=nodes), environment)
    assert plan.shape is shape
    assert shape.value in plan.why
    assert "one node" in plan.why or environment.capacity.value in plan.why


def test_a_shape_asked_for_is_taken():
    """The spec's own shape wins, and the reason says so."""
    plan = make_plan(JOB.replace(nodes=4, shape="gang"), Environment())
    assert plan.shape is Shape.GANG
    assert "asks for it" in plan.why


def test_the_first_type_that_fits_is_chosen():
    """Of the environment's types the first that holds the ranks, the memory and the GPUs of all groups is taken."""
    environment = Environment(instance_types=["c7i.large", "c7i.8xlarge", "c7i.16xlarge"])

    def chosen(**changes):
        kind = make_plan(JOB.replace(**changes), environment).kind
        return kind.name if kind else None

    assert chosen() == "c7i.large"
    assert chosen(ranks_per_node=16, cpus_per_rank=2) == "c7i.8xlarge"
    assert chosen(memory_per_node="100 GiB") == "c7i.16xlarge"
    assert chosen(nodes=2, node_groups=[{"nodes": "0", "ranks_per_node": 33}]) == "c7i.16xlarge"
    assert chosen(instance_type="c7i.large", ranks_per_node=64) == "c7i.large"
    assert chosen(ranks_per_node=1000) == "c7i.16xlarge"


def test_a_type_without_spot_or_efa_does_not_fit_where_it_is_needed():
    """In a Spot environment a type must be sold as Spot; with fabric efa and several nodes it must have EFA."""
    types = ["hpc7a.12xlarge", "c7i.16xlarge", "c7gn.16xlarge"]
    on_spot = make_plan(JOB.replace(nodes=2), Environment(capacity="spot", instance_types=types)).kind
    with_efa = make_plan(JOB.replace(nodes=2), Environment(fabric="efa", instance_types=types[1:])).kind
    assert on_spot
    assert with_efa
    assert (on_spot.name, with_efa.name) == ("c7i.16xlarge", "c7gn.16xlarge")


@pytest.mark.parametrize(
    ("nodes", "kind", "fabric", "interfaces", "devices"),
    [
        (2, "hpc7a.96xlarge", "auto", None, 2),
        (2, "hpc7a.96xlarge", "auto", 1, 1),
        (2, "hpc7a.96xlarge", "ena", None, 0),
        (1, "hpc7a.96xlarge", "efa", None, 0),
        (2, "c7i.8xlarge", "auto", None, 0),
        (2, "hpc6id.32xlarge", "auto", None, 1),
        (2, None, "auto", None, 0),
        (2, None, "efa", None, 1),
    ],
)
def test_efa_devices_follow_type_nodes_and_fabric(nodes, kind, fabric, interfaces, devices):
    """Nodes get EFA devices if there are several, the fabric allows it and the type has it: as many as the node has."""
    environment = Environment(fabric=fabric, efa_interfaces=interfaces)
    assert make_plan(JOB.replace(nodes=nodes, instance_type=kind), environment).devices == devices


def test_whole_nodes_for_several_and_a_share_for_one():
    """Jobs of several nodes ask for all vCPUs and the fitted memory; a container asks for its part of both (R10, R25)."""
    several = make_plan(JOB.replace(nodes=2, instance_type="c7i.8xlarge"), Environment()).size(None)
    one = make_plan(JOB.replace(ranks_per_node=8, instance_type="c7i.8xlarge"), Environment()).size(None)
    unknown = make_plan(JOB.replace(ranks_per_node=3, cpus_per_rank=2), Environment()).size(None)
    assert (several.vcpus, several.memory) == (32, 65536 * 93 // 100 - 32 - 1024)
    assert (one.vcpus, one.memory) == (8, several.memory // 4)
    assert (unknown.vcpus, unknown.memory) == (6, 12288)


def test_memory_kept_for_the_host_is_subtracted():
    """What the environment keeps for the host is not asked for."""
    job = JOB.replace(nodes=2, instance_type="c7i.8xlarge")
    less = make_plan(job, Environment(reserved_memory="512 MiB")).size(None).memory
    assert make_plan(job, Environment(reserved_memory="32 MiB")).size(None).memory - less == 480


@pytest.mark.parametrize(
    ("changes", "shared"),
    [
        ({}, 256),
        ({"ranks_per_node": 4}, 1024),
        ({"ranks_per_node": 4, "memory_per_node": "2 GiB"}, 512),
        ({"memory_per_node": "128 MiB"}, 64),
        ({"shared_memory": "3 GiB"}, 3072),
        ({"ranks_per_node": 4, "node_groups": [{"nodes": "0", "shared_memory": "1 GiB"}]}, 1024),
    ],
)
def test_shared_memory_is_chosen_from_ranks_and_memory(changes, shared):
    """256 MiB a rank, within a quarter of the memory, 64 MiB at least, unless the spec says how much."""
    assert make_plan(JOB.replace(**changes), Environment()).size(None).shared_memory == shared
