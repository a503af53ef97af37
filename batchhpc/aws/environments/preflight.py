"""What only the account knows: whether a zone offers the types, whether a subnet is private, whether quotas are large enough."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batchhpc.aws.environments.subnets import subnet_problems, zone_of
from batchhpc.aws.quotas import vcpu_quota
from batchhpc.aws.refusals import code_of
from batchhpc.aws.sdk import sdk_errors
from batchhpc.compiler.stack.zone import zone_id
from batchhpc.errors import Problem, Severity, Unavailable
from batchhpc.spec import Capacity

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import CapacityReservationTypeDef

    from batchhpc.aws.sdk import Clients
    from batchhpc.compiler.environment import EnvironmentPlan

_MOST_VALUES = 200  # of one filter of EC2's Describe calls


@dataclass(slots=True)
class Preflight:
    """What was found.

    Attributes:
        zone: id of the zone that the nodes should be in; None if it could not be found out.
        problems: errors stop the deployment; warnings tell what may go wrong, and what could not be checked.
    """

    zone: str | None = None
    problems: list[Problem] = field(default_factory=list)

    @property
    def errors(self) -> list[Problem]:
        """What stops the deployment."""
        return [each for each in self.problems if each.severity is Severity.ERROR]


def preflight(plan: EnvironmentPlan, clients: Clients, zone: str | None = None) -> Preflight:
    """Asks the account what speaks against an environment.

    Args:
        plan: the environment.
        clients: the SDK's.
        zone: the zone that the environment's nodes are in already; None before its first deployment.
    """
    found, spec = Preflight(zone), plan.spec
    if spec.network.is_new:
        fixed = zone_id(plan)
        found.zone = fixed if isinstance(fixed, str) else zone
    elif spec.network.subnet is not None:
        with _checked(found, "network.subnet", "the subnet"):
            found.problems += subnet_problems(spec, clients)
            found.zone = zone_of(spec.network.subnet, clients)
    with _checked(found, "availability_zone", "which zones offer the types"):
        _check_zone(plan, clients, found)
    with _checked(found, "max_nodes", "the vCPU quotas"):
        found.problems += _quota_problems(plan, clients)
    if spec.capacity_reservation is not None:
        with _checked(found, "capacity_reservation", "the capacity reservation"):
            found.problems += _reservation_problems(plan, clients, found.zone)
    return found


class _checked:  # noqa: N801 - reads as what it is where it is used
    """What cannot be read is said, and does not stop the rest."""

    def __init__(self, found: Preflight, path: str, what: str) -> None:
        self._found, self._path, self._what = found, path, what

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, Unavailable):
            return False
        why = str(error).partition("\n")[0]
        text = f"not checked: {self._what}: {why}"
        self._found.problems.append(Problem(self._path, text, severity=Severity.WARNING))
        return True


def offered(types: tuple[str, ...], clients: Clients) -> dict[str, set[str]]:
    """Which of the types each zone of the Region offers, by zone id.

    Raises:
        Unavailable: AWS cannot be asked.
    """
    zones: dict[str, set[str]] = {}
    for i in range(0, len(types), _MOST_VALUES):
        with sdk_errors():
            pages = clients.ec2.get_paginator("describe_instance_type_offerings").paginate(
                LocationType="availability-zone-id", Filters=[{"Name": "instance-type", "Values": types[i : i + _MOST_VALUES]}]
            )
            for page in pages:
                for each in page["InstanceTypeOfferings"]:
                    zones.setdefault(each["Location"], set()).add(each["InstanceType"])
    return zones


def _check_zone(plan: EnvironmentPlan, clients: Clients, found: Preflight) -> None:
    types = tuple(kind.name for kind in plan.types)
    zones = offered(types, clients)
    whole = sorted(zone for zone, there in zones.items() if len(there) == len(types))
    if not zones:
        hint = "another region, or other instance_types"
        found.problems.append(Problem("instance_types", f"no zone of {plan.spec.region} offers {_some(types)}", hint, "R94"))
        return
    if found.zone is None:
        found.zone = whole[0] if whole else max(sorted(zones), key=lambda zone: len(zones[zone]))
    there = zones.get(found.zone, set())
    missing = tuple(name for name in types if name not in there)
    if not missing:
        return
    hint = f"zones that offer all: {', '.join(whole)}" if whole else _best(zones, len(types))
    if not there:
        found.problems.append(Problem("availability_zone", f"{found.zone} does not offer {_some(missing)}", hint, "R94"))
        return
    text = f"{found.zone} offers {len(there)} of the {len(types)} types, not {_some(missing)}"
    found.problems.append(Problem("availability_zone", text, hint, "R94", Severity.WARNING))


def _best(zones: dict[str, set[str]], count: int) -> str:
    best = sorted(zones, key=lambda zone: (-len(zones[zone]), zone))[:3]
    return f"no zone offers all; {', '.join(f'{zone} {len(zones[zone])} of {count}' for zone in best)}"


def _some(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{', '.join(names[:3])}{more}"


def _quota_problems(plan: EnvironmentPlan, clients: Clients) -> Iterator[Problem]:
    """A quota below what all nodes would take keeps jobs RUNNABLE (R27); only the account's owner can tell if that is meant."""
    spot, told = plan.spec.capacity is Capacity.SPOT, set[str]()
    families = {re.sub(r"\..*", "", kind.name): kind for kind in sorted(plan.types, key=lambda each: each.vcpus)}
    for family, largest in families.items():
        quota = vcpu_quota(clients.quotas, largest.name, spot=spot)
        if quota is None:
            if "" not in told:
                told.add("")
                text = f"not checked: the vCPU quota of {family}: Service Quotas lists none for it"
                yield Problem("max_nodes", text, severity=Severity.WARNING)
            continue
        name, vcpus = quota
        wanted = plan.spec.max_nodes * largest.vcpus
        if vcpus < wanted and name not in told:
            told.add(name)
            text = f"{plan.spec.max_nodes} x {largest.name} are {wanted:,} vCPUs, but the account's quota {name!r} is {vcpus:,}"
            hint = "ask for more in Service Quotas; until then jobs that need more stay RUNNABLE"
            yield Problem("max_nodes", text, hint, "R27", Severity.WARNING)


def _reservation_problems(plan: EnvironmentPlan, clients: Clients, zone: str | None) -> Iterator[Problem]:
    path, name = "capacity_reservation", plan.spec.capacity_reservation or ""
    if not name.startswith("cr-"):
        yield Problem(path, f"not checked: {name}, a group of reservations", severity=Severity.WARNING)
        return
    reservations = _reservations(name, clients)
    if not reservations:
        yield Problem(path, f"there is no {name} in {plan.spec.region}", "aws ec2 describe-capacity-reservations lists them")
        return
    here = reservations[0]
    if here["State"] != "active":
        yield Problem(path, f"{name} is {here['State']}", "make another one, or leave it out")
    kinds = {kind.name for kind in plan.types}
    if here["InstanceType"] not in kinds:
        yield Problem(path, f"{name} is for {here['InstanceType']}, which is not among the instance_types", "add the type")
    there = here.get("AvailabilityZoneId", zone)
    if zone is not None and there != zone:
        yield Problem(path, f"{name} is in {there}, but the nodes are in {zone}", f"availability_zone: {there}")


def _reservations(name: str, clients: Clients) -> list[CapacityReservationTypeDef]:
    with sdk_errors():
        from botocore.exceptions import ClientError  # noqa: PLC0415 - half a second

        try:
            return clients.ec2.describe_capacity_reservations(CapacityReservationIds=[name])["CapacityReservations"]
        except ClientError as error:
            if code_of(error).startswith("InvalidCapacityReservationId"):  # .NotFound, .Malformed
                return []
            raise
