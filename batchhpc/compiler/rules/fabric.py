"""Rules about the network between nodes: EFA devices, interface slots, Spot, and libfabric's variables."""

from __future__ import annotations

import re
from collections.abc import Iterator

from batchhpc.compiler.facts import REQUEST, Facts
from batchhpc.compiler.instances import InstanceType
from batchhpc.compiler.rules.rule import Finding, Rule
from batchhpc.errors import Severity
from batchhpc.spec import Capacity, Environment

R32 = Rule("R32", "Beside the EFA interfaces a node keeps a network interface slot free for the container of a multi-node job.")
R63 = Rule(
    "R63",
    "Children of an array fill their node: two on one host would share its EFA device, and be lost together.",
    Severity.WARNING,
)
R67 = Rule("R67", "In a Spot environment the instance type is sold as Spot.")
R87 = Rule("R87", "EFA devices are those the node has, under the same path in the container, with all permissions.")
R92 = Rule("R92", "libfabric is left to find RDMA by itself, and RDMAV_FORK_SAFE is not set.")

_UVERBS = re.compile(r"/dev/infiniband/uverbs(\d{1,3})", re.ASCII)
_PERMISSIONS = {"READ", "WRITE", "MKNOD"}
# Families whose EFA has RDMA although their generation number is below 7, the first with it throughout (Nitro v4).
_RDMA = re.compile(r"(p4d|p4de|p5|p5e|p5en|p6-\w+|trn\d\w*|[cmr]6id?n)\.|[a-z]+-?(7|8|9)[a-z]*\.")


@R32.document
def a_slot_for_the_task(facts: Facts) -> Iterator[Finding]:
    if not facts.multinode:
        return
    for container in facts.containers:
        count, kind = sum(1 for _ in container.efa_devices), container.largest
        if kind and container.stated and kind.efa and count:
            yield from slots_for(f"{container.path}.linuxParameters.devices", count, kind, facts.environment)
            return  # all nodes have the same type


def slots_for(path: str, count: int, kind: InstanceType, environment: Environment) -> Iterator[Finding]:
    """What there is to say about that many EFA interfaces of a multi-node job's node."""
    used = count + (0 if 0 in kind.efa_cards else 1)
    if used >= kind.slots:
        yield Finding(
            path,
            f"{count} EFA interfaces fill all {kind.slots} network interface slots of {kind.name}, "
            "but a node of a multi-node job needs one for its container",
            f"efa_interfaces: {kind.efa_beside_task} in environment {environment.name}",
            topic="slots",
        )
    elif count and kind.card_slots[0] < 2:
        message = f"the EFA interface fills network card 0 of {kind.name}; nobody says whether ECS takes another card"
        yield Finding(path, message, "try it first", Severity.WARNING, topic="slots")


@R63.document
def whole_nodes_in_arrays(facts: Facts) -> Iterator[Finding]:
    for container in facts.containers if facts.array else []:
        asked, memory, kind = container.resource("VCPU"), container.resource("MEMORY") or 0, container.largest
        if kind and asked is not None and asked * 2 <= kind.vcpus and memory * 2 <= kind.memory_mib:
            shared = " and its EFA device" if any(container.efa_devices) else ", and are lost together"
            message = f"asks for {asked} of the {kind.vcpus} vCPU of {kind.name}, so children may share a node{shared}"
            hint = f"VCPU {kind.vcpus}, or types of one size in the environment"
            yield Finding(f"{container.path}.resourceRequirements", message, hint, topic="shared")


@R67.document
def sold_as_spot(facts: Facts) -> Iterator[Finding]:
    if facts.environment.capacity is not Capacity.SPOT:
        return
    kinds = {kind.name: kind for container in facts.containers for kind in container.kinds}
    if kinds and not any(kind.spot for kind in kinds.values()):
        yield Finding(f"{REQUEST}.jobQueue", *not_spot(", ".join(kinds), facts.environment), topic="spot")


def not_spot(name: str, environment: Environment) -> tuple[str, str]:
    """Message and remedy for a type that is not sold as Spot."""
    return f"{name} is not sold as Spot, but environment {environment.name} is spot", "an on-demand environment, or another type"


@R87.document
def efa_devices(facts: Facts) -> Iterator[Finding]:
    for container in facts.containers:
        kind, most = min(container.possible, key=lambda kind: kind.efa, default=None), facts.environment.efa_interfaces
        if kind:
            most = min(kind.efa, kind.efa if most is None else most)
        for path, device in container.efa_devices:
            host = device["hostPath"]
            match = _UVERBS.fullmatch(host)
            if not match:
                yield Finding(f"{path}.hostPath", f"is {host!r}, but an EFA device is /dev/infiniband/uverbs0, uverbs1 and so on")
            elif kind and not kind.efa:
                message = f"{host} is not there on {kind.name}, which has no EFA"
                yield Finding(f"{path}.hostPath", message, "fabric: ena, or a type with EFA", topic="there")
            elif most is not None and int(match[1]) >= most:
                has = f"{most} EFA interface{'s' if most > 1 else ''}, numbered from 0"
                message = f"{host} is not there: the node has {has}, and a missing device stops the container"
                yield Finding(f"{path}.hostPath", message, topic="there")
            if device.get("containerPath", host) != host:
                yield Finding(f"{path}.containerPath", f"is {device['containerPath']!r}, but must be {host!r}, as on the host")
            if lacking := sorted(_PERMISSIONS - set(device.get("permissions", []))):
                yield Finding(f"{path}.permissions", f"lacks {', '.join(lacking)}, but EFA needs READ, WRITE and MKNOD")


@R92.document
def libfabric_variables(facts: Facts) -> Iterator[Finding]:
    for container in (*facts.containers, *facts.overridden):
        for i, each in enumerate(container.data.get("environment", [])):
            path, name, value = f"{container.path}.environment[{i}].name", each.get("name"), each.get("value", "")
            if name == "RDMAV_FORK_SAFE":
                yield Finding(path, "is RDMAV_FORK_SAFE, which must not be set for EFA", "FI_EFA_FORK_SAFE, if the program forks")
            if name == "FI_EFA_USE_DEVICE_RDMA" and value.strip().lower() in ("1", "true", "yes", "on"):
                able = [bool(_RDMA.match(kind.name)) for kind in container.kinds]
                yield Finding(
                    path,
                    f"is {name}={value}, which ends the program on a device without RDMA",
                    "leave it out: libfabric uses RDMA where there is any",
                    Severity.WARNING if able and all(able) else None,
                )
