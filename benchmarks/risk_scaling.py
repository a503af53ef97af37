"""What the risk workloads send, how they would scale to 1,024 ranks, and what checkpoints cost.

Sent bytes and collective calls are counted around MPI on 1, 2 and 4 ranks, as is CPU time, without that in MPI calls: a rank that
waits is busy there. The model of R ranks, in seconds:

    T(R) = repeated + (shared + a unit's time * units) / R + log2(R) (calls * latency + bytes / bandwidth)

Its assumptions: a collective takes log2 R rounds, each of one latency (20 us with EFA, 50 us with TCP) and all the bytes at
1 GB/s; ranks have cores of their own and equal work. ``repeated``, what every rank does, and the time of a unit come from one
rank with two sizes and four ranks with the smaller one; what it says of two and four ranks with the larger one is measured
beside it. The efficiency of R ranks, strong or weak, is T(1) / (R T(R)) with all their work on the one rank.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks import jobs
from benchmarks.jobs import Mpi
from benchmarks.measure import Benchmark, Goal, Options, Row, Sample, middle
from benchmarks.report import run

PROGRAM: Final = Path(__file__).parent / "programs" / "risk_ranks.py"
LATENCIES: Final = {"EFA": 20e-6, "TCP": 50e-6}  # seconds a round
BANDWIDTH: Final = 1e9  # bytes a second
RANKS: Final = (64, 256, 1024)
DATES: Final = 8  # of nine, on which the sweep regresses
CHECKPOINT_EVERY: Final = 120.0  # seconds: the programs' default
EFFICIENCY, KILOBYTES, CALLS, MORE = "efficiency %", "kB a rank", "collectives", "% more CPU"


@dataclass(frozen=True, slots=True)
class Work:
    """A program's work.

    Attributes:
        name: for `programs.risk_ranks`.
        told: for people.
        small, large: sizes that are measured.
        unit: of a size.
        strong: size of the strong scaling.
        weak: size of each rank, of the weak scaling.
    """

    name: str
    told: str
    small: int
    large: int
    unit: str
    strong: int
    weak: int


WORKS: Final = (
    Work("market", "market, 1,000 options", 64, 384, "blocks of 4,096 scenarios", 262_144, 256),
    Work("sweep", "american, policy of the 5-asset max-call", 16, 96, "blocks of 8,192 paths", 8_192, 8),
    Work("american", "american, policy and bounds of the 5-asset max-call", 1, 4, "x 65,536 paths", 1_024, 1),
)


@dataclass(frozen=True, slots=True)
class Model:
    """See the module; seconds and bytes."""

    repeated: float
    shared: float
    each: float
    calls: float
    sent: float

    def cpu(self, ranks: int, size: int) -> float:
        """Of all ranks."""
        return ranks * self.repeated + self.shared + self.each * size

    def wall(self, ranks: int, size: int, latency: float) -> float:
        """Of the run."""
        rounds = math.ceil(math.log2(ranks)) if ranks > 1 else 0
        return self.cpu(ranks, size) / ranks + rounds * (self.calls * latency + self.sent / BANDWIDTH)

    def scaled(self, ranks: int, size: int, latency: float) -> Sample:
        """Time and efficiency of the run."""
        wall = self.wall(ranks, size, latency)
        return Sample(wall, math.nan, {EFFICIENCY: 100 * self.wall(1, size, latency) / (ranks * wall)})


class Runs:
    """Runs of `programs.risk_ranks`."""

    def __init__(self, options: Options) -> None:
        self._mpi, self._repeats = Mpi.find(options), options.repeats
        alone = {"PYTHONPATH": str(Path.cwd()), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self._env = {**os.environ, **self._mpi.env, **alone}

    def samples(self, work: str, size: int, ranks: int, every: float = 0.0) -> list[Sample]:
        """CPU seconds of all ranks outside MPI; what a rank sends."""
        words = [work, str(size), str(self._repeats), *([str(every)] if every else [])]
        command = [self._mpi.mpirun, "-n", str(ranks), self._mpi.python, str(PROGRAM), *words]
        done = subprocess.run(
            command, env=self._env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=jobs.LONGEST
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return [_sample(each) for each in json.loads(done.stdout)]


def _sample(told: dict[str, Any]) -> Sample:
    counts = {KILOBYTES: told["bytes"] / 1000, CALLS: told["calls"], "checkpoints": told["saves"]}
    return Sample(told["wall"], told["cpu"] - told["waiting"], counts)


def measure(options: Options) -> list[Row]:
    runs = Runs(options)
    rows = []
    for work in WORKS:
        small = {ranks: runs.samples(work.name, work.small, ranks) for ranks in (1, 4)}
        large = {ranks: runs.samples(work.name, work.large, ranks) for ranks in (1, 2, 4)}
        model = _fitted(work, small, large)
        rows += _sent(work, large)
        rows += [_foretold(work, model, ranks, samples) for ranks, samples in large.items()]
        rows += [_scaled(work, model, network, ranks) for network in LATENCIES for ranks in RANKS]
    return [*rows, _checkpoints(runs, WORKS[0], 1.0), _checkpoints(runs, WORKS[1], 0.1)]


def _fitted(work: Work, small: dict[int, list[Sample]], large: dict[int, list[Sample]]) -> Model:
    least = {ranks: min(sample.cpu for sample in samples) for ranks, samples in small.items()}  # the cores are shared with others
    each = (min(sample.cpu for sample in large[1]) - least[1]) / (work.large - work.small)
    repeated = max(0.0, (least[4] - least[1]) / 3)
    sent = large[4][0]
    return Model(
        repeated, max(0.0, least[1] - repeated - each * work.small), each, sent.counts[CALLS], 1000 * sent.counts[KILOBYTES]
    )


def _sent(work: Work, large: dict[int, list[Sample]]) -> list[Row]:
    """What a rank sends, against the goals: of market's whole run, and of each date of the sweep."""
    peer, one = "1 rank", large[1]
    name = f"{work.told}: {work.large} {work.unit}"
    if work.name == "market":
        four = large[4]
        return [Row(f"{name}, 4 ranks", four, peer, one, Goal(of, limit)) for of, limit in ((KILOBYTES, 200.0), (CALLS, 12.0))]
    if work.name == "sweep":
        return [Row(f"{name}, 4 ranks: 6 kB a date", large[4], peer, one, Goal(KILOBYTES, 6.0 * (DATES + 1)))]
    return [Row(f"{name}, 4 ranks", large[4], peer, one)]


def _foretold(work: Work, model: Model, ranks: int, samples: Sequence[Sample]) -> Row:
    told = f"{work.told}: CPU of {ranks} rank{'s' * (ranks > 1)}"
    return Row(told, samples, "the model", [Sample(math.nan, model.cpu(ranks, work.large))])


def _scaled(work: Work, model: Model, network: str, ranks: int) -> Row:
    """Strong scaling on our side, weak on the peer's."""
    strong, weak = (model.scaled(ranks, size, LATENCIES[network]) for size in (work.strong, ranks * work.weak))
    told = f"{work.told}: model of {ranks} ranks, {network}; strong, {work.strong:,} {work.unit}"
    return Row(
        told,
        [strong],
        f"weak, {work.weak} {work.unit} a rank",
        [weak],
    )


def _checkpoints(runs: Runs, work: Work, every: float) -> Row:
    """Far more of them than by default, so that they can be measured; then what the default's number of them costs."""
    kept = runs.samples(work.name, work.large, 1, every)
    plain = runs.samples(work.name, work.large, 1)
    extra = max(0.0, min(each.cpu for each in kept) - min(each.cpu for each in plain))
    made = max(1.0, middle(kept, "checkpoints"))
    share = 100 * extra / made / CHECKPOINT_EVERY
    told = f"{work.told}: a checkpoint each {every:g} s; by default each {CHECKPOINT_EVERY:g} s"
    ours = [Sample(each.wall, each.cpu, {**each.counts, MORE: share}) for each in kept]
    return Row(told, ours, "without checkpoints", plain, Goal(MORE, 2.0))


BENCHMARK = Benchmark("risk_scaling", measure, 2, jobs.versions)

if __name__ == "__main__":
    sys.exit(run(BENCHMARK))
