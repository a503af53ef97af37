"""What a job can cost, and what it cost."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from batchhpc.aws.jobs.spending import Spent, spent
from batchhpc.aws.prices.job_costs import Estimate, estimate
from batchhpc.aws.prices.price_list import NOT_LISTED
from batchhpc.compiler import compile_job
from batchhpc.compiler.billing import Item, Product
from batchhpc.jobs import Attempt, JobState, JobStatus, NodeStatus
from batchhpc.spec import Capacity, Environment, JobSpec
from tests.unit.aws.test_costs import ListedPrices, prices

NOW = 1_800_000_000.0
BEGIN = NOW - 7200


def cost(environment: dict[str, Any] | None = None, *without: str, why: str = "access denied", **job: Any) -> Estimate:
    """What a job can cost."""
    spec: dict[str, Any] = {"name": "j", "image": "i", "command": ["./x"], "memory_per_node": "8 GiB"}
    spec |= {"nodes": 4, "time_limit": "2h", "attempts": 1, **job}
    known = environment or {"name": "prod", "instance_types": ["c7i.8xlarge"]}
    return estimate(compile_job(JobSpec.from_data(spec), Environment.from_data(known)), prices(*without, why=why))


def test_all_nodes_for_all_of_the_time_limit() -> None:
    """Four nodes for two hours at 1.5 dollars are at most twelve dollars."""
    found = cost()
    assert [found.per_hour, found.once, found.at_most] == [Decimal(6), Decimal(12), Decimal(12)]
    assert found.text() == (
        "cost: at most $12.00: 4 x c7i.8xlarge on demand, $6.0000 an hour, 2 h at most; Spot is 50 % cheaper than on demand now"
    )


def test_every_attempt_may_take_its_time() -> None:
    """A job that may be started three times can cost three times as much."""
    found = cost(attempts=3)
    assert [found.once, found.at_most] == [Decimal(12), Decimal(36)]
    assert "at most $36.00 ($12.00 for each of 3 attempts)" in found.text()


def test_an_instance_is_paid_for_a_minute_at_least() -> None:
    """The shortest time limit is the shortest time that EC2 bills."""
    assert cost(time_limit="1m").at_most == Decimal("0.1")


def test_spot_counts_at_the_price_of_the_dearest_zone() -> None:
    """Of a job on Spot the price is today's of the dearest zone, since nobody says in which it will be."""
    found = cost({"name": "prod", "instance_types": ["c7i.8xlarge"], "capacity": "spot"})
    assert found.capacity is Capacity.SPOT
    assert [found.spot, found.at_most] == [Decimal("0.75"), Decimal(6)]


def test_of_several_types_the_dearest_counts() -> None:
    """A container job gets what the queue gives, so it costs at most what the dearest type costs."""
    types = {"name": "prod", "instance_types": ["c7i.8xlarge", "c7i.16xlarge"]}
    assert cost(types, nodes=1).kind == "c7i.16xlarge"
    assert cost(types, nodes=1).at_most == 6
    assert cost(types, nodes=2).kind == "c7i.8xlarge"  # a multi-node job names its type (R7)


def test_one_unknown_price_makes_the_most_unknown() -> None:
    """If one of the types it may get has no known price, nobody knows what it costs at most."""
    types = {"name": "prod", "instance_types": ["c7i.8xlarge", "c7i.16xlarge"]}
    found = cost(types, "c7i.8xlarge", nodes=1)
    assert (found.at_most, found.text()) == (None, "cost: unknown: c7i.8xlarge: access denied")


def test_a_type_that_is_not_sold_does_not_count() -> None:
    """A type that the Region's price list does not have cannot be launched there either."""
    types = {"name": "prod", "instance_types": ["c7i.8xlarge", "c7i.16xlarge"]}
    assert cost(types, "c7i.16xlarge", why=NOT_LISTED, nodes=1).at_most == 3
    assert cost(types, "c7i.16xlarge", "c7i.8xlarge", why=NOT_LISTED, nodes=1).at_most is None


def test_without_an_instance_type_nothing_is_known() -> None:
    """An environment that names no types, and a job that names none, have no price."""
    assert cost({"name": "prod"}, nodes=1).unknown.startswith("no instance type is named")


def test_volumes_of_nodes_count() -> None:
    """Each node has its volumes while it runs; one whose price is not known makes the sum unknown."""
    data = {"name": "j", "image": "i", "command": ["x"], "time_limit": "1h", "attempts": 1, "memory_per_node": "8 GiB"}
    spec = JobSpec.from_data(data)
    job = compile_job(spec, Environment(name="prod", instance_types=("c7i.8xlarge",)))
    disk = Item("EBS gp3", Decimal(7300), "GiB-month", Product("AmazonEC2", "EBS:VolumeUsage.gp3", "GiB-month"))
    assert estimate(job, prices(), [disk]).at_most == Decimal("2.5")
    assert estimate(job, prices("EBS:VolumeUsage.gp3"), [disk]).unknown == "access denied"


def test_the_request_overrides_the_definition() -> None:
    """Nodes, time and attempts are those of the request, where an overlay puts them there."""
    overlay = {
        "submit": {
            "nodeOverrides": {"numNodes": 8},
            "timeout": {"attemptDurationSeconds": 3600},
            "retryStrategy": {"attempts": 2},
        }
    }
    found = cost(overlay=overlay)
    assert (found.nodes, found.attempts) == (8, 2)
    assert [found.hours, found.at_most] == [Decimal(1), Decimal(24)]


def test_an_estimate_as_json() -> None:
    """Amounts are text, and what is not known is null."""
    data = cost().to_data()
    assert (data["at_most"], data["on_demand"], data["capacity"], data["currency"]) == ("12.0", "1.5", "on-demand", "USD")
    assert cost(None, "*").to_data()["at_most"] is None


def status(state: JobState, attempts: list[tuple[float, float]], nodes: list[tuple[float | None, float | None]]) -> JobStatus:
    """A job whose attempts ran from and to these seconds after the beginning, as did the nodes of the newest."""
    return JobStatus(
        id="j",
        name="j",
        state=state,
        status_reason="",
        created_at=BEGIN,
        started_at=BEGIN,
        stopped_at=None,
        attempts=tuple(Attempt(1, "", "", BEGIN + begin, BEGIN + end) for begin, end in attempts),
        nodes=tuple(
            NodeStatus(
                index=i,
                main=i == 0,
                state=state,
                started_at=None if begin is None else BEGIN + begin,
                stopped_at=None if end is None else BEGIN + end,
            )
            for i, (begin, end) in enumerate(nodes)
        ),
    )


def bill(status: JobStatus, kind: str = "c7i.8xlarge", capacity: Capacity | None = Capacity.ON_DEMAND, *without: str) -> Spent:
    """What a job cost."""
    return spent(status, kind, capacity, prices(*without))


def test_nodes_are_counted_by_their_own_times() -> None:
    """Each node of the last attempt counts from its start to its end."""
    ended = status(JobState.SUCCEEDED, [(0, 3600)], [(0, 3600), (600, 3600)])
    found = bill(ended)
    assert found.node_hours == Decimal("1.8334")
    assert found.usd == found.lowest == Decimal("1.8334") * Decimal("1.5")
    assert found.text() == (
        "cost: about $2.7501: 1.83 node-hours of c7i.8xlarge by the times of its containers; instances live longer"
    )


def test_earlier_attempts_count_with_all_nodes() -> None:
    """Of an earlier attempt only the main node's times are told, so every node counts as long as it (R37)."""
    ended = status(JobState.SUCCEEDED, [(0, 1800), (2000, 5600)], [(2000, 5600), (2000, 5600)])
    assert bill(ended).node_hours == 3
    waiting = status(JobState.RUNNABLE, [(0, 1800)], [(None, None), (None, None)])
    assert bill(waiting).node_hours == 1


def test_a_running_job_costs_until_now() -> None:
    """Nodes that have not ended count until now."""
    assert ListedPrices().now() == NOW
    assert bill(status(JobState.RUNNING, [], [(0, None), (3600, None)])).node_hours == 3


def test_a_job_that_never_started_costs_nothing() -> None:
    """Waiting is free, whatever its type would cost."""
    assert bill(status(JobState.RUNNABLE, [], [(None, None)]), "", None).usd == 0


def test_a_minute_is_paid_at_least() -> None:
    """A node that ran a second costs a minute."""
    assert bill(status(JobState.FAILED, [(0, 1)], [(0, 1)])).node_hours == Decimal("0.0167")


def test_spot_prices_are_those_of_that_time() -> None:
    """With a zone that is not known, the cost lies between the cheapest and the dearest zone's."""
    found = bill(status(JobState.SUCCEEDED, [(0, 3600)], [(0, 3600)]), capacity=Capacity.SPOT)
    assert (found.lowest, found.usd) == (Decimal("0.5"), Decimal("0.75"))
    assert "about $0.5000 to $0.7500" in found.text()


@pytest.mark.parametrize(
    ("kind", "capacity", "without", "why"),
    [
        ("", Capacity.ON_DEMAND, (), "its instance type is not known"),
        ("c7i.8xlarge", None, (), "it is not known whether it ran on Spot or on demand"),
        ("c7i.8xlarge", Capacity.ON_DEMAND, ("*",), "access denied"),
        ("c7i.8xlarge", Capacity.SPOT, ("*",), "access denied"),
    ],
)
def test_what_is_not_known_of_a_job_that_ran(kind: str, capacity: Capacity | None, without: tuple[str, ...], why: str) -> None:
    """Its node-hours are told all the same, and why there is no price."""
    found = bill(status(JobState.SUCCEEDED, [(0, 3600)], [(0, 3600)]), kind, capacity, *without)
    assert (found.usd, found.text()) == (None, f"cost: 1.00 node-hours, price unknown: {why}")
    assert found.to_data()["usd"] is None
