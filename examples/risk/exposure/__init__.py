"""Exposure to counterparties, and what it costs (CVA), of netting sets of interest rate swaps.

Takes: a discount curve, swaps, counterparties with their margin agreements; the ranks.
Gives: expected exposure profiles of each netting set with errors, CVA and DVA, the same bits on any number of ranks.
May import: numerics, examples.workload, batchhpc.rank, numpy; mpi4py in ``__main__`` only.

One factor moves all rates (Hull and White 1990, in the form of Hagan's linear Gauss-Markov model), so the value of a netting set
on a date is a function of one normal number; what makes it depend on the path are coupons that are fixed already, and collateral.

    curve.py         discount factors
    hull_white.py    the model
    trades.py        swaps and counterparties, checked
    values.py        netting sets on a date as one small matrix: the number of swaps does not matter afterwards
    simulation.py    exposures over numbered blocks of paths
    credit.py        default probabilities, CVA and DVA
    closed_form.py   expected exposure of one swap without collateral, exactly (Jamshidian 1989)
"""
