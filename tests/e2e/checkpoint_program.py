"""An MPI program with checkpoints: ``python3 -m mpi4py checkpoint_program.py PLACE STEPS EVERY``; its last line is its result.

Its state is one global array of which each rank advances an equal share, so the result must not depend on the number of ranks, nor
on how often it was ended and resumed.
"""

import hashlib
import sys
import time

import numpy as np
from mpi4py import MPI

from batchhpc.rank import Checkpoint

PLACE, STEPS, EVERY = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
COMM = MPI.COMM_WORLD
NUMBERS = 30_011


def say(text: str) -> None:
    if COMM.rank == 0:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()


with Checkpoint(PLACE, COMM, inputs={"numbers": str(NUMBERS)}, version="1") as checkpoint:
    found = checkpoint.load()
    if found:
        step, values = found.step, found.arrays["values"]
        say(f"resumed at {step} from {found.ranks} ranks")
    else:
        first, last = NUMBERS * COMM.rank // COMM.size, NUMBERS * (COMM.rank + 1) // COMM.size
        step, values = 0, np.arange(first, last, dtype=np.float64)
    say("running")
    while step < STEPS:
        values, step = np.sin(values) * 1.000001 + np.sqrt(values + 2.0), step + 1
        time.sleep(0.002)
        COMM.Barrier()
        if step % EVERY == 0:
            checkpoint.save(step, {"values": values}, shared={"sums": np.arange(step)}, state={"step": step})
    checkpoint.save(step, {"values": values}, shared={"sums": np.arange(step)}, state={"step": step}, wait=True)

pieces = COMM.gather(values)
if pieces is not None:
    say(f"result {step} {hashlib.sha256(np.concatenate(pieces).tobytes()).hexdigest()}")
