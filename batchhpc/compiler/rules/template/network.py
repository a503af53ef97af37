"""Names, ACLs and the security group of an environment's network (R34, R85, R136)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from batchhpc.compiler.rules.environment.template import R34, R85, R136
from batchhpc.compiler.rules.rule import Finding
from batchhpc.compiler.rules.template.parts import compute_resources, items, launch_templates, mapping, names, resources

_SIDES: Final = {
    "in": ("AWS::EC2::SecurityGroupIngress", "SourceSecurityGroupId"),
    "out": ("AWS::EC2::SecurityGroupEgress", "DestinationSecurityGroupId"),
}
_PORTS: Final = (1024, 65535)


@R34.template
def names_are_resolved(template: Mapping[str, Any]) -> Iterator[Finding]:
    """A VPC that does not resolve names."""
    for path, _, vpc in resources(template, "AWS::EC2::VPC"):
        for name in ("EnableDnsHostnames", "EnableDnsSupport"):
            if vpc.get(name) not in (True, "true"):
                yield Finding(f"{path}.{name}", f"is {vpc.get(name, False)}, so that containers and file systems have no names")


@R85.template
def group_names_itself(template: Mapping[str, Any]) -> Iterator[Finding]:
    """A group of the nodes, made here, that does not let everything in from itself and out to itself."""
    used = [each for _, compute in compute_resources(template) for each in items(compute.get("SecurityGroupIds"))]
    for path, data in launch_templates(template):
        del path
        used += [group for each in items(data.get("NetworkInterfaces")) for group in items(mapping(each).get("Groups"))]
    groups = [name for _, name, _ in resources(template, "AWS::EC2::SecurityGroup") if any(names(each, name) for each in used)]
    for group in groups:
        for side, (kind, other) in _SIDES.items():
            rules = [rule for _, _, rule in resources(template, kind)]
            if not any(_whole(rule, group) and names(rule.get(other), group) for rule in rules):
                yield Finding(f"Resources.{group}", f"does not let all traffic {side} that is its own, which EFA and MPI need")


def _whole(rule: Mapping[str, Any], group: str) -> bool:
    return names(rule.get("GroupId"), group) and str(rule.get("IpProtocol")) == "-1"


@R136.template
def answers_come_back(template: Mapping[str, Any]) -> Iterator[Finding]:
    """An ACL that lets requests out to the world and does not let the answers in."""
    entries: dict[str, list[Mapping[str, Any]]] = {name: [] for _, name, _ in resources(template, "AWS::EC2::NetworkAcl")}
    for _, _, entry in resources(template, "AWS::EC2::NetworkAclEntry"):
        for name, found in entries.items():
            if names(entry.get("NetworkAclId"), name):
                found.append(entry)
    for name, found in entries.items():
        allowed = [each for each in found if each.get("RuleAction") == "allow" and each.get("CidrBlock") == "0.0.0.0/0"]
        out = any(_is_out(each) for each in allowed)
        if out and not any(_lets_in(each) for each in allowed):
            message = f"lets requests out, but not the answers in, on TCP ports {_PORTS[0]} to {_PORTS[1]}"
            yield Finding(f"Resources.{name}", message, "an ACL remembers no connections")


def _is_out(entry: Mapping[str, Any]) -> bool:
    return entry.get("Egress") in (True, "true")


def _lets_in(entry: Mapping[str, Any]) -> bool:
    ports = mapping(entry.get("PortRange"))
    first, last = ports.get("From", 0), ports.get("To", 0)
    whole = isinstance(first, int) and isinstance(last, int) and first <= _PORTS[0] and last >= _PORTS[1]
    return not _is_out(entry) and (str(entry.get("Protocol")) == "-1" or (str(entry.get("Protocol")) == "6" and whole))
