"""`BatchRunner`: takes jobs to AWS Batch, tells of them, ends them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from typing import Final, Self

from batchhpc.aws.environments.deployed import deployed
from batchhpc.aws.jobs.definitions import definition_arn
from batchhpc.aws.jobs.describe import Detail, Stream, drivers, index_of, job_status, node_ids, streams
from batchhpc.aws.jobs.ends import end
from batchhpc.aws.jobs.gang_queue import behind, newest_gang, queued_behind
from batchhpc.aws.jobs.listing import list_jobs
from batchhpc.aws.jobs.logs import Tail, last_lines, merged
from batchhpc.aws.jobs.polling import LONGEST_WAIT, Pace, Pauses, as_ended, describe, passing
from batchhpc.aws.jobs.preflight import job_problems
from batchhpc.aws.jobs.submission import Submission, send
from batchhpc.aws.jobs.waiting import Waiting, why_waiting
from batchhpc.aws.sdk import Clients
from batchhpc.compiler import CompiledJob, check_documents
from batchhpc.errors import InvalidSpec, JobNotFound, Problem, Severity, Unavailable, WaitTimeout
from batchhpc.jobs import Job, JobState, JobStatus, JobSummary, LogLine
from batchhpc.spec import Environment, Shape

_MOST_NODES: Final = 1_000  # that are described one by one: as many as a job may have (R3); larger arrays are counted only
_FOLLOW_PAUSE: Final = 5.0  # seconds between two looks at most while a job is followed
_LAST_LOOKS: Final = 2  # without a new line, after the end: CloudWatch gets the last lines somewhat later than Batch the end


class BatchRunner:
    """Carries jobs out on AWS Batch, in one deployed environment.

    Args:
        environment: where jobs are submitted; jobs of other queues can be asked for, too, by their id.
        clients: the SDK's clients; of the environment's Region if left out.
        warn: hears what the user should know and what is no error, such as warnings of the live queue.
        pace: how often AWS is asked, and by which clock.
        new_token: makes the text that tells one submission from all others.
    """

    def __init__(
        self,
        environment: Environment,
        clients: Clients | None = None,
        *,
        warn: Callable[[Problem], None] = lambda _: None,
        pace: Pace | None = None,
        new_token: Callable[[], str] = lambda: str(uuid.uuid4()),
    ) -> None:
        self.environment = environment
        self._clients = clients or Clients(environment.region)
        self._warn = warn
        self._pace = pace or Pace()
        self._new_token = new_token

    @classmethod
    def deployed(cls, name: str, region: str | None = None) -> Self:
        """The runner of a deployed environment; jobs are compiled for its ``environment``.

        Args:
            name: the environment's name.
            region: the Region it is in; what the SDK finds if left out.

        Raises:
            EnvironmentNotFound: nothing of that name is deployed there.
            Unavailable: AWS cannot be asked.
        """
        clients = Clients(region)
        _, environment = deployed(name, clients)
        return cls(environment, clients)

    @property
    def region(self) -> str:
        """The Region whose AWS Batch it asks."""
        return self._clients.region

    def submit(self, compiled: CompiledJob, *, alongside: bool = False) -> Job:
        """Submits a job and returns at once; nothing is registered before the live queue was asked.

        A gang starts when the gang before it in its queue has succeeded; ``alongside`` it does not wait.

        Raises:
            InvalidSpec: the documents break rules, or the queue as it is now cannot run them; with every problem.
            Unavailable: AWS cannot be asked, or refuses; or it is not known whether the job arrived.
        """
        submission = Submission(compiled.submit, self._new_token())
        _check(compiled, submission)
        problems = job_problems(compiled, self._clients)
        if any(problem.severity is Severity.ERROR for problem in problems):
            raise InvalidSpec(problems)
        for problem in problems:
            self._warn(problem)
        arn = definition_arn(self._clients.batch, compiled.register)
        request = {**compiled.submit, "jobDefinition": arn}
        if compiled.shape is Shape.GANG and not alongside and (gang := newest_gang(self._clients.batch, request["jobQueue"])):
            request = behind(request, gang)
            _check(compiled, replace(submission, request=request))
            self._warn(queued_behind(request["jobQueue"], gang))
        return Job(send(self._clients, replace(submission, request=request), self._pace, self._warn), self)

    def status(self, job_id: str) -> JobStatus:
        """The job now, with all its nodes; of a node, ``ID#2``, or a child, ``ID:2``, that one alone (R42).

        Raises:
            JobNotFound: AWS Batch knows no such job.
            Unavailable: AWS cannot be asked.
        """
        return job_status(*self._whole(job_id))

    def waiting(self, job_id: str) -> Waiting | None:
        """Why the job has not started; None if it has. See `status` for errors."""
        return why_waiting(self._detail(job_id), self._clients, self._pace.now())

    def wait(self, job_id: str, timeout: float | None = None) -> JobStatus:
        """Waits for the end of the job, also if a node of it, ``ID#2``, is asked for; at most 7 days (R43).

        Raises:
            JobNotFound: AWS Batch knows no such job.
            WaitTimeout: the job goes on.
            Unavailable: AWS refuses; lost connections and throttling are waited out.
        """
        for _ in self.as_ended([job_id.partition("#")[0]], timeout):
            pass
        return self.status(job_id)

    def wait_all(self, job_ids: Sequence[str], timeout: float | None = None) -> list[JobStatus]:
        """Waits until all these jobs have ended; see `as_ended`."""
        ended = {status.id: status for status in self.as_ended(job_ids, timeout)}
        return [ended[each] for each in job_ids]

    def as_ended(self, job_ids: Sequence[str], timeout: float | None = None) -> Iterator[JobStatus]:
        """Each job as it ends: a hundred are asked for in one call, and of nodes a gang's leader only. See `wait` for errors."""
        return as_ended(self._clients.batch, job_ids, timeout, self._pace, self._trouble)

    def jobs(self, states: Collection[JobState] | None = None, limit: int = 100) -> list[JobSummary]:
        """Jobs of the environment's queue in these states, newest first; without, those that go on, and the newest others.

        Raises:
            Unavailable: AWS cannot be asked, or there is no such queue.
        """
        return list_jobs(self._clients.batch, self.environment.queue, states, limit)

    def terminate(self, job_id: str, reason: str) -> None:
        """Ends the job with this reason, in whatever state it is; see `cancel`."""
        self.cancel(job_id, reason)

    def cancel(self, job_id: str, reason: str) -> str:
        """Ends the job and says how: CancelJob before it starts, TerminateJob afterwards (R44).

        Raises:
            InvalidSpec: a reason that AWS Batch would not take.
            JobNotFound: AWS Batch knows no such job.
            Unavailable: AWS cannot be asked, or refuses.
        """
        return end(self._clients.batch, job_id, reason)

    def logs(self, job_id: str, *, follow: bool = False, attempt: int | None = None) -> Iterator[LogLine]:
        """Output of all nodes and attempts by time, or of one node, ``ID#2``, or one attempt; with ``follow`` until the end.

        Raises:
            JobNotFound: AWS Batch knows no such job.
            Unavailable: AWS cannot be asked, or the job does not log to CloudWatch.
        """
        if follow:
            lines = (change for change in self.changes(job_id) if isinstance(change, LogLine))
            return (line for line in lines if attempt in (None, line.attempt))
        wanted = [each for each in self._streams(*self._whole(job_id)) if attempt in (None, each.attempt)]
        return merged(self._clients.logs, wanted, self._pace.now())

    def last_lines(self, job_id: str, count: int) -> list[LogLine]:
        """The newest lines of the main node, or a gang's leader, in its newest attempt: of at most so many log events.

        Raises:
            JobNotFound: AWS Batch knows no such job.
            Unavailable: AWS cannot be asked.
        """
        detail = self._detail(job_id)
        if ids := node_ids(detail):
            detail = self._detail(ids[index_of(detail)])
        newest = max(streams(detail), key=lambda stream: stream.attempt, default=None)
        return last_lines(self._clients.logs, newest, count) if newest else []

    def changes(self, job_id: str, *, lines: bool = True) -> Iterator[LogLine | JobStatus]:
        """Every line from the first on, and the job's status now and whenever it is another, until the job has ended.

        Without ``lines`` the status only.

        Lost connections and throttling are waited out. Raises WaitTimeout after `polling.LONGEST_WAIT`, as `wait` does.
        """
        pace = replace(self._pace, longest=_FOLLOW_PAUSE)
        pauses, tail, told = Pauses(pace), Tail(self._clients.logs), None
        out, until = False, pace.clock() + LONGEST_WAIT
        while pace.clock() < until:
            try:
                detail, nodes = self._whole(job_id)
                status = job_status(detail, nodes)
                tail.add(self._streams(detail, nodes) if lines else ())
                new = tail.new_lines()
                out = False
            except Unavailable as error:
                if not passing(error):
                    raise
                if not out:
                    self._trouble(str(error).partition("\n")[0])
                out = True
                pauses.take(changed=False, calls=1, until=pace.clock() + _FOLLOW_PAUSE)
                continue
            yield from new
            if status.state.ended and lines:
                yield from self._last_lines(tail, pace)
            changed = status != told
            if changed:
                yield status
                told = status
            if status.state.ended:
                return
            pauses.take(changed=changed or bool(new), calls=1, until=pace.clock() + _FOLLOW_PAUSE)
        raise WaitTimeout(f"job {job_id} was followed for {LONGEST_WAIT / 86400:g} days\n  hint: it goes on; follow it again")

    def _last_lines(self, tail: Tail, pace: Pace) -> Iterator[LogLine]:
        quiet = 0
        while quiet < _LAST_LOOKS:
            lines = tail.new_lines(all_streams=True)
            yield from lines
            quiet = 0 if lines else quiet + 1
            if quiet < _LAST_LOOKS:
                pace.sleep(pace.first)

    def _detail(self, job_id: str) -> Detail:
        for detail in describe(self._clients.batch, [job_id]):
            return detail
        raise JobNotFound(f"AWS Batch knows no job {job_id} in this Region\n  hint: --region, or batchhpc list")

    def _whole(self, job_id: str) -> tuple[Detail, dict[str, Detail]]:
        """The job, and its nodes by id, if it has several."""
        detail = self._detail(job_id)
        ids = node_ids(detail)
        if len(ids) > _MOST_NODES:
            return detail, {}
        return detail, {each["jobId"]: each for each in describe(self._clients.batch, ids)}

    def _streams(self, detail: Detail, nodes: dict[str, Detail]) -> list[Stream]:
        """Raises Unavailable if the job logs somewhere else."""
        parts = list(nodes.values()) or ([] if node_ids(detail) else [detail])
        others = set().union(*(drivers(each) for each in parts)) - {"awslogs"} if parts else set()
        if others and JobState(detail["status"]).ended and not any(streams(each) for each in parts):
            shown = ", ".join(sorted(others))
            raise Unavailable(f"job {detail['jobId']} logs through {shown}, not awslogs\n  hint: look where its driver writes")
        return [stream for each in parts for stream in streams(each)]

    def _trouble(self, text: str) -> None:
        self._warn(Problem("waiting", f"AWS cannot be asked now, so it is tried again: {text}", severity=Severity.WARNING))


def _check(compiled: CompiledJob, submission: Submission) -> None:
    """What AWS Batch would refuse is refused here, unless the user waived it; the submission's own tag counts (R21)."""
    waived = {problem.rule for problem in compiled.warnings if problem.waived}
    problems = check_documents(compiled.register, submission.tagged, compiled.environment)
    errors = [problem for problem in problems if problem.severity is Severity.ERROR and problem.rule not in waived]
    if errors:
        raise InvalidSpec(errors)
