"""How risk factors have moved together: their daily changes, and the covariance of these over a horizon.

Daily changes are taken as uncorrelated in time, so the covariance over h days is h times the daily one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

from examples.risk.market.prices import LEAST_ROWS, Prices

Reals = npt.NDArray[np.float64]
EWMA = 0.94  # weight that a day keeps from one to the next: RiskMetrics Technical Document, 1996
VOLATILITY = "VOLATILITY"  # name of the last factor
_LEAST_EIGENVALUE = 1e-8  # of a correlation matrix
_NAMED = 4  # names of a direction that has no variance
_WARM_UP = 63  # days whose squares begin the EWMA


@dataclass(frozen=True, slots=True)
class History:
    """Daily changes of the risk factors.

    Attributes:
        names: of the factors.
        dates: on which each change ended, (days,).
        changes: log-returns of the underlyings and, if there is such a factor, log changes of volatility, (days, factors).
    """

    names: tuple[str, ...]
    dates: npt.NDArray[np.datetime64]
    changes: Reals

    def between(self, first: date | None, last: date | None) -> History:
        """The days of a window, both ends included."""
        begin = 0 if first is None else int(np.searchsorted(self.dates, np.datetime64(first)))
        end = len(self.dates) if last is None else int(np.searchsorted(self.dates, np.datetime64(last), side="right"))
        return History(self.names, self.dates[begin:end], self.changes[begin:end])

    def problem(self) -> str | None:
        """Why the window is too short; None if it is not."""
        if len(self.changes) >= LEAST_ROWS:
            return None
        return f"there are {len(self.changes)} daily changes in the window, but at least {LEAST_ROWS} are needed; make it longer"


def history_of(prices: Prices, underlyings: Sequence[str], volatility: str) -> History:
    """Daily changes of the factors of a book.

    Args:
        prices: of all names.
        underlyings: of the book.
        volatility: the name of an index of implied volatility among the prices; "ewma": its place is taken by the EWMA volatility
            of the equal-weighted index of all names, whether they are held or not; "none": volatilities do not move.
    """
    changes = prices.of(underlyings).changes()
    if volatility == "none":
        return History(tuple(underlyings), prices.dates[1:], changes)
    if volatility == "ewma":
        moves = ewma_volatility_changes(prices.changes().mean(axis=1))
        return History((*underlyings, VOLATILITY), prices.dates[1:], np.column_stack((changes, moves)))
    return History((*underlyings, volatility), prices.dates[1:], np.column_stack((changes, prices.of([volatility]).changes())))


def ewma_volatility_changes(returns: Reals, decay: float = EWMA) -> Reals:
    """Daily log changes of sigma, sigma_t^2 = decay sigma_(t-1)^2 + (1 - decay) r_t^2; (days,).

    A modelling choice, for want of an index of implied volatility: it moves nearly as much as such an index (5 % a day, where
    the VIX moves 7), but up after rises as after falls, so its correlation with returns is weaker (-0.2). It begins with the
    mean square of the first quarter.
    """
    variance = float(np.square(returns[:_WARM_UP]).mean())
    logs = [math.log(variance)]
    for square in np.square(returns).tolist():
        variance = decay * variance + (1 - decay) * square
        logs.append(math.log(variance))
    return np.asarray(0.5 * np.diff(logs))


def warm_up_problem(prices: Prices) -> str | None:
    """Why the EWMA volatility has nothing to begin with; None if it has."""
    if np.any(prices.changes()[:_WARM_UP].mean(axis=1)):
        return None
    return f"no price moves until {prices.dates[: _WARM_UP + 1][-1]}, so volatility has no beginning; leave out these dates"


def sample_covariance(changes: Reals) -> Reals:
    """Daily covariance with the mean removed, (factors, factors)."""
    return np.atleast_2d(np.cov(changes, rowvar=False))


def ewma_covariance(changes: Reals, decay: float = EWMA) -> Reals:
    """Daily covariance with weights decay**age, means taken as 0, (factors, factors)."""
    weights = decay ** np.arange(len(changes) - 1.0, -1.0, -1.0)
    return np.asarray((changes * (weights / weights.sum())[:, None]).T @ changes)


def still_problem(covariance: Reals, names: Sequence[str]) -> str | None:
    """Which factors have no variance; None if all have."""
    still = [name for name, variance in zip(names, np.diag(covariance).tolist(), strict=True) if not variance > 0]
    return f"{', '.join(still)} never moved in the window; leave out such names or take another window" if still else None


def definite_problem(covariance: Reals, names: Sequence[str]) -> str | None:
    """Why a covariance has no Cholesky root that can be trusted; None if it has.

    The eigenvalues are those of the correlations, so that small variances are not taken for dependence.
    """
    if problem := still_problem(covariance, names):
        return problem
    deviations = np.sqrt(np.diag(covariance))
    correlations = covariance / np.outer(deviations, deviations)
    values, vectors = np.linalg.eigh((correlations + correlations.T) / 2)
    if values[0] >= _LEAST_EIGENVALUE:
        return None
    involved = np.argsort(-np.abs(vectors[:, 0]), kind="stable")[:_NAMED]
    share = ", ".join(f"{names[each]} ({vectors[each, 0]:+.2f})" for each in involved.tolist())
    return (  # more days than factors help a sample, but not an EWMA, which counts the last ones only
        f"the covariance is not positive definite: the smallest eigenvalue of the correlations is {values[0]:.2g}, of a direction "
        f"mostly of {share}; leave out one of names that move as one, or take the sample covariance of more days than "
        f"the {len(names)} factors"
    )
