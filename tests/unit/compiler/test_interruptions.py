"""What interruptions cost, held against a simulated process with independent nodes, and against the papers."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from fractions import Fraction
from statistics import mean, stdev

import pytest

from batchhpc.compiler.interruptions import chance_of_too_many, daly, expected, mean_between, overhead, young


@dataclass
class Process:
    """A job by the clock: nodes that are each taken back by themselves, intervals of computing, checkpoints, restarts."""

    nodes: int
    rate: float  # interruptions of a node in a second
    chance: random.Random

    def run(self, work: float, interval: float, checkpoint: float, restart: float) -> tuple[float, float, float, int]:
        """Wall time, seconds lost, seconds of restarts, and interruptions."""
        self._now, self._due = 0.0, [self.chance.expovariate(self.rate) for _ in range(self.nodes)]
        self._interruptions = 0
        lost = reforming = saved = 0.0
        while saved < work:
            step = min(interval, work - saved)
            segment = step + (checkpoint if saved + step < work else 0.0)
            begun = self._now
            if self._lasts(segment):
                saved += step
                continue
            lost += self._now - begun
            begun = self._now
            while not self._lasts(restart):
                pass
            reforming += self._now - begun
        return self._now, lost, reforming, self._interruptions

    def _lasts(self, seconds: float) -> bool:
        node = min(range(self.nodes), key=self._due.__getitem__)
        if self._due[node] >= self._now + seconds:
            self._now += seconds
            return True
        self._now = self._due[node]
        self._due[node] += self.chance.expovariate(self.rate)  # of the node in its place
        self._interruptions += 1
        return False


CASES = [
    # nodes, interruptions of a node in an hour; work, interval, checkpoint and restart in seconds
    (4, Fraction(1, 4), (8 * 3600, 1200, 60, 300)),
    (16, Fraction(1, 50), (6 * 3600, 3600, 120, 300)),
    (2, Fraction(2), (3600, 700, 5, 60)),
    (8, Fraction(1, 2), (5000, 600, 300, 600)),
]


@pytest.mark.parametrize(("nodes", "rate", "times"), CASES)
def test_the_formulas_are_those_of_the_process(nodes, rate, times):
    """Wall time, lost time, restarts and interruptions are the means of 3,000 simulated jobs, within four standard errors."""
    process = Process(nodes, float(rate) / 3600, random.Random(7))  # noqa: S311 - a simulation
    runs = [process.run(*times) for _ in range(3000)]
    work, interval, checkpoint, restart = times
    told = expected(work, interval, checkpoint, mean_between(nodes, rate), restart)
    for simulated, reckoned in zip(
        zip(*runs, strict=True), (told.wall, told.lost, told.reforming, told.interruptions), strict=True
    ):
        assert abs(mean(simulated) - reckoned) < 4 * stdev(simulated) / math.sqrt(len(runs))


def test_a_node_runs_out_of_attempts_as_often_as_in_the_process():
    """The chance that some node is taken back as often as it may be started is that of 5,000 simulated jobs."""
    nodes, rate, attempts = 8, Fraction(1, 4), 4
    chance = random.Random(11)  # noqa: S311 - a simulation
    most = [max(_taken(chance, float(rate), hours=4) for _ in range(nodes)) for _ in range(5000)]
    share = sum(each >= attempts for each in most) / len(most)
    told = chance_of_too_many(nodes, rate, 4 * 3600, attempts)
    assert abs(share - told) < 4 * math.sqrt(told * (1 - told) / len(most))


def _taken(chance: random.Random, rate: float, hours: float) -> int:
    count, now = 0, chance.expovariate(rate)
    while now < hours:
        count, now = count + 1, now + chance.expovariate(rate)
    return count


@pytest.mark.parametrize("attempts", [1, 10])
def test_many_interruptions_are_too_many(attempts):
    """One attempt is used up by the first interruption, and an endless job uses up any number."""
    assert chance_of_too_many(4, Fraction(1, 10), 3600, 1) == pytest.approx(-math.expm1(-0.4))
    assert chance_of_too_many(4, Fraction(10), 1e9, attempts) == 1.0
    assert 0 <= chance_of_too_many(4, Fraction(1, 10**6), 60, attempts) < 1e-4


def test_one_node_is_interrupted_at_its_rate_and_n_nodes_n_times_as_often():
    """Sixteen nodes with 0.02 interruptions an hour each are interrupted every 3.125 hours."""
    assert mean_between(1, Fraction(1, 50)) == 50 * 3600
    assert mean_between(16, Fraction(1, 50)) == 3.125 * 3600


@pytest.mark.parametrize("part", [0.0001, 0.001, 0.01, 0.1, 0.25, 0.5])
def test_the_optimum_is_the_least_of_the_expected_times(part):
    """At Daly's interval a job takes no longer than at the best of all by more than 0.01 %, nor than at Young's, up to C = M/2."""
    between = 10_000.0
    checkpoint = part * between

    def cost(interval: float) -> float:
        return overhead(interval, checkpoint, between, 300.0).wall / interval

    least = min(cost(between * 1.01**step * 1e-4) for step in range(1200))
    assert cost(daly(checkpoint, between)) <= min(1.0001 * least, cost(young(checkpoint, between)))


def test_the_two_optima_agree_where_checkpoints_are_short():
    """Young's optimum is sqrt(2 C M); Daly's approaches it from below as C becomes small, and is M where C is long."""
    assert young(50, 10_000) == 1000
    assert daly(50, 10_000) == pytest.approx(1000 * (1 + 0.05 / 3 + 0.0025 / 9) - 50)
    assert daly(0.005, 10_000) == pytest.approx(young(0.005, 10_000), rel=1e-3)
    assert daly(20_000, 10_000) == daly(30_000, 10_000) == 10_000


def test_a_long_job_is_many_intervals():
    """What a long job takes is what its intervals take, but for the checkpoint that it does not write at its end."""
    told, each = expected(3_600_000, 600, 30, 5000, 120), overhead(600, 30, 5000, 120)
    assert told.wall / 6000 == pytest.approx(each.wall, rel=1e-4)
    assert told.checkpoints == 5999 * 30
    assert (each.work, each.checkpoints) == (600, 30)


def test_a_job_without_checkpoints_starts_from_its_beginning():
    """An interval longer than the job means that it writes none."""
    told = expected(3600, 86_400, 30, 3600, 0)
    assert (told.checkpoints, told.reforming) == (0, 0)
    assert told.wall == pytest.approx(3600 * math.expm1(1))


def test_no_hope_is_infinite():
    """A segment a thousand times as long as the mean time between two interruptions never ends."""
    assert expected(1e6, 1e6, 1, 1000, 60).wall == math.inf
