"""One gang at a time in a queue: a new one depends on the newest that has not ended.

Children of two gangs that start at once may share out the instances there are, so that neither is whole: both then wait until
their deadlines. Two that are submitted in the same moment may still not see each other, and the deadlines are there for that.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from batchhpc.aws.jobs.polling import chunks, describe
from batchhpc.aws.sdk import sdk_errors
from batchhpc.compiler.definition import SHAPE_TAG
from batchhpc.errors import Problem, Severity
from batchhpc.jobs import JobState
from batchhpc.spec import Shape

if TYPE_CHECKING:
    from mypy_boto3_batch import BatchClient

    from batchhpc.aws.jobs.describe import Detail

_STATES: Final = (JobState.SUBMITTED, JobState.PENDING)  # of an array that has not ended: it is never RUNNABLE or RUNNING (R60)


def newest_gang(batch: BatchClient, queue: str) -> Detail | None:
    """The newest gang of a queue that has not ended, as DescribeJobs tells it.

    Calls: two for up to 1,000 jobs that have not started, and one if there is an array among them.

    Raises:
        Unavailable: AWS cannot be asked, or there is no such queue.
    """
    arrays = sorted(_arrays(batch, queue), key=lambda item: -item.get("createdAt", 0))
    for chunk in chunks(item["jobId"] for item in arrays):
        found = [each for each in describe(batch, chunk) if each.get("tags", {}).get(SHAPE_TAG) == Shape.GANG]
        if going := [each for each in found if not JobState(each["status"]).ended]:
            return max(going, key=lambda each: each.get("createdAt", 0))
    return None


def waiting_behind(batch: BatchClient, gang: Detail) -> list[Detail]:
    """The gangs that fail if this one does, since they wait for it or for one that does, oldest first.

    Raises:
        Unavailable: AWS cannot be asked.
    """
    ids = [item["jobId"] for item in _arrays(batch, gang["jobQueue"])]
    lost, found = {gang["jobId"]}, list[Any]()
    for each in sorted(describe(batch, ids), key=lambda each: each.get("createdAt", 0)):
        if lost & {other.get("jobId") for other in each.get("dependsOn", [])}:
            lost.add(each["jobId"])
            found.append(each)
    return found


def _arrays(batch: BatchClient, queue: str) -> Iterator[Any]:
    for state in _STATES:
        request: dict[str, Any] = {"jobQueue": queue, "jobStatus": state, "maxResults": 1000}
        while True:
            with sdk_errors():
                page = batch.list_jobs(**request)
            yield from (item for item in page["jobSummaryList"] if item.get("arrayProperties", {}).get("size"))
            if not page.get("nextToken"):
                break
            request["nextToken"] = page["nextToken"]


def behind(request: dict[str, Any], gang: Detail) -> dict[str, Any]:
    """A SubmitJob request that waits for the end of a gang."""
    given = request.get("dependsOn", [])
    if any(each.get("jobId") == gang["jobId"] for each in given):
        return request
    return {**request, "dependsOn": [*given, {"jobId": gang["jobId"]}]}


def queued_behind(queue: str, gang: Detail) -> Problem:
    """What the user should know of a gang that waits for another."""
    text = (
        f"has gang {gang['jobId']} ({gang['jobName']}), {gang['status']}: this job starts when that one has succeeded, "
        "and AWS Batch fails it if that one fails or is cancelled"
    )
    hint = "submit --alongside does not wait; the two then share the instances, and give up if neither gets all of its own"
    return Problem(f"queue {queue.rpartition('/')[2]}", text, hint, "R47", Severity.WARNING)
