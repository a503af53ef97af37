"""The network interfaces and the rest of the launch template (R75, R81-R84)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from batchhpc.compiler.instances import instance_type
from batchhpc.compiler.rules.environment.fabric import R81
from batchhpc.compiler.rules.environment.template import R75, R82, R84
from batchhpc.compiler.rules.rule import Finding
from batchhpc.compiler.rules.template.parts import compute_resources, items, launch_templates, mapping

_KINDS: Final = ("interface", "efa", "efa-only")
_IGNORED: Final = ("DisableApiTermination", "IamInstanceProfile", "InstanceMarketOptions", "InstanceType")


def _interfaces(data: Mapping[str, Any]) -> list[tuple[int, Mapping[str, Any], Any, Any]]:
    """Index, fields, card and kind of each interface; a card that is no number is none."""
    given = [mapping(each) for each in items(data.get("NetworkInterfaces"))]
    return [
        (i, each, _index(each.get("NetworkCardIndex", 0)), each.get("InterfaceType", "interface")) for i, each in enumerate(given)
    ]


def _index(value: Any) -> Any:
    """A number, written as one or as text, which CloudFormation takes alike."""
    if isinstance(value, str) and value.isdecimal() and len(value) < 5:
        return int(value)
    return value if isinstance(value, int) else None


@R81.template
def one_efa_per_card(template: Mapping[str, Any]) -> Iterator[Finding]:
    """Two EFA interfaces on one card, or one on a card that takes none or is not there."""
    given = [name for _, each in compute_resources(template) for name in items(each.get("InstanceTypes")) if isinstance(name, str)]
    kinds = [kind for name in given if (kind := instance_type(name))]
    for path, data in launch_templates(template):
        seen: dict[Any, int] = {}
        for i, _, card, kind in _interfaces(data):
            here = f"{path}.NetworkInterfaces[{i}]"
            if not str(kind).startswith("efa"):
                continue
            if card in seen:
                yield Finding(
                    here, f"is a second EFA interface on card {card}, beside NetworkInterfaces[{seen[card]}]", topic="cards"
                )
            seen.setdefault(card, i)
            unfit = [each.name for each in kinds if card not in each.efa_cards]
            if unfit:
                yield Finding(here, f"is an EFA interface on card {card}, which takes none on {', '.join(unfit)}", topic="cards")


@R82.template
def first_has_an_address(template: Mapping[str, Any]) -> Iterator[Finding]:
    """No first interface, one without an address, two in one place, or one that is of no kind."""
    for path, data in launch_templates(template):
        places: dict[tuple[Any, Any], int] = {}
        for i, each, card, kind in _interfaces(data):
            here, place = f"{path}.NetworkInterfaces[{i}]", (card, _index(each.get("DeviceIndex")))
            if kind not in _KINDS:
                yield Finding(f"{here}.InterfaceType", f"is {kind!r}, not one of {', '.join(_KINDS)}", waivable=False)
            if place[1] is None:
                yield Finding(here, "has no DeviceIndex that is a number", waivable=False)
            if place in places:
                yield Finding(here, f"has card and device index of NetworkInterfaces[{places[place]}], {place}", waivable=False)
            if place == (0, 0) and kind == "efa-only":
                yield Finding(here, "is efa-only, but the first interface needs an address", "efa or interface", waivable=False)
            places.setdefault(place, i)
        if places and (0, 0) not in places:
            yield Finding(f"{path}.NetworkInterfaces", "has none with card 0 and device index 0", waivable=False)


@R84.template
def no_public_address(template: Mapping[str, Any]) -> Iterator[Finding]:
    """A wish for or against a public address beside other interfaces; EC2 refuses the parameter whatever it says."""
    for path, data in launch_templates(template):
        given = _interfaces(data)
        for i, each, _, _ in given:
            if len(given) > 1 and "AssociatePublicIpAddress" in each:
                here = f"{path}.NetworkInterfaces[{i}].AssociatePublicIpAddress"
                yield Finding(
                    here, f"is given for one of {len(given)} interfaces, but EC2 takes it with a single one", "leave it out"
                )


@R75.template
def nothing_that_is_ignored(template: Mapping[str, Any]) -> Iterator[Finding]:
    """Fields that AWS Batch ignores, and user data that it cannot add its own part to."""
    for path, data in launch_templates(template):
        for name in _IGNORED:
            if name in data:
                yield Finding(f"{path}.{name}", "is ignored by AWS Batch", "leave it out")
        for i, each, _, _ in _interfaces(data):
            if "SubnetId" in each:
                yield Finding(f"{path}.NetworkInterfaces[{i}].SubnetId", "is ignored by AWS Batch", "network.subnet")
        text = mapping(data.get("UserData")).get("Fn::Base64")
        text = mapping(text).get("Fn::Sub", text)
        if isinstance(text, str) and not text.lower().startswith(("mime-version:", "content-type: multipart/")):
            yield Finding(f"{path}.UserData", "is not MIME multi-part, so that nodes would not learn which cluster they join")
