"""Waiting for many jobs at once: DescribeJobs a hundred ids a call, ever more seldom while nothing happens."""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from batchhpc.aws.jobs.describe import Detail, child_id, job_status, led
from batchhpc.aws.refusals import is_lost
from batchhpc.aws.sdk import sdk_errors
from batchhpc.errors import JobNotFound, Unavailable, WaitTimeout
from batchhpc.jobs import JobState, JobStatus

if TYPE_CHECKING:
    from mypy_boto3_batch import BatchClient

AT_ONCE = 100  # ids of one DescribeJobs call (R42)
LONGEST_WAIT = 7 * 24 * 3600.0
"""Seconds that a wait lasts at most: for so long AWS Batch keeps jobs that have ended (R43)."""
_NAMED = 5  # ids in a message


@dataclass(frozen=True, slots=True)
class Pace:
    """How often AWS is asked, and by which clock.

    Attributes:
        first: seconds between the first two looks.
        longest: seconds between two looks while nothing changes.
        growth: how much longer each such pause is than the last.
        per_call: seconds that a look's pause lasts at least for each call it takes, so that ten thousand jobs, a hundred
            calls a look, do not use up the calls that the account may make.
        clock: monotonic seconds.
        now: Unix seconds.
        sleep: waits so many seconds.
        chance: 0 to 1, so that many waiters do not ask in step.
    """

    first: float = 1.0
    longest: float = 30.0
    growth: float = 1.5
    per_call: float = 0.1
    clock: Callable[[], float] = time.monotonic
    now: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random


class Pauses:
    """The pauses of one wait: longer while nothing happens or AWS throttles, short again after a change."""

    def __init__(self, pace: Pace) -> None:
        self._pace, self._next = pace, pace.first

    def take(self, *, changed: bool, calls: int, until: float) -> None:
        """Waits, but not beyond ``until`` of the clock."""
        pace = self._pace
        self._next = pace.first if changed else self._next
        pause = max(self._next, calls * pace.per_call) * (0.75 + pace.chance() / 2)
        pace.sleep(max(0.0, min(pause, until - pace.clock())))
        self._next = min(self._next * pace.growth, pace.longest)


def describe(batch: BatchClient, ids: Sequence[str]) -> Iterator[Detail]:
    """The jobs, nodes or children of these ids, those that AWS Batch knows, in no order.

    Raises:
        Unavailable: AWS cannot be asked.
    """
    for chunk in chunks(ids):
        with sdk_errors():
            answer = batch.describe_jobs(jobs=chunk)
        yield from answer["jobs"]


def chunks(ids: Iterable[str]) -> Iterator[list[str]]:
    """The ids, as many at a time as one call takes."""
    rest = iter(ids)
    while chunk := list(islice(rest, AT_ONCE)):
        yield chunk


def as_ended(
    batch: BatchClient, ids: Sequence[str], timeout: float | None, pace: Pace, trouble: Callable[[str], None]
) -> Iterator[JobStatus]:
    """Each job as it ends; of its nodes at most what a gang's leader tells. Holds no more than the ids.

    Throttling, lost connections and AWS's own faults are waited out; ``trouble`` hears of the first of each outage.

    Args:
        batch: the client.
        ids: the jobs, each once told, however often it is named.
        timeout: seconds for all of them; `LONGEST_WAIT` if None.
        pace: how often to ask.
        trouble: hears that AWS cannot be asked at the moment, and why.

    Raises:
        JobNotFound: AWS Batch knows no such job.
        WaitTimeout: some have not ended.
        Unavailable: AWS refuses for good: expired credentials, say.
    """
    waiting, states = deque(dict.fromkeys(ids)), dict[str, str]()
    until = pace.clock() + min(LONGEST_WAIT if timeout is None else timeout, LONGEST_WAIT)
    pauses, outage = Pauses(pace), _Outage(trouble)
    while True:
        changed, calls = False, 0
        for _ in range(-(-len(waiting) // AT_ONCE)):
            chunk = [waiting.popleft() for _ in range(min(AT_ONCE, len(waiting)))]
            calls += 1
            found = outage.found(batch, chunk)
            if found is None:
                waiting.extendleft(reversed(chunk))
                break  # the rest would meet the same
            for job_id in chunk:
                state = found[job_id]["status"]
                changed |= states.get(job_id, state) != state
                ended = JobState(state).ended and outage.ended(batch, found[job_id])
                if ended:
                    states.pop(job_id, None)
                    yield ended
                else:
                    states[job_id] = state
                    waiting.append(job_id)
        if not waiting:
            return
        if pace.clock() >= until:
            raise WaitTimeout(_late(waiting, states, timeout))
        pauses.take(changed=changed, calls=calls, until=until)


class _Outage:
    """Whether AWS can be asked at the moment; tells once of each time that it cannot."""

    def __init__(self, trouble: Callable[[str], None]) -> None:
        self._trouble, self._lasts = trouble, False

    def ended(self, batch: BatchClient, detail: Detail) -> JobStatus | None:
        """The status of a job that has ended; of an array with what its first child tells, None if that cannot be asked."""
        status = job_status(detail)
        if status.nodes:
            return status
        leader = self.found(batch, [child_id(detail, 0)])
        return led(status, next(iter(leader.values()))) if leader else None

    def found(self, batch: BatchClient, ids: list[str]) -> dict[str, Detail] | None:
        """All these jobs by id; None if AWS cannot be asked just now."""
        try:
            found = {each["jobId"]: each for each in describe(batch, ids)}
        except Unavailable as error:
            if not passing(error):
                raise
            if not self._lasts:
                self._trouble(str(error).partition("\n")[0])
            self._lasts = True
            return None
        self._lasts = False
        if missing := [each for each in ids if each not in found]:
            raise JobNotFound(_unknown(missing))
        return found


def passing(error: Unavailable) -> bool:
    """Whether an error is of the moment (throttling, a lost connection, AWS's own fault), so that a waiter goes on."""
    return error.__cause__ is not None and is_lost(error.__cause__)


def _unknown(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else ""
    text = f"AWS Batch knows no job {', '.join(ids[:_NAMED])}{more} in this Region"
    return f"{text}\n  hint: --region, or batchhpc list; it forgets jobs from 7 days after their end on (R43)"


def _late(waiting: Iterable[str], states: dict[str, str], timeout: float | None) -> str:
    open_ones = list(waiting)
    shown = ", ".join(f"{each} is {states.get(each, 'not described yet')}" for each in open_ones[:_NAMED])
    more = f" and {len(open_ones) - _NAMED} more" if len(open_ones) > _NAMED else ""
    seconds = LONGEST_WAIT if timeout is None else min(timeout, LONGEST_WAIT)
    hint = "the jobs go on; batchhpc status ID says what one waits for"
    return f"not ended within {seconds:g} s: {shown}{more}\n  hint: {hint}"
