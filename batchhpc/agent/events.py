"""What the main node's state machine hears (events) and says (actions); `rendezvous` is the machine."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from batchhpc.agent.outcome import Outcome, RankExit


class Timer(StrEnum):
    """What a timer is for."""

    JOIN = "join"  # nodes that have not joined are missing
    STOP = "stop"  # ranks that were told to stop are killed
    FAILURE = "failure"  # mpirun has not ended the job by itself after a rank failed
    COLLECT = "collect"  # ranks whose exit code is still unknown will not report it any more
    NOTICE = "notice"  # ranks may be told again of nodes that will be reclaimed
    KILL = "kill"  # mpirun outlived even the kill


@dataclass(frozen=True, slots=True)
class Member:
    """A node that is in."""

    node: int
    address: str
    hostname: str
    ranks: int


# --- events ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Joined:
    """A node proved that it knows the secret."""

    member: Member


@dataclass(frozen=True, slots=True)
class Refused:
    """Somebody who says it is this node does not know the secret."""

    node: int
    why: str


@dataclass(frozen=True, slots=True)
class Left:
    """A node's link broke, or was silent for too long."""

    node: int
    how: str


@dataclass(frozen=True, slots=True)
class RanksReported:
    """How many of a node's ranks have started and ended so far, and the failures since its last report."""

    node: int
    started: int
    ended: int
    failed: tuple[RankExit, ...]


@dataclass(frozen=True, slots=True)
class LauncherExited:
    """mpirun ended on the main node; with no launcher, every node's command did."""

    code: int


@dataclass(frozen=True, slots=True)
class StopRequested:
    """A node was told to stop: by SIGTERM, or by the notice that its Spot instance will be reclaimed.

    Attributes:
        final: whether the job must be over when the time is; a Spot notice leaves that to the reclaim itself.
    """

    node: int
    reason: str
    seconds: float
    final: bool


@dataclass(frozen=True, slots=True)
class TimerFired:
    """The time of a `StartTimer` is over."""

    timer: Timer


Event = Joined | Refused | Left | RanksReported | LauncherExited | StopRequested | TimerFired


# --- actions --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Launch:
    """Start mpirun over these nodes, in this order."""

    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class TurnAway:
    """Tell a node that it may not join (any more), and close its link."""

    node: int
    why: str


@dataclass(frozen=True, slots=True)
class Notify:
    """Hand the stop notice to the ranks of all nodes."""

    reason: str
    seconds: float
    final: bool


@dataclass(frozen=True, slots=True)
class KillRanks:
    """End the ranks of all nodes, and mpirun."""

    why: str


@dataclass(frozen=True, slots=True)
class StartTimer:
    """Give `TimerFired` after that many seconds; a timer that already runs starts anew."""

    timer: Timer
    seconds: float


@dataclass(frozen=True, slots=True)
class Log:
    """Write an event line."""

    event: str
    fields: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class End:
    """Tell all nodes, clean up, and exit."""

    outcome: Outcome


Action = Launch | TurnAway | Notify | KillRanks | StartTimer | Log | End
