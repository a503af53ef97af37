"""A child of a gang as a state machine, without sockets, clock or processes: it finds its leader, again and again.

    SEEKING     the record is read, now and then, until it names a leader that can be reached, or the deadline passes
    JOINING     that leader is being asked to let this node in
    FOLLOWING   this node does what the leader says: runs ranks, ends them, ends itself
    CLEARING    the leader is lost, and the ranks of its generation are being ended; then SEEKING
    ENDED       nothing more happens

A node never asks to be let in while it still has ranks. The end of the job is heard from the leader, or read in the record.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import ClassVar

from batchhpc.agent import contract
from batchhpc.agent.events import (
    Action,
    Connect,
    Connected,
    Disconnected,
    End,
    EndTold,
    Event,
    KillRanks,
    KillTold,
    Log,
    Look,
    Looked,
    RanksGone,
    StartTimer,
    TellRanksGone,
    Timer,
    TimerFired,
    Unread,
)  # fmt: skip
from batchhpc.agent.outcome import Outcome
from batchhpc.agent.rendezvous import kind_of

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0  # seconds between two looks at the record; in the end 500 of 1,000 children look in a second


class Stage(StrEnum):
    """Where a child stands."""

    SEEKING = "seeking"
    JOINING = "joining"
    FOLLOWING = "following"
    CLEARING = "clearing"
    ENDED = "ended"


class Follower:
    """The state machine of a child.

    Args:
        node: this node.
        join_timeout: seconds in which a leader must be found at first.
        reform_timeout: seconds in which the next one must be found after one was lost.
    """

    def __init__(self, node: int, join_timeout: float, reform_timeout: float) -> None:
        self.stage = Stage.SEEKING
        self.generation = 0  # that the ranks of this node belong to; 0 before the first
        self.search = 1  # timers belong to one search for a leader, as they belong to one generation elsewhere
        self._kills = 0  # that were ordered and are not done
        self._node = node
        self._deadline = join_timeout
        self._reform_timeout = reform_timeout
        self._pause = FIRST_PAUSE
        self._seen = (0, "")  # generation and address in the record, when it was last tried
        self._last = "nobody has written the gang's record"

    def start(self) -> list[Action]:
        """What to do before the first event."""
        return [StartTimer(Timer.JOIN, self._deadline), Look()]

    def receive(self, event: Event) -> list[Action]:
        """Takes one event; gives what to do now."""
        if isinstance(event, TimerFired) and event.generation != self.search:
            return []
        if isinstance(event, RanksGone):
            self._kills -= 1
            if self._kills:  # the next one would end what is started meanwhile
                return []
        transition = self.TRANSITIONS.get((self.stage, kind_of(event)))
        return transition[0](self, event) if transition else []

    def _look_again(self, _: TimerFired) -> list[Action]:
        return [Look()]

    def _found(self, event: Looked) -> list[Action]:
        record = event.record
        if record and record.outcome:
            return self._end(record.outcome)
        if record is None or record.generation < self.generation:
            return self._wait()
        self.stage = Stage.JOINING
        self._last = f"the leader at {record.address}, generation {record.generation}, did not answer"
        seen, self._seen = self._seen, (record.generation, record.address)
        found = Log("leader_found", {"generation": record.generation, "address": record.address})
        return [*([] if seen == self._seen else [found]), Connect(record.address)]

    def _not_let_in(self, event: Disconnected) -> list[Action]:
        self.stage = Stage.SEEKING
        self._last = f"{self._last} ({event.how})" if event.how not in self._last else self._last
        return self._wait()

    def _wait(self) -> list[Action]:
        pause, self._pause = self._pause, min(2 * self._pause, LONGEST_PAUSE)
        return [StartTimer(Timer.LOOK, pause)]

    def _follow(self, event: Connected) -> list[Action]:
        self.stage = Stage.FOLLOWING
        self.generation = event.generation
        self.search += 1  # the deadline was met
        self._pause = FIRST_PAUSE
        return [Log("joined", {"generation": event.generation})]

    def _kill(self, event: KillTold) -> list[Action]:
        if event.generation <= self.generation:  # this node came with no ranks: it must not end those that it is given now
            return []
        self.generation = event.generation
        return self._end_ranks(event.why)

    def _end_ranks(self, why: str) -> list[Action]:
        self._kills += 1
        return [KillRanks(why)]

    def _gone(self, _: RanksGone) -> list[Action]:
        return [TellRanksGone(self.generation)]

    def _lose_leader(self, event: Disconnected) -> list[Action]:
        self.stage = Stage.CLEARING
        self._deadline = self._reform_timeout
        self._last = f"the leader was lost ({event.how})"
        return [Log("leader_lost", {"how": event.how}), *self._end_ranks(f"lost the leader ({event.how})")]

    def _seek_again(self, _: RanksGone) -> list[Action]:
        self.stage = Stage.SEEKING
        return self.start()

    def _end_told(self, event: EndTold) -> list[Action]:
        return self._end(event.outcome)

    def _give_up(self, _: TimerFired) -> list[Action]:
        why = f"node {self._node} found no leader within {self._deadline:g} s: {self._last}"
        return self._end(Outcome(contract.EXIT_GAVE_UP, why))

    def _unread(self, event: Unread) -> list[Action]:
        self._last = f"the gang's record could not be read: {event.why}"
        return self._wait()

    def _end(self, outcome: Outcome) -> list[Action]:
        self.stage = Stage.ENDED
        return [End(outcome)]

    TRANSITIONS: ClassVar[dict[tuple[Stage, str], tuple[Callable[..., list[Action]], tuple[Stage, ...]]]] = {
        (Stage.SEEKING, "Looked"): (_found, (Stage.SEEKING, Stage.JOINING, Stage.ENDED)),
        (Stage.SEEKING, "Unread"): (_unread, (Stage.SEEKING,)),
        (Stage.SEEKING, "TimerFired:look"): (_look_again, (Stage.SEEKING,)),
        (Stage.SEEKING, "TimerFired:join"): (_give_up, (Stage.ENDED,)),
        (Stage.JOINING, "Connected"): (_follow, (Stage.FOLLOWING,)),
        (Stage.JOINING, "Disconnected"): (_not_let_in, (Stage.SEEKING,)),
        (Stage.JOINING, "EndTold"): (_end_told, (Stage.ENDED,)),
        (Stage.JOINING, "TimerFired:join"): (_give_up, (Stage.ENDED,)),
        (Stage.FOLLOWING, "KillTold"): (_kill, (Stage.FOLLOWING,)),
        (Stage.FOLLOWING, "RanksGone"): (_gone, (Stage.FOLLOWING,)),
        (Stage.FOLLOWING, "EndTold"): (_end_told, (Stage.ENDED,)),
        (Stage.FOLLOWING, "Disconnected"): (_lose_leader, (Stage.CLEARING,)),
        (Stage.CLEARING, "RanksGone"): (_seek_again, (Stage.SEEKING,)),
    }
