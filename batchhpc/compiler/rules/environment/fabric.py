"""Rules about the network interfaces of the nodes: EFA on cards that take it, and a slot for the container (R32)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from batchhpc.compiler.environment import EnvironmentPlan
from batchhpc.compiler.instances import InstanceType
from batchhpc.compiler.rules.environment.types import named
from batchhpc.compiler.rules.fabric import R32, R87
from batchhpc.compiler.rules.rule import Finding, Rule
from batchhpc.errors import Severity
from batchhpc.spec import Capacity, Fabric

R81 = Rule("R81", "A node has at most one EFA interface per network card, on cards of all its types that take EFA.")
R86 = Rule("R86", "P4d, P4de and DL1 are not beside other types where they would talk over EFA.")

_ALONE = ("p4d", "p4de", "dl1")


@R87.environment
def types_have_efa(plan: EnvironmentPlan) -> Iterator[Finding]:
    spec, without = plan.spec, [kind for kind in plan.types if not kind.efa]
    if spec.fabric is Fabric.EFA and without:
        message = f"has {named(without)}, which {'has' if len(without) == 1 else 'have'} no EFA, but fabric is efa"
        yield Finding("instance_types", message, "requirements: {min_efa: 1}, or fabric: auto", topic="there")
    elif spec.fabric is Fabric.AUTO and without and len(without) < len(plan.types):
        message = f"has {named(without)} without EFA, so no node uses it, though others have it"
        yield Finding("instance_types", message, "requirements: {min_efa: 1}, or fabric: ena", Severity.WARNING, topic="there")
    if spec.efa_interfaces is not None and (spec.fabric is Fabric.ENA or (not plan.efa and plan.types and len(without) == 0)):
        what = "fabric is ena" if spec.fabric is Fabric.ENA else "no interface fits beside the container's own"
        yield Finding("efa_interfaces", f"is {spec.efa_interfaces}, but {what}", "leave it out", topic="count")
    elif spec.efa_interfaces is not None and spec.fabric is Fabric.AUTO and plan.types and not plan.efa:
        message = f"is {spec.efa_interfaces}, but {named(without)} {'has' if len(without) == 1 else 'have'} no EFA"
        yield Finding("efa_interfaces", message, "leave it out", topic="count")


@R87.environment
def close_together(plan: EnvironmentPlan) -> Iterator[Finding]:
    if plan.efa and plan.spec.placement_group is False and plan.spec.capacity is Capacity.ON_DEMAND:
        message = "is false, but AWS Batch asks that all instances with EFA are in one cluster placement group"
        yield Finding("placement_group", message, "leave it out", Severity.WARNING)


@R81.environment
def one_per_card(plan: EnvironmentPlan) -> Iterator[Finding]:
    wanted = plan.spec.efa_interfaces
    if plan.spec.fabric is Fabric.ENA:
        return
    for kind in plan.types:
        most = min(kind.efa, len(kind.efa_cards)) if kind.efa else 0
        if wanted is not None and most and wanted > most:
            cards = f"{len(kind.card_slots)} network card{'s' if len(kind.card_slots) > 1 else ''}"
            message = (
                f"is {wanted}, but {kind.name} has {cards} and at most {most} EFA interface{'s' if most > 1 else ''}, one per card"
            )
            yield Finding("efa_interfaces", message, f"efa_interfaces: {min(most, kind.efa_beside_task)}", topic="cards")
            return
        if most and (why := _misfit(plan, kind)):
            message = f"have network cards of different layouts: {why}"
            yield Finding("instance_types", message, "one environment per layout, or efa_interfaces: 1", topic="cards")
            return


def _misfit(plan: EnvironmentPlan, kind: InstanceType) -> str:
    """Why a type cannot have the plan's interfaces; empty if it can."""
    for each in plan.interfaces:
        if each.card >= len(kind.card_slots):
            return f"{kind.name} has no network card {each.card}"
        if each.kind.startswith("efa") and each.card not in kind.efa_cards:
            return f"card {each.card} of {kind.name} takes no EFA interface"
    over = [card for card, count in Counter(each.card for each in plan.interfaces).items() if count > kind.card_slots[card]]
    return f"card {over[0]} of {kind.name} has {kind.card_slots[over[0]]} slot" if over else ""


@R32.environment
def slot_for_the_container(plan: EnvironmentPlan) -> Iterator[Finding]:
    if plan.spec.capacity is not Capacity.ON_DEMAND or not plan.efa:
        return  # on Spot there are no multi-node jobs (R11), whose containers have interfaces of their own
    for kind in plan.types:
        if kind.efa and len(plan.interfaces) >= kind.slots:
            message = (
                f"{plan.efa} EFA interfaces fill all {kind.slots} network interface slots of {kind.name}, "
                "but a node of a multi-node job needs one for its container"
            )
            yield Finding("efa_interfaces", message, f"efa_interfaces: {kind.efa_beside_task}", topic="slots")
            return
    for kind in plan.types:
        if kind.efa and kind.card_slots[0] < 2:
            message = f"the EFA interface fills network card 0 of {kind.name}; nobody says whether ECS takes another card"
            yield Finding("instance_types", message, "try it first", Severity.WARNING, topic="slots")
            return


@R86.environment
def alike_over_efa(plan: EnvironmentPlan) -> Iterator[Finding]:
    families = list(dict.fromkeys(kind.family for kind in plan.types))
    lonely = [each for each in families if each in _ALONE]
    if plan.efa and lonely and len(families) > 1:
        message = f"has {lonely[0]}, whose EFA reaches its own kind only, beside {', '.join(set_apart(families, lonely[0]))}"
        # A multi-node job has one type (R7); the children of a gang have whatever Spot gives
        severity = None if plan.spec.capacity is Capacity.SPOT else Severity.WARNING
        yield Finding("instance_types", message, f"an environment of {lonely[0]} alone", severity)


def set_apart(families: list[str], one: str) -> list[str]:
    """All but one."""
    return [each for each in families if each != one]
