"""Why a job has not started, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from batchhpc.aws.jobs.describe import Detail, seconds
from batchhpc.aws.jobs.live_queue import LiveQueue, live_queue, obstacles
from batchhpc.aws.jobs.polling import describe
from batchhpc.aws.jobs.preflight import need_of
from batchhpc.aws.sdk import sdk_errors
from batchhpc.errors import Problem, Severity, Unavailable
from batchhpc.jobs import JobState

if TYPE_CHECKING:
    from batchhpc.aws.sdk import Clients

_PATIENCE: Final = 600.0
"""Seconds of RUNNABLE without a reason that are nothing unusual: instances are launched, images pulled."""

# statusReason by its beginning (R48): what it means, and what to do.
REASONS: Final[Mapping[str, tuple[str, str]]] = {
    "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY": (
        "EC2 has not enough instances of the type in that zone at the moment",
        "wait, or deploy the environment with more instance types, another zone, or a capacity reservation",
    ),
    "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE": (
        "the job is larger than every compute environment behind the queue may become",
        "fewer nodes, or a larger max_nodes in the environment, deployed again",
    ),
    "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT": (
        "no instance type of the compute environments has the vCPUs, memory or GPUs that a node asks for",
        "less memory_per_node (ECS and the host keep some of the instance's, R25), or a larger instance type",
    ),
    "MISCONFIGURATION:EC2_INSTANCE_CONFIGURATION_UNSUPPORTED": (
        "EC2 cannot launch the instance type there: not offered in the zone, or not with this launch template",
        "a zone that offers it (batchhpc deploy checks that, R94), or another instance type",
    ),
    "MISCONFIGURATION:SERVICE_ROLE_PERMISSIONS": (
        "AWS Batch's service role lacks permissions",
        "deploy the environment again: it uses the service-linked role AWSServiceRoleForBatch, which has them",
    ),
    "ACTION_REQUIRED": (
        "the compute environments behind the queue are invalid",
        "mend what is named for each of them, or deploy the environment again",
    ),
    "UNDETERMINED": (
        "AWS Batch says that the job is blocked, but not why",
        "look for instances that start and do not join the cluster: no way to the ECS endpoints, or user data that takes too long",
    ),
    "Canceled by JobStateTimeLimit action": (
        "the queue cancels jobs that wait too long for this reason",
        "remove the reason, or lengthen the queue's limit in the environment",
    ),
}
_MAY_CHANGE = "AWS Batch looks again every few minutes and may say something else then"


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why a job waits.

    Attributes:
        state: its state.
        seconds: since it was submitted.
        position: its place in the queue, 1 for the next; None if it is not among those that AWS Batch lists.
        listed: how many jobs AWS Batch lists as next; 100 at most.
        position_seconds: since it has that place.
        causes: what speaks against its start, what AWS Batch says itself first; each with what to do.
    """

    state: JobState
    seconds: float
    position: int | None
    listed: int | None
    position_seconds: float | None
    causes: tuple[Problem, ...]


def explained(status_reason: str) -> Problem | None:
    """What a status reason of AWS Batch means, and what to do; None if it is none of the catalogue's."""
    for beginning, (meaning, remedy) in REASONS.items():
        if status_reason.startswith(beginning):
            return Problem("AWS Batch", f"{status_reason}: {meaning}", f"{remedy}; {_MAY_CHANGE}", "R48", Severity.WARNING)
    return None


def why_waiting(detail: Detail, clients: Clients, now: float) -> Waiting | None:
    """Why a job has not started; None if it has.

    Asks for the queue, its compute environments, its front, and the jobs it depends on; what may not be asked is left out.

    Args:
        detail: the job, from DescribeJobs.
        clients: the clients.
        now: Unix seconds.
    """
    state = JobState(detail["status"])
    children = detail.get("arrayProperties", {}).get("statusSummary", {})
    if state not in _WHY or children.get("RUNNING"):
        return None
    causes = list(_WHY[state](detail, clients, now))
    position, listed, since = _place(detail, clients) if state is JobState.RUNNABLE else (None, None, None)
    dwelt = now - (seconds(detail.get("createdAt")) or now)
    return Waiting(state, dwelt, position, listed, since and now - since, tuple(causes))


def _runnable(detail: Detail, clients: Clients, now: float) -> Iterator[Problem]:
    said = detail.get("statusReason", "")
    if known := explained(said):
        yield known
    elif said:
        yield Problem("AWS Batch", said, _MAY_CHANGE, severity=Severity.WARNING)
    queue = _asked(lambda: live_queue(clients.batch, detail["jobQueue"]))
    found = list(obstacles(queue, need_of(detail, detail))) if queue else []
    yield from found
    if queue and said:
        yield from _limits(queue, said)
    if not said and not found:
        dwelt = now - (seconds(detail.get("createdAt")) or now)
        if dwelt < _PATIENCE:
            yield Problem("AWS Batch", "gives no reason; instances take some minutes to start", severity=Severity.WARNING)
        else:
            text = f"gives no reason after {dwelt / 60:.0f} minutes"
            hint = "EC2's vCPU quota, instances that start and do not join the cluster (route to the ECS endpoints, user data)"
            yield Problem("AWS Batch", text, f"usual causes: {hint}", "R29", Severity.WARNING)


def _limits(queue: LiveQueue, said: str) -> Iterator[Problem]:
    for reason, limit in queue.time_limits:
        if said.startswith(reason.partition(" ")[0]):
            text = f"cancels a job that waits {limit} s for this reason"
            yield Problem(f"queue {queue.name}", text, rule="R49", severity=Severity.WARNING)


def _pending(detail: Detail, clients: Clients, now: float) -> Iterator[Problem]:
    yield from _dependencies(detail, clients)
    if "arrayProperties" in detail and detail["arrayProperties"].get("size"):
        counts = detail["arrayProperties"].get("statusSummary", {})
        shown = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
        text = f"is PENDING until all its children have ended; they are: {shown or 'not counted yet'}"
        yield Problem("array", text, rule="R60", severity=Severity.WARNING)
        if counts.get("RUNNABLE"):
            child = next(iter(_asked(lambda: list(describe(clients.batch, [f"{detail['jobId']}:0"]))) or []), None)
            if child is not None and child["status"] == JobState.RUNNABLE:
                yield from _runnable(child, clients, now)


def _dependencies(detail: Detail, clients: Clients) -> Iterator[Problem]:
    depends_on = [each["jobId"] for each in detail.get("dependsOn", []) if each.get("jobId")]
    found = {each["jobId"]: each for each in _asked(lambda: list(describe(clients.batch, depends_on))) or []}
    for job_id in depends_on:
        other = found.get(job_id)
        path = f"depends on {job_id}"
        if other is None:
            yield Problem(path, "which AWS Batch does not know (any more)", "cancel this job and submit it without", "R47")
        elif other["status"] == JobState.FAILED:
            yield Problem(path, f"({other['jobName']}), which has FAILED, so this job will not start", "submit both anew", "R47")
        elif not JobState(other["status"]).ended:
            text = f"({other['jobName']}), which is {other['status']}"
            yield Problem(path, text, f"batchhpc status {job_id}", "R47", Severity.WARNING)


def _submitted(detail: Detail, clients: Clients, now: float) -> Iterator[Problem]:
    del detail, clients, now
    yield Problem("AWS Batch", "has not looked at the job's dependencies yet", severity=Severity.WARNING)


def _starting(detail: Detail, clients: Clients, now: float) -> Iterator[Problem]:
    del clients, now
    text = "the host is there, and its container is being started"
    if "nodeProperties" in detail:
        text += "; the other nodes start once the main node runs (R36)"
    yield Problem("node", text, "a large image takes minutes to pull", severity=Severity.WARNING)


_WHY: Final = {
    JobState.SUBMITTED: _submitted,
    JobState.PENDING: _pending,
    JobState.RUNNABLE: _runnable,
    JobState.STARTING: _starting,
}


def _place(detail: Detail, clients: Clients) -> tuple[int | None, int | None, float | None]:
    """Place in the queue, how many are listed, and since when it has that place (Unix seconds)."""

    def snapshot() -> Any:
        with sdk_errors():
            return clients.batch.get_job_queue_snapshot(jobQueue=detail["jobQueue"])

    jobs = (_asked(snapshot) or {}).get("frontOfQueue", {}).get("jobs", [])
    for place, each in enumerate(jobs, 1):
        if each.get("jobArn") == detail.get("jobArn"):
            return place, len(jobs), seconds(each.get("earliestTimeAtPosition"))
    return None, len(jobs) or None, None


def _asked(question: Any) -> Any:
    """The answer, or None where it is refused: why a job waits is help, and no reason to fail."""
    try:
        return question()
    except Unavailable:
        return None
