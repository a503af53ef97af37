"""American and Bermudan options by Longstaff and Schwartz, between a lower and an upper bound.

Takes: a contract and a model; the ranks.
Gives: a bracket of the price with errors, Greeks, the exercise policy, the same bits on any number of ranks.
May import: numerics, examples.workload, batchhpc.rank, numpy, scipy; mpi4py in ``__main__`` only.

Three phases, each on draws of its own (Longstaff and Schwartz 2001; Andersen and Broadie 2004):

    1. a sweep from the last exercise date to the first finds the policy: one sum over all ranks a date
    2. the policy on fresh paths gives a lower bound of the price
    3. the martingale of the policy, by paths within paths, gives an upper bound

    contract, model, paths       words of all phases
    gbm, heston, sobol_paths     paths, forward and backward and within paths; sources says which phase has which
    basis, polynomials           what going on is regressed on
    sweep, regression, policy    the first phase, and what it finds; boundary shows it
    lower, stopping              the second phase; controls, extremes, moments take noise from it, greeks, likelihood give Greeks
    upper                        the third phase
    sharing, finished            blocks shared out among the ranks, what is kept of them
    price                        the three phases of each contract
    fields, trades               contracts and models as users write them; contract_file, arguments, policy_file read them
    priced, report               what was found out, as JSON, CSV and a table; charts, plots draw it
    program                      all of it
"""
