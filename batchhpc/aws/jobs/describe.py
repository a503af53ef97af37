"""What DescribeJobs and ListJobs answer, in the words of `batchhpc.jobs`.

AWS Batch describes a multi-node parallel job by its main node (R42), and an array by no node at all: there the first child
speaks for the job, as the leader of a gang.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from batchhpc.jobs import Attempt, JobState, JobStatus, JobSummary, NodeStatus

Detail = Mapping[str, Any]
"""One job of a DescribeJobs answer."""

LOG_GROUP = "/aws/batch/job"  # where AWS Batch logs if the definition names no group (R43)


@dataclass(frozen=True, slots=True)
class Stream:
    """One log stream, and whose it is. Its name is always AWS Batch's own, never made up (R43)."""

    node: int
    attempt: int
    group: str
    name: str


def parent_of(job_id: str) -> str:
    """The job that a node, ``id#2``, or a child, ``id:2``, belongs to; the job itself if it is neither."""
    return job_id.partition("#")[0].partition(":")[0]


def node_of(job_id: str) -> int | None:
    """The index in ``id#2`` or ``id:2``."""
    index = job_id.partition("#")[2] or job_id.partition(":")[2]
    return int(index) if index.isdigit() else None


def node_ids(detail: Detail) -> list[str]:
    """Ids of the nodes of a multi-node parallel job, or of the children of an array (R42); none for a container job."""
    if "nodeProperties" in detail and "nodeDetails" not in detail:
        return [f"{detail['jobId']}#{i}" for i in range(detail["nodeProperties"].get("numNodes", 0))]
    return [child_id(detail, i) for i in range(detail.get("arrayProperties", {}).get("size") or 0)]


def child_id(array: Detail, index: int) -> str:
    """The id of an array's child (R42)."""
    return f"{array['jobId']}:{index}"


def job_status(detail: Detail, nodes: Mapping[str, Detail] | None = None) -> JobStatus:
    """A job's status.

    Args:
        detail: the job.
        nodes: its nodes by id, as far as AWS Batch describes them; without, only what the job itself tells is told.
    """
    known = nodes or {}
    ids = node_ids(detail)
    speaker = known.get(ids[0], {}) if ids and "arrayProperties" in detail else detail
    if known:
        told = tuple(_node(known[each]) if each in known else _unknown(each, detail) for each in ids)
    else:
        told = () if "arrayProperties" in detail and ids else (_node(detail),)
    return JobStatus(
        id=detail["jobId"],
        name=detail["jobName"],
        state=JobState(detail["status"]),
        status_reason=detail.get("statusReason", ""),
        created_at=seconds(detail.get("createdAt")) or 0.0,
        started_at=seconds(speaker.get("startedAt")),
        stopped_at=seconds(detail.get("stoppedAt")) or seconds(speaker.get("stoppedAt")),
        attempts=tuple(_attempts(speaker)),
        nodes=told,
    )


def led(status: JobStatus, leader: Detail) -> JobStatus:
    """The status of an array, of which nothing but its first child is known beside."""
    return replace(
        status,
        started_at=seconds(leader.get("startedAt")),
        stopped_at=status.stopped_at or seconds(leader.get("stoppedAt")),
        attempts=tuple(_attempts(leader)),
    )


def job_summary(item: Mapping[str, Any], queue: str) -> JobSummary:
    """One job of a ListJobs answer."""
    size = item.get("nodeProperties", {}).get("numNodes") or item.get("arrayProperties", {}).get("size") or 1
    return JobSummary(
        id=item["jobId"],
        name=item["jobName"],
        state=JobState(item.get("status", JobState.RUNNING)),
        queue=queue,
        status_reason=item.get("statusReason", ""),
        created_at=seconds(item.get("createdAt")) or 0.0,
        started_at=seconds(item.get("startedAt")),
        stopped_at=seconds(item.get("stoppedAt")),
        nodes=size,
        exit_code=item.get("container", {}).get("exitCode"),
    )


def streams(detail: Detail) -> list[Stream]:
    """The log streams of one container job, node or child: of every attempt, and of every container of an ECS task.

    A parent has none of its own but its main node's (R42), so its nodes are to be asked instead.
    """
    node, found = index_of(detail), dict[str, Stream]()
    attempts = detail.get("attempts", [])
    for number, attempt in enumerate(attempts, 1):
        for container, name in _named_streams(attempt.get("container", {}), attempt.get("taskProperties", [])):
            found.setdefault(name, Stream(node, number, _group(detail, container), name))
    now = len([each for each in attempts if each.get("stoppedAt")]) + 1  # one that runs may be among the attempts, or not
    tasks = detail.get("ecsProperties", {}).get("taskProperties", [])
    for container, name in _named_streams(detail.get("container", {}), tasks):
        found.setdefault(name, Stream(node, now, _group(detail, container), name))
    return list(found.values())


def drivers(detail: Detail) -> set[str]:
    """The log drivers of a job's containers; awslogs if nothing is said."""
    tasks = detail.get("ecsProperties", {}).get("taskProperties", [])
    containers = [detail.get("container", {}), *(each for task in tasks for each in task.get("containers", []))]
    return {each["logConfiguration"]["logDriver"] for each in containers if "logConfiguration" in each} or {"awslogs"}


def index_of(detail: Detail) -> int:
    """Which node of its job this is; 0 for a container job, the main node for a parent."""
    if "nodeDetails" in detail:
        return int(detail["nodeDetails"].get("nodeIndex", 0))
    if "index" in detail.get("arrayProperties", {}):
        return int(detail["arrayProperties"]["index"])
    return int(detail.get("nodeProperties", {}).get("mainNode", 0))


def seconds(milliseconds: float | None) -> float | None:
    """Unix seconds; None for what has not happened, which AWS Batch leaves out or gives as 0."""
    return milliseconds / 1000 if milliseconds else None


def _node(detail: Detail) -> NodeStatus:
    attempts = list(_attempts(detail))
    ended = JobState(detail["status"]).ended
    child = "index" in detail.get("arrayProperties", {})  # tried again by itself (R60), nodes of other jobs all at once (R37)
    waits = child and not ended and detail["status"] != JobState.RUNNING  # for another instance: the start is the last one's
    return NodeStatus(
        index=index_of(detail),
        main=_is_main(detail),
        state=JobState(detail["status"]),
        status_reason=detail.get("statusReason", ""),
        exit_code=(attempts[-1].exit_code if attempts else _exit_code(detail, "ecsProperties")) if ended else None,
        started_at=None if waits else seconds(detail.get("startedAt")),
        stopped_at=seconds(detail.get("stoppedAt")),
        earlier=() if not child else tuple(attempts[:-1] if ended else attempts),
    )


def _is_main(detail: Detail) -> bool:
    if "nodeDetails" in detail:
        return bool(detail["nodeDetails"].get("isMainNode", False))
    return not detail.get("arrayProperties", {}).get("index", 0)  # of an array the first child leads


def _unknown(node_id: str, parent: Detail) -> NodeStatus:
    """A node that AWS Batch does not describe (yet): children exist only once the main node runs (R36)."""
    index = node_of(node_id) or 0
    main = index == parent.get("nodeProperties", {}).get("mainNode", 0)
    if JobState(parent["status"]).ended:
        return NodeStatus(index, main, JobState.FAILED, "AWS Batch knows nothing of this node")
    return NodeStatus(index, main, JobState.SUBMITTED, "AWS Batch does not know this node yet")


def _attempts(detail: Detail) -> Iterator[Attempt]:
    for each in detail.get("attempts", []):
        if not each.get("stoppedAt"):
            continue  # it runs
        yield Attempt(
            exit_code=_exit_code(each, "taskProperties"),
            reason=_reason(each),
            status_reason=each.get("statusReason", ""),
            started_at=seconds(each.get("startedAt")),
            stopped_at=each["stoppedAt"] / 1000,
        )


def _containers(part: Mapping[str, Any], tasks: str) -> list[Mapping[str, Any]]:
    """All containers of an attempt or a job: the one, or those of its ECS task."""
    held = part.get(tasks, [])
    if isinstance(held, Mapping):
        held = held.get("taskProperties", [])
    return [each for each in (part.get("container", {}), *(one for task in held for one in task.get("containers", []))) if each]


def _exit_code(part: Mapping[str, Any], tasks: str) -> int | None:
    """The container's exit code; of several containers the first that is not 0."""
    codes = [int(each["exitCode"]) for each in _containers(part, tasks) if "exitCode" in each]
    return next((code for code in codes if code), codes[0] if codes else None)


def _reason(attempt: Mapping[str, Any]) -> str:
    return "; ".join(dict.fromkeys(each["reason"] for each in _containers(attempt, "taskProperties") if each.get("reason")))


def _named_streams(container: Mapping[str, Any], tasks: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Mapping[str, Any], str]]:

    for each in (container, *(one for task in tasks for one in task.get("containers", []))):
        if each.get("logStreamName"):
            yield each, each["logStreamName"]


def _group(detail: Detail, container: Mapping[str, Any]) -> str:
    """The log group that a container's definition names; attempts do not say, so the job's own containers are asked."""
    tasks = detail.get("ecsProperties", {}).get("taskProperties", [])
    candidates = [container, detail.get("container", {}), *(one for task in tasks for one in task.get("containers", []))]
    same = [each for each in candidates if each.get("name") == container.get("name")] or candidates
    for each in same:
        group = each.get("logConfiguration", {}).get("options", {}).get("awslogs-group")
        if group:
            return str(group)
    return LOG_GROUP
