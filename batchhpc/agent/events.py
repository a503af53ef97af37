"""What the state machines hear (events) and say (actions); they are in `rendezvous`, `gang` and `follower`."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from batchhpc.agent.outcome import Outcome, RankExit
from batchhpc.agent.record import Record


class Timer(StrEnum):
    """What a timer is for."""

    JOIN = "join"  # nodes that have not joined are missing
    STOP = "stop"  # ranks that were told to stop are killed
    FAILURE = "failure"  # mpirun has not ended the job by itself after a rank failed
    COLLECT = "collect"  # ranks whose exit code is still unknown will not report it any more
    NOTICE = "notice"  # ranks may be told again of nodes that will be reclaimed
    KILL = "kill"  # mpirun outlived even the kill
    ENOUGH = "enough"  # a gang waits for all its nodes no longer, but for the fewest it may run on
    LOOK = "look"  # a child of a gang reads the record again


@dataclass(frozen=True, slots=True)
class Member:
    """A node that is in; ``attempt`` tells the children of a gang apart from those that AWS Batch replaced by them."""

    node: int
    address: str
    hostname: str
    ranks: int
    attempt: int = 1


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
    generation: int = 1


@dataclass(frozen=True, slots=True)
class LauncherExited:
    """mpirun ended on the main node; with no launcher, every node's command did."""

    code: int
    generation: int = 1


@dataclass(frozen=True, slots=True)
class StopRequested:
    """A node was told to stop: by SIGTERM, or by the notice that its Spot instance will be reclaimed.

    Attributes:
        final: whether the job must be over when the time is; a Spot notice leaves that to the reclaim itself.
        leaving: whether the node will end when the time is over, in a gang, which goes on without it.
    """

    node: int
    reason: str
    seconds: float
    final: bool
    leaving: bool = False


@dataclass(frozen=True, slots=True)
class TimerFired:
    """The time of a `StartTimer` is over."""

    timer: Timer
    generation: int = 1


# Of gangs only.


@dataclass(frozen=True, slots=True)
class Broken:
    """The gang cannot run, now or later: this image lacks an mpirun, or nodes cannot reach each other (R62)."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class RanksGone:
    """Nothing of an older generation runs on that node any more."""

    node: int
    generation: int


@dataclass(frozen=True, slots=True)
class Checkpointed:
    """The ranks have saved a whole checkpoint."""

    step: int
    generation: int


@dataclass(frozen=True, slots=True)
class Looked:
    """What the gang's record says; None if nobody has written it yet."""

    record: Record | None


@dataclass(frozen=True, slots=True)
class Written:
    """The record says what a `Write` asked for; if somebody else was faster, `Looked` comes instead."""

    record: Record


@dataclass(frozen=True, slots=True)
class Unwritten:
    """The record could not be written for too long."""

    why: str


@dataclass(frozen=True, slots=True)
class Unread:
    """The record could not be read for too long."""

    why: str


@dataclass(frozen=True, slots=True)
class Connected:
    """A child of a gang is in: its leader took it, in that generation."""

    generation: int


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The link to the leader broke, or was never made."""

    how: str


@dataclass(frozen=True, slots=True)
class KillTold:
    """The leader wants the ranks ended, to start them again in that generation."""

    why: str
    generation: int


@dataclass(frozen=True, slots=True)
class EndTold:
    """The leader says how the job ended."""

    outcome: Outcome


Event = (
    Joined | Refused | Left | RanksReported | LauncherExited | StopRequested | TimerFired
    | Broken | RanksGone | Checkpointed | Looked | Written | Unwritten | Unread | Connected | Disconnected | KillTold | EndTold
)  # fmt: skip


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
    """Clean up, and exit; tell all nodes first, unless ``quiet``: they go on without this one."""

    outcome: Outcome
    quiet: bool = False


# Of gangs only.


@dataclass(frozen=True, slots=True)
class Look:
    """Read the record, and give `Looked`."""


@dataclass(frozen=True, slots=True)
class Write:
    """Write the record unless it has changed since it was last read or written; give `Written`, or `Looked`."""

    record: Record


@dataclass(frozen=True, slots=True)
class Connect:
    """Join the leader at that address; give `Connected`, `EndTold` or `Disconnected`."""

    address: str


@dataclass(frozen=True, slots=True)
class TellRanksGone:
    """Tell the leader that no rank of an older generation is left here."""

    generation: int


Action = Launch | TurnAway | Notify | KillRanks | StartTimer | Log | End | Look | Write | Connect | TellRanksGone
