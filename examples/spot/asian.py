"""An average-rate option by Monte Carlo: python3 -m mpi4py examples/spot/asian.py WHERE. The same bits on any number of ranks."""

import sys

import numpy as np
from mpi4py import MPI

from batchhpc.rank import Checkpoint, exact_sum, notice, progress

PATHS, STEPS, SEED = 200_000, 1_000, 7
COMM = MPI.COMM_WORLD
FIRST, LAST = (PATHS * each // COMM.size for each in (COMM.rank, COMM.rank + 1))


def shocks(step: int) -> np.ndarray:
    """One number for each path of this rank; a path's are the same whichever rank has it."""
    stream = np.random.Generator(np.random.Philox(key=[SEED, step]))
    return stream.standard_normal(PATHS)[FIRST:LAST]


def main(where: str) -> None:
    mine, inputs = (FIRST, LAST), {"paths": str(PATHS), "seed": str(SEED)}
    with Checkpoint(where, COMM, inputs=inputs, version="1") as checkpoint:
        found = checkpoint.load(bounds={"price": mine, "total": mine})
        step = found.step if found else 0
        price = found.arrays["price"] if found else np.full(LAST - FIRST, 100.0)
        total = found.arrays["total"] if found else np.zeros(LAST - FIRST)
        if COMM.rank == 0 and found:
            print(f"goes on from step {step}, saved by {found.ranks} ranks")
        warned = False
        while step < STEPS:
            price = price * np.exp(-0.00002 + 0.0063 * shocks(step))
            total = total + price
            step += 1
            progress(step, STEPS, "steps", COMM)
            told = notice(COMM) is not None  # collective: all ranks hear it in the same step
            if checkpoint.due(0.5, now=told and not warned):
                checkpoint.save(step, {"price": price, "total": total}, wait=told)
            warned = told
    mean = exact_sum(np.maximum(total / STEPS - 100.0, 0.0), COMM) / PATHS
    if COMM.rank == 0:
        print(f"value {mean:.6f} ({float(mean).hex()})")


main(sys.argv[1])
