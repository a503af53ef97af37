"""A job queue as it is now, with the compute environments behind it, and what speaks against a job's ever starting there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from batchhpc.aws.sdk import sdk_errors
from batchhpc.errors import Problem, Severity

if TYPE_CHECKING:
    from mypy_boto3_batch import BatchClient

# Bundles that AWS Batch resolves itself (R71); what is in the arm64 one is not said.
_X86 = frozenset({"m6i", "c6i", "r6i", "c7i"})
_BUNDLES: Final = {"optimal": _X86, "default_x86_64": _X86}


@dataclass(frozen=True, slots=True)
class Need:
    """What a job asks of its queue.

    Attributes:
        multinode: whether it is a multi-node parallel job.
        nodes: nodes that run at once; of an array, its children.
        vcpus: of each node: the instance's where the job names a type (R27), else what its container asks for.
        kind: the instance type that the job names; empty if it takes what the queue gives.
        share: its share identifier.
    """

    multinode: bool
    nodes: int
    vcpus: int
    kind: str = ""
    share: str | None = None

    @property
    def gang(self) -> bool:
        """Whether nodes are children of an array, each started by itself."""
        return not self.multinode and self.nodes > 1


@dataclass(frozen=True, slots=True)
class ComputeEnvironment:
    """One compute environment; ``buys`` is EC2, SPOT, FARGATE, ..., empty for an unmanaged one."""

    name: str
    state: str
    status: str
    reason: str
    managed: bool
    buys: str
    max_vcpus: int | None
    instance_types: tuple[str, ...]
    subnets: tuple[str, ...] = ()

    def launches(self, kind: str) -> bool:
        """Whether it may launch a type (R8); said to be so where that is not known."""
        family = kind.partition(".")[0]
        return (
            any(each in (kind, family, "default_arm64") or family in _BUNDLES.get(each, ()) for each in self.instance_types)
            or not self.instance_types
        )


@dataclass(frozen=True, slots=True)
class LiveQueue:
    """A job queue and its compute environments, in the order in which AWS Batch tries them."""

    name: str
    arn: str
    state: str
    status: str
    reason: str
    fair_share: bool
    environments: tuple[ComputeEnvironment, ...]
    time_limits: tuple[tuple[str, int], ...]


def live_queue(batch: BatchClient, name: str) -> LiveQueue | None:
    """The queue of this name or ARN; None if there is none. Two calls.

    Raises:
        Unavailable: AWS cannot be asked.
    """
    with sdk_errors():
        found = batch.describe_job_queues(jobQueues=[name])["jobQueues"]
        if not found:
            return None
        queue: Any = found[0]
        order = [each["computeEnvironment"] for each in sorted(queue["computeEnvironmentOrder"], key=lambda each: each["order"])]
        held = batch.describe_compute_environments(computeEnvironments=order)["computeEnvironments"] if order else []
    by_name = {
        key: _compute_environment(each) for each in held for key in (each["computeEnvironmentArn"], each["computeEnvironmentName"])
    }
    return LiveQueue(
        name=queue["jobQueueName"],
        arn=queue["jobQueueArn"],
        state=queue["state"],
        status=queue.get("status", "VALID"),
        reason=queue.get("statusReason", ""),
        fair_share=bool(queue.get("schedulingPolicyArn")),
        environments=tuple(by_name[each] for each in order if each in by_name),
        time_limits=tuple((each["reason"], each["maxTimeSeconds"]) for each in queue.get("jobStateTimeLimitActions", [])),
    )


def _compute_environment(held: Any) -> ComputeEnvironment:
    resources = held.get("computeResources", {})
    return ComputeEnvironment(
        name=held["computeEnvironmentName"],
        state=held.get("state", "ENABLED"),
        status=held.get("status", "VALID"),
        reason=held.get("statusReason", ""),
        managed=held.get("type", "MANAGED") == "MANAGED",
        buys=resources.get("type", ""),
        max_vcpus=resources.get("maxvCpus"),
        instance_types=tuple(resources.get("instanceTypes", ())),
        subnets=tuple(resources.get("subnets", ())),
    )


def obstacles(queue: LiveQueue, need: Need) -> Iterator[Problem]:
    """What speaks against a job in this queue: errors where it cannot start, warnings where it might not."""
    where = f"queue {queue.name}"
    if queue.state != "ENABLED":
        yield Problem(where, f"is {queue.state}, so it takes no jobs", "batchhpc deploy enables it, or the console does")
    if queue.status not in ("VALID", "UPDATING"):
        said = f": {queue.reason}" if queue.reason else ""
        yield Problem(where, f"is {queue.status}{said}", "wait until it is VALID, or mend what AWS names", "R50")
    if queue.fair_share and need.share is None:
        yield Problem(where, "has a fair-share policy, but the job names no share", "share: ...", "R51")
    if not queue.fair_share and need.share is not None:
        yield Problem(where, f"has no fair-share policy, but the job names the share {need.share!r}", "leave share out", "R51")
    if not queue.environments:
        yield Problem(where, "has no compute environment behind it", "batchhpc deploy makes one", "R50")
    found = [(each, list(_against(each, need))) for each in queue.environments]
    some_can = any(not problems for _, problems in found)  # the job can start in another one, so it is a warning
    for _, problems in found:
        for each in problems:
            yield Problem(each.path, each.message, each.hint, each.rule, Severity.WARNING if some_can else Severity.ERROR)
    if need.multinode and len(queue.environments) > 1:
        text = (
            f"has {len(queue.environments)} compute environments: multi-node jobs do not go to the next if the first lacks capacity"
        )
        yield Problem(where, text, "a queue for each", "R48", Severity.WARNING)
    if need.gang:
        yield from _spread(queue)


def _spread(queue: LiveQueue) -> Iterator[Problem]:
    """Where the nodes of a gang may be apart from each other; those of a multi-node job are not."""
    if len(queue.environments) > 1:
        text = f"has {len(queue.environments)} compute environments: the nodes of a gang may be spread over them"
        yield Problem(f"queue {queue.name}", text, "a queue for each", "R33", Severity.WARNING)
    for each in queue.environments:
        if len(each.subnets) > 1:
            text = f"has {len(each.subnets)} subnets: the nodes of a gang may be in zones apart, slow and paid for by the GB"
            yield Problem(f"compute environment {each.name}", text, "one subnet", "R33", Severity.WARNING)


def _against(each: ComputeEnvironment, need: Need) -> Iterator[Problem]:
    where = f"compute environment {each.name}"
    if each.state != "ENABLED":
        yield Problem(where, f"is {each.state}, so AWS Batch starts no jobs there", "enable it")
    if each.status not in ("VALID", "UPDATING"):
        said = f": {each.reason}" if each.reason else ""
        hint = "roles, instance profile, launch template and anything changed by hand are the usual causes"
        yield Problem(where, f"is {each.status}{said}", hint, "R73")
    if need.multinode and not each.managed:
        yield Problem(where, "is unmanaged, where multi-node parallel jobs do not run", "another queue", "R11")
    elif need.multinode and each.buys and each.buys != "EC2":
        hint = "an on-demand environment, or shape: gang"
        yield Problem(where, f"is {each.buys}: multi-node parallel jobs stay RUNNABLE there for ever", hint, "R11")
    if need.kind and not each.launches(need.kind):
        types = ", ".join(each.instance_types)
        yield Problem(where, f"launches {types}, not {need.kind}", "one of these types, or deploy the environment with yours", "R8")
    wanted = need.nodes * need.vcpus
    if each.max_vcpus is not None and wanted > each.max_vcpus:
        text = f"has at most {each.max_vcpus} vCPUs, but the job takes {need.nodes} x {need.vcpus} = {wanted}"
        yield Problem(where, text, "fewer nodes, or a larger max_nodes in the environment, deployed again", "R27")
