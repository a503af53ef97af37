"""What became of a gang's time: its nodes, generations and checkpoints, what was lost and what waiting cost.

Everything comes from the event lines of the agents, so a report of a local run and one of a job on AWS are the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from batchhpc.agent.contract import event_time, parse_event_line
from batchhpc.jobs import LogLine


@dataclass(slots=True)
class Checkpoint:
    """One checkpoint that was completed; ``at`` in Unix seconds."""

    at: float
    step: int
    bytes: int
    seconds: float


@dataclass(slots=True)
class Generation:
    """The ranks, from one start to their end. Times are Unix seconds.

    Attributes:
        running: when every rank's program ran; None if it never came to that.
        why: why it ended.
        whole: whether the job was done with it, so that nothing of it was lost.
    """

    number: int
    nodes: tuple[int, ...]
    launched: float
    running: float | None = None
    ended: float | None = None
    why: str = ""
    whole: bool = False
    checkpoints: list[Checkpoint] = field(default_factory=list)

    def take(self, event: Mapping[str, str], at: float) -> None:
        """Takes an event of the time in which these ranks were the newest."""
        match event["event"]:
            case "ranks_running" if self.ended is None:
                self.running = at
            case "checkpoint" if self.ended is None:
                self.checkpoints.append(Checkpoint(at, int(event["step"]), int(event["bytes"]), float(event["seconds"])))
            case "leader_lost" if self.ended is None:
                self.ended, self.why = at, f"lost the leader, node 0 ({event['how']})"
            case "reforming" if not self.whole:  # the leader was not lost, but a link: it says itself what was
                self.ended, self.why = self.ended or at, event["reason"]
            case "recorded" if self.ended is None:
                self.ended, self.why, self.whole = at, event["state"], event["state"] == "finished"

    @property
    def kept(self) -> float | None:
        """Until when its work counts: its last checkpoint, or its end if the job was done; None if nothing of it does."""
        if self.whole:
            return self.ended
        return self.checkpoints[-1].at if self.checkpoints else None


@dataclass(slots=True)
class Stay:
    """One attempt of a node, from its agent's start to its end or loss, in Unix seconds."""

    node: int
    attempt: int
    began: float
    ended: float | None = None
    missed: float | None = None  # when others lost it; it may have lived on, if only a link broke


@dataclass(frozen=True, slots=True)
class Spent:
    """Node-seconds, told apart."""

    useful: float
    lost: float
    idle: float

    @property
    def total(self) -> float:
        """All of them."""
        return self.useful + self.lost + self.idle


@dataclass(slots=True)
class RunReport:
    """The report of one gang; `of` makes it."""

    generations: list[Generation] = field(default_factory=list)
    stays: list[Stay] = field(default_factory=list)
    last: float = 0.0

    @classmethod
    def of(cls, lines: Iterable[LogLine]) -> RunReport | None:
        """Reads the lines of all nodes; None if the job is no gang, or never came to a launch."""
        report = cls()
        for line in lines:
            event = parse_event_line(line.text)
            if event is not None:
                report._take(event, event_time(line.text), line)
        if not report.generations:
            return None
        for generation in report.generations:
            generation.ended = generation.ended or report.last
        for stay in report.stays:
            stay.ended = stay.ended or stay.missed or report.last
        return report

    @property
    def began(self) -> float:
        """When the first agent started, in Unix seconds."""
        return min(stay.began for stay in self.stays)

    @property
    def checkpoints(self) -> list[Checkpoint]:
        """Those of all generations."""
        return [each for generation in self.generations for each in generation.checkpoints]

    @property
    def checkpoint_seconds(self) -> float | None:
        """How long a checkpoint takes, in the median; None if there was none."""
        return median(each.seconds for each in self.checkpoints) if self.checkpoints else None

    def spent(self) -> Spent:
        """What became of the nodes' time: computing that counted, computing that was done again, waiting."""
        useful = lost = present = 0.0
        for stay in self.stays:
            assert stay.ended is not None
            present += stay.ended - stay.began
            for generation in self.generations:
                if stay.node in generation.nodes:
                    kept, all_of_it = self._computed(stay, generation)
                    useful += kept
                    lost += all_of_it - kept
        return Spent(useful, lost, max(0.0, present - useful - lost))

    @property
    def lost_nodes(self) -> int:
        """How many attempts of nodes were replaced."""
        return len(self.stays) - len({stay.node for stay in self.stays})

    def kind_at(self, stay: Stay, at: float) -> str:
        """What a node did at a moment: ``useful``, ``lost``, ``idle``, or nothing if it was not there."""
        assert stay.ended is not None
        if not stay.began <= at < stay.ended:
            return ""
        for generation in self.generations:
            if stay.node in generation.nodes and generation.running and generation.running <= at < (generation.ended or at):
                return "useful" if generation.kept is not None and at < generation.kept else "lost"
        return "idle"

    def to_data(self) -> dict[str, Any]:
        """As JSON types; times are seconds since `began`."""
        spent, start = self.spent(), self.began
        return {
            "seconds": self.last - start,
            "nodes_lost": self.lost_nodes,
            "node_seconds": {"useful": spent.useful, "lost": spent.lost, "idle": spent.idle},
            "generations": [
                {
                    "generation": each.number,
                    "nodes": each.nodes,
                    "launched": each.launched - start,
                    "running": each.running and each.running - start,
                    "ended": each.ended and each.ended - start,
                    "why": each.why,
                    "checkpoints": [
                        {"at": one.at - start, "step": one.step, "bytes": one.bytes, "seconds": one.seconds}
                        for one in each.checkpoints
                    ],
                }
                for each in self.generations
            ],
            "nodes": [
                {
                    "node": each.node,
                    "attempt": each.attempt,
                    "began": each.began - start,
                    "ended": each.ended and each.ended - start,
                }
                for each in self.stays
            ],
            "checkpoint_seconds": self.checkpoint_seconds,
        }

    # --- reading events

    def _take(self, event: Mapping[str, str], at: float, line: LogLine) -> None:
        self.last = max(self.last, at)
        for stay in self._there(line.node, line.attempt):
            stay.missed = None  # it still speaks
        match event["event"]:
            case "agent_started":
                for stay in self._there(line.node):
                    stay.ended = stay.missed or at
                self.stays.append(Stay(line.node, line.attempt, at))
            case "launching" if "generation" in event:
                nodes = tuple(int(text) for text in event["nodes"].split(","))
                self.generations.append(Generation(int(event["generation"]), nodes, at))
            case "leader_lost" | "node_lost":
                for stay in self._there(int(event.get("lost", 0))):
                    stay.missed = stay.missed or at
            case "finished":
                for stay in self._there(line.node, line.attempt):
                    stay.ended = at
        if self.generations:
            self.generations[-1].take(event, at)

    def _there(self, node: int, attempt: int | None = None) -> list[Stay]:
        """Attempts of a node that are not known to have ended."""
        return [stay for stay in self.stays if stay.node == node and stay.ended is None and attempt in (None, stay.attempt)]

    @staticmethod
    def _computed(stay: Stay, generation: Generation) -> tuple[float, float]:
        """Seconds that a node computed in a generation: those that count, and all."""
        if generation.running is None or generation.ended is None or stay.ended is None:
            return 0.0, 0.0
        begin, end = max(stay.began, generation.running), min(stay.ended, generation.ended)
        kept = min(end, generation.kept) if generation.kept is not None else begin
        return max(0.0, kept - begin), max(0.0, end - begin)
