"""Reclaims as Spot has them: at random moments, and what comes with each."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite

from batchhpc.errors import InvalidSpec, Problem
from batchhpc.local.faults import Fault, FaultKind

_RATE = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)/(s|m|h)", re.ASCII)
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True, slots=True)
class Chaos:
    """How nodes are reclaimed.

    The moments are those of a Poisson process over all nodes of a job: each attempt of a node is drawn by itself, from seed,
    job, node and attempt only, so that the same seed gives the same reclaims however the threads of this machine take turns.

    Attributes:
        rate: reclaims per second while all nodes of a job run; with 0 only nodes are reclaimed that faults name.
        seed: of the moments.
        notice: seconds before it goes that a node is told, at most; None: it is not, for notices are best effort (R70).
        shutdown: seconds before it goes that an instance shuts down in order, and containers get SIGTERM; None: it is just gone.
        replacement: seconds until there is another instance for what is tried again after a reclaim.
    """

    rate: float = 0.0
    seed: int = 0
    notice: float | None = None
    shutdown: float | None = None
    replacement: float = 0.0

    @staticmethod
    def parse_rate(text: str) -> float:
        """Reclaims per second, from ``0.1/s``, ``2/m`` or ``3/h``.

        Raises:
            InvalidSpec: it is not written so.
        """
        match = _RATE.fullmatch(text.strip())
        if match is None:
            raise InvalidSpec([Problem("", "is not a rate", "write reclaims per s, m or h, as in 0.1/s")], f"chaos {text!r}")
        return float(match[1]) / _SECONDS[match[2]]

    def strikes(self, job: int, nodes: Iterable[int], attempt: int, *, of: int) -> list[Fault]:
        """When these nodes are reclaimed in an attempt, if they run that long.

        Args:
            job: the number of the job in its runner, from 0.
            nodes: which are tried together.
            attempt: which of theirs, from 1.
            of: how many nodes the job has.
        """
        if not self.rate:
            return []
        draws = {node: random.Random(f"{self.seed}/{job}/{node}/{attempt}") for node in nodes}  # noqa: S311 - to be repeated
        return [Fault(FaultKind.RECLAIM, node, draw.expovariate(self.rate / of), attempt) for node, draw in draws.items()]

    def problems(self) -> list[Problem]:
        """What is wrong with these numbers."""
        numbers = {"rate": self.rate, "notice": self.notice, "shutdown": self.shutdown, "replacement": self.replacement}
        wrong = {name: value for name, value in numbers.items() if value is not None and not (isfinite(value) and value >= 0)}
        return [Problem(f"chaos.{name}", f"is {value:g}", "a number of 0 or more") for name, value in wrong.items()]
