"""What "a submitted job" means on any backend, in AWS Batch's own words."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from batchhpc.compiler import CompiledJob


class JobState(StrEnum):
    """States of a job (R43)."""

    SUBMITTED = "SUBMITTED"
    PENDING = "PENDING"
    RUNNABLE = "RUNNABLE"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"

    @property
    def ended(self) -> bool:
        """Whether the job will not change any more."""
        return self in (JobState.SUCCEEDED, JobState.FAILED)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One ended attempt of a job; what AWS Batch reports of it is the main node's (R37)."""

    exit_code: int | None
    reason: str
    status_reason: str
    started_at: float | None
    stopped_at: float


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """One node of a job, in its newest attempt. Times are Unix seconds.

    Attributes:
        earlier: attempts that this node had before, as nodes of gangs have, each its own (R60).
    """

    index: int
    main: bool
    state: JobState
    status_reason: str = ""
    exit_code: int | None = None
    started_at: float | None = None
    stopped_at: float | None = None
    earlier: tuple[Attempt, ...] = ()


@dataclass(frozen=True, slots=True)
class JobStatus:
    """A job as it was at one moment. Times are Unix seconds."""

    id: str
    name: str
    state: JobState
    status_reason: str
    created_at: float
    started_at: float | None
    stopped_at: float | None
    attempts: tuple[Attempt, ...]
    nodes: tuple[NodeStatus, ...]

    @property
    def exit_code(self) -> int | None:
        """The main node's exit code in the last attempt; None if it has none."""
        return self.attempts[-1].exit_code if self.attempts else None

    @property
    def process_exit_code(self) -> int:
        """What a command that ran this job ends with: 0 only for SUCCEEDED, else the job's own code, or 1 if it has none."""
        if self.state is JobState.SUCCEEDED:
            return 0
        return self.exit_code or 1


@dataclass(frozen=True, slots=True)
class JobSummary:
    """A job in a list: what is known of it without asking for each. Times are Unix seconds.

    Attributes:
        queue: name of its queue.
        nodes: how many it has; None where a list does not tell.
        exit_code: the main node's; None if it has none yet, or a list does not tell.
    """

    id: str
    name: str
    state: JobState
    queue: str
    status_reason: str
    created_at: float
    started_at: float | None
    stopped_at: float | None
    nodes: int | None
    exit_code: int | None


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a node's output, without its line end."""

    node: int
    attempt: int
    text: str


class Runner(Protocol):
    """Carries out compiled jobs: on AWS, or here."""

    def submit(self, compiled: CompiledJob) -> Job:
        """Submits a job and returns at once.

        Raises:
            InvalidSpec: the documents break rules.
            Unavailable: what the job asks for cannot be had here.
        """
        ...

    def status(self, job_id: str) -> JobStatus:
        """The job now.

        Raises:
            JobNotFound: no such job.
        """
        ...

    def wait(self, job_id: str, timeout: float | None = None) -> JobStatus:
        """Waits for the end: at most ``timeout`` seconds, or as long as the job's own limits let it live.

        Raises:
            WaitTimeout: the job goes on.
        """
        ...

    def wait_all(self, job_ids: Sequence[str], timeout: float | None = None) -> list[JobStatus]:
        """Waits until all these jobs have ended, and gives their states in this order; see `wait`."""
        ...

    def jobs(self, states: Collection[JobState] | None = None, limit: int = 100) -> list[JobSummary]:
        """Jobs in these states, or in any, newest first: at most ``limit``."""
        ...

    def terminate(self, job_id: str, reason: str) -> None:
        """Ends the job, in whatever state it is (R44); no effect on one that has ended."""
        ...

    def logs(self, job_id: str, *, follow: bool = False) -> Iterator[LogLine]:
        """Output of all nodes and attempts, as it came; with ``follow`` until the job ends."""
        ...

    def changes(self, job_id: str) -> Iterator[LogLine | JobStatus]:
        """Every line from the first on, and the job's status now and whenever it is another, until the job has ended."""
        ...


@dataclass(frozen=True, slots=True)
class Job:
    """A submitted job: an id, and the runner that knows it."""

    id: str
    runner: Runner

    def status(self) -> JobStatus:
        """The job now."""
        return self.runner.status(self.id)

    def wait(self, timeout: float | None = None) -> JobStatus:
        """Waits for the end of the job, at most ``timeout`` seconds; see `Runner.wait`."""
        return self.runner.wait(self.id, timeout)

    def terminate(self, reason: str) -> None:
        """Ends the job."""
        self.runner.terminate(self.id, reason)

    def logs(self, *, follow: bool = False) -> Iterator[LogLine]:
        """Output of all nodes and attempts; with ``follow`` until the job ends."""
        return self.runner.logs(self.id, follow=follow)
