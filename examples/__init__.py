"""Real workloads in numpy and mpi4py; each runs under a plain ``mpirun`` and, from its job spec, under ``batchhpc run``."""
