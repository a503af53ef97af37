"""What the compiler writes is what the agent reads, and the reverse."""

import pytest

from batchhpc import JobSpec, compile_job
from batchhpc.agent import contract
from batchhpc.agent.settings import GangSettings, Settings
from batchhpc.errors import Misconfigured

SPEC = JobSpec(
    name="j", image="i", command=["prog", "x"], nodes=2, ranks_per_node=3, cpus_per_rank=2,
    join_timeout="90s", lost_after="1500ms", launcher="openmpi",
)  # fmt: skip
SET_BY_BATCH = {
    contract.JOB_ID: "1f", contract.JOB_ATTEMPT: "1", contract.NODE_INDEX: "1", contract.NUM_NODES: "2",
    contract.MAIN_NODE_INDEX: "0", contract.MAIN_NODE_ADDRESS: "10.0.0.4",
}  # fmt: skip


@pytest.fixture
def container():
    (group,) = compile_job(SPEC).register["nodeProperties"]["nodeRangeProperties"]
    return group["container"]


def variables(container):
    return {variable["name"]: variable["value"] for variable in container["environment"]}


def test_the_compiler_writes_exactly_the_contracts_variables(container):
    """No BATCHHPC variable is written that the contract does not list, and none of the list is left out."""
    written = {name for name in variables(container) if name.startswith("BATCHHPC")}
    assert written == set(contract.COMPILED)
    assert [secret["name"] for secret in container["secrets"]] == [contract.SECRET]


def test_gangs_are_told_more_and_no_other_job_is():
    """A gang is told the contract's further variables, all of them; a job of one node no more than the rest."""
    for changes, expected in (
        ({"shape": "gang"}, {*contract.COMPILED, *contract.COMPILED_FOR_GANGS}),
        ({"nodes": 1}, {*contract.COMPILED}),
    ):
        told = variables(compile_job(SPEC.replace(**changes)).register["containerProperties"])
        assert {name for name in told if name.startswith("BATCHHPC")} == expected


def test_the_agent_understands_what_the_compiler_wrote(container):
    """The values arrive as they were meant, units included, and so does the command."""
    assert tuple(container["command"][: len(contract.NODE_COMMAND)]) == contract.NODE_COMMAND
    command = tuple(container["command"][len(contract.NODE_COMMAND) :])
    told = Settings.from_environment({**variables(container), **SET_BY_BATCH, contract.SECRET: "s"}, command)
    assert told.command == ("prog", "x")
    assert (told.launcher, told.ranks, told.cpus_per_rank, told.fabric) == ("openmpi", 3, 2, "ena")
    assert (told.join_timeout, told.lost_after, told.stop_grace) == (90.0, 1.5, 30.0)


CHILD = {contract.JOB_ID: "1f:1", contract.JOB_ATTEMPT: "2", contract.ARRAY_INDEX: "1", contract.ARRAY_SIZE: "2"}
GANG = SPEC.replace(shape="gang", min_nodes=1, min_nodes_after="45s", reform_timeout="2500ms", time_limit="90m")


def test_the_agent_understands_what_a_gang_is_told():
    """Where the record is, how few nodes are enough and how long to wait arrive at a child as they were meant."""
    told = {**variables(compile_job(GANG).register["containerProperties"]), **CHILD, contract.SECRET: "s"}
    settings = Settings.from_environment(told, ("prog",))
    assert settings.gang == GangSettings("s3://batchhpc-local/batchhpc/gangs", 1, 45.0, 2.5, 5400.0)
    assert (settings.job_id, settings.node, settings.nodes, settings.join_timeout) == ("1f", 1, 2, 90.0)


@pytest.mark.parametrize("name", [*contract.COMPILED, *contract.COMPILED_FOR_GANGS[1:], contract.SECRET])
def test_a_gangs_agent_misses_every_variable_that_is_left_out(name):
    """Each variable of a gang is one its agent cannot do without; without the record's place it would be no gang."""
    told = {**variables(compile_job(GANG).register["containerProperties"]), **CHILD, contract.SECRET: "s"}
    del told[name]
    with pytest.raises(Misconfigured, match=f"{name} is missing"):
        Settings.from_environment(told, ("prog",))


@pytest.mark.parametrize("name", [*contract.COMPILED, contract.SECRET])
def test_the_agent_misses_every_variable_that_is_left_out(container, name):
    """Each variable the compiler writes is one the agent cannot do without: none is written for nobody."""
    told = {**variables(container), **SET_BY_BATCH, contract.SECRET: "s"}
    del told[name]
    with pytest.raises(Misconfigured, match=f"{name} is missing"):
        Settings.from_environment(told, ("prog",))
