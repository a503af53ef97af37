"""Rules about what kind of definition it is, and which parts belong to that kind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from batchhpc.compiler.facts import DEFINITION, Facts
from batchhpc.compiler.rules.rule import Finding, Rule
from batchhpc.spec import Capacity

R1 = Rule(
    "R1", "A multinode definition has nodeProperties; a container definition has containerProperties or the like.", waivable=False
)
R6 = Rule(
    "R6",
    "Each node range has exactly one of container, ecsProperties and eksProperties, and each container an image.",
    waivable=False,
)
R11 = Rule("R11", "Multi-node parallel jobs run in on-demand environments only.")
R12 = Rule("R12", "platformCapabilities is EC2 and nothing else.")
R13 = Rule("R13", "Members for Fargate or Managed Instances are not in a definition for EC2.")
R24 = Rule("R24", "A multi-node parallel job is not an array job.")

_CONTAINER_KINDS = ("containerProperties", "ecsProperties", "eksProperties")
_FARGATE_ONLY = ("networkConfiguration", "fargatePlatformConfiguration", "ephemeralStorage", "runtimePlatform", "platformVersion")


@R1.document
def kind_and_members(facts: Facts) -> Iterator[Finding]:
    given = [name for name in _CONTAINER_KINDS if name in facts.register]
    if facts.multinode:
        if "nodeProperties" not in facts.register:
            yield Finding(f"{DEFINITION}.nodeProperties", "is missing, but type is multinode")
        for name in given:
            yield Finding(f"{DEFINITION}.{name}", "is for type container, but type is multinode", "put it into the node ranges")
    elif facts.register.get("type") == "container":
        if "nodeProperties" in facts.register:
            yield Finding(f"{DEFINITION}.nodeProperties", "is for type multinode, but type is container")
        if len(given) != 1:
            shown = " and ".join(given) or "none"
            yield Finding(DEFINITION, f"has {shown} of {', '.join(_CONTAINER_KINDS)}, but type container needs exactly one")


@R6.document
def one_content_per_range(facts: Facts) -> Iterator[Finding]:
    for path, each in facts.ranges:
        given = [name for name in ("container", "ecsProperties", "eksProperties") if name in each]
        if len(given) != 1:
            shown = " and ".join(given) or "none"
            yield Finding(path, f"has {shown} of container, ecsProperties, eksProperties, but needs exactly one")
    for container in facts.containers:
        if not container.data.get("image"):
            yield Finding(f"{container.path}.image", "is missing")


@R11.document
def not_on_spot(facts: Facts) -> Iterator[Finding]:
    if facts.multinode and facts.environment.capacity is Capacity.SPOT:
        yield Finding(f"{DEFINITION}.type", *on_spot(facts.environment.name), topic="spot")


def on_spot(environment: str) -> tuple[str, str]:
    """Message and remedy for a multi-node parallel job on Spot."""
    return (
        f"is multinode, but environment {environment} is spot: such a job stays RUNNABLE forever, without an error",
        "shape: gang, or shape: auto, or an on-demand environment",
    )


@R12.document
def ec2_only(facts: Facts) -> Iterator[Finding]:
    given = facts.register.get("platformCapabilities")
    if given is not None and given != ["EC2"]:
        yield Finding(
            f"{DEFINITION}.platformCapabilities",
            f"is [{', '.join(given)}], but jobs run on EC2 only",
            "platformCapabilities: [EC2]",
        )


@R13.document
def nothing_of_fargate(facts: Facts) -> Iterator[Finding]:
    seen = set()
    for container in facts.containers:
        outer_path, outer = container.outer
        places: list[tuple[str, dict[str, Any]]] = [(container.path, container.data), (outer_path, outer)]
        for path, data in places:
            for name in (*_FARGATE_ONLY, *(["networkMode"] if path == outer_path else [])):
                if name in data and (path, name) not in seen:
                    seen.add((path, name))
                    yield Finding(f"{path}.{name}", "is not for EC2: it belongs to Fargate or Managed Instances", "leave it out")


@R24.document
def no_array_of_multinode(facts: Facts) -> Iterator[Finding]:
    if facts.multinode and facts.array:
        message = "makes an array of multi-node parallel jobs, which AWS Batch does not describe"
        yield Finding("submit.arrayProperties", message, "submit several jobs")
