"""Ending jobs: CancelJob for those that have not started, TerminateJob for the rest (R44)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from batchhpc.aws.jobs.describe import Detail
from batchhpc.aws.jobs.gang_queue import waiting_behind
from batchhpc.aws.jobs.polling import describe
from batchhpc.aws.sdk import sdk_errors
from batchhpc.errors import InvalidSpec, JobNotFound, Problem, Unavailable
from batchhpc.jobs import JobState

if TYPE_CHECKING:
    from mypy_boto3_batch import BatchClient

LONGEST_REASON: Final = 1024  # characters (R44)
_NAMED: Final = 5  # ids in a message
_CANCELLED: Final = frozenset({JobState.SUBMITTED, JobState.PENDING, JobState.RUNNABLE})


def end(batch: BatchClient, job_id: str, reason: str) -> str:
    """Ends a job, node ids meaning their job, in whatever state it is.

    CancelJob says yes and does nothing if the job has started meanwhile (R44), so it is looked at again. An array's parent is
    PENDING while its children run (R60): cancelling would leave those, so it is terminated.

    Returns:
        What was done, in words: ``cancelled``, ``terminated``, ``ended before``, or when it will be cancelled.

    Raises:
        InvalidSpec: a reason that AWS Batch would not take.
        JobNotFound: no such job.
        Unavailable: AWS cannot be asked, or refuses.
    """
    check_reason(reason)
    job = job_id.partition("#")[0]  # a node cannot be ended alone (R37); a child of an array can
    detail = _detail(batch, job)
    state, array = JobState(detail["status"]), bool(detail.get("arrayProperties", {}).get("size"))
    if state.ended:
        return "ended before"
    if state in _CANCELLED and not array:
        with sdk_errors():
            batch.cancel_job(jobId=job, reason=reason)
        state = JobState(_detail(batch, job)["status"])
        if state is JobState.PENDING:
            return "to be cancelled once the jobs it depends on have ended"
        if state in _CANCELLED or state.ended:
            return "cancelled"
    with sdk_errors():
        batch.terminate_job(jobId=job, reason=reason)
    return f"terminated{_with_it(batch, detail)}" if array else "terminated"


def _with_it(batch: BatchClient, gang: Detail) -> str:
    """The gangs that waited for one that is ended, and so fail with it; nothing is said where AWS may not be asked."""
    try:
        behind = waiting_behind(batch, gang)
    except Unavailable:
        return ""
    shown = ", ".join(each["jobId"] for each in behind[:_NAMED])
    more = f" and {len(behind) - _NAMED} more" if len(behind) > _NAMED else ""
    return f"; what waited for it fails, too (R47): {shown}{more}" if behind else ""


def check_reason(reason: str) -> None:
    """Refuses what AWS Batch would refuse.

    Raises:
        InvalidSpec: it is empty or too long.
    """
    if not 1 <= len(reason) <= LONGEST_REASON:
        hint = f"give 1 to {LONGEST_REASON}"
        raise InvalidSpec([Problem("reason", f"has {len(reason)} characters", hint, rule="R44")])


def _detail(batch: BatchClient, job_id: str) -> Detail:
    for detail in describe(batch, [job_id]):
        return detail
    raise JobNotFound(f"AWS Batch knows no job {job_id} in this Region\n  hint: --region, or batchhpc list")
