"""``python -m examples.genomics.kmers``: alone, or on every rank of an ``mpirun``.

Exit codes: 0 done; 1 failed; 2 the arguments are wrong; 65 an input file is malformed; 74 reading or writing failed;
130 interrupted.
"""

from __future__ import annotations

import sys

from examples.workload.cpu import avoid_slow_sort

if __name__ == "__main__":
    note = avoid_slow_sort()  # before anything imports numpy

    from mpi4py import MPI

    from examples.genomics.kmers.program import main

    if note and MPI.COMM_WORLD.rank == 0:
        print(f"kmers: {note}", file=sys.stderr, flush=True)
    sys.exit(main(MPI.COMM_WORLD, sys.argv[1:]))
