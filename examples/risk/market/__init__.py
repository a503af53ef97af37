"""Market risk of shares and options: value at risk and expected shortfall by full revaluation, at a screen's price.

Takes: prices, a portfolio, a horizon; the ranks.
Gives: VaR and ES with their errors and components, the same bits on any number of ranks; back-test; tables and charts.
May import: numerics, examples.workload, batchhpc.rank, numpy, scipy; mpi4py in ``__main__`` only.

    words:       book.py         what is held, and what moves it
                 scenarios.py    moves in numbered blocks
                 figures.py      what is found out
    inputs:      prices.py       daily prices of a file
                 portfolio.py    positions of a file
                 covariance.py   how factors have moved together
                 covariance_file.py  the same, estimated by somebody else
                 degrees.py      of freedom, by likelihood
                 elliptical.py   normal and t scenarios
                 bootstrap.py    scenarios of past days
    computing:   valuation.py    what a book wins or loses in a scenario, exactly
                 surface.py      one position's P&L as a polynomial, and how wrong that can be
                 screen.py       the whole book's, quickly
                 screens.py      all of them that may be used
                 pilot.py        which screens, and about where the tail is
                 stream.py       the way of a scenario from its draw to a rank's tally
                 tally.py        what a rank has found
                 tail.py         all of it, on all ranks
                 sensitivities.py, tilt.py, uniforms.py, importance.py   more in the tail: importance sampling on Sobol' points
                 incremental.py  what each underlying adds
                 backtest.py, coverage.py   what would have been foretold, and how often it was wrong
    the program: arguments.py    what was asked for
                 study.py        what is computed from
                 program.py      from the arguments to the results
                 found.py        what was found out
                 report.py       as JSON and CSV
                 summary.py      as a table for people
                 plots.py        as charts
"""
