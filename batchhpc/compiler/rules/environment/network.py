"""Rules about the network: addresses for all, a way out, security groups."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Network

from batchhpc.compiler.environment import EnvironmentPlan
from batchhpc.compiler.rules.rule import Finding, Rule
from batchhpc.errors import Severity
from batchhpc.spec import Capacity
from batchhpc.spec.network import Outbound

R28 = Rule("R28", "The nodes' subnet has addresses for all nodes, and for the containers of multi-node jobs.")
R29 = Rule("R29", "Nodes are in a private subnet with a way to what they need: NAT gateway or VPC endpoints.")
R30 = Rule("R30", "At most five security groups, the environment's own included.")

_TAKEN = 5  # addresses of each subnet that AWS keeps for itself
_MOST_GROUPS = 4  # beside the environment's own


@R28.environment
def enough_addresses(plan: EnvironmentPlan) -> Iterator[Finding]:
    network = plan.spec.network
    if not network.is_new:
        return
    there = IPv4Network(network.cidr, strict=False).num_addresses // 2 - _TAKEN
    each = sum(one.kind != "efa-only" for one in plan.interfaces) or 1  # efa-only interfaces have none (R82)
    each += plan.spec.capacity is Capacity.ON_DEMAND
    wanted = plan.spec.max_nodes * each
    if wanted > there:
        counted = f"{each} addresses" if each > 1 else "1 address"
        message = f"is {network.cidr}, half of which are {there} addresses for nodes, but {plan.spec.max_nodes} nodes need {wanted}"
        yield Finding("network.cidr", f"{message}, {counted} each", "a larger one: 10.0.0.0/16, or fewer nodes")


@R29.environment
def ways_out(plan: EnvironmentPlan) -> Iterator[Finding]:
    network, access = plan.spec.network, plan.spec.access
    if not network.is_new:
        message = (
            f"is {network.subnet}, which nobody can look at from here: it must be private, with a NAT gateway or VPC endpoints"
        )
        yield Finding("network.subnet", message, 'waive: {R29: "private, NAT gateway"}', Severity.WARNING)
    elif network.outbound is Outbound.ENDPOINTS:
        if not access.repositories:
            message = "is empty, and VPC endpoints reach no registry but the account's own: no image can come from anywhere"
            yield Finding("access.repositories", message, 'repositories: ["*"], or outbound: nat')
        message = "is endpoints: images can come from the account's own registry only, and jobs reach nothing else"
        yield Finding("network.outbound", message, "batchhpc image pushes there", Severity.WARNING)


@R30.environment
def security_groups(plan: EnvironmentPlan) -> Iterator[Finding]:
    given = plan.spec.network.security_groups
    if len(given) > _MOST_GROUPS:
        message = f"has {len(given)}, one more with the environment's own, but at most 5 may be"
        yield Finding("network.security_groups", message, f"at most {_MOST_GROUPS}")
    for i, group in enumerate(given):
        path = f"network.security_groups[{i}]"
        if not re.fullmatch(r"sg-[0-9a-f]{8,17}", group):
            yield Finding(path, f"is {group!r}, which is not the id of a security group", "sg-0123456789abcdef0", waivable=False)
        elif group in given[:i]:
            yield Finding(path, f"is {group}, as network.security_groups[{given.index(group)}]", "name each once", waivable=False)
