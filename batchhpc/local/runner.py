"""`LocalRunner`: takes jobs, keeps them, ends them."""

from __future__ import annotations

import random
import secrets as chance
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from batchhpc.agent import contract
from batchhpc.compiler.check import check_documents
from batchhpc.compiler.documents import CompiledJob
from batchhpc.errors import InvalidSpec, JobNotFound, Problem, Severity, Unavailable, WaitTimeout
from batchhpc.jobs import Job, JobState, JobStatus, JobSummary, LogLine
from batchhpc.local.attempt import Timings
from batchhpc.local.chaos import Chaos
from batchhpc.local.definition import JobPlan, Kind, job_plan
from batchhpc.local.faults import Fault, FaultKind, fault_problems
from batchhpc.local.job import LocalJob
from batchhpc.local.logbook import LogBook
from batchhpc.local.loopback import LoopbackNetwork
from batchhpc.local.machine import allow_files, fit_to_machine
from batchhpc.local.namespaces import IsolatedNetwork, check_delay, check_isolation
from batchhpc.local.network import Network
from batchhpc.local.trial import Setting

CLOSED = "The local runner was closed"
LONGEST_REASON = 1024  # characters (R44)


class LocalRunner:
    """A small, honest AWS Batch on this machine.

    Runs what the documents say, with this machine in the image's place. What it does not do: limit memory and vCPUs, pull
    images, change the user, set ulimits, mount tmpfs, give or take privileges, or write to CloudWatch; and ``/dev/shm`` of
    nodes on loopback addresses is this machine's, whatever size the job asks for.

    The children of an array are nodes, too. A node that is tried again is on another instance: address, instance id, host name
    and temporary directory are new, and its metadata service knows nothing of an older notice.

    As a context manager it ends every job when it is left. A runner whose process dies takes its nodes with it.

    Args:
        directory: where the jobs' documents, states and output are kept, ``jobs/ID/...``.
        faults: what shall happen to nodes, in every job of this runner.
        chaos: how nodes are reclaimed, in every job.
        isolate: whether each node gets network, UTS, PID, IPC and mount namespaces of its own.
        secrets: values of secrets by ARN. The agent's own secret needs none: each runner makes one.
        mounts: directories that stand here for the definition's host paths, or for EFS file systems by their id.
        records: what stands for the definition's address of gangs' records: a directory, or another address, ``s3://...``;
            ``jobs/ID/records`` if left out.
        seed: decides the order in which child nodes, and children of arrays, start.
        batch_second: how long a second of Batch's own times is here: time limit, stop grace, Spot notice.
        stop_grace: seconds of Batch's between SIGTERM and SIGKILL.
    """

    def __init__(
        self,
        directory: Path = Path(".batchhpc"),
        *,
        faults: Sequence[Fault] = (),
        chaos: Chaos | None = None,
        isolate: bool = False,
        secrets: Mapping[str, str] | None = None,
        mounts: Mapping[str, Path] | None = None,
        records: Path | str | None = None,
        seed: int = 0,
        batch_second: float = 1.0,
        stop_grace: float = 30.0,
    ) -> None:
        self._directory = directory
        self._faults = tuple(faults)
        self._chaos = chaos or Chaos()
        self._isolate = isolate
        self._secrets = dict(secrets or {})
        self._mounts = dict(mounts or {})
        self._records = records
        self._seed = seed
        self._timings = Timings(batch_second, stop_grace)
        self._agent_secret = chance.token_hex(32)
        self._jobs: dict[str, LocalJob] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        # Ctrl-C again, while jobs are being stopped already: no more patience.
        if isinstance(error, KeyboardInterrupt):
            for job in self._jobs.values():
                if job.stopping:
                    job.stop(CLOSED, at_once=True)
        self.close()

    def close(self) -> None:
        """Ends every job, as `terminate` does, and waits until no process is left. Ctrl-C meanwhile ends them at once."""
        jobs = list(self._jobs.values())
        for job in jobs:
            job.stop(CLOSED)
        try:
            for job in jobs:
                job.join()
        except BaseException:
            for job in jobs:
                job.stop(CLOSED, at_once=True)
            for job in jobs:
                job.join(timeout=10)
            raise
        for job in jobs:
            job.close()

    def submit(self, compiled: CompiledJob) -> Job:
        """Submits a job and returns at once; nothing is started before all is known to be there.

        Raises:
            InvalidSpec: the documents or the faults break rules.
            Unavailable: what the job asks for cannot be had here.
        """
        _check(compiled)
        plan = job_plan(compiled.register, compiled.submit)
        main = None if plan.kind is Kind.ARRAY else plan.main
        problems = fault_problems(self._faults, nodes=len(plan.nodes), main=main, attempts=plan.attempts, isolated=self._isolate)
        problems += self._chaos.problems()
        if problems:
            raise InvalidSpec(problems)
        plan, notes = fit_to_machine(plan, self._mounts, isolated=self._isolate)
        allow_files(len(plan.nodes))
        dependencies = self._dependencies(plan)
        secrets = self._secret_values(plan)
        if self._isolate:
            check_isolation()
            if any(fault.kind is FaultKind.DELAY for fault in self._faults):
                check_delay()
        job_id = str(uuid.uuid4())
        directory = self._directory.absolute() / "jobs" / job_id
        try:
            directory.mkdir(parents=True)
            (directory / "documents.json").write_text(compiled.to_json())
            records = self._records_place(plan, directory)
        except OSError as error:
            hint = "name a directory that can be written: LocalRunner(Path(...))"
            raise Unavailable(f"{directory}: cannot be made: {error.strerror}\n  hint: {hint}") from error
        setting = Setting(
            job=job_id,
            plan=plan,
            faults=self._faults,
            chaos=self._chaos,
            number=len(self._jobs),
            secrets=secrets,
            records=records,
            timings=self._timings,
            chance=random.Random(f"{self._seed}/{len(self._jobs)}"),  # noqa: S311 - an order that a test can ask for again
            logbook=LogBook(directory),
        )
        network = self._network(plan)
        self._jobs[job_id] = job = LocalJob(setting, directory, network, dependencies=dependencies, notes=notes)
        job.start()
        return Job(job_id, self)

    def status(self, job_id: str) -> JobStatus:
        """The job now; of a node, ``ID#2``, or a child of an array, ``ID:2``, that alone (R42).

        Raises:
            JobNotFound: no such job, or no such node of it.
        """
        job, node = self._find(job_id)
        return job.status if node is None else job.status_of(node)

    def wait(self, job_id: str, timeout: float | None = None) -> JobStatus:
        """Waits for the end of the job, also if a node of it, ``ID#2``, is asked for; or of a child of an array, ``ID:2``.

        Without ``timeout`` the job's own time limit, attempts and grace bound the wait.

        Raises:
            WaitTimeout: the job goes on.
        """
        job, node = self._find(job_id)
        if not (job.join(timeout) if node is None or not job.array else job.join_child(node, timeout)):
            raise WaitTimeout(f"job {job_id} did not end within {timeout} s: it is {self.status(job_id).state}")
        return self.status(job_id)

    def wait_all(self, job_ids: Sequence[str], timeout: float | None = None) -> list[JobStatus]:
        """Waits until all these jobs have ended; ``timeout`` is for all of them together.

        Raises:
            WaitTimeout: one of them goes on.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        return [self.wait(each, None if deadline is None else max(0.0, deadline - time.monotonic())) for each in job_ids]

    def jobs(self, states: Collection[JobState] | None = None, limit: int = 100) -> list[JobSummary]:
        """Jobs of this runner in these states, or in any, newest first."""
        all_of_them = [_summary(job.status) for job in reversed(self._jobs.values())]
        return [each for each in all_of_them if states is None or each.state in states][:limit]

    def terminate(self, job_id: str, reason: str) -> None:
        """Ends the job, or a child of an array, ``ID:2``, in whatever state it is (R44): SIGTERM, then SIGKILL after the grace.

        Raises:
            InvalidSpec: a reason that AWS Batch would not take.
        """
        job, node = self._find(job_id)
        if not 1 <= len(reason) <= LONGEST_REASON:
            hint = f"give 1 to {LONGEST_REASON}"
            raise InvalidSpec([Problem("reason", f"has {len(reason)} characters", hint, rule="R44")])
        job.stop(reason, node if job.array else None)

    def logs(self, job_id: str, *, follow: bool = False) -> Iterator[LogLine]:
        """Output of all nodes and attempts as it came, or of one node, ``ID#2`` or ``ID:2``; with ``follow`` until the job ends."""
        job, node = self._find(job_id)
        if follow:
            lines = (change for change in self.changes(job_id) if isinstance(change, LogLine))
        else:
            lines = (line for line in job.reader().new_lines())
        return (line for line in lines if node in (None, line.node))

    def changes(self, job_id: str) -> Iterator[LogLine | JobStatus]:
        """Every line from the first on, and the job's status now and whenever it is another, until the job has ended.

        States that follow each other faster than they are asked for are told once; no line is left out. Of a child of an
        array, ``ID:2``, it is the child's lines and states, until it has ended; of a node, ``ID#2``, the whole job's.
        """
        job, node = self._find(job_id)
        child = node if job.array else None
        reader, seen, told = job.reader(), 0, None
        while True:
            seen = job.wait_change(seen)
            # Before the lines: all lines of a job that has ended are there.
            status = job.status if child is None else job.status_of(child)
            yield from (line for line in reader.new_lines() if child in (None, line.node))
            if status != told:
                yield status
                told = status
            if status.state.ended:
                return

    def _find(self, job_id: str) -> tuple[LocalJob, int | None]:
        name, mark, node = job_id.partition(":" if ":" in job_id else "#")
        job = self._jobs.get(name)
        if job is None or (mark and not (_names(job, mark) and node.isdigit() and int(node) < len(job.status.nodes))):
            raise JobNotFound(f"no job {job_id} in this runner\n  hint: {len(self._jobs)} known: {', '.join(self._jobs) or 'none'}")
        return job, int(node) if mark else None

    # --- Before the start -----------------------------------------------------------------------------------------------

    def _network(self, plan: JobPlan) -> Callable[[], Network]:
        return partial(IsolatedNetwork if self._isolate else LoopbackNetwork, len(plan.nodes), plan.attempts)

    def _records_place(self, plan: JobPlan, directory: Path) -> str:
        """Where the job's gang keeps its record; a directory is made, if the job has any use for it."""
        if isinstance(self._records, str) and "://" in self._records:
            return self._records
        place = directory / "records" if self._records is None else Path(self._records).absolute()
        if any(contract.RECORDS in node.environment for node in plan.nodes):
            place.mkdir(parents=True, exist_ok=True)
        return str(place)

    def _dependencies(self, plan: JobPlan) -> list[LocalJob]:
        unknown = [job_id for job_id in plan.depends_on if job_id not in self._jobs]
        if unknown:
            hint = "a local job can depend on jobs of the same runner only"
            raise InvalidSpec([Problem("submit.dependsOn", f"names {job_id}, which is not known here", hint) for job_id in unknown])
        return [self._jobs[job_id] for job_id in plan.depends_on]

    def _secret_values(self, plan: JobPlan) -> dict[str, str]:
        wanted = {(name, arn) for node in plan.nodes for name, arn in node.secrets.items()}
        values = {arn: self._agent_secret for name, arn in wanted if name == contract.SECRET} | self._secrets
        missing = sorted((name, arn) for name, arn in wanted if arn not in values)
        if missing:
            names = "\n".join(f"secret {name}: the value of {arn} is not known here" for name, arn in missing)
            raise Unavailable(f"{names}\n  hint: LocalRunner(secrets={{'{missing[0][1]}': ...}})")
        return values


def _check(compiled: CompiledJob) -> None:
    """What AWS Batch would refuse is refused here, unless the user waived it."""
    waived = {problem.rule for problem in compiled.warnings if problem.waived}
    problems = check_documents(compiled.register, compiled.submit, compiled.environment)
    errors = [problem for problem in problems if problem.severity is Severity.ERROR and problem.rule not in waived]
    if errors:
        raise InvalidSpec(errors)


def _names(job: LocalJob, mark: str) -> bool:
    """Whether a mark before an index is right for this job: children of arrays are ``ID:2``, nodes ``ID#2`` (R42)."""
    return (mark == ":") is job.array


def _summary(status: JobStatus) -> JobSummary:
    return JobSummary(
        id=status.id,
        name=status.name,
        state=status.state,
        queue="local",
        status_reason=status.status_reason,
        created_at=status.created_at,
        started_at=status.started_at,
        stopped_at=status.stopped_at,
        nodes=len(status.nodes),
        exit_code=status.exit_code,
    )
