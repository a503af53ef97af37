"""Rules about how many nodes there are, and which range each of them follows."""

from __future__ import annotations

from collections.abc import Iterator

from batchhpc.compiler.facts import DEFINITION, REQUEST, Facts
from batchhpc.compiler.ranges import NodeRange, unclear, uncovered
from batchhpc.compiler.rules.rule import Finding, Rule
from batchhpc.errors import Severity

R2 = Rule("R2", "There is at least one node, and mainNode is one of them.", waivable=False)
R3 = Rule("R3", "A multi-node parallel job, or an environment, has at most 1,000 nodes; a job of one is better a container job.")
R4 = Rule("R4", "There are at most five node ranges.")
R5 = Rule(
    "R5",
    "Node ranges can be read, cover all nodes, and of two that share nodes one is narrower and inside the other.",
    waivable=False,
)
R45 = Rule("R45", "Overrides fit the definition: same ranges, and another numNodes only with an open range.")

_NODES = f"{DEFINITION}.nodeProperties"
_OVERRIDES = f"{REQUEST}.nodeOverrides"
_MOST_NODES = 1000
_MOST_RANGES = 5
_SHOWN_GAPS = 5


@R2.document
def main_node_exists(facts: Facts) -> Iterator[Finding]:
    nodes, main = facts.defined_nodes, facts.register.get("nodeProperties", {}).get("mainNode")
    if nodes is not None and nodes < 1:
        yield Finding(f"{_NODES}.numNodes", f"is {nodes}, but a job has at least 1 node")
    elif main is not None and (main < 0 or (nodes is not None and main >= nodes)):
        there = "" if nodes is None else f": the nodes are 0 to {nodes - 1}"
        yield Finding(f"{_NODES}.mainNode", f"is {main}, which is not a node of the job{there}", "mainNode: 0")


@R3.document
def number_of_nodes(facts: Facts) -> Iterator[Finding]:
    if not facts.multinode or facts.nodes is None:
        return
    overridden = "numNodes" in facts.submit.get("nodeOverrides", {})
    path = f"{_OVERRIDES if overridden else _NODES}.numNodes"
    if facts.nodes > _MOST_NODES:
        yield Finding(
            path,
            f"is {facts.nodes}, but a multi-node parallel job has at most {_MOST_NODES} nodes unless AWS raised the limit",
            'fewer, larger nodes, or waive: {R3: "limit raised, case ..."}',
        )
    elif facts.nodes == 1:
        message = "is 1: a multi-node parallel job of one node has the cost of several and no use of it"
        yield Finding(path, message, "shape: auto makes it a container job", Severity.WARNING)


@R4.document
def number_of_ranges(facts: Facts) -> Iterator[Finding]:
    if len(facts.ranges) > _MOST_RANGES:
        yield Finding(
            f"{_NODES}.nodeRangeProperties",
            f"has {len(facts.ranges)} node ranges, the one of the nodes in no group included, but at most {_MOST_RANGES} may be",
            "join groups, or let the groups cover all nodes",
        )


@R5.document
def ranges_cover(facts: Facts) -> Iterator[Finding]:
    if not facts.multinode:
        return
    for path, each in facts.ranges:
        text = each.get("targetNodes")
        if text is not None and NodeRange.parse(text) is None:
            yield Finding(f"{path}.targetNodes", f"is {text!r}, which is not a range", "write 0:3, :3, 4: or :")
    nodes = facts.defined_nodes
    if nodes is None or nodes < 1 or len(facts.targets) < len(facts.ranges):
        return
    for path, text, target in facts.targets:
        span = target.within(nodes)
        if not span:
            yield Finding(path, f"is {text!r}, which holds none of the nodes 0 to {nodes - 1}")
        elif span.stop > nodes:
            yield Finding(path, f"is {text!r}, but the last node is {nodes - 1}", f"{target.first}:")
    gaps = uncovered([target for _, _, target in facts.targets], nodes)
    if gaps:
        spans = [f"{first}" if first == last else f"{first} to {last}" for first, last in gaps]
        shown = ", ".join(spans[:_SHOWN_GAPS]) + (f" and {len(spans) - _SHOWN_GAPS} more" if len(spans) > _SHOWN_GAPS else "")
        yield Finding(f"{_NODES}.nodeRangeProperties", f"covers no nodes {shown} of 0 to {nodes - 1}", "add a range for them")
    for one, two in unclear([target for _, _, target in facts.targets], nodes):
        yield overlap(facts.targets[two][0], facts.targets[one][1], facts.targets[two][1])


def overlap(path: str, one: str, two: str) -> Finding:
    """What there is to say about two ranges that share nodes."""
    message = f"{one!r} and {two!r} share nodes, but neither is narrower and inside the other, so nobody says which wins"
    return Finding(path, message, "let one range lie inside the other, or share no node", topic="overlap")


@R45.document
def overrides_fit(facts: Facts) -> Iterator[Finding]:
    overrides = facts.submit.get("nodeOverrides")
    if facts.multinode and "containerOverrides" in facts.submit:
        message = "is for container jobs, but the definition is multinode"
        yield Finding(f"{REQUEST}.containerOverrides", message, "nodeOverrides.nodePropertyOverrides")
    if overrides is None:
        return
    if not facts.multinode:
        yield Finding(_OVERRIDES, "is for multi-node parallel jobs, but the definition is not multinode", "containerOverrides")
        return
    yield from _number_override(facts, overrides.get("numNodes"))
    texts = [text for _, text, _ in facts.targets]
    for i, each in enumerate(overrides.get("nodePropertyOverrides", [])):
        if (text := each.get("targetNodes")) is not None and text not in texts:
            known = ", ".join(texts)
            yield Finding(
                f"{_OVERRIDES}.nodePropertyOverrides[{i}].targetNodes",
                f"is {text!r}, but an override needs a range of the definition as it is written there: {known}",
            )


def _number_override(facts: Facts, nodes: int | None) -> Iterator[Finding]:
    if nodes is None:
        return
    path = f"{_OVERRIDES}.numNodes"
    main = facts.register.get("nodeProperties", {}).get("mainNode", 0)
    open_from = [target.first for _, _, target in facts.targets if target.last is None]
    if nodes <= main:
        yield Finding(path, f"is {nodes}, but the main node is {main}")
    if not open_from:
        yield Finding(path, f"is {nodes}, but no range of the definition is open", "write the last range as 4: instead of 4:7")
    elif nodes <= min(open_from):
        yield Finding(path, f"is {nodes}, but the open range starts at node {min(open_from)}", f"at least {min(open_from) + 1}")
