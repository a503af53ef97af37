"""Jobs of the small AWS Batch: their states, attempts, nodes and children (R36 to R44, R60)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.unit.aws.fake_batch import FakeBatch

STATES = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED", "FAILED")
NOT_STARTED = frozenset(STATES[:3])
ENDED = frozenset(STATES[5:])


class Refusal(Exception):
    """AWS says no; ClientException covers most of it."""

    def __init__(self, message: str, code: str = "ClientException", status: int = 400) -> None:
        super().__init__(message)
        self.message, self.code, self.status = message, code, status


@dataclass
class FakeJob:
    """A container job, a multi-node or array parent, a node or a child."""

    batch: FakeBatch
    id: str
    name: str
    queue: str
    definition: dict[str, Any]
    request: dict[str, Any]
    created: float
    depends_on: list[str] = field(default_factory=list)
    index: int | None = None
    parent: FakeJob | None = None
    nodes: list[FakeJob] = field(default_factory=list)
    children: list[FakeJob] = field(default_factory=list)
    own_status: str = "SUBMITTED"
    reason: str = ""
    started: float | None = None
    stopped: float | None = None
    attempts: list[dict[str, Any]] = field(default_factory=list)
    stream: str = ""
    exit_code: int | None = None
    cancelled: bool = False
    terminated: bool = False

    @classmethod
    def submitted(
        cls, batch: FakeBatch, job_id: str, request: Any, *, definition: Any, queue: str, depends_on: list[str]
    ) -> FakeJob:
        """A job just submitted, with its nodes and children."""
        common = (request["jobName"], queue, definition, request, batch.clock())
        job = cls(batch, job_id, *common, depends_on)
        properties = definition.get("nodeProperties")
        if properties:
            count = request.get("nodeOverrides", {}).get("numNodes", properties["numNodes"])
            job.nodes = [cls(batch, f"{job_id}#{i}", *common, index=i, parent=job) for i in range(count)]
        size = request.get("arrayProperties", {}).get("size", 0)
        job.children = [cls(batch, f"{job_id}:{i}", *common, depends_on, index=i, parent=job) for i in range(size)]
        return job

    @property
    def arn(self) -> str:
        return f"arn:aws:batch:eu-west-1:123456789012:job/{self.id}"

    @property
    def all_parts(self) -> list[FakeJob]:
        """The job itself, then its nodes and children."""
        return [self, *self.nodes, *self.children]

    @property
    def leaves(self) -> list[FakeJob]:
        """What CancelJob and TerminateJob act upon: the children of an array, else the job."""
        return self.children or [self]

    @property
    def queued(self) -> bool:
        """Whether it takes a place in the queue of its own; nodes do not."""
        return not self.children and not (self.parent and self.parent.nodes)

    @property
    def main(self) -> FakeJob:
        """Whose attempts, times and reasons the job shows (R42)."""
        return self.nodes[self.definition["nodeProperties"]["mainNode"]] if self.nodes else self

    @property
    def status(self) -> str:
        """Of an array's parent what follows from its children (R60)."""
        if not self.children:
            return self.own_status
        states = {each.own_status for each in self.children}
        if states <= ENDED:
            return "FAILED" if "FAILED" in states else "SUCCEEDED"
        return "SUBMITTED" if states == {"SUBMITTED"} else "PENDING"

    # --- What a test lets happen ---------------------------------------------------------------------------------------

    def move(self, status: str, reason: str = "") -> None:
        """Sets state and reason of the job; of an array, of all its children."""
        for each in self.leaves:
            each.own_status, each.reason = status, reason
            for node in each.nodes:
                node.own_status = status

    def run(self, *, children: bool = True) -> None:
        """RUNNING, main node first (R36); ``children``: other nodes, too."""
        for each in self.leaves:
            each._begin()
            each.main._begin()
            for node in each.nodes:
                if children:
                    node._begin()

    def _begin(self) -> None:
        if self.own_status == "RUNNING":
            return
        self.own_status, self.started, self.stopped = "RUNNING", self.batch.clock(), None
        if not self.nodes:
            number = len(self.attempts) + 1
            unique = re.sub(r"\W", "", self.id)
            self.stream = f"{self.definition['jobDefinitionName'][:200]}/default/{unique}{number}"

    def finish(
        self, exit_code: int | None = 0, reason: str = "", status_reason: str = "Essential container in task exited"
    ) -> None:
        """The main node's container ends: the job does, or is tried again (R37-R39)."""
        for each in self.leaves:
            each._finish(exit_code, reason, status_reason)

    def _finish(self, exit_code: int | None, reason: str, status_reason: str) -> None:
        again = exit_code != 0 and self._retried(exit_code, reason, status_reason)
        for part in self.nodes or [self]:
            if part.own_status == "RUNNING":
                code = exit_code if part is self.main else (part.exit_code if part.exit_code is not None else 143)
                part._attempt_ended(code, reason if part is self.main else "", status_reason)
        state = "RUNNABLE" if again else "SUCCEEDED" if exit_code == 0 else "FAILED"
        for part in {id(each): each for each in (self, *self.nodes)}.values():
            own = part.attempts[-1]["container"].get("exitCode") if part.attempts and part is not self else exit_code
            part.own_status = state if again or part is self else ("SUCCEEDED" if own == 0 else "FAILED")
            part.reason, part.stopped = status_reason, None if again else self.batch.clock()

    def _attempt_ended(self, exit_code: int | None, reason: str, status_reason: str) -> None:
        container: dict[str, Any] = {"logStreamName": self.stream, "networkInterfaces": []} | ({"reason": reason} if reason else {})
        if exit_code is not None:
            container["exitCode"] = exit_code
        self.exit_code = exit_code
        self.attempts.append(
            {
                "container": container,
                "startedAt": _ms(self.started),
                "stoppedAt": _ms(self.batch.clock()),
                "statusReason": status_reason,
                "taskProperties": [],
            }
        )

    def _retried(self, exit_code: int | None, reason: str, status_reason: str) -> bool:
        strategy = self.request.get("retryStrategy") or self.definition.get("retryStrategy") or {}
        if self.cancelled or self.terminated or len(self.main.attempts) + 1 >= strategy.get("attempts", 1):
            return False
        said = {"onExitCode": "" if exit_code is None else str(exit_code), "onReason": reason, "onStatusReason": status_reason}
        for entry in strategy.get("evaluateOnExit", []):
            conditions = {name: pattern for name, pattern in entry.items() if name != "action"}
            if all(_glob(pattern, said[name]) for name, pattern in conditions.items()):
                return bool(entry["action"].upper() == "RETRY")
        return True  # no match means RETRY (R39)

    def cancel(self, reason: str) -> None:
        """CancelJob: a job that waits for others ends only when they have."""
        self.cancelled = True
        self.reason = reason
        if not any(self.batch.parts[each].status not in ENDED for each in self.depends_on):
            self.own_status, self.stopped = "FAILED", self.batch.clock()
            for node in self.nodes:
                node.own_status = "FAILED"

    def terminate(self, reason: str) -> None:
        """TerminateJob of a job that has started."""
        self.terminated = True
        self._finish(143, "", reason)

    def step(self) -> None:
        """On by one state."""
        for each in self.leaves:
            waits = [other for job_id in each.depends_on if (other := self.batch.parts[job_id]).status not in ENDED]
            if each.own_status in ENDED:
                continue
            if waits:
                each.own_status = "PENDING"
            elif each.own_status == "RUNNING":
                each.finish(0)
            elif each.own_status == "STARTING":
                each.run()
            else:
                each.move("STARTING" if each.own_status == "RUNNABLE" else "RUNNABLE")

    # --- How AWS shows it ----------------------------------------------------------------------------------------------

    @property
    def detail(self) -> dict[str, Any]:
        """As in a DescribeJobs answer."""
        main = self.main
        shown: dict[str, Any] = {
            "jobArn": self.arn,
            "jobName": self.name,
            "jobId": self.id,
            "jobQueue": self.queue,
            "status": self.status,
            "attempts": list(main.attempts),
            "createdAt": _ms(self.created),
            "startedAt": _ms(main.started) or 0,  # botocore calls it required
            "dependsOn": [{"jobId": each} for each in self.depends_on],
            "jobDefinition": self.definition["jobDefinitionArn"],
            "tags": dict(self.request.get("tags", {})),
            "platformCapabilities": ["EC2"],
        }
        if self.reason:
            shown["statusReason"] = self.reason
        if self.stopped or main.stopped:
            shown["stoppedAt"] = _ms(self.stopped or main.stopped)
        if self.nodes:
            shown["nodeProperties"] = {**self.definition["nodeProperties"], "numNodes": len(self.nodes)}
        else:
            shown["container"] = self._container()
        if self.parent and self.parent.nodes:
            shown["nodeDetails"] = {"nodeIndex": self.index, "isMainNode": self is self.parent.main}
        elif self.index is not None:
            shown["arrayProperties"] = {"index": self.index}
        if self.children:
            counts = {state: sum(each.own_status == state for each in self.children) for state in STATES}
            shown["arrayProperties"] = {"size": len(self.children), "statusSummary": counts}
        for name in ("cancelled", "terminated"):
            if getattr(self, name):
                shown[f"is{name.capitalize()}"] = True
        return shown

    def _container(self) -> dict[str, Any]:
        defined = (
            self.definition.get("containerProperties") or self.definition["nodeProperties"]["nodeRangeProperties"][0]["container"]
        )
        shown = {name: value for name, value in defined.items() if name != "instanceType"}
        if self.stream:
            shown["logStreamName"] = self.stream
        if self.attempts and "exitCode" in self.attempts[-1]["container"] and self.own_status in ENDED:
            shown["exitCode"] = self.attempts[-1]["container"]["exitCode"]
        return shown

    @property
    def summary(self) -> dict[str, Any]:
        """As in a ListJobs answer."""
        main = self.main
        shown: dict[str, Any] = {
            "jobArn": self.arn,
            "jobId": self.id,
            "jobName": self.name,
            "createdAt": _ms(self.created),
            "status": self.status,
            "jobDefinition": self.definition["jobDefinitionArn"],
        }
        times = {"startedAt": main.started, "stoppedAt": self.stopped or main.stopped}
        shown |= {name: _ms(value) for name, value in times.items() if value}
        if self.reason:
            shown["statusReason"] = self.reason
        if self.nodes:
            shown["nodeProperties"] = {"numNodes": len(self.nodes)}
        elif self.children:
            shown["arrayProperties"] = {"size": len(self.children)}
        elif self.exit_code is not None and self.status in ENDED:
            shown["container"] = {"exitCode": self.exit_code}
        return shown


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)


def _glob(pattern: str, text: str) -> bool:
    return text.startswith(pattern[:-1]) if pattern.endswith("*") else text == pattern
