"""``sums.py REPEATS CALLS ROWS COLUMNS`` on every rank: the same sums exactly and by Allreduce, in turns; rank 0 prints JSON."""

import json
import sys
import time
from collections.abc import Callable

import numpy as np
from mpi4py import MPI

from batchhpc.rank import exact_sum

COMM = MPI.COMM_WORLD
REPEATS, CALLS, ROWS, COLUMNS = map(int, sys.argv[1:])
PARTIALS = np.random.default_rng(COMM.rank).standard_normal((ROWS, COLUMNS))
TOTAL = np.empty(COLUMNS)


def exact() -> None:
    exact_sum(PARTIALS, COMM)


def plain() -> None:
    COMM.Allreduce(PARTIALS.sum(axis=0), TOTAL)


def timed(work: Callable[[], None]) -> tuple[float, float]:
    """Seconds of the slowest rank, and CPU seconds of all; waiting in MPI is busy."""
    COMM.Barrier()
    start, cpu = time.perf_counter(), time.process_time()
    for _ in range(CALLS):
        work()
    times = COMM.allgather((time.perf_counter() - start, time.process_time() - cpu))
    return max(wall for wall, _ in times), sum(cpu for _, cpu in times)


exact()
plain()
samples = [(timed(exact), timed(plain)) for _ in range(REPEATS)]
if COMM.rank == 0:
    sys.stdout.write(json.dumps({"exact": [ours for ours, _ in samples], "plain": [theirs for _, theirs in samples]}))
