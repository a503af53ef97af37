"""What rules look at: the well-typed part of both documents, and what follows from them together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from batchhpc.compiler.instances import InstanceType
from batchhpc.compiler.ranges import NodeRange
from batchhpc.compiler.sizing import node_type
from batchhpc.spec import Environment

DEFINITION = "register"
REQUEST = "submit"
MOST_DIGITS = 18  # of an amount; a longer one is told by its rule
_RANGES = f"{DEFINITION}.nodeProperties.nodeRangeProperties"


@dataclass(frozen=True, slots=True)
class Container:
    """One container of a definition, wherever it stands.

    Attributes:
        path: of the container.
        data: its fields.
        outer: path and fields of what holds volumes and roles: the container itself, or the ECS task around it.
        kinds: the instance types it may find itself on, as far as documents and environment say; empty if they do not.
        stated: whether the definition itself names the type.
    """

    path: str
    data: dict[str, Any]
    outer: tuple[str, dict[str, Any]]
    kinds: tuple[InstanceType, ...]
    stated: bool

    def resource(self, kind: str) -> int | None:
        """The amount of VCPU, MEMORY (MiB) or GPU asked for; None if it is not there or not a number."""
        for entry in self.data.get("resourceRequirements", []):
            value = entry.get("value", "")
            if entry.get("type") == kind and value.isascii() and value.isdigit() and len(value) <= MOST_DIGITS:
                return int(value)
        return None

    @property
    def possible(self) -> list[InstanceType]:
        """The types with the vCPUs that the container asks for; all of them if none has."""
        asked = self.resource("VCPU") or 0
        return [kind for kind in self.kinds if kind.vcpus >= asked] or list(self.kinds)

    @property
    def largest(self) -> InstanceType | None:
        """The type with the most vCPUs that the container may find itself on."""
        return max(self.kinds, key=lambda kind: (kind.vcpus, kind.memory_mib), default=None)

    @property
    def efa_devices(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Path and fields of each device that is an EFA interface."""
        for i, device in enumerate(self.data.get("linuxParameters", {}).get("devices", [])):
            if device.get("hostPath", "").startswith("/dev/infiniband/"):
                yield f"{self.path}.linuxParameters.devices[{i}]", device


@dataclass(frozen=True)
class Facts:
    """Both documents, well typed, and the environment they are for."""

    register: dict[str, Any]
    submit: dict[str, Any]
    environment: Environment

    @property
    def known_environment(self) -> bool:
        """Whether somebody described the environment, so that what it says can be held against the job."""
        return bool(self.environment.model_fields_set)

    @property
    def multinode(self) -> bool:
        """Whether the definition is one of a multi-node parallel job."""
        return self.register.get("type") == "multinode"

    @property
    def array(self) -> bool:
        """Whether the job is an array of children."""
        return "arrayProperties" in self.submit

    @property
    def defined_nodes(self) -> int | None:
        """The number of nodes in the definition; None if it is not there."""
        nodes: int | None = self.register.get("nodeProperties", {}).get("numNodes")
        return nodes

    @property
    def nodes(self) -> int | None:
        """The number of nodes the job will have: the request's, or else the definition's."""
        override: int | None = self.submit.get("nodeOverrides", {}).get("numNodes")
        return self.defined_nodes if override is None else override

    @cached_property
    def ranges(self) -> list[tuple[str, dict[str, Any]]]:
        """Path and fields of each node range."""
        given = self.register.get("nodeProperties", {}).get("nodeRangeProperties", [])
        return [(f"{_RANGES}[{i}]", each) for i, each in enumerate(given)]

    @cached_property
    def targets(self) -> list[tuple[str, str, NodeRange]]:
        """Path, text and meaning of each node range's target that can be read."""
        read = [(f"{path}.targetNodes", each["targetNodes"]) for path, each in self.ranges if "targetNodes" in each]
        return [(path, text, target) for path, text in read if (target := NodeRange.parse(text))]

    @cached_property
    def containers(self) -> list[Container]:
        """All containers of the definition: one, one per node range, or several per ECS task."""
        return list(self._containers())

    @cached_property
    def stated_types(self) -> list[tuple[str, str]]:
        """Path and name of each instance type in the definition."""
        found = []
        for path, each in self.ranges:
            if "instanceType" in each.get("container", {}):
                found.append((f"{path}.container.instanceType", each["container"]["instanceType"]))
            found += [(f"{path}.instanceTypes[{i}]", name) for i, name in enumerate(each.get("instanceTypes", []))]
        return found

    @cached_property
    def overridden(self) -> list[Container]:
        """What the request overrides of containers: its own fields, and the definition's amounts where it names a type."""
        return list(self._overridden())

    @property
    def effective_types(self) -> list[tuple[str, str]]:
        """Path and name of the instance type that each node range has at last, the request's or the definition's."""
        own = dict(self._override_types())
        replaced = [(path, own.get(path)) for path, _ in self.ranges]
        defined = [(path, name) for path, name in self.stated_types if not own.get(path.partition("].")[0] + "]")]
        return [*(each for _, given in replaced if given for each in given), *defined]

    def _overrides(self) -> Iterator[tuple[str, dict[str, Any], str]]:
        """Path and fields of each override of a node range, and the path of the range."""
        for i, each in enumerate(self.submit.get("nodeOverrides", {}).get("nodePropertyOverrides", [])):
            for path, node_range in self.ranges:
                if "targetNodes" in each and node_range.get("targetNodes") == each["targetNodes"]:
                    yield f"{REQUEST}.nodeOverrides.nodePropertyOverrides[{i}]", each, path

    def _override_types(self) -> Iterator[tuple[str, list[tuple[str, str]]]]:
        for path, each, of in self._overrides():
            found = [(f"{path}.instanceTypes[{i}]", name) for i, name in enumerate(each.get("instanceTypes", [])) if name]
            if name := each.get("containerOverrides", {}).get("instanceType"):
                found.append((f"{path}.containerOverrides.instanceType", name))
            if found:
                yield of, found

    def _overridden(self) -> Iterator[Container]:
        types = dict(self._override_types())
        overrides = [(f"{path}.containerOverrides", each.get("containerOverrides", {}), of) for path, each, of in self._overrides()]
        if not self.multinode:
            overrides.append((f"{REQUEST}.containerOverrides", self.submit.get("containerOverrides", {}), DEFINITION))
        for path, data, of in overrides:
            for base in self.containers:
                if base.path not in (f"{of}.container", f"{of}.containerProperties"):
                    continue
                named = tuple(kind for _, name in types.get(of, []) if (kind := node_type(name, self.environment)))
                amounts = list(data.get("resourceRequirements", []))
                if named:
                    amounts += base.data.get("resourceRequirements", [])
                made = {**data, "resourceRequirements": amounts}
                yield Container(path, made, base.outer, named or base.kinds, bool(named) or base.stated)

    def _containers(self) -> Iterator[Container]:
        allowed = tuple(kind for name in self.environment.instance_types if (kind := node_type(name, self.environment)))
        for path, holder, name in (
            (DEFINITION, self.register, "containerProperties"),
            *((path, each, "container") for path, each in self.ranges),
        ):
            stated = [*holder.get("instanceTypes", []), holder.get(name, {}).get("instanceType")]
            known = tuple(kind for each in stated if each and (kind := node_type(each, self.environment)))
            kinds = known or (() if any(stated) else allowed)
            if name in holder:
                here = f"{path}.{name}"
                yield Container(here, holder[name], (here, holder[name]), kinds, bool(known))
            for i, task in enumerate(holder.get("ecsProperties", {}).get("taskProperties", [])):
                outer = f"{path}.ecsProperties.taskProperties[{i}]"
                for k, each in enumerate(task.get("containers", [])):
                    yield Container(f"{outer}.containers[{k}]", each, (outer, task), kinds, bool(known))
