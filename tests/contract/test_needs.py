"""What ``batchhpc check`` says of a job that is fine, held against the documents that an overlay changed."""

from __future__ import annotations

from typing import Any

import pytest

from batchhpc.cli.check import needs_of, nodes_of
from batchhpc.compiler import compile_job
from batchhpc.spec import JobSpec

JOB = JobSpec(name="job", image="image", command=["program"], ranks_per_node=2)


def test_the_number_of_nodes_is_the_requests():
    """Where the overlay submits with another number of nodes, that many are counted."""
    job = compile_job(JOB.replace(nodes=4, overlay={"submit": {"nodeOverrides": {"numNodes": 2}}}))
    assert nodes_of(job) == 2
    assert [(each.count, each.ranks_per_node) for each in needs_of(job)] == [(2, 2)]


@pytest.mark.parametrize("nodes", [1, 4])
def test_nodes_of_a_gang_and_of_one_node(nodes):
    """A gang has as many nodes as its array has children, a container job one."""
    job = compile_job(JOB.replace(nodes=nodes, shape="gang" if nodes > 1 else "auto"))
    assert [each.count for each in needs_of(job)] == [nodes]


@pytest.mark.parametrize(
    "container",
    [
        {"environment": [{"name": "BATCHHPC_RANKS_PER_NODE", "value": "many"}]},
        {"environment": [{"name": "BATCHHPC_RANKS_PER_NODE"}]},
    ],
)
def test_an_odd_overlay_is_no_crash(container: dict[str, Any]):
    """What an overlay made of the agent's variables cannot be counted, but does not end the command."""
    job = compile_job(JOB.replace(overlay={"register": {"containerProperties": container}}))
    assert [each.ranks_per_node for each in needs_of(job)] == [1]


@pytest.mark.parametrize("other", [{"eksProperties": {"podProperties": {}}}, {"ecsProperties": {"taskProperties": []}}])
def test_no_container_is_no_crash(other: dict[str, Any]):
    """A definition without a container that is known needs nothing that could be told."""
    job = compile_job(JOB)
    register = {name: value for name, value in job.register.items() if name != "containerProperties"}
    made = type(job)(job.shape, job.why, {**register, **other}, job.submit)
    assert [(each.count, each.vcpus) for each in needs_of(made)] == [(1, 0)]
