"""A gang's record: one small JSON document through which its nodes find their leader, and learn how the gang ended.

It is written by compare-and-swap (`record_store`), so of two leaders one wins. Its generation only grows, and a record that
says how the gang ended never changes any more:

    assembling <-> running -> finished | failed         and from assembling to failed, if nodes never come
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum

from batchhpc.agent import contract
from batchhpc.agent.outcome import Outcome


class GangState(StrEnum):
    """How a gang stands."""

    ASSEMBLING = "assembling"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Record:
    """What stands in the record.

    Attributes:
        generation: how often the gang has been put together, from 1.
        leader_attempt: which attempt of child 0 leads.
        address: the leader's IPv4 address.
        nodes: of a running gang, those it runs on.
        code: of one that has ended, the exit code of all its nodes.
        why: of one that has ended, why.
    """

    generation: int
    state: GangState
    leader_attempt: int
    address: str
    nodes: tuple[int, ...] = ()
    code: int | None = None
    why: str = ""

    @property
    def outcome(self) -> Outcome | None:
        """How the gang ended; None if it has not."""
        if self.code is None:
            return None
        # A program of its own may end with the one code that AWS Batch retries; a gang that is over must not be.
        code = contract.EXIT_GAVE_UP if self.code == contract.EXIT_INFRASTRUCTURE else self.code
        return Outcome(code, self.why)

    def to_json(self, mark: str) -> str:
        """The document; ``mark`` lets whoever wrote it know its own writing again, if the answer was lost."""
        return json.dumps({**asdict(self), "mark": mark})

    @classmethod
    def from_json(cls, text: str) -> tuple[Record, str]:
        """The record, and its writer's mark.

        Raises:
            ValueError: it is no record of this version.
        """
        try:
            data = json.loads(text)
            mark = str(data.pop("mark"))
            record = cls(**{**data, "state": GangState(data["state"]), "nodes": tuple(data["nodes"])})
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"is not the record of a gang: {text[:200]!r}") from error
        return record, mark
