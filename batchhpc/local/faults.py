"""Faults to inject into a local job: what can happen to a node in the cloud, at a chosen moment.

    kill:2@10s       the host of node 2 is gone, 10 s after the main node began to run
    reclaim:2@10s    the same, told before if the runner's chaos says so, and replaced as it says (chaos.py)
    notice:1@5s      node 1 gets a Spot interruption notice; its host is gone two minutes of Batch's later (R70)
    late:3@8s        node 3 starts only 8 s after the main node began to run
    never:1          node 1 never starts
    partition:1@5s   nothing reaches node 1 or leaves it any more (isolated nodes only)
    delay:1@50ms     whatever goes to node 1 takes 50 ms longer (isolated nodes only)

The children of an array are jobs of their own: there times count from the moment the node itself began to run, a late node from
the moment it would have started, and attempts are the node's own. A child that never starts starts once all others have ended,
since there are instances for it then.

A fault strikes the first attempt only, so that a retry can succeed; ``/2`` at the end names another attempt.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from batchhpc.errors import InvalidSpec, Problem


class FaultKind(StrEnum):
    """What happens to the node."""

    KILL = "kill"
    RECLAIM = "reclaim"
    NOTICE = "notice"
    LATE = "late"
    NEVER = "never"
    PARTITION = "partition"
    DELAY = "delay"

    @property
    def needs_isolation(self) -> bool:
        """Whether the node must have a network of its own."""
        return self in (FaultKind.PARTITION, FaultKind.DELAY)


_GRAMMAR = re.compile(
    r"(?P<kind>[a-z]+):(?P<node>\d{1,9})(?:@(?P<time>\d{1,9}(?:\.\d{1,9})?)(?P<unit>ms|s|m))?(?:/(?P<attempt>\d{1,9}))?", re.ASCII
)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0}
_HINT = (
    "write kill:NODE@TIME, reclaim:NODE@TIME, notice:NODE@TIME, late:NODE@TIME, never:NODE, partition:NODE@TIME "
    "or delay:NODE@TIME, as in kill:2@10s"
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    Attributes:
        kind: what happens.
        node: index of the node.
        seconds: when, counted from the moment the main node, or the child of an array, is RUNNING; of a delay, how long it is.
        attempt: in which attempt, from 1.
    """

    kind: FaultKind
    node: int
    seconds: float = 0.0
    attempt: int = 1

    @classmethod
    def parse(cls, text: str) -> Fault:
        """A fault as it is written on a command line; see the top of this module.

        Raises:
            InvalidSpec: it is not written so.
        """
        match = _GRAMMAR.fullmatch(text.strip())
        if not match or match["kind"] not in set(FaultKind):
            raise InvalidSpec([Problem("", "is not a fault", _HINT)], f"fault {text!r}")
        kind = FaultKind(match["kind"])
        if (match["time"] is None) is not (kind is FaultKind.NEVER):
            what = "takes no time" if kind is FaultKind.NEVER else "has no time"
            raise InvalidSpec([Problem("", what, _HINT)], f"fault {text!r}")
        if match["attempt"] is not None and int(match["attempt"]) < 1:
            raise InvalidSpec(
                [Problem("", "names attempt 0, but attempts count from 1", f"{kind}:{match['node']}.../1")], f"fault {text!r}"
            )
        seconds = float(match["time"]) * _SECONDS[match["unit"]] if match["time"] else 0.0
        return cls(kind, int(match["node"]), seconds, int(match["attempt"] or 1))

    def __str__(self) -> str:
        time = "" if self.kind is FaultKind.NEVER else f"@{self.seconds:g}s"
        return f"{self.kind}:{self.node}{time}" + (f"/{self.attempt}" if self.attempt != 1 else "")


def fault_problems(faults: Sequence[Fault], *, nodes: int, main: int | None, attempts: int, isolated: bool) -> list[Problem]:
    """What keeps these faults from striking a job of that many nodes and attempts; without ``main`` no node waits for another."""
    found = []
    for fault in faults:
        path = f"fault {fault}"
        if not 0 <= fault.node < nodes:
            found.append(Problem(path, f"names node {fault.node}, but the job has nodes 0 to {nodes - 1}", "name one of its nodes"))
        if not 1 <= fault.attempt <= attempts:
            found.append(
                Problem(
                    path,
                    f"names attempt {fault.attempt}, but the job has {attempts} at most",
                    "name an earlier one, or raise attempts",
                )
            )
        if fault.seconds < 0:
            found.append(Problem(path, "lies before the start of the main node", "a time of 0 s or more"))
        if fault.kind in (FaultKind.LATE, FaultKind.NEVER) and fault.node == main:
            found.append(
                Problem(path, f"concerns the main node, {main}, which everything else waits for", "name a child node", "R36")
            )
        if fault.kind.needs_isolation and not isolated:
            found.append(Problem(path, "needs nodes with a network of their own", "run with --isolate (LocalRunner(isolate=True))"))
    return found
