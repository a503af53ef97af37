"""What is computed from: everything that the files and the arguments say, checked, as all ranks need it."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

from examples.risk.market.arguments import COVARIANCES, Arguments, Window
from examples.risk.market.backtest import WINDOW, Foreteller, covariance_problem, most_days
from examples.risk.market.book import TRADING_DAYS, Book
from examples.risk.market.bootstrap import Bootstrap
from examples.risk.market.covariance import (
    History,
    definite_problem,
    ewma_covariance,
    history_of,
    sample_covariance,
    still_problem,
    warm_up_problem,
)
from examples.risk.market.covariance_file import read_covariance
from examples.risk.market.degrees import fit_degrees
from examples.risk.market.elliptical import Elliptical
from examples.risk.market.portfolio import read_portfolio
from examples.risk.market.prices import Prices, read_prices
from examples.risk.market.scenarios import Scenarios
from examples.risk.numerics.estimates import Estimate
from examples.workload.errors import BadArguments, Malformed

Reals = npt.NDArray[np.float64]
_WINDOW = "--from, --to"
_YEARS = 5  # of the window, where nothing is said


@dataclass(frozen=True, slots=True)
class Source:
    """What scenarios are drawn from.

    Attributes:
        first, last: dates of the first and the last daily change.
        days: how many there are.
        names: of the factors.
        covariance: over the horizon, (factors, factors).
        estimate: how it was found: sample, ewma, or a file.
        changes: daily ones, for the bootstrap only; None otherwise: they are long.
    """

    first: date
    last: date
    days: int
    names: tuple[str, ...]
    covariance: Reals
    estimate: str
    changes: Reals | None


@dataclass(frozen=True, slots=True)
class Study:
    """All that a run computes from.

    Attributes:
        arguments: of the run.
        book: what is held.
        today: date of the last prices.
        normal, stressed: windows; the latter None if there is none.
        degrees: of freedom, infinite for normal scenarios; nan for the bootstrap.
        fitted: how these were found; None if they were given.
        history: all days, for the back-test only; None without one.
        backtest: its days; 0 without one.
        foreteller: its model.
        notes: what the user should know.
    """

    arguments: Arguments
    book: Book
    today: date
    normal: Source
    stressed: Source | None
    degrees: float
    fitted: Estimate | None
    history: History | None
    backtest: int
    foreteller: Foreteller
    notes: tuple[str, ...]

    def scenarios(self, source: Source) -> Scenarios:
        """Of the model, drawn with the run's seed: the same draws for each source."""
        if source.changes is not None:
            return Bootstrap(source.changes, self.arguments.horizon, self.arguments.bootstrap_days, self.arguments.seed)
        return Elliptical(source.covariance, self.degrees, self.arguments.seed)

    def identity(self, source: Source) -> dict[str, str]:
        """What a phase's results depend on, for its checkpoints."""
        book, asked = self.book, self.arguments
        numbers = [book.spots, book.shares, *(getattr(book.options, name) for name in book.options.__slots__)]
        held = hashlib.sha256(repr((book.names, book.rate, book.horizon, book.moves_volatility)).encode())
        for array in numbers:
            held.update(np.ascontiguousarray(array).tobytes())
        drawn = hashlib.sha256(source.covariance.tobytes())
        drawn.update(b"" if source.changes is None else source.changes.tobytes())
        how = f"{asked.model}, {self.degrees} degrees, {asked.bootstrap_days} days, {asked.blocks} blocks, seed {asked.seed}"
        return {
            "portfolio": held.hexdigest(),
            "moves": drawn.hexdigest(),
            "scenarios": how + (", brute force" if asked.brute_force else ""),
        }


def open_study(arguments: Arguments) -> Study:
    """Read and check everything.

    Raises:
        OSError: a file cannot be read.
        Malformed: a file is not what it should be.
        BadArguments: arguments do not fit the files.
    """
    prices = read_prices(arguments.prices).until(arguments.window.last)
    _check_names(arguments, prices)
    stocks = prices.of([name for name in prices.names if name != arguments.volatility])
    book = read_portfolio(
        arguments.portfolio,
        stocks,
        horizon=arguments.horizon / TRADING_DAYS,
        rate=arguments.rate,
        moves_volatility=arguments.volatility != "none",
    )
    if book.moves_volatility and arguments.volatility == "ewma" and (problem := warm_up_problem(prices)):
        raise Malformed(arguments.prices, problem)
    history = history_of(prices, book.names, arguments.volatility if book.moves_volatility else "none")
    today = prices.dates[-1].astype(date)
    problems: list[str] = []
    first = arguments.window.first or today.replace(year=today.year - _YEARS, day=min(today.day, 28))
    normal = _source(arguments, history, Window(first, today), _WINDOW, problems)
    stressed = None
    notes = []
    if arguments.window.first and arguments.window.first < prices.dates[0].astype(date):
        notes.append(f"--from: is {arguments.window.first}, but prices begin on {prices.dates[0]}; the window begins with them")
    if arguments.stress:
        missing = _not_covered(history, arguments.stress)
        if missing and not arguments.asked_for_stress:
            notes.append(f"no stressed expected shortfall: {missing}; --stress-from and --stress-to name another window")
        elif missing:
            problems.append(f"--stress-from, --stress-to: {missing}")
        else:
            stressed = _source(arguments, history, arguments.stress, "--stress-from, --stress-to", problems)
    days = _days_foretold(arguments, history, problems)
    if problems or normal is None:
        raise BadArguments(problems)
    fitted = fit_degrees(history.between(normal.first, normal.last).changes) if arguments.degrees is None else None
    degrees = math.nan if arguments.model == "bootstrap" else fitted.value if fitted else arguments.degrees or math.nan
    foreteller = _foreteller(arguments, history, days, degrees, normal.days) if days else Foreteller(degrees)
    return Study(
        arguments=arguments,
        book=book,
        today=today,
        normal=normal,
        stressed=stressed,
        degrees=degrees,
        fitted=fitted,
        history=history if days else None,
        backtest=days,
        foreteller=foreteller,
        notes=tuple(notes),
    )


def _days_foretold(arguments: Arguments, history: History, problems: list[str]) -> int:
    most = most_days(history)
    if arguments.backtest == 0 or (arguments.backtest or 1) <= most:
        return most if arguments.backtest is None else arguments.backtest
    known = f"the prices have {len(history.changes):,} daily changes, of which the first {WINDOW} are needed to begin with"
    problems.append(f"--backtest: is {arguments.backtest or 'all'} days, but {known}")
    return 0


def _foreteller(arguments: Arguments, history: History, days: int, degrees: float, known: int) -> Foreteller:
    """The model of the back-test; its degrees are fitted to as many days as the window has, before the first that is foretold."""
    if math.isnan(degrees):
        return Foreteller(degrees)
    if problem := covariance_problem(history, days):
        raise Malformed(arguments.prices, problem, "--backtest")
    if arguments.degrees is not None:
        return Foreteller(degrees)
    first = len(history.changes) - days
    before = history.changes[max(0, first - max(known, WINDOW)) : first]
    if problem := definite_problem(sample_covariance(before), history.names):
        raise Malformed(arguments.prices, problem, f"--backtest, {len(before)} days before {history.dates[first]}")
    fitted = fit_degrees(before)
    return Foreteller(fitted.value, fitted)


def _check_names(arguments: Arguments, prices: Prices) -> None:
    if not len(prices.dates):
        raise BadArguments([f"--to: is {arguments.window.last}, but prices begin after it"])
    if arguments.volatility not in ("ewma", "none", *prices.names):
        columns = f"a column of {arguments.prices}, whose last ones are {', '.join(prices.names[-5:])}"
        raise BadArguments([f"--volatility-index: is {arguments.volatility!r}, but must be ewma, none, or {columns}"])


def _not_covered(history: History, window: Window) -> str:
    first, last = history.dates[0].astype(date), history.dates[-1].astype(date)
    if window.first and window.last and window.first >= first and window.last <= last:
        return ""
    return f"the window from {window.first} to {window.last} is not within the prices' changes from {first} to {last}"


def _source(arguments: Arguments, history: History, window: Window, names: str, problems: list[str]) -> Source | None:
    within = history.between(window.first, window.last)
    if problem := within.problem():
        problems.append(f"{names}: {problem}")
        return None
    # of stress it is the sample's always: an EWMA would forget all but the last weeks of the window
    estimate = arguments.covariance if names == _WINDOW else COVARIANCES[0]
    given = estimate not in COVARIANCES
    if given:
        daily = read_covariance(estimate, within.names)
    else:
        daily = ewma_covariance(within.changes) if estimate == "ewma" else sample_covariance(within.changes)
    covariance = daily * arguments.horizon
    first, last = (within.dates[end].astype(date) for end in (0, -1))
    bootstrap = arguments.model == "bootstrap"
    problem = still_problem(covariance, within.names) if bootstrap else definite_problem(covariance, within.names)
    if problem:
        raise Malformed(estimate, problem) if given else Malformed(arguments.prices, problem, f"from {first} to {last}")
    changes = within.changes.copy() if bootstrap else None
    return Source(first, last, len(within.changes), within.names, covariance, estimate, changes)
