"""The leader of a gang: the main node's state machine (`rendezvous`), made to outlive the loss of nodes.

Like that, it has no sockets and no clock; the record (`record`) is read and written by whoever feeds it. What is different:

    CLAIMING     child 0 writes itself into the record as the leader of the next generation; whoever is faster wins
    ASSEMBLING   nodes join, and end what older generations left; until all are here, or enough after a while
    RUNNING      as ever; but a lost node, or a checkpoint while others wait to be let in, raises the generation:
                 ranks are ended everywhere, and the nodes that are left are ASSEMBLING again
    RECORDING    how the job ended is being written down; nobody is told before it is

Whatever carries an older generation changes nothing. A leader that finds another's generation in the record ends quietly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

from batchhpc.agent import contract
from batchhpc.agent.events import (
    Action,
    Broken,
    Checkpointed,
    End,
    Joined,
    KillRanks,
    Launch,
    Left,
    Log,
    Look,
    Looked,
    Member,
    RanksGone,
    StartTimer,
    StopRequested,
    Timer,
    TimerFired,
    TurnAway,
    Unread,
    Unwritten,
    Write,
    Written,
)  # fmt: skip
from batchhpc.agent.outcome import Outcome, Tally, some
from batchhpc.agent.record import GangState, Record
from batchhpc.agent.rendezvous import FAILURE_GRACE, Leader, Phase, Table

_LEADING = (Phase.ASSEMBLING, Phase.RUNNING, Phase.COLLECTING, Phase.STOPPING, Phase.RECORDING)
_ENDINGS = (Phase.RECORDING, Phase.ASSEMBLING, Phase.ENDED)  # written down; started again; left to AWS Batch


def gone(reason: str) -> Outcome:
    """How a node ends that got SIGTERM, and is not at its time limit.

    If its host goes, AWS Batch must replace it, and it may see the exit code before it sees the host go. If AWS Batch itself
    ended the job, no exit code makes it try again (R38).
    """
    return Outcome(contract.EXIT_INFRASTRUCTURE, f"told to stop ({reason}): the job is ended, or this node's host goes")


def _inherited() -> Table:
    """The main node's table; but what ends a job there is written down here first, or starts the ranks anew."""
    return {
        key: (handler, tuple(dict.fromkeys(end for phase in phases for end in (_ENDINGS if phase is Phase.ENDED else (phase,)))))
        for key, (handler, phases) in Leader.TRANSITIONS.items()
    }


def _while_leading(event: str, handler: Callable[..., list[Action]], leads_to: Phase) -> Table:
    return {(phase, event): (handler, (phase, leads_to)) for phase in _LEADING}


MOST_RESTARTS = 3  # in a row without a node lost or taken in: ranks that vanish without a reason would do so for ever


@dataclass(frozen=True, slots=True)
class Waits:
    """How long a gang waits, in seconds.

    Attributes:
        join: for its nodes, at its beginning.
        reform: for nodes it has lost.
        enough: for all nodes, until ``min_nodes`` are enough.
    """

    join: float
    reform: float
    enough: float


class GangLeader(Leader):
    """The state machine of child 0.

    Args:
        me: child 0 itself, its address included.
        nodes: how many nodes the gang has.
        min_nodes: on how many it may run.
        waits: its deadlines.
        lost_after: see `Leader`.
        failure_grace: see `Leader`.
    """

    def __init__(  # noqa: PLR0917 - a leader, and two numbers of its own
        self, me: Member, nodes: int, min_nodes: int, waits: Waits, lost_after: float, failure_grace: float = FAILURE_GRACE
    ) -> None:
        super().__init__(me, nodes, waits.join, lost_after, failure_grace)
        self.phase = Phase.CLAIMING
        self.running: tuple[int, ...] = ()  # nodes that ranks were started on last
        self._min_nodes = min_nodes
        self._waits = waits
        self._ready: set[int] = set()  # nodes on which nothing of older generations runs
        self._written = 0  # newest generation that the record is known to have
        self._enough = nodes
        self._leaving: set[int] = set()  # nodes that got SIGTERM
        self._time_is_up = False
        self._restarts = 0

    def start(self) -> list[Action]:
        return [Look()]

    # --- claiming

    def _claim(self, event: Looked) -> list[Action]:
        record = event.record
        if record and record.outcome:
            return self._leave(record.outcome)
        if record and record.leader_attempt > self._me.attempt:
            return self._overtaken(event)
        self.generation = record.generation + 1 if record else 1
        self.running = record.nodes if record else ()
        self._join_timeout = self._waits.reform if self.running else self._waits.join
        return [Write(self._record(GangState.ASSEMBLING))]

    def _claimed(self, event: Written) -> list[Action]:
        self._written = event.record.generation
        self.phase = Phase.ASSEMBLING
        self._ready = {self._me.node}
        claimed = {
            "generation": self.generation,
            "address": self._me.address,
            "missing": len(self.missing),
            "timeout": f"{self._join_timeout:g}s",
        }
        if self._verdict:
            return [Log("leader_claimed", claimed), *self._end(self._verdict)]
        return [Log("leader_claimed", claimed), *self._wait(), *self._launch_if_complete()]

    def _wait(self) -> list[Action]:
        self._enough = self._nodes
        fewer = [StartTimer(Timer.ENOUGH, self._waits.enough)] if self._min_nodes < self._nodes else []
        return [StartTimer(Timer.JOIN, self._join_timeout), *fewer]

    # --- assembling

    def _join(self, event: Joined) -> list[Action]:
        member = event.member
        if member.node == self._me.node or not 0 <= member.node < self._nodes:
            return [TurnAway(member.node, f"node {member.node} is the leader, or not of this gang of {self._nodes}")]
        known = self.members.get(member.node)
        if known and known.attempt > member.attempt:
            return [TurnAway(member.node, f"attempt {known.attempt} of node {member.node} has replaced attempt {member.attempt}")]
        # It would not come anew if its old link, which nobody has missed yet, were still of any use.
        left = self.receive(Left(member.node, "joined anew")) if known else []
        self.members[member.node] = member
        self._refused.pop(member.node, None)
        self._ready.add(member.node)  # a node ends its ranks before it joins
        joined = {"child": member.node, "address": member.address, "attempt": member.attempt, "missing": len(self.missing)}
        return [*left, Log("child_joined", joined), *self._launch_if_complete()]

    def _leave_early(self, event: Left) -> list[Action]:
        self._drop(event.node)
        return [Log("node_lost", {"lost": event.node, "how": event.how}), *self._launch_if_complete()]

    def _drop(self, node: int) -> None:
        self.members.pop(node, None)
        self._ready.discard(node)
        self._leaving.discard(node)

    def _ranks_gone(self, event: RanksGone) -> list[Action]:
        if event.node in self.members:
            self._ready.add(event.node)
        return self._launch_if_complete()

    def _enough_waited(self, _: TimerFired) -> list[Action]:
        self._enough = self._min_nodes
        return self._launch_if_complete()

    def _generation_written(self, event: Written) -> list[Action]:
        self._written = event.record.generation
        return self._launch_if_complete()

    def _launch_if_complete(self) -> list[Action]:
        complete = len(self.members) >= self._enough and self._ready == set(self.members)
        if self.phase is not Phase.ASSEMBLING or not complete or self._written != self.generation:
            return []
        return self._launch()

    def _launch(self) -> list[Action]:
        self.running = tuple(sorted(self.members))
        launch = super()._launch()
        assert all(isinstance(action, Launch) for action in launch)
        return [Write(self._record(GangState.RUNNING)), *launch]

    def _nodes_missing(self, _: TimerFired) -> list[Action]:
        missing = self.missing
        refused = [node for node in missing if node in self._refused]
        here = f"{len(self.members)} of {self._nodes} nodes were here"
        why = f"{some('node', missing)} did not come within {self._join_timeout:g} s; {here}, at least {self._min_nodes} are needed"
        if not missing:
            why = f"the ranks of an older generation did not end, or the record was not written, within {self._join_timeout:g} s"
        if refused:
            why += f"; {some('node', refused)} did not know the job's secret"
        logged = Log("nodes_missing", {"missing": ",".join(map(str, missing))})
        return [logged, *self._end(Outcome(contract.EXIT_GAVE_UP, why))]

    def _broken_early(self, event: Broken) -> list[Action]:
        self._verdict = event.outcome
        return []

    def _broken(self, event: Broken) -> list[Action]:
        """Trying again cannot help: nobody need wait for it."""
        return [] if self.phase is Phase.RECORDING else [Log("stopping", {"reason": event.outcome.why}), *self._end(event.outcome)]

    def _time_over(self, event: StopRequested) -> list[Action]:
        if event.leaving:
            self._leaving.add(event.node)
        if not event.final:
            return []
        why = f"stopped while waiting for {some('node', self.missing) if self.missing else 'ranks to end'}: {event.reason}"
        return self._end(Outcome(contract.EXIT_STOPPED, why))

    # --- running

    def _lose(self, event: Left) -> list[Action]:
        was_running = event.node in self.running
        self._drop(event.node)
        lost = Log("node_lost", {"lost": event.node, "how": event.how})
        if not was_running or self._stop_reason:
            return [lost]
        self._restarts = 0
        return [lost, *self._reform(f"lost node {event.node} ({event.how})")]

    def _checkpointed(self, event: Checkpointed) -> list[Action]:
        self._restarts = 0
        waiting = sorted(set(self.members) - set(self.running))
        if not waiting or self._stop_reason:
            return []
        actions = self._reform(f"{some('node', waiting)} can take part from step {event.step} on")
        self._enough = max(self._min_nodes, len(self.members))  # no reason to wait for others now
        return actions

    def _reform(self, why: str) -> list[Action]:
        """Everything from the next generation on: ranks end, nodes that are left stay, others have time to come."""
        self.generation += 1
        self.phase = Phase.ASSEMBLING
        self.tally = Tally({})
        self._ready = set()
        self._launcher_code = self._verdict = None
        self._noticed = False
        self._join_timeout = self._waits.reform
        return [
            Log("reforming", {"generation": self.generation, "reason": why, "missing": len(self.missing)}),
            Write(self._record(GangState.ASSEMBLING)),
            KillRanks(why),
            *self._wait(),
        ]

    def _notify(self, event: StopRequested) -> list[Action]:
        """Only the job's time limit ends the job: a node that is told to stop may just lose its host.

        If all nodes leave, nobody is left to wait for: ranks that do not listen are ended early. How the job ended is for AWS
        Batch to say then, and nothing is recorded: reclaimed nodes will be replaced, even if that were all of them at once.
        """
        self._time_is_up = self._time_is_up or event.final
        if event.leaving:
            self._leaving.add(event.node)
        if self._leaving >= set(self.running):
            event = replace(event, final=True)
        return super()._notify(event)

    # --- ending

    def _judge(self) -> Outcome:
        # Ranks that were told to stop may have ended with 0 for having saved their work, not for having done it.
        if self._stop_reason:
            return self._stopped_outcome()
        leaving = sorted(self._leaving & set(self.running))
        if leaving:
            return Outcome(contract.EXIT_INFRASTRUCTURE, f"the ranks ended while {some('node', leaving)} was told to stop")
        return super()._judge()

    def _stopped_outcome(self) -> Outcome:
        return Outcome(contract.EXIT_STOPPED, f"stopped: {self._stop_reason}") if self._time_is_up else gone(self._stop_reason)

    def _end(self, outcome: Outcome) -> list[Action]:
        if self._stop_reason and not self._time_is_up:
            return self._leave(outcome, quiet=True)
        own = any(failure.code == contract.EXIT_INFRASTRUCTURE for failure in self.tally.failed)  # the program says so itself
        if outcome.code == contract.EXIT_INFRASTRUCTURE and not own:
            if self._restarts < MOST_RESTARTS or self._leaving:
                self._restarts += 1
                return self._reform(outcome.why)
            outcome = Outcome(contract.EXIT_GAVE_UP, f"{outcome.why}; that was so {MOST_RESTARTS + 1} times in a row")
        self.phase = Phase.RECORDING
        state = GangState.FAILED if outcome.code else GangState.FINISHED
        return [Write(self._record(state, outcome))]

    def _recorded(self, event: Written) -> list[Action]:
        if not event.record.outcome:
            return []  # an earlier `Write`
        told = Log("recorded", {"state": event.record.state, "code": event.record.outcome.code})
        return [told, *self._leave(event.record.outcome)]

    def _overtaken(self, event: Looked) -> list[Action]:
        """Somebody else has written the record: how the gang ended, or that another leads it."""
        record = event.record
        if record and record.outcome:
            return self._leave(record.outcome)
        if record is None or record.leader_attempt <= self._me.attempt:
            return []
        by = {"attempt": record.leader_attempt, "generation": record.generation, "address": record.address}
        outcome = Outcome(contract.EXIT_INFRASTRUCTURE, f"attempt {record.leader_attempt} of the leader has taken this gang over")
        return [Log("overtaken", by), *self._leave(outcome, quiet=True)]

    def _unwritten(self, event: Unwritten | Unread) -> list[Action]:
        outcome = Outcome(contract.EXIT_INFRASTRUCTURE, f"the gang's record cannot be kept: {event.why}")
        return self._leave(outcome, quiet=True)

    def _leave(self, outcome: Outcome, *, quiet: bool = False) -> list[Action]:
        self.phase = Phase.ENDED
        return [End(outcome, quiet=quiet)]

    def _record(self, state: GangState, outcome: Outcome | None = None) -> Record:
        code, why = (outcome.code, outcome.why) if outcome else (None, "")
        return Record(self.generation, state, self._me.attempt, self._me.address, self.running, code, why)

    TRANSITIONS: ClassVar[Table] = {
        **_inherited(),
        (Phase.CLAIMING, "Looked"): (_claim, (Phase.CLAIMING, Phase.ENDED)),
        (Phase.CLAIMING, "Written"): (_claimed, (Phase.ASSEMBLING, Phase.RUNNING, Phase.RECORDING)),
        (Phase.CLAIMING, "Broken"): (_broken_early, (Phase.CLAIMING,)),
        (Phase.ASSEMBLING, "Joined"): (_join, (Phase.ASSEMBLING, Phase.RUNNING)),
        (Phase.ASSEMBLING, "Left"): (_leave_early, (Phase.ASSEMBLING, Phase.RUNNING)),
        (Phase.ASSEMBLING, "RanksGone"): (_ranks_gone, (Phase.ASSEMBLING, Phase.RUNNING)),
        (Phase.ASSEMBLING, "Written"): (_generation_written, (Phase.ASSEMBLING, Phase.RUNNING)),
        (Phase.ASSEMBLING, "TimerFired:enough"): (_enough_waited, (Phase.ASSEMBLING, Phase.RUNNING)),
        (Phase.ASSEMBLING, "TimerFired:join"): (_nodes_missing, (Phase.RECORDING,)),
        (Phase.ASSEMBLING, "StopRequested"): (_time_over, (Phase.ASSEMBLING, Phase.RECORDING)),
        (Phase.RUNNING, "Joined"): (_join, (Phase.RUNNING, Phase.ASSEMBLING)),
        (Phase.RUNNING, "Left"): (_lose, (Phase.RUNNING, Phase.ASSEMBLING)),
        (Phase.RUNNING, "Checkpointed"): (_checkpointed, (Phase.RUNNING, Phase.ASSEMBLING)),
        (Phase.RUNNING, "StopRequested"): (_notify, (Phase.RUNNING,)),
        (Phase.COLLECTING, "Joined"): (_join, (Phase.COLLECTING, Phase.ASSEMBLING)),
        (Phase.COLLECTING, "Left"): (_lose, (Phase.COLLECTING, Phase.ASSEMBLING)),
        (Phase.STOPPING, "Joined"): (_join, (Phase.STOPPING, Phase.ASSEMBLING)),
        (Phase.STOPPING, "Left"): (_lose, (Phase.STOPPING, Phase.ASSEMBLING)),
        (Phase.RECORDING, "Joined"): (_join, (Phase.RECORDING,)),
        (Phase.RECORDING, "Written"): (_recorded, (Phase.RECORDING, Phase.ENDED)),
        **_while_leading("Looked", _overtaken, Phase.ENDED),
        **_while_leading("Broken", _broken, Phase.RECORDING),
        **_while_leading("Unwritten", _unwritten, Phase.ENDED),
        (Phase.CLAIMING, "Unwritten"): (_unwritten, (Phase.ENDED,)),
        (Phase.CLAIMING, "Unread"): (_unwritten, (Phase.ENDED,)),  # later a look that fails changes nothing: only writes must not
    }
