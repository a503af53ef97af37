"""Rules about the instance types of an environment: that there are such, in its zone, and alike enough."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches

from batchhpc.compiler.environment import EnvironmentPlan, resolve_types
from batchhpc.compiler.instances import InstanceType, catalogue, close_match
from batchhpc.compiler.rules.fabric import R67
from batchhpc.compiler.rules.resources import R7
from batchhpc.compiler.rules.rule import Finding, Rule
from batchhpc.compiler.stack.zone import HPC_ZONES, hpc_zones, zone_prefix
from batchhpc.errors import Severity
from batchhpc.spec import Capacity
from batchhpc.spec.environment_spec import Requirements

R33 = Rule("R33", "All nodes are in one zone of the environment's Region.", waivable=False)
R71 = Rule("R71", "Instance types are named, not AWS's bundles; idle ones are kept 20 minutes to a week, and paid for.")
R74 = Rule("R74", "All instance types of an environment have the same architecture.", waivable=False)
R93 = Rule("R93", "Better no types whose network is that of the Intel 82599: at most 10 Gbit/s, no ENA, no EFA.", Severity.WARNING)
R94 = Rule("R94", "The nodes' zone offers the instance types; those made for HPC are in one zone of few Regions.")

_BUNDLES = ("optimal", "default_x86_64", "default_arm64")
_LEGACY = ("c3", "c4", "d2", "i2", "m4", "r3")  # R93
_SHOWN = 4


def named(kinds: Sequence[InstanceType]) -> str:
    """The first of their names, and how many more there are."""
    shown = ", ".join(kind.name for kind in kinds[:_SHOWN])
    return f"{shown} and {len(kinds) - _SHOWN} more" if len(kinds) > _SHOWN else shown


@R71.environment
def no_bundles(plan: EnvironmentPlan) -> Iterator[Finding]:
    for i, name in enumerate(plan.spec.instance_types):
        if name in _BUNDLES:
            message = f"is {name}, a bundle of types that AWS changes; none of its members is promised to have EFA"
            yield Finding(f"instance_types[{i}]", message, "name the types: m6i, c6i, r6i, c7i", waivable=False)


@R7.environment
def types_there(plan: EnvironmentPlan) -> Iterator[Finding]:
    wanted = plan.spec.requirements
    for i in plan.unmatched:
        name = plan.spec.instance_types[i]
        if name in _BUNDLES:
            continue
        there = resolve_types((name,), Requirements())[0]
        if there:
            yield Finding(f"instance_types[{i}]", _excluded(name, there, wanted), _eased(name), waivable=False)
        else:
            yield Finding(f"instance_types[{i}]", *_nothing(name), waivable=False)


def _nothing(name: str) -> tuple[str, str]:
    near = close_match(name) if "." in name else None
    if near is None and "." not in name:
        near = next(iter(get_close_matches(name, dict.fromkeys(kind.family for kind in catalogue()), n=1)), None)
    plain = not any(letter in name for letter in "*?[")
    what = "which the catalogue of instance types does not have" if plain else "which no type of the catalogue matches"
    return f"is {name}, {what}", f"did you mean {near}?" if near and plain else "batchhpc instances NAME searches them"


def _excluded(name: str, there: Sequence[InstanceType], wanted: Requirements) -> str:
    """Which requirement keeps the types out, with what they have at best."""
    given = [field for field in type(wanted).model_fields if getattr(wanted, field) is not None]
    alone = [field for field in given if not resolve_types((name,), Requirements(**{field: getattr(wanted, field)}))[0]]
    what = f"is {name}" if len(there) == 1 else f"is {name}, {len(there)} types"
    if alone:
        said = " and ".join(f"{field} {getattr(wanted, field)} ({_best(field, there)})" for field in alone)
        return f"{what}, but {'it lacks' if len(there) == 1 else 'all lack'} the required {said}"
    return f"{what}, but none meets all requirements: {', '.join(given)}"


def _best(field: str, there: Sequence[InstanceType]) -> str:
    if field == "arch":
        return (
            f"{'it is' if len(there) == 1 else 'they are'} {' and '.join(sorted({arch for kind in there for arch in kind.arch}))}"
        )
    attribute = {
        "min_vcpus": "vcpus", "max_vcpus": "vcpus", "min_cores": "cores", "min_memory": "memory_mib", "min_gbps": "gbps",
        "min_efa": "efa", "gpus": "gpus", "min_disks": "disks",
    }[field]  # fmt: skip
    pick = min if field == "max_vcpus" else max
    value = pick(getattr(kind, attribute) for kind in there)
    return f"{'fewest' if field == 'max_vcpus' else 'most'}: {value:g}{' MiB' if field == 'min_memory' else ''}"


def _eased(name: str) -> str:
    return f"another requirement, or other types than {name}"


@R74.environment
def one_architecture(plan: EnvironmentPlan) -> Iterator[Finding]:
    arm = [kind for kind in plan.types if "arm64" in kind.arch]
    others = [kind for kind in plan.types if "arm64" not in kind.arch]
    if arm and others:
        message = f"has types of two architectures: {named(arm)} are arm64, {named(others)} are x86_64"
        yield Finding("instance_types", message, "requirements: {arch: x86_64}, or arm64")


@R67.environment
def sold_as_spot(plan: EnvironmentPlan) -> Iterator[Finding]:
    if plan.spec.capacity is not Capacity.SPOT:
        return
    lacking = [kind for kind in plan.types if not kind.spot]
    if lacking:
        none = len(lacking) == len(plan.types)
        message = f"has {named(lacking)}, not sold as Spot, but capacity is spot"
        severity = None if none or any(kind.name in plan.spec.instance_types for kind in lacking) else Severity.WARNING
        yield Finding("instance_types", message, "capacity: on-demand, or other types", severity)


@R93.environment
def no_82599(plan: EnvironmentPlan) -> Iterator[Finding]:
    old = [kind for kind in plan.types if kind.family in _LEGACY and kind.name != "m4.16xlarge"]
    if old:
        message = f"has {named(old)}, whose network is the virtual function of an Intel 82599: at most 10 Gbit/s, no ENA, no EFA"
        yield Finding("instance_types", message, "a later generation: batchhpc instances --efa")


@R33.environment
def zone_of_the_region(plan: EnvironmentPlan) -> Iterator[Finding]:
    zone, prefix = plan.spec.availability_zone, zone_prefix(plan.spec.region)
    if zone is not None and not zone.startswith(f"{prefix}-"):
        message = f"is {zone}, but ids of zones in {plan.spec.region} start with {prefix}-"
        yield Finding("availability_zone", message, f"{prefix}-az1")


@R94.environment
def zone_offers_the_types(plan: EnvironmentPlan) -> Iterator[Finding]:
    zone, found = plan.spec.availability_zone, hpc_zones(plan)
    families = list(dict.fromkeys(kind.family for kind in plan.types if kind.family in HPC_ZONES))
    if found is None:
        return
    here = f"{zone_prefix(plan.spec.region)}-"
    for each in families:
        if not any(place.startswith(here) for place in HPC_ZONES[each]):
            message = f"has {each}, but no zone of {plan.spec.region} offers it"
            yield Finding("instance_types", message, f"a Region with {', '.join(HPC_ZONES[each])}")
            return
    if not found:
        yield Finding("instance_types", f"has {' and '.join(families)}, but no zone of {plan.spec.region} offers all of them")
    elif zone is not None and zone.startswith(here) and zone not in found:
        message = (
            f"is {zone}, but {' and '.join(families)} {'is' if len(families) == 1 else 'are'} offered in {', '.join(found)} only"
        )
        yield Finding("availability_zone", message, "leave it out")
