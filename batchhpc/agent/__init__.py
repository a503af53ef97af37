"""On every node: finds the leader, gathers the nodes, starts mpirun, watches, cleans up.

Takes: the environment variables that AWS Batch sets and the compiler wrote (`contract`), and the program's command.
Gives: the program's own exit code, or one of the reserved set; one log line per event on standard output.
May import: the standard library and errors.
Never does: trust an exit code of mpirun alone, wait without a deadline, leave a process behind.
"""
