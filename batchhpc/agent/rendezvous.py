"""The main node's part of a job as a state machine: no sockets, no clock, no processes.

Events go in, actions come out. What leads where stands in `TRANSITIONS`, from which the diagram in
docs/reference/agent.md is drawn; an event that has no row in the present phase changes nothing. Waiting is an action
too: `StartTimer` asks for a `TimerFired` later. Every phase has its timer but RUNNING, which the job's time limit ends.

    ASSEMBLING   nodes join; until all are here, or the deadline passes
    RUNNING      mpirun runs; until it ends, a rank fails, a node is lost, or the job is told to stop
    COLLECTING   mpirun has ended; until every rank's own exit code is known, or the deadline passes
    STOPPING     ranks are being killed on every node; until mpirun has ended, or the deadline passes
    ENDED        the exit code is decided; nothing more happens
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import ClassVar

from batchhpc.agent import contract
from batchhpc.agent.events import (
    Action,
    End,
    Event,
    Joined,
    KillRanks,
    Launch,
    LauncherExited,
    Left,
    Log,
    Member,
    Notify,
    RanksReported,
    Refused,
    StartTimer,
    StopRequested,
    Timer,
    TimerFired,
    TurnAway,
)  # fmt: skip
from batchhpc.agent.outcome import KILLED, Outcome, Tally, judge, some


class Phase(StrEnum):
    """Where the main node stands; two phases are a gang's alone (`gang`)."""

    CLAIMING = "claiming"
    ASSEMBLING = "assembling"
    RUNNING = "running"
    COLLECTING = "collecting"
    STOPPING = "stopping"
    RECORDING = "recording"
    ENDED = "ended"


Table = dict[tuple[Phase, str], tuple[Callable[..., list[Action]], tuple[Phase, ...]]]
"""(phase, event) -> what is done, and the phases it can lead to."""

FAILURE_GRACE = 5.0  # seconds; Open MPI 4 takes up to 4 to end a job whose rank failed, MPICH may not do it at all
KILL_GRACE = 1.0  # seconds from SIGTERM to mpirun until the job ends without it
NOTICE_PAUSE = 10.0  # seconds in which the notices of several nodes are one
FAILURES_SHOWN = 10  # event lines; of 100,000 ranks that fail at once the first few say it all
COLLECT_MARGIN = 1.0  # seconds beyond a node's longest silence: a lost node is noticed before its ranks count as mute


class Leader:
    """The state machine of the main node.

    Args:
        me: the main node itself, which need not join.
        nodes: how many nodes the job has.
        join_timeout: seconds until nodes that have not joined are missing.
        lost_after: seconds of silence after which whoever feeds this machine says `Left`.
        failure_grace: least seconds that mpirun has to end the job after a rank failed.
    """

    def __init__(
        self, me: Member, nodes: int, join_timeout: float, lost_after: float, failure_grace: float = FAILURE_GRACE
    ) -> None:
        self.phase = Phase.ASSEMBLING
        self.generation = 1
        self.members = {me.node: me}
        self.tally = Tally({})
        self._me = me
        self._nodes = nodes
        self._join_timeout = join_timeout
        self._lost_after = lost_after
        self._failure_grace = max(failure_grace, lost_after + COLLECT_MARGIN)  # a lost node must come to light before
        self._refused: dict[int, str] = {}
        self._lost: dict[int, str] = {}
        self._launcher_code: int | None = None
        self._stop_reason = ""
        self._stopped_node = -1
        self._main_told = False
        self._noticed = False
        self._verdict: Outcome | None = None

    @property
    def missing(self) -> list[int]:
        """Nodes that are not in."""
        return [node for node in range(self._nodes) if node not in self.members]

    def start(self) -> list[Action]:
        """What to do before the first event."""
        if not self.missing:
            return self._launch()
        waiting = Log(
            "waiting_for_nodes",
            {"missing": len(self.missing), "nodes": some("node", self.missing), "timeout": f"{self._join_timeout:g}s"},
        )
        return [StartTimer(Timer.JOIN, self._join_timeout), waiting]

    def receive(self, event: Event) -> list[Action]:
        """Takes one event; gives what to do now. What belongs to another generation is refused: nothing happens."""
        if getattr(event, "generation", self.generation) != self.generation:
            return []
        transition = self.TRANSITIONS.get((self.phase, kind_of(event)))
        return transition[0](self, event) if transition else []

    # --- assembling

    def _join(self, event: Joined) -> list[Action]:
        node = event.member.node
        if node in self.members or not 0 <= node < self._nodes:
            why = (
                "is the main node"
                if node == self._me.node
                else "has already joined"
                if node < self._nodes
                else "is not of this job"
            )
            return [TurnAway(node, f"node {node} {why}")]
        self.members[node] = event.member
        self._refused.pop(node, None)
        missing = self._nodes - len(self.members)
        joined = Log("child_joined", {"child": node, "address": event.member.address, "missing": missing})
        return [joined, *([] if missing else self._launch())]

    def _too_late(self, event: Joined) -> list[Action]:
        return [TurnAway(event.member.node, f"the job is already {self.phase}")]

    def _refuse(self, event: Refused) -> list[Action]:
        self._refused[event.node] = event.why
        return [Log("join_refused", {"child": event.node, "reason": event.why})]

    def _leave_early(self, event: Left) -> list[Action]:
        # An agent that lost the main node ends, and AWS Batch starts no child a second time: waiting would only cost.
        lost = Log("node_lost", {"lost": event.node, "how": event.how})
        why = f"lost node {event.node} while others were joining ({event.how})"
        return [lost, *self._end(Outcome(contract.EXIT_INFRASTRUCTURE, why))]

    def _launch(self) -> list[Action]:
        self.phase = Phase.RUNNING
        members = tuple(self.members[node] for node in sorted(self.members))
        self.tally = Tally({member.node: member.ranks for member in members})
        return [Launch(members)]

    # --- running

    def _report(self, event: RanksReported) -> list[Action]:
        known, was_running, had_ended = len(self.tally.failed), self.tally.all_started, self.tally.all_ended
        news = self.tally.report(event.node, event.started, event.ended, event.failed)
        shown = news[: max(0, FAILURES_SHOWN - known)]
        actions: list[Action] = [Log("rank_exited", {"rank": exit_.rank, "on": exit_.node, "code": exit_.code}) for exit_ in shown]
        if self.tally.all_started and not was_running:
            actions.append(Log("ranks_running", {"ranks": self.tally.total}))
        if self.phase is Phase.RUNNING and ((news and not known) or (self.tally.all_ended and not had_ended)):
            actions.append(StartTimer(Timer.FAILURE, self._failure_grace))
        if self.phase is Phase.COLLECTING and self.tally.all_ended:
            actions += self._end(self._judge())
        return actions

    def _launcher_exited(self, event: LauncherExited) -> list[Action]:
        self._launcher_code = event.code
        exited = Log("launcher_exited", {"code": event.code})
        if self.tally.all_ended:
            return [exited, *self._end(self._judge())]
        # Reports may still be on their way; and if a node is lost, its silence must come to light first.
        self.phase = Phase.COLLECTING
        return [exited, StartTimer(Timer.COLLECT, self._lost_after + COLLECT_MARGIN)]

    def _lose(self, event: Left) -> list[Action]:
        self._lost[event.node] = event.how
        lost = Log("node_lost", {"lost": event.node, "how": event.how})
        if self.phase is Phase.STOPPING and self._stop_reason:
            return [lost]  # nodes that were told to stop do so
        how = ", ".join(dict.fromkeys(self._lost.values()))
        self._verdict = Outcome(contract.EXIT_INFRASTRUCTURE, f"lost {some('node', sorted(self._lost))} ({how})")
        return [lost] if self.phase is Phase.STOPPING else [lost, *self._stop_all()]

    def _notify(self, event: StopRequested) -> list[Action]:
        if event.final:
            self._main_told = self._main_told or event.node == self._me.node
        if self._stop_reason or (self._noticed and not event.final):
            return []  # AWS stops or reclaims many nodes at once; the ranks need to hear of it once
        notice = {"from": event.node, "reason": event.reason, "seconds": f"{event.seconds:g}"}
        actions: list[Action] = [Log("stop_notice", notice), Notify(event.reason, event.seconds, event.final)]
        if event.final:
            self._stop_reason, self._stopped_node = event.reason, event.node
            return [*actions, StartTimer(Timer.STOP, event.seconds)]
        self._noticed = True
        return [*actions, StartTimer(Timer.NOTICE, NOTICE_PAUSE)]

    def _hear_again(self, _: TimerFired) -> list[Action]:
        self._noticed = False
        return []

    def _failure_lingers(self, _: TimerFired) -> list[Action]:
        self._verdict = self._judge()
        return self._stop_all()

    def _stop_now(self, _: TimerFired) -> list[Action]:
        self._verdict = self._stopped_outcome()
        return self._stop_all()

    # --- ending

    def _stop_all(self) -> list[Action]:
        assert self._verdict
        self.phase = Phase.STOPPING
        return [
            Log("stopping", {"reason": self._verdict.why}),
            KillRanks(self._verdict.why),
            StartTimer(Timer.KILL, 0.0 if self._launcher_code is not None else KILL_GRACE),
        ]

    def _stopped(self, event: LauncherExited | TimerFired) -> list[Action]:
        assert self._verdict
        if isinstance(event, LauncherExited):
            self._launcher_code = event.code
        return self._end(self._verdict)

    def _collected(self, _: TimerFired) -> list[Action]:
        return self._end(self._judge())

    def _nodes_missing(self, _: TimerFired) -> list[Action]:
        missing = self.missing
        refused = [node for node in missing if node in self._refused]
        why = f"{some('node', missing)} did not join within {self._join_timeout:g} s"
        if refused:
            why += f"; {some('node', refused)} did not know the job's secret"
        # Every missing node was here, with another secret: trying again cannot help.
        code = contract.EXIT_MISCONFIGURED if refused == missing else contract.EXIT_INFRASTRUCTURE
        return [Log("nodes_missing", {"missing": ",".join(map(str, missing))}), *self._end(Outcome(code, why))]

    def _stop_early(self, event: StopRequested) -> list[Action]:
        if not event.final:
            return []
        log = Log("stop_notice", {"from": event.node, "reason": event.reason, "seconds": f"{event.seconds:g}"})
        return [
            log,
            *self._end(Outcome(contract.EXIT_STOPPED, f"stopped while waiting for {some('node', self.missing)}: {event.reason}")),
        ]

    def _judge(self) -> Outcome:
        outcome = judge(self.tally, self._launcher_code)
        if self._stop_reason and (outcome.code in KILLED or not self._main_told):
            return self._stopped_outcome()
        return outcome

    def _stopped_outcome(self) -> Outcome:
        """A job that was stopped; or, if only a child was told so, one that loses that child's host.

        AWS Batch stops a job on all its nodes. A child that is stopped alone shuts down with its host, and a program that
        saved its work and ended with 0 has not finished it.
        """
        if self._main_told:
            return Outcome(contract.EXIT_STOPPED, f"stopped: {self._stop_reason}")
        why = f"node {self._stopped_node} alone was told to stop ({self._stop_reason})"
        return Outcome(contract.EXIT_INFRASTRUCTURE, why)

    def _end(self, outcome: Outcome) -> list[Action]:
        self.phase = Phase.ENDED
        return [End(outcome)]

    TRANSITIONS: ClassVar[Table] = {
        (Phase.ASSEMBLING, "Joined"): (_join, (Phase.ASSEMBLING, Phase.RUNNING)),
        (Phase.ASSEMBLING, "Refused"): (_refuse, (Phase.ASSEMBLING,)),
        (Phase.ASSEMBLING, "Left"): (_leave_early, (Phase.ENDED,)),
        (Phase.ASSEMBLING, "StopRequested"): (_stop_early, (Phase.ASSEMBLING, Phase.ENDED)),
        (Phase.ASSEMBLING, "TimerFired:join"): (_nodes_missing, (Phase.ENDED,)),
        (Phase.RUNNING, "Joined"): (_too_late, (Phase.RUNNING,)),
        (Phase.RUNNING, "RanksReported"): (_report, (Phase.RUNNING,)),
        (Phase.RUNNING, "LauncherExited"): (_launcher_exited, (Phase.COLLECTING, Phase.ENDED)),
        (Phase.RUNNING, "Left"): (_lose, (Phase.STOPPING,)),
        (Phase.RUNNING, "StopRequested"): (_notify, (Phase.RUNNING,)),
        (Phase.RUNNING, "TimerFired:failure"): (_failure_lingers, (Phase.STOPPING,)),
        (Phase.RUNNING, "TimerFired:stop"): (_stop_now, (Phase.STOPPING,)),
        (Phase.RUNNING, "TimerFired:notice"): (_hear_again, (Phase.RUNNING,)),
        (Phase.COLLECTING, "Joined"): (_too_late, (Phase.COLLECTING,)),
        (Phase.COLLECTING, "RanksReported"): (_report, (Phase.COLLECTING, Phase.ENDED)),
        (Phase.COLLECTING, "Left"): (_lose, (Phase.STOPPING,)),
        (Phase.COLLECTING, "TimerFired:stop"): (_stop_now, (Phase.STOPPING,)),
        (Phase.COLLECTING, "TimerFired:collect"): (_collected, (Phase.ENDED,)),
        (Phase.STOPPING, "Joined"): (_too_late, (Phase.STOPPING,)),
        (Phase.STOPPING, "Left"): (_lose, (Phase.STOPPING,)),
        (Phase.STOPPING, "LauncherExited"): (_stopped, (Phase.ENDED,)),
        (Phase.STOPPING, "TimerFired:kill"): (_stopped, (Phase.ENDED,)),
    }


def kind_of(event: Event) -> str:
    """The event's name in the table."""
    return f"TimerFired:{event.timer}" if isinstance(event, TimerFired) else type(event).__name__
