"""One submitted job: Batch's states from SUBMITTED to the end, over as many attempts as its rules allow."""

from __future__ import annotations

import contextlib
import json
import random
import select
import shutil
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from batchhpc.errors import BatchHpcError
from batchhpc.jobs import Attempt, JobState, JobStatus
from batchhpc.local.attempt import AttemptRun, Orders, Outcome, Timings
from batchhpc.local.definition import JobPlan
from batchhpc.local.faults import Fault
from batchhpc.local.logbook import LogBook, LogReader
from batchhpc.local.network import Network
from batchhpc.local.node import Node
from batchhpc.local.retries import wants_retry
from batchhpc.local.scratch import new_scratch
from batchhpc.local.variables import node_variables

DEPENDENCY_FAILED = "Dependent Job failed"


class LocalJob:
    """A job and the thread that carries it out; every method may be called from any thread.

    Args:
        job_id: its id.
        plan: what its nodes run.
        directory: where its output and state are kept.
        network: makes the network of an attempt, given directories of the nodes' own.
        dependencies: jobs that must have succeeded first.
        faults: of all attempts.
        secrets: values by ARN.
        notes: what the user should know of this run, for the log.
        seed: of the order in which child nodes start.
        timings: how long Batch's own times are.
    """

    def __init__(
        self,
        job_id: str,
        plan: JobPlan,
        directory: Path,
        network: Callable[[Path], Network],
        *,
        dependencies: Sequence[LocalJob],
        faults: Sequence[Fault],
        secrets: Mapping[str, str],
        notes: Sequence[str],
        seed: str,
        timings: Timings,
    ) -> None:
        self.id, self._plan, self._directory, self._network = job_id, plan, directory, network
        self._dependencies, self._faults, self._secrets, self._notes = dependencies, faults, secrets, notes
        self._chance = random.Random(seed)  # noqa: S311 - an order that a test can ask for again
        self._timings = timings
        self._orders = Orders()
        self._logbook = LogBook(directory)
        self._changed = threading.Condition()
        self._change = 0
        self._followers: list[Orders] = []
        self._state, self._status_reason = JobState.SUBMITTED, ""
        self._created_at = time.time()
        self._attempts: list[Attempt] = []
        self._nodes: list[Node] = []
        self._new_nodes()
        self.status = self._snapshot()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"job {plan.name}", daemon=True)

    def start(self) -> None:
        """Begins; to be called once."""
        for dependency in self._dependencies:
            dependency.tell_end(self._orders)
        self._publish()
        self._thread.start()

    def stop(self, reason: str, *, at_once: bool = False) -> None:
        """Ends the job, in whatever state it is (R44)."""
        with self._changed:
            if not self.status.state.ended:
                self._orders.stop(reason, at_once=at_once)

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._orders.stop_reason is not None

    def close(self) -> None:
        """Gives back what the job held; it and all jobs that depend on it have ended."""
        self._orders.close()

    def join(self, timeout: float | None = None) -> bool:
        """Waits until the job's thread, and with it every process of the job, has ended."""
        # Not Thread.join: if Ctrl-C interrupts it, Python 3.11 takes the thread for ended from then on.
        return self._over.wait(timeout)

    def tell_end(self, orders: Orders) -> None:
        """Wakes another job's thread when this job ends, or now."""
        with self._changed:
            self._followers.append(orders)
            if self.status.state.ended:
                orders.wake()

    def wait_change(self, seen: int) -> int:
        """Waits until there is more to see than change number ``seen``: a state, or output; gives the newest number."""
        with self._changed:
            self._changed.wait_for(lambda: self._change > seen)
            return self._change

    def reader(self) -> LogReader:
        """Reads the job's output from its beginning."""
        return LogReader(self._directory)

    # --- In the job's thread --------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._enter(JobState.PENDING)
            failure = self._await_dependencies()
            if failure is not None:
                self._finish(JobState.FAILED, failure)
            else:
                self._try()
        except BaseException as error:  # noqa: BLE001 - it is told
            # Whoever waits must not wait for ever, and learns the reason from the job's state.
            reason = str(error) if isinstance(error, BatchHpcError) else f"the local runner failed: {error!r}"
            with contextlib.suppress(OSError):  # the state in memory is what counts
                self._finish(JobState.FAILED, reason)
            if not isinstance(error, BatchHpcError):
                with contextlib.suppress(OSError):
                    (self._directory / "failure.txt").write_text(traceback.format_exc())
        finally:
            self._over.set()

    def _await_dependencies(self) -> str | None:
        """Waits until all dependencies have succeeded; gives why the job cannot run, or None."""
        while True:
            states = [dependency.status.state for dependency in self._dependencies]
            if self._orders.stop_reason is not None:
                return self._orders.stop_reason
            if JobState.FAILED in states:
                return DEPENDENCY_FAILED
            if all(state is JobState.SUCCEEDED for state in states):
                return None
            select.select([self._orders], [], [])
            self._orders.take()

    def _try(self) -> None:
        for number in range(1, self._plan.attempts + 1):
            if self._orders.stop_reason is not None:
                self._finish(JobState.FAILED, self._orders.stop_reason)
                return
            if number > 1:
                self._new_nodes()
            self._enter(JobState.RUNNABLE)
            outcome = self._attempt(number)
            attempt = outcome.attempt
            self._attempts.append(attempt)
            if outcome.succeeded:
                self._finish(JobState.SUCCEEDED, attempt.status_reason)
                return
            again = wants_retry(
                self._plan.rules, exit_code=attempt.exit_code, reason=attempt.reason, status_reason=attempt.status_reason
            )
            if outcome.stopped or number == self._plan.attempts or not again:
                self._finish(JobState.FAILED, attempt.status_reason)
                return

    def _attempt(self, number: int) -> Outcome:
        scratch = new_scratch()
        network = None
        try:
            for node in self._nodes:
                (scratch / str(node.index)).mkdir(mode=0o700)
            network = self._network(scratch)
            if number == 1:
                for note in self._notes:
                    self._logbook.write(number, self._plan.main, f"batchhpc: {note}\n".encode())
            return AttemptRun(
                self.id,
                number,
                self._nodes,
                lambda node: (self._plan.nodes[node].command, self._variables(number, node, network, scratch / str(node))),
                network,
                faults=[fault for fault in self._faults if fault.attempt == number],
                time_limit=self._plan.time_limit,
                timings=self._timings,
                chance=self._chance,
                logbook=self._logbook,
                orders=self._orders,
                changed=self._follow_main,
            ).run()
        finally:
            if network is not None:
                network.close()
            shutil.rmtree(scratch, ignore_errors=True)

    def _variables(self, number: int, node: int, network: Network, scratch: Path) -> dict[str, str]:
        return node_variables(
            self._plan,
            node,
            job_id=self.id,
            attempt=number,
            main_address=network.address(self._plan.main),
            network=network.variables(node),
            secrets=self._secrets,
            scratch=scratch,
        )

    def _new_nodes(self) -> None:
        self._nodes = [Node(index, main=index == self._plan.main) for index in range(len(self._plan.nodes))]

    def _follow_main(self) -> None:
        """While an attempt lasts the job is as far as its main node (R37)."""
        main = self._nodes[self._plan.main]
        if main.alive:
            self._state = main.state
        self._publish()

    def _enter(self, state: JobState) -> None:
        self._state = state
        self._publish()

    def _finish(self, state: JobState, reason: str) -> None:
        self._state, self._status_reason = state, reason
        for node in self._nodes:
            if not node.state.ended:
                node.finish(None, reason)
        try:
            self._logbook.close()
        finally:
            self._publish()

    def _snapshot(self) -> JobStatus:
        main = self._nodes[self._plan.main]
        return JobStatus(
            id=self.id,
            name=self._plan.name,
            state=self._state,
            status_reason=self._status_reason,
            created_at=self._created_at,
            started_at=main.started_at,
            stopped_at=main.stopped_at if self._state.ended else None,
            attempts=tuple(self._attempts),
            nodes=tuple(node.status for node in self._nodes),
        )

    def _publish(self) -> None:
        status = self._snapshot()
        try:
            if status != self.status or not self._change:
                new = self._directory / "status.json.new"
                new.write_text(json.dumps(asdict(status), indent=2) + "\n")
                new.replace(self._directory / "status.json")
        finally:
            with self._changed:
                self.status = status
                self._change += 1
                self._changed.notify_all()
                if status.state.ended:
                    for follower in self._followers:
                        follower.wake()
