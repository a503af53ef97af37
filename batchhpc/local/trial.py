"""Nodes of a job that are tried again together, attempt by attempt: the one retry loop of all kinds of jobs (R38, R60)."""

from __future__ import annotations

import random
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from batchhpc.jobs import Attempt, JobState
from batchhpc.local.attempt import AttemptRun, Outcome, Timings
from batchhpc.local.chaos import Chaos
from batchhpc.local.definition import JobPlan
from batchhpc.local.faults import Fault, FaultKind
from batchhpc.local.logbook import LogBook
from batchhpc.local.loop import Loop, Timer
from batchhpc.local.network import Network
from batchhpc.local.node import Launch, Node
from batchhpc.local.retries import wants_retry
from batchhpc.local.variables import node_variables


@dataclass(frozen=True, slots=True)
class Setting:
    """What all trials of a job share.

    Attributes:
        job: its id.
        plan: what its nodes run.
        faults: of all nodes and attempts.
        chaos: how nodes are reclaimed.
        number: of the job in its runner, from 0.
        secrets: values by ARN.
        records: where gangs keep their records here.
        timings: how long Batch's own times are.
        chance: decides the order in which nodes start.
        logbook: takes the output.
    """

    job: str
    plan: JobPlan
    faults: Sequence[Fault]
    chaos: Chaos
    number: int
    secrets: Mapping[str, str]
    records: str
    timings: Timings
    chance: random.Random
    logbook: LogBook


@dataclass(frozen=True, slots=True)
class Place:
    """Where the trials of a job run: its network, a directory for its nodes' own, and the loop of its thread."""

    network: Network
    scratch: Path
    loop: Loop


class Trial:
    """All nodes of a multi-node job, the node of a container job, or one child of an array.

    Attributes:
        nodes: of the newest attempt.
        attempts: those that have ended.
        state: RUNNABLE until the first attempt, and between two.
        status_reason: why it ended.
        waits: whether it begins only when nothing else of the job goes on any more.
    """

    def __init__(self, setting: Setting, indices: Sequence[int]) -> None:
        self._setting, self._indices = setting, indices
        self._place: Place | None = None
        self._run: AttemptRun | None = None
        self._timer: Timer | None = None
        self._stop_reason: str | None = None
        self.nodes: list[Node] = []
        self.attempts: list[Attempt] = []
        self.state, self.status_reason = JobState.RUNNABLE, ""
        self.waits = False
        self._new_nodes()

    @property
    def main(self) -> Node:
        """The node that speaks for it."""
        return next((node for node in self.nodes if node.main), self.nodes[0])

    @property
    def over(self) -> bool:
        """Whether there will be no other attempt."""
        return self.state.ended

    def begin(self, place: Place) -> None:
        """Begins the first attempt, or sees to it that it begins later."""
        self._place = place
        if not self.over:  # it was not stopped before
            self._schedule(0.0)

    def begin_now(self) -> None:
        """Begins an attempt that waits."""
        self._try()

    def stop(self, reason: str, *, at_once: bool = False) -> None:
        """Ends it: SIGTERM, then SIGKILL after the grace; ``at_once``: SIGKILL. The attempt that runs is the last."""
        if self.over:
            return
        self._stop_reason = reason if self._stop_reason is None else self._stop_reason
        if self._run is None:
            self.fail(reason)
            return
        self._run.stop(reason)
        if at_once:
            self._run.kill()

    def fail(self, reason: str) -> None:
        """It ends without another attempt."""
        if self._timer:
            self._timer.cancel()
        for node in self.nodes:
            if not node.state.ended:
                node.finish(None, reason)
        self.state, self.status_reason, self.waits = JobState.FAILED, reason, False

    def follow(self) -> None:
        """While an attempt lasts it is as far as its main node (R37)."""
        if self._run and self.main.alive:
            self.state = self.main.state

    def close(self) -> None:
        """Leaves no process and no file of it."""
        if self._run:
            self._run.close()

    def _new_nodes(self) -> None:
        plan, job = self._setting.plan, self._setting.job
        self.nodes = [Node(index, plan.job_id(job, index), main=index == plan.main) for index in self._indices]

    # --- Attempts -------------------------------------------------------------------------------------------------------

    @property
    def _number(self) -> int:
        return len(self.attempts) + 1

    def _faults(self) -> list[Fault]:
        setting, number = self._setting, self._number
        named = [fault for fault in setting.faults if fault.attempt == number and fault.node in self._indices]
        return named + setting.chaos.strikes(setting.number, self._indices, number, of=len(setting.plan.nodes))

    def _schedule(self, seconds: float) -> None:
        """Sees to the next attempt: in so many seconds, or whenever faults that concern its main node let it start."""
        assert self._place
        self.state = JobState.RUNNABLE
        late = [fault for fault in self._faults() if fault.node == self.main.index]
        if any(fault.kind is FaultKind.NEVER for fault in late):
            self.waits = True
            return
        seconds = max([seconds, *(fault.seconds for fault in late if fault.kind is FaultKind.LATE)])
        if seconds:
            self._timer = self._place.loop.after(seconds, self._try)
        else:
            self._try()

    def _try(self) -> None:
        assert self._place
        setting, place, self.waits = self._setting, self._place, False
        for node in self.nodes:
            node.instance = place.network.instance(node.index, self._number)
            self._scratch(node).mkdir(mode=0o700)
        self._run = AttemptRun(
            self._number,
            self.nodes,
            self.main,
            self._launch,
            faults=self._faults(),
            chaos=setting.chaos,
            time_limit=setting.plan.time_limit,
            timings=setting.timings,
            chance=setting.chance,
            network=place.network,
            logbook=setting.logbook,
            loop=place.loop,
            over=self._ended,
        )
        self._run.begin()

    def _ended(self, outcome: Outcome) -> None:
        setting, attempt, self._run = self._setting, outcome.attempt, None
        for node in self.nodes:
            shutil.rmtree(self._scratch(node), ignore_errors=True)
        self.attempts.append(attempt)
        again = wants_retry(
            setting.plan.rules, exit_code=attempt.exit_code, reason=attempt.reason, status_reason=attempt.status_reason
        )
        if outcome.succeeded:
            self.state, self.status_reason = JobState.SUCCEEDED, attempt.status_reason
        elif outcome.stopped or len(self.attempts) == setting.plan.attempts or not again:
            self.state, self.status_reason = JobState.FAILED, attempt.status_reason
        elif self._stop_reason is not None:  # it came after the main node's end
            self.fail(self._stop_reason)
        else:
            reclaimed = any(node.host_gone or node.host_going for node in self.nodes)
            self._new_nodes()
            self._schedule(setting.chaos.replacement if reclaimed else 0.0)

    def _scratch(self, node: Node) -> Path:
        assert self._place
        assert node.instance
        return self._place.scratch / str(node.instance.number)

    def _launch(self, node: Node) -> Launch:
        assert self._place
        assert node.instance
        assert self.main.instance
        setting, scratch = self._setting, self._scratch(node)
        variables = node_variables(
            setting.plan,
            node.index,
            job_id=setting.job,
            attempt=self._number,
            main_address=self.main.instance.address,
            network=self._place.network.variables(node.instance),
            secrets=setting.secrets,
            scratch=scratch,
            records=setting.records,
        )
        return Launch(variables, setting.plan.nodes[node.index], scratch)
