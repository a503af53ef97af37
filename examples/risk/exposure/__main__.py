"""``python -m examples.risk.exposure``: alone, or on every rank of an ``mpirun``.

Exit codes: 0 done; 1 failed; 2 the arguments are wrong; 65 an input file is malformed; 74 reading or writing failed;
130 interrupted.
"""

from __future__ import annotations

import sys

from examples.workload.cpu import one_thread

if __name__ == "__main__":
    one_thread()  # before anything imports numpy

    from mpi4py import MPI

    from examples.risk.exposure.program import main

    sys.exit(main(MPI.COMM_WORLD, sys.argv[1:]))
