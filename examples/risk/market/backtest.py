"""Back-test: what today's book would have lost on each day of the past, against what was foretold the evening before.

The losses are hypothetical (Basel framework MAR32.26): positions and option terms are today's, the moves of the risk factors are
those of the day, and every value is exact. What is foretold is a model's, with what was known then: for elliptical models the
covariance by EWMA and fresh draws for each day; for the bootstrap, historical simulation of the last `WINDOW` days. That is a
model of its own (`Foreteller`), whatever covariance the figures have: it says nothing of ten days by a sample covariance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from batchhpc.rank import Progress
from examples.risk.market.book import TRADING_DAYS, Book
from examples.risk.market.covariance import History, definite_problem, sample_covariance
from examples.risk.market.elliptical import MIXING, NORMALS, Elliptical, Mixing
from examples.risk.market.scenarios import BLOCK
from examples.risk.market.screen import Screen
from examples.risk.market.screens import Screens
from examples.risk.market.valuation import Valuation
from examples.risk.numerics.estimates import Estimate
from examples.risk.numerics.normals import Normals
from examples.risk.numerics.philox import Philox
from examples.workload.communicator import Communicator

Reals = npt.NDArray[np.float64]
WINDOW = 500  # days that must be known before a day is foretold
DECAY = 0.97  # of the EWMA: more days than RiskMetrics' 0.94, for twenty covariances are harder to know than one
VAR_LEVEL, ES_LEVEL = 0.99, 0.975  # MAR32.5, MAR33.3
_MONTH = 21  # trading days
_ACCURATE = 1  # which of the second screens
BLOCKS = 4  # of scenarios a day: the standard error of VaR 99 % is 2 to 3 % with 16,384


@dataclass(frozen=True, slots=True)
class Backtest:
    """Losses and what was foretold, (days,) each.

    Attributes:
        dates: of the days.
        losses: of today's book by the day's moves.
        value_at_risk: 1-day, at 99 %.
        value_at_risk_es: the same at 97.5 %, beyond which shortfall begins.
        shortfall: 1-day expected shortfall at 97.5 %.
    """

    dates: npt.NDArray[np.datetime64]
    losses: Reals
    value_at_risk: Reals
    value_at_risk_es: Reals
    shortfall: Reals


@dataclass(frozen=True, slots=True)
class Foreteller:
    """The model of a back-test.

    Attributes:
        degrees: of freedom of a t, infinite for the normal model; nan: historical simulation.
        fitted: how these were found, from days before the first that is foretold; None if they were given.
    """

    degrees: float
    fitted: Estimate | None = None

    def told(self) -> dict[str, Any]:
        """As in ``result.json``."""
        if math.isnan(self.degrees):
            return {"name": "historical simulation", "days": WINDOW, "horizon_days": 1}
        return {
            "name": "normal" if math.isinf(self.degrees) else "t",
            "degrees": self.degrees if math.isfinite(self.degrees) else None,
            "degrees_fitted": self.fitted.told() if self.fitted else None,
            "covariance": "ewma",
            "lambda": DECAY,
            "horizon_days": 1,
            "scenarios_a_day": BLOCKS * BLOCK,
        }

    def __str__(self) -> str:
        """In a few words."""
        if math.isnan(self.degrees):
            return f"historical simulation of {WINDOW} days"
        return f"{'normal' if math.isinf(self.degrees) else f't of {self.degrees:.4g} degrees'}, EWMA of lambda {DECAY}"


def most_days(history: History) -> int:
    """How many days at the end of a history can be foretold."""
    return max(0, len(history.changes) - WINDOW)


def covariance_problem(history: History, days: int) -> str | None:
    """Why there are days without a positive definite covariance among the last ones; None if there are none.

    An EWMA forgets slowly what made it definite, so the first one, one a month, and the last are enough.
    """
    first, last = len(history.changes) - days, len(history.changes) - 1
    covariance = _ewma_until(history.changes, first)
    for day in range(first, last + 1):
        if ((day - first) % _MONTH == 0 or day == last) and (problem := definite_problem(covariance, history.names)):
            return f"the covariance that foretells {history.dates[day]}, by EWMA from {history.dates[0]} on: {problem}"
        covariance = _updated(covariance, history.changes[day])
    return None


def backtest(
    comm: Communicator, book: Book, history: History, degrees: float, days: int, seed: int, *, brute_force: bool = False
) -> Backtest:
    """The last days of a history; collective, the days are shared out.

    Args:
        comm: the ranks.
        book: today's.
        history: of its risk factors.
        degrees: of freedom of an elliptical model, infinite for the normal one; nan: historical simulation.
        days: at most `most_days`.
        seed: of the draws.
        brute_force: value every scenario; the figures are the same.
    """
    tomorrow = replace(book, horizon=1 / TRADING_DAYS)
    valuation = Valuation(tomorrow)
    first = len(history.changes) - days
    losses = -_total(valuation(history.changes[first - WINDOW :].T))
    if np.isnan(degrees):
        foretold = np.array([_figures(losses[day : day + WINDOW]) for day in range(days)])
    else:
        model = _Model(comm, tomorrow, valuation, history, degrees, first, seed, brute_force)
        mine = range(days * comm.rank // comm.size, days * (comm.rank + 1) // comm.size)
        found = np.zeros((days, 3))
        with Progress(len(mine), "days of the back-test", comm) as progress:
            for day in mine:
                found[day] = model.foretell(first + day)
                progress.advance(1)
        foretold = np.empty_like(found)
        comm.Allreduce(found, foretold)  # a day is one rank's, so nothing is rounded
    return Backtest(history.dates[first:], losses[WINDOW:], *foretold.T)


def _total(profits: Reals) -> Reals:
    """Over the underlyings, one after the other: the same bits for a scenario in any company."""
    total = np.zeros(profits.shape[1])
    for row in profits:
        total += row
    return total


def _figures(losses: Reals) -> tuple[float, float, float]:
    """VaR at both levels and shortfall: the k-th largest of n, k = n (1 - level) rounded down; the mean from there on."""
    ordered = np.sort(losses)[::-1]
    few, some = (max(1, int(len(losses) * (1 - level) + 1e-9)) for level in (VAR_LEVEL, ES_LEVEL))
    return float(ordered[few - 1]), float(ordered[some - 1]), float(ordered[:some].mean())


class _Model:
    """Foretells any day; one screen serves all days, for its reach is that of the most volatile one."""

    def __init__(
        self,
        comm: Communicator,
        book: Book,
        valuation: Valuation,
        history: History,
        degrees: float,
        first: int,
        seed: int,
        brute_force: bool,
    ) -> None:
        self._changes, self._valuation, self._first = history.changes, valuation, first
        self._day, self._covariance = first, _ewma_until(history.changes, first)
        widest = latest = self._covariance
        for row in history.changes[first:-1]:
            latest = _updated(latest, row)
            widest = max(widest, latest, key=np.trace)
        screens = Screens(comm, book, Elliptical(widest, degrees, seed), valuation)
        self._screen: Screen | None = None if screens.reason or brute_force else screens.screen(screens.second[_ACCURATE])
        factors = book.factors
        self._normals = Normals(Philox(seed, NORMALS), factors * BLOCK, np.float32)
        self._mixers = Normals(Philox(seed, MIXING), BLOCK)
        self._mixing = None if np.isinf(degrees) else Mixing(degrees, BLOCK)
        self._independent = np.empty((factors, BLOCK), np.float32)
        self._moves = np.empty((BLOCKS, factors, BLOCK), np.float32)

    def foretell(self, day: int) -> tuple[float, float, float]:
        """What is known until the day before it says of it; days ascend."""
        while self._day < day:
            self._covariance = _updated(self._covariance, self._changes[self._day])
            self._day += 1
        root = np.linalg.cholesky(self._covariance).astype(np.float32)
        for number in range(BLOCKS):
            self._draw(root, day, number)
        return _figures(self._tail() if self._screen else np.concatenate([-_total(self._valuation(each)) for each in self._moves]))

    def _draw(self, root: npt.NDArray[np.float32], day: int, number: int) -> None:
        """Draws of a day have addresses of their own, other than those of the main scenarios (date 0)."""
        self._normals.fill(number, self._independent, date=day + 1)
        moves = np.matmul(root, self._independent, out=self._moves[number])
        if self._mixing:
            mixers = np.empty(BLOCK)
            self._mixers.fill(number, mixers, date=day + 1)
            np.multiply(moves, self._mixing(mixers, np.empty(BLOCK)).astype(np.float32), out=moves)

    def _tail(self) -> Reals:
        """All losses, exact where they count: what the screen says, and valued where it may be among those of the 97.5 % tail."""
        screen = self._screen
        assert screen
        profits, outside = np.empty(BLOCKS * BLOCK, np.float32), np.empty(BLOCKS * BLOCK, np.bool_)
        for number, moves in enumerate(self._moves):
            part = slice(number * BLOCK, (number + 1) * BLOCK)
            screen(moves, profits[part], outside[part])
        losses = np.where(outside, -np.inf, -profits.astype(np.float64))
        place = len(losses) - int(len(losses) * (1 - ES_LEVEL) + 1e-9)
        least = np.partition(losses, place)[place]  # the true quantile is at least this, less the bound: others can only raise it
        valued = np.flatnonzero((losses >= least - 2 * screen.bound) | outside)
        moves = self._moves.transpose(1, 0, 2).reshape(len(self._independent), -1)[:, valued]
        losses[valued] = -_total(self._valuation(moves))
        return losses


def _ewma_until(changes: Reals, day: int) -> Reals:
    """Daily covariance by what was known before a day; it begins with the sample covariance of the first `WINDOW` days."""
    covariance = sample_covariance(changes[:WINDOW])
    for row in changes[WINDOW:day]:
        covariance = _updated(covariance, row)
    return covariance


def _updated(covariance: Reals, changes: Reals) -> Reals:
    """One day later."""
    return np.asarray(DECAY * covariance + (1 - DECAY) * np.outer(changes, changes))
