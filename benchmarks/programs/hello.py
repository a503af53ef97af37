"""The MPI program of the benchmarks: ``hello.py SECONDS``. Says when this rank was past its first barrier, and stays so long."""

import os
import sys
import time

from mpi4py import MPI

MPI.COMM_WORLD.Barrier()
os.write(1, f"passed {time.time():.6f}\n".encode())  # in one piece, for mpirun mixes what ranks write
time.sleep(float(sys.argv[1]))
