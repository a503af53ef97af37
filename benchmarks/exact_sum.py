"""What it costs that bits do not depend on ranks or order: sums and quantiles, on one rank and across two."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from batchhpc.rank import block_sums, exact_quantile, exact_sum
from benchmarks import jobs
from benchmarks.jobs import Mpi
from benchmarks.measure import Benchmark, Options, Row, Sample, alternate
from benchmarks.report import run

PROGRAM = Path(__file__).parent / "programs" / "sums.py"
NUMBERS = 1 << 22
RANKS = 2
REDUCTIONS = ((1000, 1, 1), (1000, 64, 20), (1000, 64, 132), (20, 1, 100_000))  # calls, rows of partials, sums
SPREAD = 900  # binary orders of magnitude either way, of numbers that are spread widely


def once(work: Callable[[], object]) -> Sample:
    """One call, in this process."""
    start, cpu = time.perf_counter(), time.process_time()
    work()
    return Sample(time.perf_counter() - start, time.process_time() - cpu)


def on_one_rank(options: Options) -> list[Row]:
    rng = np.random.default_rng(1)
    values = rng.standard_normal(NUMBERS)
    columns = values.reshape(-1, 64)
    some = values[: NUMBERS // 8]
    wide = np.ldexp(some, rng.integers(-SPREAD, SPREAD, len(some)).astype(np.int32))
    pairs: list[tuple[str, Callable[[], object], str, Callable[[], object]]] = [
        ("4,194,304 numbers to 1 sum", lambda: exact_sum(values), "numpy.sum", values.sum),
        ("the same", lambda: exact_sum(values), "math.fsum", lambda: math.fsum(values)),
        ("the same, by block_sums", lambda: exact_sum(block_sums(values)), "numpy.sum", values.sum),
        ("4,194,304 numbers to 64 sums", lambda: exact_sum(columns), "numpy.sum", lambda: columns.sum(axis=0)),
        ("524,288 numbers from 2**-900 to 2**900", lambda: exact_sum(wide), "math.fsum", lambda: math.fsum(wide)),
        (
            "4,194,304 numbers: 97.5 % quantile",
            lambda: exact_quantile(values, 0.975),
            "numpy.quantile",
            lambda: np.quantile(values, 0.975),
        ),
    ]
    rows = []
    for work, ours, peer, theirs in pairs:
        samples = alternate(lambda ours=ours: once(ours), lambda theirs=theirs: once(theirs), options.repeats)  # type: ignore[misc]
        rows.append(Row(work, samples[0], peer, samples[1]))
    return rows


def across_ranks(options: Options) -> list[Row]:
    mpi = Mpi.find(options)
    env = {**mpi.env, "PYTHONPATH": str(Path.cwd()), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    rows = []
    for calls, partials, sums in REDUCTIONS:
        words = [str(each) for each in (options.repeats, calls, partials, sums)]
        command = [mpi.mpirun, "-n", str(RANKS), mpi.python, str(PROGRAM), *words]
        done = subprocess.run(
            command,
            env={**os.environ, **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=jobs.LONGEST,
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        told = {side: [Sample(wall, cpu) for wall, cpu in samples] for side, samples in json.loads(done.stdout).items()}
        work = f"{calls:,} times {partials} x {sums:,} partials on each of {RANKS} ranks"
        rows.append(Row(work, told["exact"], "numpy.sum and MPI_Allreduce", told["plain"]))
    return rows


def measure(options: Options) -> list[Row]:
    return [*on_one_rank(options), *across_ranks(options)]


BENCHMARK = Benchmark("exact_sum", measure, 7, lambda options: {**jobs.versions(options), "numpy": np.__version__})

if __name__ == "__main__":
    sys.exit(run(BENCHMARK))
