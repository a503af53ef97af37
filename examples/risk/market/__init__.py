"""Market risk of shares and options: value at risk and expected shortfall by full revaluation, at a screen's price.

Takes: prices, a portfolio, a horizon; the ranks.
Gives: VaR and ES with their errors and components, the same bits on any number of ranks; back-test; tables and charts.
May import: numerics, examples.workload, batchhpc.rank, numpy, scipy; mpi4py in ``__main__`` only.
"""
