"""The two requests as the spec means them, before the overlay and before their name is known."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from batchhpc.agent import contract
from batchhpc.compiler.container import container
from batchhpc.compiler.documents import type_of
from batchhpc.compiler.plan import Plan
from batchhpc.compiler.ranges import NodeRange, uncovered
from batchhpc.spec import NodeGroup, Shape

SHAPE_TAG: Final = "batchhpc:shape"

_UNSAFE_IN_TAG = re.compile(r"[^\w\s+\-=.:/@]")  # letters of all scripts stay (R21)

# AWS retries whatever matches no entry, so the last one matches everything (R39). Only what a new try can cure is
# retried: the agent's one code for a lost node, a host that went away, an image pull that failed.
_EVALUATE_ON_EXIT = (
    {"onExitCode": str(contract.EXIT_INFRASTRUCTURE), "action": "RETRY"},
    {"onStatusReason": "Host EC2*", "action": "RETRY"},
    {"onReason": "CannotPullContainerError*", "action": "RETRY"},
    {"onReason": "*", "action": "EXIT"},
)


def register(plan: Plan) -> dict[str, Any]:
    """The RegisterJobDefinition request without its name."""
    spec, shape = plan.spec, plan.shape
    made: dict[str, Any] = {
        "type": type_of[shape],
        "platformCapabilities": ["EC2"],
        "propagateTags": True,
        "retryStrategy": {"attempts": spec.attempts, "evaluateOnExit": [dict(entry) for entry in _EVALUATE_ON_EXIT]},
        "timeout": {"attemptDurationSeconds": plan.time_limit},
        "tags": {**spec.tags, **bookkeeping(plan)},
    }
    if shape is Shape.MULTINODE:
        made["nodeProperties"] = {
            "numNodes": spec.nodes,
            "mainNode": 0,
            "nodeRangeProperties": [
                {"targetNodes": target, "container": container(plan, group)}
                for target, group in targets(spec.node_groups, spec.nodes)
            ],
        }
    else:  # a container has one node, so a group that has it holds for the whole job
        only = spec.node_groups[0] if shape is Shape.CONTAINER and spec.node_groups else None
        made["containerProperties"] = container(plan, only)
    return made


def submit(plan: Plan) -> dict[str, Any]:
    """The SubmitJob request without the definition's name."""
    spec = plan.spec
    made: dict[str, Any] = {"jobName": spec.name, "jobQueue": plan.environment.queue}
    # A gang is found by its tag in a queue; whether DescribeJobs tells tags that come from the definition is not documented
    if tags := {**spec.tags, **_waivers(plan), **({SHAPE_TAG: Shape.GANG.value} if plan.shape is Shape.GANG else {})}:
        made["tags"] = tags
    if spec.parameters:  # values belong to the job: another value must not make another definition
        made["parameters"] = dict(spec.parameters)
    if spec.depends_on:
        made["dependsOn"] = [{"jobId": job} for job in spec.depends_on]
    if spec.share is not None:
        made["shareIdentifier"] = spec.share
    if spec.priority is not None:
        made["schedulingPriorityOverride"] = spec.priority
    if plan.shape is Shape.GANG:
        made["arrayProperties"] = {"size": spec.nodes}
    return made


def bookkeeping(plan: Plan) -> dict[str, str]:
    """Tags that tell where a definition comes from, and which rules its author waived."""
    return {
        "batchhpc:environment": plan.environment.name,
        "batchhpc:job": _tag_value(plan.spec.name),
        SHAPE_TAG: plan.shape.value,
        **_waivers(plan),
    }


def _waivers(plan: Plan) -> dict[str, str]:
    return {f"batchhpc:waive:{rule}": _tag_value(reason) for rule, reason in sorted(plan.spec.waive.items())}


def _tag_value(text: str) -> str:
    return _UNSAFE_IN_TAG.sub("_", text)[:256]


def targets(groups: Sequence[NodeGroup], nodes: int) -> list[tuple[str, NodeGroup | None]]:
    """Node ranges in the order of their first node; None stands for the nodes in no group.

    One range that reaches the last node is left open, so that a job may be submitted with another number of nodes (R45).
    """
    named = [(NodeRange(*group.bounds(nodes)), group) for group in groups]
    made: list[tuple[NodeRange, NodeGroup | None]] = list(named)
    gaps = uncovered([each for each, _ in named], nodes)
    if gaps:  # one gap is a range of its own; around several, a wide range inside which the groups win (R5)
        first, last = gaps[0] if len(gaps) == 1 else (0, nodes - 1)
        made.append((NodeRange(first, last), None))
    reaching = [i for i, (each, _) in enumerate(made) if each.last is not None and each.last >= nodes - 1]
    open_one = min(reaching, key=lambda i: made[i][0].first, default=None)
    if open_one is not None:
        made[open_one] = (NodeRange(made[open_one][0].first, None), made[open_one][1])
    made.sort(key=lambda each: (each[0].first, -len(each[0].within(nodes))))
    return [(str(each), group) for each, group in made]
