"""The variables of a node."""

from __future__ import annotations

from pathlib import Path

import pytest

from batchhpc.local.definition import JobPlan, Kind, NodePlan
from batchhpc.local.variables import batch_variables, node_variables, plain_variables


def plan(kind: Kind, node: NodePlan | None = None) -> JobPlan:
    nodes = (node or NodePlan(("run",)),) * (1 if kind is Kind.CONTAINER else 3)
    return JobPlan("job", "queue", kind, 0, nodes, 1, (), None, ())


def test_only_children_are_told_the_main_nodes_address() -> None:
    """AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS is set on child nodes, and not on the main node (R41)."""
    main, child = (batch_variables(plan(Kind.MULTINODE), node, job_id="id", attempt=2, main_address="127.1.2.1") for node in (0, 1))
    assert child == {**main, "AWS_BATCH_JOB_NODE_INDEX": "1", "AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS": "127.1.2.1"}
    assert main == {
        "AWS_BATCH_JOB_ID": "id",
        "AWS_BATCH_JOB_ATTEMPT": "2",
        "AWS_BATCH_CE_NAME": "batchhpc-local",
        "AWS_BATCH_JQ_NAME": "queue",
        "AWS_BATCH_JOB_NODE_INDEX": "0",
        "AWS_BATCH_JOB_NUM_NODES": "3",
        "AWS_BATCH_JOB_MAIN_NODE_INDEX": "0",
    }


def test_a_container_job_has_no_node_variables() -> None:
    """A job that is not multi-node has none of the variables about nodes (R41)."""
    variables = batch_variables(plan(Kind.CONTAINER), 0, job_id="id", attempt=1, main_address="127.1.2.1")
    assert not [name for name in variables if "NODE" in name]


def test_children_of_arrays_are_told_their_place_and_nothing_of_nodes() -> None:
    """A child has an id, an index and the array's size, and none of the variables about nodes (R41, R61)."""
    assert batch_variables(plan(Kind.ARRAY), 2, job_id="id", attempt=1, main_address="127.1.2.1") == {
        "AWS_BATCH_JOB_ID": "id:2",
        "AWS_BATCH_JOB_ATTEMPT": "1",
        "AWS_BATCH_CE_NAME": "batchhpc-local",
        "AWS_BATCH_JQ_NAME": "queue",
        "AWS_BATCH_JOB_ARRAY_INDEX": "2",
        "AWS_BATCH_JOB_ARRAY_SIZE": "3",
    }


def test_the_caller_is_not_the_image(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of the caller's variables only the documented ones reach a node."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.setenv("TZ", "UTC")
    variables = plain_variables(tmp_path)
    assert variables["TZ"] == "UTC"
    assert not {"AWS_SECRET_ACCESS_KEY", "OMP_NUM_THREADS"} & set(variables)


def test_the_definitions_variables_beat_the_machines_and_batchs_beat_both(tmp_path: Path) -> None:
    """Of two variables with one name Batch's wins, then the definition's, then the machine's; secrets and records are resolved."""
    node = NodePlan(
        ("run",), {"LANG": "de", "UCX_TLS": "all", "AWS_BATCH_JOB_ATTEMPT": "9", "BATCHHPC_RECORDS": "s3://b/p"}, {"TOKEN": "arn"}
    )
    variables = node_variables(
        plan(Kind.CONTAINER, node),
        0,
        job_id="id",
        attempt=1,
        main_address="127.1.2.1",
        network={"UCX_TLS": "tcp"},
        secrets={"arn": "value"},
        scratch=tmp_path,
        records="/records",
    )
    assert (variables["LANG"], variables["UCX_TLS"], variables["AWS_BATCH_JOB_ATTEMPT"]) == ("de", "all", "1")
    assert (variables["TOKEN"], variables["BATCHHPC_RECORDS"]) == ("value", "/records")
