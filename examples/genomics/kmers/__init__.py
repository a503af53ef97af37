"""Exact canonical k-mer counts of FASTA and FASTQ files, over MPI.

Takes: files of sequences, k.
Gives: a sorted count table, its histogram, a summary; the same bytes for any number of ranks.
May import: numpy, mpi4py (in ``__main__`` only), batchhpc.rank.

How a run goes, and where to read it:

    arguments.py   what was asked for, or every problem with it
    shares.py      which rank reads what
    reads.py       a share of the input -> pieces of text: bases, with a break wherever no k-mer may pass
    malformed.py   what is wrong with a file, and where
    kernel.py      text -> canonical k-mers as 64-bit words; sorted words -> counts. Knows neither files nor MPI
    parallel.py    rounds: read, scan, send every k-mer to the rank that owns it; then each rank counts its own
    histogram.py   how many k-mers occur how often; plot.py draws it
    dump.py        the table as text
    output.py      the files, written by all ranks at once and visible only when whole
"""
