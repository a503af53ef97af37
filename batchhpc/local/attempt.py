"""One attempt of nodes that are tried together, from the first start to the end of the last process (R36, R37, R40)."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from batchhpc.errors import Unavailable
from batchhpc.jobs import Attempt, JobState
from batchhpc.local import processes
from batchhpc.local.chaos import Chaos
from batchhpc.local.faults import Fault, FaultKind
from batchhpc.local.logbook import LogBook
from batchhpc.local.loop import Loop, Timer
from batchhpc.local.network import Network
from batchhpc.local.node import Launch, Node

TIMED_OUT = "Job attempt duration exceeded timeout"
NEVER_STARTED = "The job's main node ended before this node started"
NOTICE_TIME = 120.0  # between a Spot notice and the end of the instance (R70)
START_TIME = 60.0  # seconds that a node may take to start its command on this machine


@dataclass(frozen=True, slots=True)
class Timings:
    """How long Batch's own times are here: seconds per second, and seconds of Batch's between SIGTERM and SIGKILL."""

    batch_second: float
    stop_grace: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended; ``stopped``: by its time limit or by order, which rules a retry out (R38)."""

    attempt: Attempt
    succeeded: bool
    stopped: bool


class AttemptRun:
    """Everything happens in the thread of the loop, between `begin` and the call of ``over``.

    Args:
        number: of the attempt, from 1.
        nodes: all nodes that are tried together, each on an instance, not started yet.
        main: of these the one that starts first, and whose end is the attempt's: the main node, or the only one.
        launch: what a node runs.
        faults: of this attempt.
        chaos: what comes with a reclaim.
        time_limit: in seconds of Batch's.
        timings: how long those are.
        chance: decides the order in which child nodes start.
        network: of the job.
        logbook: takes the output.
        loop: of the job.
        over: is told how it ended when no process of the attempt is left.
    """

    def __init__(
        self,
        number: int,
        nodes: Sequence[Node],
        main: Node,
        launch: Callable[[Node], Launch],
        *,
        faults: Sequence[Fault],
        chaos: Chaos,
        time_limit: float | None,
        timings: Timings,
        chance: random.Random,
        network: Network,
        logbook: LogBook,
        loop: Loop,
        over: Callable[[Outcome], None],
    ) -> None:
        self._number, self._nodes, self._main, self._launch = number, nodes, main, launch
        self._faults, self._chaos, self._time_limit, self._timings = faults, chaos, time_limit, timings
        self._chance = chance
        self._network, self._logbook, self._loop, self._tell_over = network, logbook, loop, over
        self._timers: list[Timer] = []
        self._stop_reason: str | None = None
        self._closed = False

    def begin(self) -> None:
        """Starts the main node, and with that everything."""
        self._start(self._main)

    def stop(self, reason: str) -> None:
        """SIGTERM to all nodes, SIGKILL after the grace (R40)."""
        if self._stop_reason is None and not self._main.state.ended:
            self._stop_reason = reason
            self._stop_nodes()

    def kill(self) -> None:
        """SIGKILL to all nodes."""
        for node in self._nodes:
            if node.alive:
                node.kill()

    def close(self) -> None:
        """Leaves no process and no file; does nothing if the attempt is over."""
        if self._closed:
            return
        self._closed = True
        for timer in self._timers:
            timer.cancel()
        alive = [node.process for node in self._nodes if node.alive and node.process]
        if alive:  # only if the job's thread itself failed
            self.kill()
            for process in alive:
                process.wait()
            processes.end_all(lambda: processes.of_attempt(self._main.job_id, self._number))
        for node in self._nodes:
            node.close()
        for node in self._nodes:
            if node.instance:
                self._network.release(node.instance)

    def _after(self, seconds: float, action: Callable[[], None]) -> None:
        self._timers.append(self._loop.after(seconds, action))

    # --- A node's life --------------------------------------------------------------------------------------------------

    def _start(self, node: Node) -> None:
        if node.state is not JobState.RUNNABLE or self._main.state.ended or self._stop_reason is not None:
            return
        try:
            node.start(self._launch(node), self._network)
        except OSError as error:
            node.reason = f"CannotStartContainerError: {error}"
            self._ended(node, None)
            return
        assert node.process
        assert node.control
        node_end = os.pidfd_open(node.process.pid)
        self._loop.watch(node.control, lambda: self._hear(node))
        self._loop.watch(node.output, lambda: self._read(node))
        self._loop.watch(node_end, lambda: self._reap(node, node_end))
        self._after(START_TIME, lambda: self._give_up_start(node))

    def _hear(self, node: Node) -> None:
        messages = node.messages()
        if messages is None and node.control:
            self._loop.unwatch(node.control)  # the first process is about to end
        for message in messages or ():
            kind, _, text = message.partition(" ")
            if kind == "ready":
                self._set_up(node)
            elif kind == "started":
                node.running()
                if node is self._main:
                    self._main_runs()
            elif kind == "failed":
                node.reason = f"CannotStartContainerError: {text}"

    def _set_up(self, node: Node) -> None:
        assert node.process
        assert node.instance
        if node.process.returncode is not None:  # it ended just now
            return
        try:
            node.set_up(self._network)
            for fault in self._faults:
                if fault.kind is FaultKind.DELAY and fault.node == node.index:
                    self._network.delay(node.instance, fault.seconds)
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
            self._loop.unwatch(node.output)
        else:
            self._logbook.write(self._number, node.index, data)

    def _reap(self, node: Node, node_end: int) -> None:
        assert node.process
        self._loop.unwatch(node_end)
        os.close(node_end)
        code = node.process.wait()
        if code < 0:
            # The first process itself was killed, and could not end the rest of its node.
            index = node.index if len(self._nodes) > 1 else None
            processes.end_all(lambda: processes.of_attempt(node.job_id, self._number, index))
        self._ended(node, code)

    def _ended(self, node: Node, code: int | None) -> None:
        if node.control:
            if self._loop.watches(node.control):
                self._hear(node)  # its last words
            self._loop.unwatch(node.control)
            if self._loop.watches(node.output):
                self._drain(node)
            self._loop.unwatch(node.output)
        node.close()
        self._logbook.end(self._number, node.index)
        node.finish(code, self._stop_reason or "")
        if node is self._main:
            self._main_ended()
        self._end_if_all_have()

    def _drain(self, node: Node) -> None:
        while data := node.read_output():
            self._logbook.write(self._number, node.index, data)

    # --- Batch's rules --------------------------------------------------------------------------------------------------

    def _main_runs(self) -> None:
        """The main node runs: now, and not before, its children start, in no certain order (R36)."""
        if self._time_limit is not None:
            self._after(self._time_limit * self._timings.batch_second, lambda: self.stop(TIMED_OUT))
        children = [node for node in self._nodes if node is not self._main]
        self._chance.shuffle(children)
        late = {fault.node: fault for fault in self._faults if fault.kind in (FaultKind.LATE, FaultKind.NEVER)}
        for node in children:
            fault = late.get(node.index)
            if fault is None:
                self._start(node)
            elif fault.kind is FaultKind.LATE:
                self._after(fault.seconds, partial(self._start, node))
        nodes = {node.index: node for node in self._nodes}
        for fault in self._faults:
            self._set_trap(nodes[fault.node], fault)

    def _main_ended(self) -> None:
        """The main node's end is the attempt's: its children are stopped (R37)."""
        for node in self._nodes:
            if node.state is JobState.RUNNABLE:
                node.finish(None, NEVER_STARTED)
        if self._stop_reason is None:  # otherwise they are being stopped already
            self._stop_nodes()

    def _stop_nodes(self) -> None:
        for node in self._nodes:
            node.stop()
        self._after(self._timings.stop_grace * self._timings.batch_second, self.kill)

    def _end_if_all_have(self) -> None:
        main = self._main
        if self._closed or not main.state.ended or any(node.alive for node in self._nodes):
            return
        self.close()
        assert main.stopped_at is not None
        self._tell_over(
            Outcome(
                Attempt(main.exit_code, main.reason, main.status_reason, main.started_at, main.stopped_at),
                succeeded=main.state is JobState.SUCCEEDED and self._stop_reason is None,
                stopped=self._stop_reason is not None,
            )
        )

    # --- Faults ---------------------------------------------------------------------------------------------------------

    def _set_trap(self, node: Node, fault: Fault) -> None:
        """Sees to it that a fault strikes when it should, counted from now."""
        match fault.kind:
            case FaultKind.KILL:
                self._after(fault.seconds, partial(self._lose_host, node))
            case FaultKind.NOTICE:
                left = NOTICE_TIME * self._timings.batch_second
                self._after(fault.seconds, partial(self._give_notice, node, left))
                self._after(fault.seconds + left, partial(self._lose_host, node))
            case FaultKind.RECLAIM:
                if self._chaos.notice is not None:
                    left = min(fault.seconds, self._chaos.notice)
                    self._after(fault.seconds - left, partial(self._give_notice, node, left))
                if self._chaos.shutdown is not None:
                    self._after(max(0.0, fault.seconds - self._chaos.shutdown), partial(self._shut_down, node))
                self._after(fault.seconds, partial(self._lose_host, node))
            case FaultKind.PARTITION:
                self._after(fault.seconds, partial(self._cut_off, node))

    def _lose_host(self, node: Node) -> None:
        if not node.state.ended:
            node.lose_host()
            self._end_if_all_have()

    def _give_notice(self, node: Node, left: float) -> None:
        assert node.instance
        if not node.state.ended:
            self._network.notice(node.instance, time.time() + left)

    def _shut_down(self, node: Node) -> None:
        """The instance shuts down: its containers get SIGTERM (R70), and what they end with until it is gone is told."""
        if node.state is JobState.RUNNING:
            node.host_going = True
            node.stop()

    def _cut_off(self, node: Node) -> None:
        assert node.instance
        if node.alive:
            self._network.partition(node.instance)
