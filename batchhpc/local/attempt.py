"""One attempt at a job, from its main node's start to the end of its last process: Batch's rules for nodes (R36, R37, R40)."""

from __future__ import annotations

import heapq
import os
import random
import selectors
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from batchhpc.errors import Unavailable
from batchhpc.jobs import Attempt, JobState
from batchhpc.local import processes
from batchhpc.local.faults import Fault, FaultKind
from batchhpc.local.logbook import LogBook
from batchhpc.local.network import Network
from batchhpc.local.node import Node

TIMED_OUT = "Job attempt duration exceeded timeout"
NEVER_STARTED = "The job's main node ended before this node started"
NOTICE_TIME = 120.0  # between a Spot notice and the end of the instance (R70)
START_TIME = 60.0  # seconds that a node may take to start its command on this machine
LONGEST_WAIT = 3600.0  # seconds; epoll takes 2^31 ms at most


@dataclass(frozen=True, slots=True)
class Timings:
    """How long Batch's own times are here: seconds per second, and seconds of Batch's between SIGTERM and SIGKILL."""

    batch_second: float
    stop_grace: float


class Orders:
    """What other threads want of a job's thread; also wakes it."""

    def __init__(self) -> None:
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.stop_reason: str | None = None
        self.at_once = False

    def stop(self, reason: str, *, at_once: bool = False) -> None:
        """The job shall end, the first reason given being the one that is told; ``at_once``: by SIGKILL."""
        if self.stop_reason is None:
            self.stop_reason = reason
        self.at_once = self.at_once or at_once
        self.wake()

    def wake(self) -> None:
        os.eventfd_write(self._wake, 1)

    def fileno(self) -> int:
        return self._wake

    def take(self) -> None:
        """Makes `fileno` unreadable until the next call of `wake`."""
        try:
            os.eventfd_read(self._wake)
        except BlockingIOError:
            return

    def close(self) -> None:
        """Nobody orders anything any more; may be called again."""
        if self._wake >= 0:
            os.close(self._wake)
            self._wake = -1


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended; ``stopped``: by its time limit or by order, which rules a retry out (R38)."""

    attempt: Attempt
    succeeded: bool
    stopped: bool


class AttemptRun:
    """Everything happens in the thread that calls `run`.

    Args:
        job_id: of the job.
        number: of the attempt, from 1.
        nodes: all nodes, not started yet.
        commands: command and variables of a node, by its index.
        network: of this attempt.
        faults: of this attempt.
        time_limit: in seconds of Batch's.
        timings: how long those are.
        chance: decides the order in which child nodes start.
        logbook: takes the output.
        orders: from other threads.
        changed: called after every change, however small; a second or a thousand of them at one moment are one call.
    """

    def __init__(
        self,
        job_id: str,
        number: int,
        nodes: Sequence[Node],
        commands: Callable[[int], tuple[Sequence[str], Mapping[str, str]]],
        network: Network,
        *,
        faults: Sequence[Fault],
        time_limit: float | None,
        timings: Timings,
        chance: random.Random,
        logbook: LogBook,
        orders: Orders,
        changed: Callable[[], None],
    ) -> None:
        self._job_id, self._number, self._nodes, self._commands, self._network = job_id, number, nodes, commands, network
        self._faults, self._time_limit, self._timings, self._chance = faults, time_limit, timings, chance
        self._logbook, self._orders, self._changed = logbook, orders, changed
        self._main = next(node for node in nodes if node.main)
        self._selector = selectors.DefaultSelector()
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._timer_count = 0
        self._stop_reason: str | None = None

    def run(self) -> Outcome:
        """Returns when no process of the attempt is left."""
        self._selector.register(self._orders, selectors.EVENT_READ, self._take_orders)
        try:
            self._start(self._main)
            self._take_orders()
            while not self._main.state.ended or any(node.alive for node in self._nodes):
                self._changed()
                self._step()
        finally:
            self._clean_up()
        main = self._main
        assert main.stopped_at is not None
        return Outcome(
            Attempt(main.exit_code, main.reason, main.status_reason, main.started_at, main.stopped_at),
            succeeded=main.state is JobState.SUCCEEDED and self._stop_reason is None,
            stopped=self._stop_reason is not None,
        )

    # --- What happens next ----------------------------------------------------------------------------------------------

    def _step(self) -> None:
        wait = min(max(0.0, self._timers[0][0] - time.monotonic()), LONGEST_WAIT) if self._timers else None
        for key, _ in self._selector.select(wait):
            # An earlier event of the same moment may have closed what this one is about, and its number may be in use again.
            if self._selector.get_map().get(key.fd) is key:
                key.data()
        while self._timers and self._timers[0][0] <= time.monotonic():
            heapq.heappop(self._timers)[2]()

    def _after(self, seconds: float, action: Callable[[], None]) -> None:
        self._timer_count += 1
        heapq.heappush(self._timers, (time.monotonic() + seconds, self._timer_count, action))

    def _take_orders(self) -> None:
        self._orders.take()
        if self._orders.stop_reason is not None:
            self._stop(self._orders.stop_reason)
        if self._orders.at_once:
            self._kill_rest()

    # --- A node's life --------------------------------------------------------------------------------------------------

    def _start(self, node: Node) -> None:
        if node.state is not JobState.RUNNABLE or self._main.state.ended or self._stop_reason is not None:
            return
        command, environment = self._commands(node.index)
        try:
            node.start(command, environment, self._network)
        except OSError as error:
            node.reason = f"CannotStartContainerError: {error}"
            self._ended(node, None)
            return
        assert node.process
        assert node.control
        node_end = os.pidfd_open(node.process.pid)
        self._selector.register(node.control, selectors.EVENT_READ, lambda: self._hear(node))
        self._selector.register(node.output, selectors.EVENT_READ, lambda: self._read(node))
        self._selector.register(node_end, selectors.EVENT_READ, lambda: self._reap(node, node_end))
        self._after(START_TIME, lambda: self._give_up_start(node))

    def _hear(self, node: Node) -> None:
        messages = node.messages()
        if messages is None and node.control:
            self._selector.unregister(node.control)  # the first process is about to end
        for message in messages or ():
            kind, _, text = message.partition(" ")
            if kind == "ready":
                self._set_up(node)
            elif kind == "started":
                node.running()
                if node.main:
                    self._main_runs()
            elif kind == "failed":
                node.reason = f"CannotStartContainerError: {text}"

    def _set_up(self, node: Node) -> None:
        assert node.process
        if node.process.returncode is not None:  # it ended just now
            return
        try:
            node.set_up(self._network.attach(node.index, node.process.pid))
            for fault in self._faults:
                if fault.kind is FaultKind.DELAY and fault.node == node.index:
                    self._network.delay(node.index, fault.seconds)
        except Unavailable as error:
            node.reason = f"CannotStartContainerError: {error}"
            node.kill()

    def _give_up_start(self, node: Node) -> None:
        if node.state is JobState.STARTING:
            node.reason = f"CannotStartContainerError: the command did not start within {START_TIME:g} s"
            node.kill()

    def _read(self, node: Node) -> None:
        data = node.read_output()
        if data is None:
            self._selector.unregister(node.output)
        else:
            self._logbook.write(self._number, node.index, data)

    def _reap(self, node: Node, node_end: int) -> None:
        assert node.process
        self._selector.unregister(node_end)
        os.close(node_end)
        code = node.process.wait()
        if code < 0:
            # The first process itself was killed, and could not end the rest of its node.
            index = node.index if len(self._nodes) > 1 else None
            processes.end_all(lambda: processes.of_attempt(self._job_id, self._number, index))
        self._ended(node, code)

    def _ended(self, node: Node, code: int | None) -> None:
        watched = self._selector.get_map()
        if node.control and node.control in watched:
            self._hear(node)  # its last words
        if node.control and node.control in watched:
            self._selector.unregister(node.control)
        if node.control and node.output in watched:
            self._drain(node)
            self._selector.unregister(node.output)
        node.close()
        self._logbook.end(self._number, node.index)
        node.finish(code, self._stop_reason or "")
        if node.main:
            self._main_ended()

    def _drain(self, node: Node) -> None:
        while data := node.read_output():
            self._logbook.write(self._number, node.index, data)

    # --- Batch's rules --------------------------------------------------------------------------------------------------

    def _main_runs(self) -> None:
        """The main node runs: now, and not before, its children start, in no certain order (R36)."""
        if self._time_limit is not None:
            self._after(self._time_limit * self._timings.batch_second, lambda: self._stop(TIMED_OUT))
        children = [node for node in self._nodes if not node.main]
        self._chance.shuffle(children)
        late = {fault.node: fault for fault in self._faults if fault.kind in (FaultKind.LATE, FaultKind.NEVER)}
        for node in children:
            fault = late.get(node.index)
            if fault is None:
                self._start(node)
            elif fault.kind is FaultKind.LATE:
                self._after(fault.seconds, partial(self._start, node))
        strikes = {FaultKind.KILL: self._lose_host, FaultKind.NOTICE: self._give_notice, FaultKind.PARTITION: self._cut_off}
        for fault in self._faults:
            if strike := strikes.get(fault.kind):
                self._after(fault.seconds, partial(strike, self._nodes[fault.node]))

    def _main_ended(self) -> None:
        """The main node's end is the job's: its children are stopped (R37)."""
        for node in self._nodes:
            if node.state is JobState.RUNNABLE:
                node.finish(None, NEVER_STARTED)
        if self._stop_reason is None:  # otherwise they are being stopped already
            self._stop_nodes()

    def _stop(self, reason: str) -> None:
        """SIGTERM to all nodes, SIGKILL after the grace (R40)."""
        if self._stop_reason is None and not self._main.state.ended:
            self._stop_reason = reason
            self._stop_nodes()

    def _stop_nodes(self) -> None:
        for node in self._nodes:
            node.stop()
        self._after(self._timings.stop_grace * self._timings.batch_second, self._kill_rest)

    def _kill_rest(self) -> None:
        for node in self._nodes:
            if node.alive:
                node.kill()

    # --- Faults ---------------------------------------------------------------------------------------------------------

    def _lose_host(self, node: Node) -> None:
        if not node.state.ended:
            node.lose_host()

    def _give_notice(self, node: Node) -> None:
        left = NOTICE_TIME * self._timings.batch_second
        self._network.notice(node.index, time.time() + left)
        self._after(left, lambda: self._lose_host(node))

    def _cut_off(self, node: Node) -> None:
        if node.alive:
            self._network.partition(node.index)

    # --- The end --------------------------------------------------------------------------------------------------------

    def _clean_up(self) -> None:
        for node in self._nodes:
            if node.alive and node.process:  # only if this thread itself failed
                node.kill()
                node.process.wait()
            node.close()
        processes.end_all(lambda: processes.of_attempt(self._job_id, self._number))
        self._selector.close()
        self._changed()
