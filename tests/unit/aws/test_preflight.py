"""What only the account knows is asked before anything is made; what cannot be asked is said."""

from __future__ import annotations

from typing import Any

import pytest

from batchhpc.aws.environments.preflight import Preflight, offered, preflight
from batchhpc.aws.quotas import vcpu_quota
from batchhpc.errors import Severity
from tests.unit.aws.account import NETWORK, account, offerings, plan, quotas, subnet
from tests.unit.aws.fake_aws import Answer, FakeAws
from tests.unit.aws.fake_jobs import Refusal

BOTH = ("c7i.8xlarge", "c7i.16xlarge")
RESERVATION = "cr-0123456789abcdef0"
DENIED = Refusal("You are not authorized to perform: ec2:Describe", "UnauthorizedOperation", 403)


def asked(fake: FakeAws, zone: str | None = None, **changes: Any) -> Preflight:
    """The pre-flight of an environment."""
    return preflight(plan(**changes), fake.clients, zone)


def texts(found: Preflight) -> list[str]:
    """What was found, as people read it."""
    return [each.text() for each in found.problems]


def test_nothing_to_say() -> None:
    """Where nothing speaks against an environment, its zone is known and nothing is said."""
    found = asked(account())
    assert (found.zone, found.problems) == ("euw1-az1", [])


@pytest.mark.parametrize(
    ("zones", "zone"),
    [
        ({"euw1-az3": BOTH, "euw1-az2": BOTH}, "euw1-az2"),
        ({"euw1-az1": BOTH[:1], "euw1-az2": BOTH}, "euw1-az2"),
        ({"euw1-az2": BOTH[:1], "euw1-az1": BOTH[1:]}, "euw1-az1"),
    ],
)
def test_the_zone_that_is_chosen(zones: dict[str, tuple[str, ...]], zone: str) -> None:
    """The first zone that offers all types is chosen, else one that offers most of them: always the same."""
    assert asked(account(zones)).zone == zone


def test_a_zone_without_all_types() -> None:
    """A zone that offers some of the types only is a warning with the number, and what the best zones offer."""
    (only,) = texts(asked(account({"euw1-az1": BOTH[:1], "euw1-az2": BOTH[1:]})))
    assert only == (
        "warning: availability_zone: euw1-az1 offers 1 of the 2 types, not c7i.16xlarge (R94)\n"
        "  hint: no zone offers all; euw1-az1 1 of 2, euw1-az2 1 of 2"
    )


def test_a_zone_without_any_type() -> None:
    """A zone of the spec that offers none of the types is an error that names those that do (R94)."""
    found = asked(account({"euw1-az2": BOTH}), availability_zone="euw1-az1")
    assert [each.text() for each in found.errors] == [
        "availability_zone: euw1-az1 does not offer c7i.8xlarge, c7i.16xlarge (R94)\n  hint: zones that offer all: euw1-az2"
    ]


def test_no_zone_at_all() -> None:
    """Types that no zone of the Region offers are an error."""
    (error,) = asked(account({})).errors
    assert error.text().startswith("instance_types: no zone of eu-west-1 offers c7i.8xlarge, c7i.16xlarge (R94)")


def test_a_zone_is_not_chosen_twice() -> None:
    """The zone that an environment is in stays, even where another one comes first now."""
    assert asked(account({"euw1-az1": BOTH, "euw1-az3": BOTH}), zone="euw1-az3").zone == "euw1-az3"


def test_the_zone_of_an_existing_subnet() -> None:
    """With a subnet that is there the zone is that subnet's, and the types are looked for in it."""
    fake = account({"euw1-az1": BOTH}).on("ec2.DescribeSubnets", subnet(AvailabilityZoneId="euw1-az2"))
    found = asked(fake, network=NETWORK)
    assert found.zone == "euw1-az2"
    assert "euw1-az2 does not offer c7i.8xlarge" in texts(found)[0]


def test_many_types_are_asked_for_in_parts() -> None:
    """Types are asked for 200 at a time, the most that a filter of EC2 takes, and by pages."""
    names = tuple(f"c7i.{i}xlarge" for i in range(450))
    page: Answer = offerings({"euw1-az1": names[:1]}) | {"NextToken": "more"}
    fake = FakeAws().on("ec2.DescribeInstanceTypeOfferings", page, offerings({"euw1-az1": names[1:]}))
    assert len(offered(names, fake.clients)["euw1-az1"]) == 450
    values = [request["Filters"][0]["Values"] for request in fake.asked("ec2.DescribeInstanceTypeOfferings")]
    assert [len(each) for each in values] == [200, 200, 200, 50]


def test_a_quota_that_is_too_small() -> None:
    """A vCPU quota below all nodes of the largest type is a warning with both numbers: jobs would stay RUNNABLE (R27)."""
    (only,) = asked(account().on("service-quotas.ListServiceQuotas", quotas(standard=255))).problems
    assert only.severity is Severity.WARNING
    assert "4 x c7i.16xlarge are 256 vCPUs, but the account's quota" in only.message
    assert "is 255" in only.message
    assert "RUNNABLE" in only.hint


def test_a_quota_that_is_just_enough() -> None:
    """A quota of exactly what all nodes take is enough."""
    assert asked(account().on("service-quotas.ListServiceQuotas", quotas(standard=256))).problems == []


@pytest.mark.parametrize(("kind", "vcpus"), [("p5.48xlarge", 192), ("p4d.24xlarge", 96), ("c7i.large", None), ("pt1.large", None)])
def test_which_quota_holds(kind: str, vcpus: int | None) -> None:
    """A quota is found by the family's letters, or by letters and generation where one names them."""
    names = {"All P4, P3 and P2 Spot Instance Requests": 96, "All P5 Spot Instance Requests": 192, "Key pairs": 5000}
    listed = {"Quotas": [{"QuotaName": name, "Value": float(value)} for name, value in names.items()]}
    fake = account().on("service-quotas.ListServiceQuotas", listed)
    found = vcpu_quota(fake.clients.quotas, kind, spot=True)
    assert (found[1] if found else None) == vcpus


def test_quotas_on_further_pages() -> None:
    """Quotas are looked for on all pages."""
    fake = account().on("service-quotas.ListServiceQuotas", quotas(P5=1) | {"NextToken": "more"}, quotas(standard=255))
    assert "256 vCPUs" in texts(asked(fake))[0]


def test_spot_has_its_own_quotas() -> None:
    """Spot instances are counted by the quota of Spot requests."""
    listed = quotas(standard=10_000)
    listed["Quotas"].append({"QuotaName": "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests", "Value": 64.0})
    fake = account().on("service-quotas.ListServiceQuotas", listed)
    assert "'All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests' is 64" in texts(asked(fake, capacity="spot"))[0]


def test_a_quota_that_is_not_listed() -> None:
    """A family without a quota in the list is said as not checked."""
    found = asked(account().on("service-quotas.ListServiceQuotas", quotas(P5=10)))
    assert [each.message for each in found.problems] == ["not checked: the vCPU quota of c7i: Service Quotas lists none for it"]


def reservation(**changes: Any) -> Answer:
    """An answer of DescribeCapacityReservations."""
    one = {"CapacityReservationId": RESERVATION, "InstanceType": "c7i.8xlarge", "State": "active", "AvailabilityZoneId": "euw1-az1"}
    return {"CapacityReservations": [{**one, **changes}]}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (reservation(), None),
        (Refusal("not there", "InvalidCapacityReservationId.NotFound"), f"there is no {RESERVATION} in eu-west-1"),
        (reservation(State="expired"), f"{RESERVATION} is expired"),
        (reservation(InstanceType="m7i.large"), f"{RESERVATION} is for m7i.large, which is not among the instance_types"),
        (reservation(AvailabilityZoneId="euw1-az2"), f"{RESERVATION} is in euw1-az2, but the nodes are in euw1-az1"),
    ],
)
def test_capacity_reservations(answer: Answer | Refusal, said: str | None) -> None:
    """A reservation must be there, active, of one of the types and in the nodes' zone; it is asked for by its id."""
    fake = account().on("ec2.DescribeCapacityReservations", answer)
    found = asked(fake, capacity_reservation=RESERVATION)
    assert [each.message for each in found.errors] == ([said] if said else [])
    assert fake.asked("ec2.DescribeCapacityReservations") == [{"CapacityReservationIds": [RESERVATION]}]


def test_a_group_of_reservations_is_not_checked() -> None:
    """A group of reservations is said as not checked."""
    group = "arn:aws:resource-groups:eu-west-1:123456789012:group/hpc"
    assert texts(asked(account(), capacity_reservation=group)) == [
        f"warning: capacity_reservation: not checked: {group}, a group of reservations"
    ]


@pytest.mark.parametrize(
    ("operation", "path", "what"),
    [
        ("ec2.DescribeSubnets", "network.subnet", "the subnet"),
        ("ec2.DescribeRouteTables", "network.subnet", "the subnet"),
        ("ec2.DescribeVpcAttribute", "network.subnet", "the subnet"),
        ("ec2.DescribeInstanceTypeOfferings", "availability_zone", "which zones offer the types"),
        ("service-quotas.ListServiceQuotas", "max_nodes", "the vCPU quotas"),
        ("ec2.DescribeCapacityReservations", "capacity_reservation", "the capacity reservation"),
    ],
)
def test_what_cannot_be_read(operation: str, path: str, what: str) -> None:
    """What may not be read is said as not checked, with AWS's reason, and stops neither the deployment nor the other checks."""
    fake = account().on("ec2.DescribeCapacityReservations", reservation()).on(operation, DENIED)
    found = asked(fake, network=NETWORK, capacity_reservation=RESERVATION)
    (only,) = found.problems
    assert (only.path, only.severity) == (path, Severity.WARNING)
    assert only.message.startswith(f"not checked: {what}: AWS, {operation.partition('.')[2]}: access denied")


def test_all_problems_at_once() -> None:
    """Zone, quota and reservation are told together."""
    fake = account({"euw1-az2": BOTH}).on("service-quotas.ListServiceQuotas", quotas(standard=1))
    fake.on("ec2.DescribeCapacityReservations", reservation(State="cancelled"))
    found = asked(fake, availability_zone="euw1-az1", capacity_reservation=RESERVATION)
    assert [each.path for each in found.problems] == ["availability_zone", "max_nodes", "capacity_reservation"]
