"""What interruptions cost a job on Spot: how often they come, how often to write checkpoints, how long it all takes.

The model: each node is taken back at a constant rate, independently of its age, of the hour and of all others, so a job of n
nodes is interrupted n times as often as one node, at times that are exponentially distributed. Each interruption throws the job
back to its last checkpoint, after the time that it takes to have a node in place of the lost one; an interruption in that time
begins it anew. Computing waits while a checkpoint is written. What the model leaves out is said in docs/how-to/spot.md: reclaims
come in clusters, the notice of two minutes may save the work, and checkpoints are written while computing goes on.

Sources: J. W. Young, A first order approximation to the optimum checkpoint interval, Communications of the ACM 17 (1974)
530-531; J. T. Daly, A higher order estimate of the optimum checkpoint interval for restart dumps, Future Generation Computer
Systems 22 (2006) 303-312. All times are seconds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

_HOUR: Final = 3600
_LARGEST: Final = 700.0  # exponent of a float


@dataclass(frozen=True, slots=True)
class Expected:
    """What is expected of a job, in seconds.

    Attributes:
        work: computing that counts.
        checkpoints: writing checkpoints that count.
        lost: computing and writing that is thrown away.
        reforming: waiting for nodes in place of lost ones.
        interruptions: how many there are.
    """

    work: float
    checkpoints: float
    lost: float
    reforming: float
    interruptions: float

    @property
    def wall(self) -> float:
        """From begin to end; infinite if there is hardly ever time enough between two interruptions."""
        return self.work + self.checkpoints + self.lost + self.reforming


def mean_between(nodes: int, rate: Fraction) -> float:
    """Mean seconds between two interruptions of a job.

    Args:
        nodes: of the job.
        rate: interruptions of one node in an hour.
    """
    return float(_HOUR / (nodes * rate))


def young(checkpoint: float, mean: float) -> float:
    """Young's optimum of computing between two checkpoints, sqrt(2 C M): good as long as C is much less than M.

    Args:
        checkpoint: C, what writing one takes.
        mean: M, between two interruptions.
    """
    return math.sqrt(2 * checkpoint * mean)


def daly(checkpoint: float, mean: float) -> float:
    """Daly's higher-order optimum of computing between two checkpoints (his equation 37); see `young`."""
    if checkpoint >= 2 * mean:
        return mean
    part = checkpoint / (2 * mean)
    return young(checkpoint, mean) * (1 + math.sqrt(part) / 3 + part / 9) - checkpoint


def expected(work: float, interval: float, checkpoint: float, mean: float, restart: float) -> Expected:
    """What is expected of a job that writes a checkpoint after each interval of computing, but none at its end.

    Exact within the model (Daly's equation 13 for one segment). A segment of s seconds is tried until it is not interrupted:
    exp(s/M) - 1 times in vain, on average, which takes M (exp(s/M) - 1) - s in all; and each restart of R seconds likewise.

    Args:
        work: computing in all.
        interval: computing between two checkpoints.
        checkpoint: what writing one takes.
        mean: between two interruptions.
        restart: from an interruption until the ranks compute again.
    """
    whole = max(0, math.ceil(work / interval) - 1)
    last = work - whole * interval
    lost = failures = 0.0
    for count, segment in ((whole, interval + checkpoint), (1, last)):
        in_vain = _vain(segment / mean)
        failures += count * in_vain if count else 0.0
        lost += count * (mean * in_vain - segment) if count else 0.0
    reforming = failures * mean * _vain(restart / mean)
    wall = work + whole * checkpoint + lost + reforming
    return Expected(work, whole * checkpoint, lost, reforming, wall / mean)


def overhead(interval: float, checkpoint: float, mean: float, restart: float) -> Expected:
    """What is expected of each interval of computing in a long job, its checkpoint included; see `expected`."""
    segment = interval + checkpoint
    in_vain = _vain(segment / mean)
    lost, reforming = mean * in_vain - segment, in_vain * mean * _vain(restart / mean)
    return Expected(interval, checkpoint, lost, reforming, (segment + lost + reforming) / mean)


def _vain(part: float) -> float:
    """How often a stretch is interrupted on average before it is not; it is that part of the mean time between two."""
    return math.expm1(part) if part < _LARGEST else math.inf


def chance_of_too_many(nodes: int, rate: Fraction, seconds: float, attempts: int) -> float:
    """How probable it is that one of the nodes is taken back as often as it may be started, so that the job fails.

    Args:
        nodes: each with attempts of its own (R60).
        rate: interruptions of one node in an hour.
        seconds: that the job takes.
        attempts: of each node.
    """
    expects = float(rate) * seconds / _HOUR
    fewer = sum(math.exp(k * math.log(expects) - expects - math.lgamma(k + 1)) for k in range(attempts))
    return -math.expm1(nodes * math.log(min(1.0, fewer))) if fewer > 0 else 1.0
