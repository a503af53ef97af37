"""SubmitJob, once: it has no client token, so nobody but us can tell a second try from a second job.

Each submission carries a tag of its own. Throttled calls were refused and are tried again. Where the answer is lost, or AWS
had a fault, the queue is searched for a job with that name and tag for half a minute before there is another try.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from batchhpc.aws.jobs.polling import Pace, Pauses, chunks, describe
from batchhpc.aws.refusals import THROTTLED, code_of, is_lost
from batchhpc.aws.sdk import sdk_errors
from batchhpc.errors import Problem, Severity, Unavailable

if TYPE_CHECKING:
    from batchhpc.aws.sdk import Clients

TAG: Final = "batchhpc:submission"
_TRIES = 6
_LOOKED_FOR = 30.0  # seconds, if its arrival is not known; a job just submitted may take a moment to be listed
_GIVEN_UP_AFTER = 300.0  # seconds
_SKEW = 300.0  # seconds that this machine's clock may be ahead of AWS's


@dataclass(frozen=True, slots=True)
class Submission:
    """One SubmitJob request, told from all others by the value of its tag."""

    request: Mapping[str, Any]
    token: str

    @property
    def tagged(self) -> dict[str, Any]:
        """The request with its tag."""
        return {**self.request, "tags": {**self.request.get("tags", {}), TAG: self.token}}


def send(clients: Clients, submission: Submission, pace: Pace, warn: Callable[[Problem], None]) -> str:
    """Submits a job and gives its id.

    Args:
        clients: the clients; the one that tries once is used for SubmitJob.
        submission: what to submit.
        pace: how long to wait between tries.
        warn: hears what was done about a lost answer.

    Raises:
        Unavailable: AWS refuses, or it is not known whether the job arrived.
    """
    pauses, begun = Pauses(pace), pace.now()
    until = pace.clock() + _GIVEN_UP_AFTER
    for attempt in range(1, _TRIES + 1):
        try:
            with sdk_errors():
                return clients.batch_once.submit_job(**submission.tagged)["jobId"]
        except Unavailable as error:
            cause = error.__cause__
            if cause is None or not is_lost(cause):
                raise
            last = attempt == _TRIES or pace.clock() >= until
            if code_of(cause) in THROTTLED:
                if last:
                    raise
            elif found := _arrived(clients, submission, begun, pace):
                warn(_told(f"the answer of AWS Batch was lost; the job had arrived as {found} and was not submitted again"))
                return found
            elif last:
                raise _unknown(submission, error) from error
            else:
                warn(_told("the answer of AWS Batch was lost; no such job is in the queue, so it is submitted again"))
            pauses.take(changed=False, calls=1, until=until)
    raise AssertionError  # the last try returns or raises


def _arrived(clients: Clients, submission: Submission, begun: float, pace: Pace) -> str | None:
    """Id of the job that carries the submission's tag; None if looks over half a minute did not find it.

    Raises:
        Unavailable: the queue cannot be searched, so another try might be a second job.
    """
    pauses, until = Pauses(pace), pace.clock() + _LOOKED_FOR
    while True:
        last = pace.clock() >= until
        try:
            if found := _search(clients, submission, begun):
                return found
        except Unavailable as error:
            if last:
                raise _unknown(submission, error) from error
        if last:
            return None
        pauses.take(changed=False, calls=1, until=until)


def _search(clients: Clients, submission: Submission, begun: float) -> str | None:
    with sdk_errors():
        # A filter by name makes AWS Batch list all states, newest first (R42); a hundred newer jobs of one name are enough.
        page = clients.batch.list_jobs(
            jobQueue=submission.request["jobQueue"],
            filters=[{"name": "JOB_NAME", "values": [submission.request["jobName"]]}],
            maxResults=100,
        )
    fresh = [each["jobId"] for each in page["jobSummaryList"] if each.get("createdAt", 0) / 1000 >= begun - _SKEW]
    for chunk in chunks(fresh):
        for detail in describe(clients.batch, chunk):
            if detail.get("tags", {}).get(TAG) == submission.token:
                return str(detail["jobId"])
    return None


def _told(text: str) -> Problem:
    return Problem("SubmitJob", text, severity=Severity.WARNING)


def _unknown(submission: Submission, error: Unavailable) -> Unavailable:
    name = submission.request["jobName"]
    return Unavailable(
        f"it is not known whether job {name} was submitted: {str(error).partition(chr(10))[0]}\n"
        f"  hint: batchhpc list shows whether it is there before you submit it again (tag {TAG} = {submission.token})"
    )
