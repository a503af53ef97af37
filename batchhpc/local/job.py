"""One submitted job: Batch's states from SUBMITTED to the end, over as many trials and attempts as its rules allow."""

from __future__ import annotations

import contextlib
import json
import select
import shutil
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from batchhpc.errors import BatchHpcError
from batchhpc.jobs import Attempt, JobState, JobStatus, NodeStatus
from batchhpc.local.definition import Kind
from batchhpc.local.logbook import LogReader
from batchhpc.local.loop import Loop, Orders
from batchhpc.local.network import Network
from batchhpc.local.node import Node
from batchhpc.local.scratch import new_scratch
from batchhpc.local.trial import Place, Setting, Trial

DEPENDENCY_FAILED = "Dependent Job failed"
CHILD_FAILED = "Array Child Job failed"
WRITE_EVERY = 0.1  # seconds; the states of hundreds of children change faster than they can be written


class LocalJob:
    """A job and the thread that carries it out; every method may be called from any thread.

    Args:
        setting: what it runs, and how.
        directory: where its output and state are kept.
        network: makes its network.
        dependencies: jobs that must have succeeded first.
        notes: what the user should know of this run, for the log.
    """

    def __init__(
        self,
        setting: Setting,
        directory: Path,
        network: Callable[[], Network],
        *,
        dependencies: Sequence[LocalJob],
        notes: Sequence[str],
    ) -> None:
        self.id, self._setting, self._plan = setting.job, setting, setting.plan
        self._directory, self._network = directory, network
        self._dependencies, self._notes = dependencies, notes
        self._orders = Orders()
        self._changed = threading.Condition()
        self._change = 0
        self._followers: list[Orders] = []
        self._state, self._status_reason = JobState.SUBMITTED, ""
        self._created_at = time.time()
        self._trials = [Trial(setting, indices) for indices in self._plan.groups]
        self.status, self._attempts = self._snapshot()
        self._written: JobStatus | None = None
        self._written_at = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"job {self._plan.name}", daemon=True)

    @property
    def array(self) -> bool:
        """Whether it has children that are jobs of their own."""
        return self._plan.kind is Kind.ARRAY

    def start(self) -> None:
        """Begins; to be called once."""
        for dependency in self._dependencies:
            dependency.tell_end(self._orders)
        self._publish()
        self._thread.start()

    def stop(self, reason: str, child: int | None = None, *, at_once: bool = False) -> None:
        """Ends the job, or one child of an array, in whatever state it is (R44)."""
        with self._changed:
            if not self.status.state.ended:
                self._orders.stop(reason, child, at_once=at_once)

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called for all of it."""
        return self._orders.stop_reason is not None

    def close(self) -> None:
        """Gives back what the job held; it and all jobs that depend on it have ended."""
        self._orders.close()

    def join(self, timeout: float | None = None) -> bool:
        """Waits until the job's thread, and with it every process of the job, has ended."""
        # Not Thread.join: if Ctrl-C interrupts it, Python 3.11 takes the thread for ended from then on.
        return self._over.wait(timeout)

    def join_child(self, child: int, timeout: float | None = None) -> bool:
        """Waits until a child of an array has ended."""
        with self._changed:
            return self._changed.wait_for(lambda: self.status.nodes[child].state.ended, timeout)

    def status_of(self, node: int) -> JobStatus:
        """The job as if it had this node only; a child of an array is a job, and has attempts of its own."""
        with self._changed:
            status, attempts = self.status, self._attempts
        alone = status.nodes[node]
        return replace(
            status,
            id=f"{status.id}{':' if self.array else '#'}{node}",
            state=alone.state,
            status_reason=alone.status_reason,
            started_at=alone.started_at,
            stopped_at=alone.stopped_at,
            attempts=attempts[node] if self.array else (),
            nodes=(alone,),
        )

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
                self._carry_out()
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
        poll = select.poll()
        poll.register(self._orders, select.POLLIN)
        while True:
            self._take_orders()  # before the states: an end that comes after this wakes again
            states = [dependency.status.state for dependency in self._dependencies]
            if self._orders.stop_reason is not None:
                return self._orders.stop_reason
            if JobState.FAILED in states:
                return DEPENDENCY_FAILED
            if all(state is JobState.SUCCEEDED for state in states):
                return None
            poll.poll()

    def _take_orders(self) -> None:
        for reason, child in self._orders.take():
            for trial in self._trials if child is None else self._trials[child : child + 1]:
                trial.stop(reason, at_once=self._orders.at_once)
        self._publish()

    def _carry_out(self) -> None:
        """Tries all there is to try until no process is left."""
        scratch, loop, network, timer = new_scratch(), Loop(), None, None
        try:
            network = self._network()
            for note in self._notes:
                self._setting.logbook.write(1, self._plan.main, f"batchhpc: {note}\n".encode())
            loop.watch(self._orders, self._take_orders)
            trials = list(self._trials)
            if self.array:
                self._setting.chance.shuffle(trials)  # in no certain order
            place = Place(network, scratch, loop)
            for trial in trials:
                loop.after(0.0, partial(trial.begin, place))
            while not all(trial.over for trial in trials):
                self._begin_what_waits()
                self._follow_trials()
                if self._written != self.status and (timer is None or timer.action is None):
                    timer = loop.after(WRITE_EVERY, lambda: None)
                loop.step()
        finally:
            for trial in self._trials:
                trial.close()
            loop.close()
            if network is not None:
                network.close()
            shutil.rmtree(scratch, ignore_errors=True)
        self._conclude()

    def _begin_what_waits(self) -> None:
        going_on = [trial for trial in self._trials if not trial.over]
        if all(trial.waits for trial in going_on):
            for trial in going_on:
                trial.begin_now()

    def _follow_trials(self) -> None:
        for trial in self._trials:
            trial.follow()
        if not self.array:  # the parent of children is PENDING until all have ended (R60)
            self._state = self._trials[0].state
        self._publish()

    def _conclude(self) -> None:
        if not self.array:
            self._finish(self._trials[0].state, self._trials[0].status_reason)
        elif all(trial.state is JobState.SUCCEEDED for trial in self._trials):
            self._finish(JobState.SUCCEEDED, "")
        else:
            self._finish(JobState.FAILED, self._orders.stop_reason or CHILD_FAILED)

    def _enter(self, state: JobState) -> None:
        self._state = state
        self._publish()

    def _finish(self, state: JobState, reason: str) -> None:
        self._state, self._status_reason = state, reason
        for trial in self._trials:
            if not trial.over:
                trial.fail(reason)
        try:
            self._setting.logbook.close()
        finally:
            self._publish()

    def _snapshot(self) -> tuple[JobStatus, tuple[tuple[Attempt, ...], ...]]:
        """The status, and the attempts of each trial."""
        nodes = tuple(self._node(trial, node) for trial in self._trials for node in trial.nodes)
        attempts = tuple(tuple(trial.attempts) for trial in self._trials)
        main = nodes[self._plan.main]
        ends = [node.stopped_at for node in nodes if node.stopped_at] if self.array else [main.stopped_at]
        status = JobStatus(
            id=self.id,
            name=self._plan.name,
            state=self._state,
            status_reason=self._status_reason,
            created_at=self._created_at,
            started_at=main.started_at,
            stopped_at=max((end for end in ends if end), default=None) if self._state.ended else None,
            attempts=attempts[0],
            nodes=nodes,
        )
        return status, attempts

    def _node(self, trial: Trial, node: Node) -> NodeStatus:
        """A node's status; a child of an array that has ended is as its trials were, for a job that is stopped has failed."""
        if not (self.array and trial.over):
            return node.status
        return replace(node.status, state=trial.state, status_reason=trial.status_reason)

    def _publish(self) -> None:
        status, attempts = self._snapshot()
        try:
            self._write(status)
        finally:
            with self._changed:
                self.status, self._attempts = status, attempts
                self._change += 1
                self._changed.notify_all()
                if status.state.ended:
                    for follower in self._followers:
                        follower.wake()

    def _write(self, status: JobStatus) -> None:
        soon = time.monotonic() - self._written_at < WRITE_EVERY
        if status == self._written or (soon and self._written and status.state == self._written.state):
            return
        new = self._directory / "status.json.new"
        new.write_text(json.dumps(asdict(status), indent=2) + "\n")
        new.replace(self._directory / "status.json")
        self._written, self._written_at = status, time.monotonic()
