"""What all workloads share: beginning and ending, arguments, files, results, charts.

Takes: a command line, addresses of files, the ranks.
Gives: checked arguments, bytes of local files and of ``s3://`` objects, files that appear only when whole, SVG.
May import: numpy, batchhpc.rank, and boto3 inside the function that needs it; mpi4py is passed in.

    cpu.py           before numpy is imported: which CPU features it had better not use
    program.py       one run on all ranks, from the command line to the exit code
    arguments.py     values of arguments, checked, all problems at once
    errors.py        what is wrong with arguments and with files
    communicator.py  the calls of mpi4py's MPI.Comm that workloads make
    files.py         input files, here and in S3
    text.py          small text files: CSV by lines, numbers, all problems in one error
    restart.py       checkpoints of one phase: when to save, what was saved
    results.py       output files, written by all ranks at once and visible only when whole
    chart.py         SVG, by hand
"""
