"""How a job ended: decided from every rank's own exit code, never from mpirun's alone.

Open MPI 5 exits 0 after losing a node, MPICH exits 255 for a rank that was killed, and mpirun kills the ranks that had
nothing to do with the failure: so the first rank that ended *by itself* with a failure speaks for the job.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from batchhpc.agent import contract

KILLED = (128 + 9, 128 + 15)  # SIGKILL and SIGTERM: what mpirun does to the other ranks
_UNINFORMATIVE = (0, 255, *KILLED)  # mpirun's codes that say no more than "something failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The job's exit code, and why."""

    code: int
    why: str


@dataclass(frozen=True, slots=True)
class RankExit:
    """A rank that ended with a code other than 0; 128 + n if by signal n."""

    node: int
    rank: int
    code: int


class Tally:
    """What is known of the ranks: how many there should be, have started and have ended; failures as they came.

    Args:
        expected: ranks of each node.
    """

    def __init__(self, expected: Mapping[int, int]) -> None:
        self.total = sum(expected.values())
        self.started = 0
        self.ended = 0
        self.failed: list[RankExit] = []
        self._expected = dict(expected)
        self._of_node = dict.fromkeys(expected, (0, 0))
        self._seen: set[RankExit] = set()

    def report(self, node: int, started: int, ended: int, failed: Iterable[RankExit]) -> list[RankExit]:
        """Takes a node's newest counts, which only grow, and its failures; gives the failures that were not known."""
        if node not in self._of_node:
            return []
        old_started, old_ended = self._of_node[node]
        new = max(started, old_started), max(ended, old_ended)
        self._of_node[node] = new
        self.started += new[0] - old_started
        self.ended += new[1] - old_ended
        news = [exit_ for exit_ in failed if exit_ not in self._seen]
        self._seen.update(news)
        self.failed += news
        return news

    @property
    def all_started(self) -> bool:
        """Whether every rank's program has started."""
        return self.started >= self.total

    @property
    def all_ended(self) -> bool:
        """Whether every rank's exit code is known."""
        return self.ended >= self.total

    @property
    def mute(self) -> list[int]:
        """Nodes with ranks whose exit code is not known."""
        return [node for node, (_, ended) in self._of_node.items() if ended < self._expected[node]]


def judge(tally: Tally, launcher_code: int | None) -> Outcome:
    """The outcome of a job whose nodes were all there until the end.

    Args:
        tally: what the ranks reported.
        launcher_code: mpirun's exit code; None if it had to be killed.
    """
    own = next((exit_ for exit_ in tally.failed if exit_.code not in KILLED), None)
    if own:
        return _rank_failed(own)
    bare = any(exit_.code - 128 == launcher_code for exit_ in tally.failed)  # MPICH ends with the bare signal: 9, 15
    if tally.failed and (bare or launcher_code in (None, *_UNINFORMATIVE)):
        return _rank_failed(tally.failed[0])
    if launcher_code and not tally.started:
        return Outcome(contract.EXIT_MISCONFIGURED, f"mpirun ended with {launcher_code} before any rank had started")
    if launcher_code:
        return Outcome(launcher_code, f"mpirun ended with {launcher_code}, as after MPI_Abort")
    if tally.mute:
        why = f"ranks on {some('node', tally.mute)} never said how they ended, though mpirun ended with 0"
        return Outcome(contract.EXIT_INFRASTRUCTURE, why)
    return Outcome(0, f"all {tally.total} ranks ended with 0" if tally.total > 1 else "the rank ended with 0")


def some(noun: str, numbers: list[int]) -> str:
    """``node 3``, ``nodes 1, 2, 5``, or the first ten of many."""
    shown = ", ".join(map(str, numbers[:10])) + (f" and {len(numbers) - 10} more" if len(numbers) > 10 else "")
    return f"{noun}{'s' if len(numbers) > 1 else ''} {shown}"


def _rank_failed(exit_: RankExit) -> Outcome:
    signal = f" (signal {exit_.code - 128})" if exit_.code > 128 else ""
    return Outcome(exit_.code, f"rank {exit_.rank} on node {exit_.node} ended with {exit_.code}{signal}")
