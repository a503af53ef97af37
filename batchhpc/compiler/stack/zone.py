"""The availability zone of the nodes."""

from __future__ import annotations

from typing import Any, Final

from batchhpc.compiler.environment import EnvironmentPlan
from batchhpc.compiler.stack.resource import att, ref

ZONE_PARAMETER: Final = "AvailabilityZoneId"
ZONE_NAME_PARAMETER: Final = "AvailabilityZoneName"

# Where each family of types made for HPC is offered (R94); elsewhere they are not.
HPC_ZONES: Final[dict[str, tuple[str, ...]]] = {
    "hpc6a": ("apse1-az1", "apse2-az1", "eun1-az2", "use2-az2"),
    "hpc6id": ("eun1-az2", "euw3-az1", "use2-az2"),
    "hpc7a": ("eun1-az2", "euw1-az1", "euw3-az1", "use2-az2"),
    "hpc7g": ("apne1-az4", "euw1-az1", "use1-az6"),
    "hpc8a": ("apne1-az4", "eun1-az2", "use2-az2"),
}
_DIRECTIONS: Final = {
    "central": "c", "east": "e", "north": "n", "northeast": "ne", "northwest": "nw", "south": "s", "southeast": "se",
    "southwest": "sw", "west": "w",
}  # fmt: skip


def zone_prefix(region: str) -> str:
    """What the ids of a Region's zones start with: ``eu-west-1`` is ``euw1``, ``us-gov-west-1`` is ``usgw1``."""
    first, *middle, number = region.split("-")
    return first + "".join(_DIRECTIONS.get(word, word[:1]) for word in middle) + number


def hpc_zones(plan: EnvironmentPlan) -> tuple[str, ...] | None:
    """Zones of the Region that offer all types made for HPC (R94); None if there is none of those types."""
    families = {kind.family for kind in plan.types} & set(HPC_ZONES)
    if not families:
        return None
    prefix = f"{zone_prefix(plan.spec.region)}-"
    common = set.intersection(*(set(HPC_ZONES[family]) for family in families))
    return tuple(sorted(zone for zone in common if zone.startswith(prefix)))


def zone_id(plan: EnvironmentPlan) -> Any:
    """Id of the zone: the spec's, the one that R94 leaves, or a parameter that `deploy` fills in."""
    if plan.spec.availability_zone is not None:
        return plan.spec.availability_zone
    found = hpc_zones(plan)
    return found[0] if found else ref(ZONE_PARAMETER)


def zone_name(plan: EnvironmentPlan) -> Any:
    """Name of the nodes' zone, ``eu-west-1a``: of the new subnet, or a parameter that `deploy` fills in for one that is there."""
    return att("NodeSubnet", "AvailabilityZone") if plan.spec.network.is_new else ref(ZONE_NAME_PARAMETER)


def parameters(plan: EnvironmentPlan) -> dict[str, dict[str, str]]:
    """The template's parameters: what only a look at the account can tell."""
    if plan.spec.network.is_new and isinstance(zone_id(plan), dict):
        return {ZONE_PARAMETER: {"Type": "String", "Description": "Id of a zone that offers the instance types (R94)"}}
    one_zone = any(each.efs is not None and each.efs.one_zone for each in plan.spec.storage)
    if one_zone and not plan.spec.network.is_new:
        return {ZONE_NAME_PARAMETER: {"Type": "String", "Description": "Name of the zone that the subnet is in"}}
    return {}
