"""What a job cost, its type and capacity found in what AWS tells."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from batchhpc.aws.jobs.spending import Spent, spent_by
from batchhpc.aws.prices.prices import Prices
from batchhpc.jobs import Attempt, JobState, JobStatus, NodeStatus
from tests.unit.aws.price_documents import NOW, instance, spot
from tests.unit.aws.priced_clients import PricedClients

QUEUE = "arn:aws:batch:eu-west-1:123456789012:job-queue/"
MULTINODE: dict[str, Any] = {"nodeProperties": {"nodeRangeProperties": [{"container": {"instanceType": "c7i.8xlarge"}}]}}


@pytest.fixture
def aws() -> PricedClients:
    return PricedClients()


def cost(aws: PricedClients, queue: str = "batchhpc-test", **detail: Any) -> Spent:
    """What a job of one hour cost."""
    attempt = Attempt(started_at=NOW - 3600, stopped_at=NOW, exit_code=0, status_reason="", reason="")
    status = JobStatus(
        id="j",
        name="j",
        state=JobState.SUCCEEDED,
        status_reason="",
        created_at=NOW - 4000,
        started_at=NOW - 3600,
        stopped_at=NOW,
        attempts=(attempt,),
        nodes=(),
    )
    known: Any = {"jobQueue": QUEUE + queue, **detail}
    return spent_by(known, status, aws.clients, Prices(aws.clients, now=lambda: NOW))


def test_the_stack_tells_type_and_capacity(aws: PricedClients) -> None:
    """A container job's price is that of its environment's only type."""
    aws.deployed()
    aws.prices.listed(instance("c7i.8xlarge", "1.5"))
    assert cost(aws) == Spent(Decimal(1), "c7i.8xlarge", Decimal("1.5"), Decimal("1.5"))


def test_a_fair_share_queue_is_its_environments_too(aws: PricedClients) -> None:
    """The second queue of an environment leads to the same stack."""
    aws.deployed()
    aws.prices.listed(instance("c7i.8xlarge", "1.5"))
    assert cost(aws, "batchhpc-test-fair-share").usd == Decimal("1.5")


def test_on_spot_zones_that_are_not_known_make_a_range(aws: PricedClients) -> None:
    """A job on Spot cost something between the cheapest and the dearest zone's mean price."""
    aws.deployed(capacity="spot")
    aws.prices.history(spot("c7i.8xlarge", "euw1-az1", "0.6", NOW - 9000), spot("c7i.8xlarge", "euw1-az2", "0.5", NOW - 9000))
    found = cost(aws)
    assert (found.lowest, found.usd) == (Decimal("0.5"), Decimal("0.6"))
    assert found.text().startswith("cost: about $0.5000 to $0.6000: 1.00 node-hours of c7i.8xlarge")


def test_several_types_leave_the_price_unknown(aws: PricedClients) -> None:
    """Which of several types a container job got nobody says, so its price is unknown, not guessed."""
    aws.deployed(instance_types=["c7i.8xlarge", "c7i.16xlarge"])
    found = cost(aws)
    assert (found.usd, found.unknown) == (None, "its instance type is not known")


def test_a_multi_node_job_needs_no_stack(aws: PricedClients) -> None:
    """A multi-node job names its type, and runs on demand (R11): its price is known even if its environment is gone."""
    aws.gone()
    aws.prices.listed(instance("c7i.8xlarge", "1.5"))
    assert cost(aws, **MULTINODE).usd == Decimal("1.5")


def test_of_anothers_queue_nothing_is_asked(aws: PricedClients) -> None:
    """A queue that is not ours has no stack of ours."""
    assert cost(aws, "theirs").unknown == "its instance type is not known"


def test_a_refusal_is_the_reason(aws: PricedClients) -> None:
    """Without the permission to see prices the node-hours are told, and why there is no price."""
    aws.deployed()
    aws.prices.refuse("pricing", "get_products")
    found = cost(aws)
    assert (found.node_hours, found.usd, "pricing:GetProducts" in found.unknown) == (Decimal(1), None, True)


def test_nodes_of_a_gang_are_paid_for_one_by_one(aws: PricedClients) -> None:
    """A gang's node that was reclaimed counts its own earlier attempt, the others none: no attempt is counted for all."""
    aws.deployed()
    aws.prices.listed(instance("c7i.8xlarge", "2"))
    lost = Attempt(None, "", "Host EC2 (instance i-1) terminated.", NOW - 7200, NOW - 5400)
    whole = Attempt(0, "", "", NOW - 7200, NOW)
    leader = NodeStatus(0, True, JobState.SUCCEEDED, started_at=NOW - 7200, stopped_at=NOW)
    other = NodeStatus(1, False, JobState.SUCCEEDED, started_at=NOW - 3600, stopped_at=NOW, earlier=(lost,))
    status = JobStatus("j", "j", JobState.SUCCEEDED, "", NOW - 7300, NOW - 7200, NOW, (whole,), (leader, other))
    known: Any = {"jobQueue": QUEUE + "batchhpc-test"}
    made = spent_by(known, status, aws.clients, Prices(aws.clients, now=lambda: NOW))
    assert (made.node_hours, made.usd) == (Decimal("3.5"), Decimal(7))
