"""Exact canonical k-mer counts of FASTA and FASTQ files, over MPI.

Takes: files of sequences, k.
Gives: a sorted count table, its histogram, a summary; the same bytes for any number of ranks.
May import: numpy, batchhpc.rank, examples.workload, examples.genomics.sequences; mpi4py in ``__main__`` only.

How a run goes, and where to read it:

    program.py     one run on all ranks
    arguments.py   what was asked for, or every problem with it
    counting.py    read, scan, exchange, count; what other programs use: `count_bins`
        minimizers.py   which bin a k-mer belongs to
        superkmers.py   text -> super-k-mers, 8 to 32 bytes each, grouped by bin
        bins.py         which rank counts which bin
        exchange.py     super-k-mers -> the rank that counts them, while the next text is scanned
        count.py        one bin's super-k-mers -> k-mers in order, and how often each occurs
        words.py        k-mers as 64-bit words
        resume.py       what is saved, and how another number of ranks goes on from it
    writing.py     bin after bin: counted, written by all ranks
    table.py       the table's files, and looking k-mers up: `CountTable`
    histogram.py   how many k-mers occur how often, and what that tells; plot.py draws it
    dump.py        the table as text
    output.py      the summary; all files become visible together
    model.py       bytes and seconds of the exchange on many ranks
"""
