"""The jobs of a queue, page by page, newest first."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any, Final

from batchhpc.aws.jobs.describe import job_summary
from batchhpc.aws.sdk import sdk_errors
from batchhpc.compiler.environment import STACK_PREFIX
from batchhpc.jobs import JobState, JobSummary

if TYPE_CHECKING:
    from mypy_boto3_batch import BatchClient

_PAGE: Final = {"jobStatus": 1000, "filters": 100}  # jobs that one ListJobs call gives at most (R42)
_QUEUE_PAGES: Final = 10  # of 100 queues; an account has 50 (R15)


def list_jobs(batch: BatchClient, queue: str, states: Collection[JobState] | None, limit: int) -> list[JobSummary]:
    """At most ``limit`` jobs of a queue, newest first. Calls: one per state and 1,000 jobs, one per 100 of any state.

    Args:
        batch: the client.
        queue: name or ARN.
        states: only these; without, all jobs that have not ended before the newest of those that have.
        limit: most jobs.

    Raises:
        Unavailable: AWS cannot be asked, or there is no such queue.
    """
    name = queue.rpartition("/")[2]
    wanted = [state for state in JobState if (not state.ended if states is None else state in states)]
    found: dict[str, JobSummary] = {}
    for state in wanted:
        for item in _pages(batch, limit, "jobStatus", {"jobQueue": queue, "jobStatus": state}):
            found[item["jobId"]] = job_summary({"status": state, **item}, name)
    if states is None and len(found) < limit:
        # Any state, and by time; a filter by state alone promises no order.
        by_time = {"jobQueue": queue, "filters": [{"name": "AFTER_CREATED_AT", "values": ["0"]}]}
        for item in _pages(batch, limit, "filters", by_time):
            found.setdefault(item["jobId"], job_summary(item, name))
    newest = sorted(found.values(), key=lambda job: -job.created_at)
    if states is None:
        newest.sort(key=lambda job: job.state.ended)
    return sorted(newest[:limit], key=lambda job: -job.created_at)


def our_queues(batch: BatchClient) -> list[str]:
    """Names of the Region's queues that batchhpc made.

    Raises:
        Unavailable: AWS cannot be asked.
    """
    found: list[str] = []
    more: dict[str, Any] = {}
    for _ in range(_QUEUE_PAGES):
        with sdk_errors():
            page = batch.describe_job_queues(maxResults=100, **more)
        found += [each["jobQueueName"] for each in page["jobQueues"] if each["jobQueueName"].startswith(STACK_PREFIX)]
        if not page.get("nextToken"):
            break
        more = {"nextToken": page["nextToken"]}
    return sorted(found)


def _pages(batch: BatchClient, limit: int, by: str, request: dict[str, Any]) -> Iterator[Any]:
    left, more = limit, dict[str, Any]()
    while left > 0:
        with sdk_errors():
            page = batch.list_jobs(maxResults=min(left, _PAGE[by]), **request, **more)
        yield from page["jobSummaryList"][:left]
        left -= len(page["jobSummaryList"])
        if not page.get("nextToken"):
            return
        more = {"nextToken": page["nextToken"]}
