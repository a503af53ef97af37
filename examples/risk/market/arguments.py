"""What was asked for, or every problem with it."""

from __future__ import annotations

import math
import re
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from examples.risk.market.elliptical import LEAST_DEGREES
from examples.risk.market.prices import day_of
from examples.risk.market.scenarios import BLOCK
from examples.workload.arguments import (
    WITHOUT_END,
    CheckpointPlan,
    Parser,
    add_checkpoint,
    add_out,
    check_out,
    input_problem,
    number,
    read_checkpoint,
    whole_number,
)
from examples.workload.errors import BadArguments

MODELS: Final = ("t", "normal", "bootstrap")
SAMPLINGS: Final = ("monte-carlo", "importance")
COVARIANCES: Final = ("sample", "ewma")
STRESS: Final = (date(2008, 1, 1), date(2009, 6, 30))  # the financial crisis
_COUNTS: Final = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}
_LEAST_SCENARIOS, _MOST_SCENARIOS = 1000, 10**12  # the 99.9 % quantile needs a scenario beyond it
_LEAST_REPLICATES = 8  # whose spread tells an error within a quarter of it, as a standard deviation
_LONGEST_HORIZON = 252
_ALONE: Final = {
    "bootstrap": ("--covariance", "--degrees"),
    "t": ("--bootstrap-days",),
    "normal": ("--bootstrap-days", "--degrees"),
}


@dataclass(frozen=True, slots=True)
class Window:
    """Days from which scenarios are estimated; None: its default end.

    Attributes:
        first, last: both are in it.
    """

    first: date | None
    last: date | None


@dataclass(frozen=True, slots=True)
class Arguments:
    """What one run does.

    Attributes:
        prices: file of prices.
        portfolio: file of positions.
        horizon: trading days.
        scenarios: how many; whole blocks are made.
        model: t, normal or bootstrap.
        degrees: of freedom of the t; None: fitted.
        covariance: sample, ewma, or a file.
        bootstrap_days: consecutive days that are drawn together.
        volatility: the name of a volatility index among the prices, ewma or none; see `covariance.history_of`.
        rate: riskless, per year.
        window: of the scenarios.
        stress: of stressed expected shortfall; None: there is none.
        asked_for_stress: rather than by default.
        seed: of all draws.
        replicates: of importance sampling, (how many, blocks of each); None: there is none.
        incremental: whether expected shortfall without each underlying is found, too.
        backtest: days of the back-test, 0 for none; None: all that can be foretold.
        brute_force: value every scenario.
        plots: whether charts are drawn.
        json: whether standard output is result.json.
        out: directory of the results.
        checkpoint: where and how often to save.
    """

    prices: str
    portfolio: str
    horizon: int
    scenarios: int
    model: str
    degrees: float | None
    covariance: str
    bootstrap_days: int
    volatility: str
    rate: float
    window: Window
    stress: Window | None
    asked_for_stress: bool
    seed: int
    replicates: tuple[int, int] | None
    incremental: bool
    backtest: int | None
    brute_force: bool
    plots: bool
    json: bool
    out: Path
    checkpoint: CheckpointPlan

    @property
    def blocks(self) -> int:
        """Of scenarios."""
        return -(-self.scenarios // BLOCK)

    def inputs(self) -> dict[str, str]:
        """Files, by what they are."""
        given = {} if self.covariance in COVARIANCES else {"covariance": self.covariance}
        return {"prices": self.prices, "portfolio": self.portfolio, **given}


def make_parser() -> Parser:
    """The arguments as ``--help`` shows them; all values are checked together, in `read_arguments`."""
    parser = Parser("market", "Value at risk and expected shortfall of shares and options by full revaluation, over MPI.")
    parser.add_argument("--prices", metavar="FILE", help="CSV of daily prices, 'Date,NAME,...', here or at s3://, perhaps .gz")
    parser.add_argument(
        "--portfolio", metavar="FILE", help="CSV 'underlying,type,quantity,strike,expiry,volatility', or YAML of these fields"
    )
    parser.add_argument("--horizon", default="10d", metavar="DAYS", help="trading days until the loss is counted (default: 10d)")
    parser.add_argument(
        "--scenarios",
        default="1M",
        metavar="N",
        help=f"how many, as 200k, 1M or 2G; rounded up to blocks of {BLOCK:,} (default: 1M)",
    )
    parser.add_argument("--model", default=MODELS[0], metavar="M", help="t (default), normal, or bootstrap of past days")
    parser.add_argument(
        "--degrees", metavar="NU", help=f"of freedom of the t, {LEAST_DEGREES} or more, or 'fit' by likelihood (default: 4)"
    )
    parser.add_argument(
        "--covariance", metavar="C", help="sample (default), ewma with lambda 0.94 a day, or a CSV of daily covariances with names"
    )
    parser.add_argument("--bootstrap-days", metavar="DAYS", help="consecutive days that are drawn together (default: 1)")
    parser.add_argument(
        "--volatility-index",
        default="ewma",
        metavar="NAME",
        help="what moves implied volatilities: a column of the prices, such as VIX; ewma (default): the mean of all "
        "names has a volatility by EWMA, which does; none: nothing",
    )
    parser.add_argument("--rate", default="2%", metavar="RATE", help="riskless, a year, as 2%% or 0.02 (default: 2%%)")
    parser.add_argument("--from", dest="first", metavar="DATE", help="first day of the window (default: five years before its end)")
    parser.add_argument("--to", dest="last", metavar="DATE", help="last day of the window and of the prices (default: the last)")
    parser.add_argument(
        "--stress-from", metavar="DATE", help=f"first day of the window of stress, by its sample covariance (default: {STRESS[0]})"
    )
    parser.add_argument("--stress-to", metavar="DATE", help=f"last day of it (default: {STRESS[1]})")
    parser.add_argument("--no-stress", action="store_true", help="no stressed expected shortfall")
    parser.add_argument("--seed", default="1", metavar="N", help="of all draws (default: 1)")
    parser.add_argument(
        "--sampling",
        default=SAMPLINGS[0],
        metavar="HOW",
        help="monte-carlo (default), or importance: besides, VaR and ES by importance sampling on scrambled Sobol' points",
    )
    parser.add_argument("--points", metavar="N", help="of each replicate of these; rounded up to a power of two (default: 16k)")
    parser.add_argument("--replicates", metavar="R", help="independent scrambles of these, which tell the error (default: 16)")
    parser.add_argument(
        "--incremental", action="store_true", help="what each underlying adds to expected shortfall: a run without each of them"
    )
    parser.add_argument(
        "--backtest", nargs="?", const="500", metavar="DAYS", help="foretell the last DAYS, or 'all', one by one (default: 500)"
    )
    parser.add_argument("--brute-force", action="store_true", help="value every scenario: the same figures in many times the time")
    parser.add_argument("--plots", action="store_true", help="charts of losses, components, back-test and convergence")
    parser.add_argument("--json", action="store_true", help="print result.json instead of a table")
    add_out(parser)
    add_checkpoint(parser)
    return parser


def read_arguments(words: Sequence[str]) -> Arguments | None:
    """Check the words of a command line; None if it asks for help.

    Raises:
        BadArguments: with all problems.
    """
    problems: list[str] = []
    given = make_parser().read(words, problems)
    if given is None:
        return None
    for name, address in (("--prices", given.prices), ("--portfolio", given.portfolio)):
        if problem := f"{name}: is missing" if address is None else input_problem(name, address):
            problems.append(problem)
    horizon = _days("--horizon", given.horizon, problems)
    _check_model(given, problems)
    check_out(given, problems)
    arguments = Arguments(
        prices=given.prices or "",
        portfolio=given.portfolio or "",
        horizon=horizon,
        scenarios=_count("--scenarios", given.scenarios, problems),
        model=given.model,
        degrees=_degrees(given, problems),
        covariance=given.covariance or COVARIANCES[0],
        bootstrap_days=_block_days(given, horizon, problems),
        volatility=given.volatility_index,
        rate=_rate("--rate", given.rate, problems),
        window=_window("--from", "--to", (given.first, given.last), problems),
        stress=_stress(given, problems),
        asked_for_stress=bool(given.stress_from or given.stress_to),
        seed=whole_number("--seed", given.seed, (0, 2**59), problems),
        replicates=_replicates(given, problems),
        incremental=given.incremental,
        backtest=_backtest(given, problems),
        brute_force=given.brute_force,
        plots=given.plots,
        json=given.json,
        out=Path(given.out or ""),
        checkpoint=read_checkpoint(given, problems),
    )
    if problems:
        raise BadArguments(problems)
    return arguments


def _check_model(given: Namespace, problems: list[str]) -> None:
    if given.model not in MODELS:
        problems.append(f"--model: is {given.model!r}, but must be one of {', '.join(MODELS)}")
    if given.covariance not in (None, *COVARIANCES) and (problem := input_problem("--covariance", given.covariance)):
        problems.append(f"{problem}; it must be {', '.join(COVARIANCES)}, or a file")
    problems += [
        f"{name}: means nothing with --model {given.model}"
        for name in _ALONE.get(given.model, ())
        if getattr(given, name.strip("-").replace("-", "_")) is not None
    ]


def _degrees(given: Namespace, problems: list[str]) -> float | None:
    if given.model == "normal":
        return math.inf
    if given.degrees == "fit":
        return None
    return number("--degrees", given.degrees or "4", (LEAST_DEGREES, 1e6), problems)


def _block_days(given: Namespace, horizon: int, problems: list[str]) -> int:
    if given.bootstrap_days is None:
        return 1
    days = _days("--bootstrap-days", given.bootstrap_days, problems)
    if days > horizon:
        problems.append(f"--bootstrap-days: is {days} days, but must not be more than the horizon of {horizon}")
    return days


def _replicates(given: Namespace, problems: list[str]) -> tuple[int, int] | None:
    if given.sampling not in SAMPLINGS:
        problems.append(f"--sampling: is {given.sampling!r}, but must be {' or '.join(SAMPLINGS)}")
    if given.sampling != SAMPLINGS[1]:
        given_ones = [name for name in ("--points", "--replicates") if getattr(given, name[2:]) is not None]
        problems += [f"{name}: needs --sampling importance" for name in given_ones]
        return None
    if given.model == "bootstrap":
        problems.append("--sampling: importance is for --model t or normal; past days have no density to draw from otherwise")
    points = _count("--points", given.points or "16k", problems)
    replicates = whole_number("--replicates", given.replicates or "16", (_LEAST_REPLICATES, 10_000), problems)
    return replicates, 1 << max(0, -(-points // BLOCK) - 1).bit_length()


def _backtest(given: Namespace, problems: list[str]) -> int | None:
    if given.backtest == "all":
        return None
    return whole_number("--backtest", given.backtest, (1, WITHOUT_END), problems) if given.backtest else 0


def _stress(given: Namespace, problems: list[str]) -> Window | None:
    window = _window(
        "--stress-from", "--stress-to", (given.stress_from or str(STRESS[0]), given.stress_to or str(STRESS[1])), problems
    )
    if given.no_stress and (given.stress_from or given.stress_to):
        problems.append("--no-stress: and a window of stress are both given; leave one of them out")
    return None if given.no_stress else window


def _window(first: str, last: str, given: tuple[str | None, str | None], problems: list[str]) -> Window:
    dates = [_date(name, text, problems) for name, text in zip((first, last), given, strict=True)]
    if dates[0] and dates[1] and dates[0] >= dates[1]:
        problems.append(f"{first}: is {dates[0]}, but must be before {last}, {dates[1]}")
    return Window(*dates)


def _date(name: str, text: str | None, problems: list[str]) -> date | None:
    try:
        return None if text is None else day_of(text)
    except ValueError:
        problems.append(f"{name}: is {text!r}, but must be a date, as in 2022-12-28")
        return None


def _days(name: str, text: str, problems: list[str]) -> int:
    match = re.fullmatch(r"(\d{1,3}) ?d?", text)
    if match and 1 <= int(match[1]) <= _LONGEST_HORIZON:
        return int(match[1])
    problems.append(f"{name}: is {text!r}, but must be trading days from 1d to {_LONGEST_HORIZON}d, as in 10d")
    return 1


def _count(name: str, text: str, problems: list[str]) -> int:
    match = re.fullmatch(r"(\d{1,13}) ?([kMG]?)", text.replace(",", ""))
    value = int(match[1]) * _COUNTS[match[2]] if match else 0
    if _LEAST_SCENARIOS <= value <= _MOST_SCENARIOS:
        return value
    problems.append(f"{name}: is {text!r}, but must be a number from {_LEAST_SCENARIOS:,} on, as in 200k, 1M or 2G")
    return _LEAST_SCENARIOS


def _rate(name: str, text: str, problems: list[str]) -> float:
    per_cent = text.endswith("%")
    value = number(name, text.removesuffix("%"), (-50, 100) if per_cent else (-0.5, 1.0), problems)
    return value / 100 if per_cent else value
