"""What a node reads from its environment."""

import pytest

from batchhpc.agent import contract
from batchhpc.agent.settings import Settings
from batchhpc.errors import Misconfigured

COMPILED = {
    contract.LAUNCHER: "auto", contract.RANKS_PER_NODE: "4", contract.CPUS_PER_RANK: "1", contract.FABRIC: "ena",
    contract.JOIN_TIMEOUT: "900", contract.LOST_AFTER: "2.5", contract.STOP_GRACE: "30",
}  # fmt: skip
JOB = {contract.JOB_ID: "1f#2", contract.JOB_ATTEMPT: "3", **COMPILED}
NODE = {contract.NODE_INDEX: "2", contract.NUM_NODES: "4", contract.MAIN_NODE_INDEX: "0", contract.SECRET: "s"}


def test_a_container_job_is_a_job_of_one_node():
    """Without the multi-node variables the node is the main node of one, and needs no secret."""
    settings = Settings.from_environment(JOB, ("prog",))
    assert (settings.node, settings.nodes, settings.is_main, settings.secret) == (0, 1, True, None)
    assert settings.job_id == "1f"  # R41: a node's id may carry #n


def test_a_child_knows_where_the_main_node_is():
    """A child reads the main node's address, which AWS Batch gives to children only (R41)."""
    settings = Settings.from_environment({**JOB, **NODE, contract.MAIN_NODE_ADDRESS: "10.0.0.9"}, ("prog",))
    assert (settings.is_main, settings.main_address, settings.lost_after) == (False, "10.0.0.9", 2.5)


def test_every_missing_or_wrong_variable_is_named_at_once():
    """One message tells all that is wrong."""
    wrong = {**JOB, **NODE, contract.NODE_INDEX: "7", contract.LOST_AFTER: "soon", contract.LAUNCHER: "srun"}
    del wrong[contract.JOB_ID]
    with pytest.raises(Misconfigured) as caught:
        Settings.from_environment(wrong, ())
    message = str(caught.value)
    for part in (
        "AWS_BATCH_JOB_ID is missing",
        "AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS is missing",
        "BATCHHPC_LOST_AFTER is 'soon', not a number of seconds",
        "BATCHHPC_LAUNCHER is 'srun', not one of auto, openmpi, mpich, intelmpi, none",
        "there is no command after --",
        "node 7 and main node 0 must both be below the number of nodes, 4",
    ):
        assert part in message
