"""What the risk workloads compute with.

Takes: seeds, block numbers, arrays.
Gives: draws that depend on seed and block only, sums that do not depend on the number of ranks, closed formulas.
May import: numpy, scipy, batchhpc.rank.
Never does: read files, know ranks (`grid_sums` is passed ``comm``).

    philox.py          random words, addressed by seed, stream, date and block
    normals.py         standard normals of words (Box-Muller)
    sobol.py           scrambled Sobol' points, block by block
    normal_cdf.py      the normal distribution function by a table, four times as quick as ndtr
    normal_quantile.py normals of Sobol' points by a table
    black_scholes.py   European and exchange options, and their Greeks
    grid_sums.py       sums over ranks in one message
    estimates.py       a figure and its error
    provenance.py      what a result was computed from, and by what
"""
