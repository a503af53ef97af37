"""The MPI program of the chaos tests: integers that every step mixes over all ranks, checkpointed, to bits that are known.

    python3 -m mpi4py chaos_program.py CHECKPOINTS RESULT STEPS PAUSE

Whatever happens to its nodes, and on however many ranks it goes on, RESULT holds the digest of `undisturbed(STEPS)`.
"""

from __future__ import annotations

import hashlib
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Words = npt.NDArray[np.uint64]

LENGTH = 240
EVERY = 5  # steps between two checkpoints
_FACTOR, _SHIFT = np.uint64(6364136223846793005), np.uint64(29)


def first() -> Words:
    return np.arange(LENGTH, dtype=np.uint64)


def advance(words: Words, mixed: np.uint64) -> Words:
    """One step of these words; ``mixed`` is the XOR of all words of all ranks before it."""
    with np.errstate(over="ignore"):
        return (words ^ (words >> _SHIFT)) * _FACTOR + mixed


def mix(words: Words) -> np.uint64:
    return np.uint64(np.bitwise_xor.reduce(words, initial=np.uint64(0)))


def undisturbed(steps: int) -> str:
    """The digest after that many steps, computed alone."""
    words = first()
    for _ in range(steps):
        words = advance(words, mix(words))
    return hashlib.sha256(words.tobytes()).hexdigest()


def main(where: str, result: str, steps: int, pause: float) -> None:
    from mpi4py import MPI

    from batchhpc.rank import Checkpoint

    comm = MPI.COMM_WORLD
    with Checkpoint(where, comm, inputs={"length": str(LENGTH)}, version="1") as checkpoint:
        found = checkpoint.load()
        share = slice(comm.rank * LENGTH // comm.size, (comm.rank + 1) * LENGTH // comm.size)
        step, words = (found.step, found.arrays["words"]) if found else (0, first()[share])
        while step < steps:
            mixed = comm.allreduce(int(mix(words)), op=MPI.BXOR)
            words, step = advance(words, np.uint64(mixed)), step + 1
            time.sleep(pause)
            if step % EVERY == 0:
                checkpoint.save(step, {"words": words})
    everything = comm.gather(words)
    if everything:
        digest = hashlib.sha256(np.concatenate(everything).tobytes()).hexdigest()
        temporary = Path(f"{result}.new")
        temporary.write_text(digest)
        temporary.replace(result)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
