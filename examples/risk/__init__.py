"""Monte Carlo risk over MPI: market risk of a portfolio, American options.

Takes: prices, portfolios and contracts as files; the ranks.
Gives: risk figures and prices with their errors, the same bits on any number of ranks, as JSON, CSV and charts.
May import: numpy, scipy.special, scipy.stats.qmc, batchhpc.rank, examples.workload; mpi4py is passed in.

    numerics/   what both workloads compute with: numbered random draws, sums, formulas
    market/     value at risk and expected shortfall of shares and options
    american/   American and Bermudan options between two bounds
"""
