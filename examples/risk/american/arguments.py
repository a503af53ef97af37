"""What was asked for, or every problem with it."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from examples.risk.american.contract import PAYOFFS
from examples.risk.american.contract_file import read_contracts
from examples.risk.american.fields import Fields
from examples.risk.american.heston import Intervals
from examples.risk.american.model import Heston
from examples.risk.american.policy import Policy
from examples.risk.american.policy_file import read_policies
from examples.risk.american.sobol_paths import DIMENSIONS
from examples.risk.american.trades import MODELS, Trade, read_trade
from examples.risk.numerics.philox import Philox
from examples.workload.arguments import (
    CheckpointPlan,
    Parser,
    add_checkpoint,
    add_out,
    check_out,
    input_problem,
    read_checkpoint,
    whole_number,
)
from examples.workload.errors import BadArguments

PRECISIONS: Final = ("f64", "f32")
SAMPLINGS: Final = ("monte-carlo", "sobol")
_LEAST_PATHS, _MOST_PATHS = 256, 1 << 40
_INNER = 32, 1 << 16
_CONTRACT: Final = {  # arguments that are fields of a contract: what they say, and an example
    "payoff": ("WORD", f"one of {', '.join(PAYOFFS)}"),
    "spot": ("MONEY", "today's price of each asset, as 36, or 90,100,110"),
    "strike": ("MONEY", "what is paid, or received, at exercise"),
    "rate": ("RATE", "riskless, a year, continuously compounded, as 6%% or 0.06"),
    "dividend": ("RATES", "yield of each asset, likewise (default: 0)"),
    "volatility": ("RATES", "of each asset a year, as 20%% or 0.2"),
    "expiry": ("YEARS", "last exercise date"),
    "dates": ("N", "exercise dates, equally far apart, or their list in years, as 0.5,1,3"),
    "assets": ("N", "how many, if one number is for all of them (default: as many as the longest list has)"),
    "correlation": ("NUMBER", "of each pair of assets (default: 0); a matrix needs a file"),
    "weights": ("NUMBERS", "of the assets in a basket (default: equal, 1 in all)"),
    "model": ("WORD", f"{' or '.join(MODELS)} (default: gbm, geometric Brownian motion)"),
    "variance": ("NUMBER", "heston: today's, a year: the volatility squared"),
    "kappa": ("NUMBER", "heston: speed of its return, a year"),
    "theta": ("NUMBER", "heston: its long-term mean"),
    "xi": ("NUMBER", "heston: its volatility"),
    "rho": ("NUMBER", "heston: its correlation with the asset"),
}


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is drawn, at least: blocks are whole.

    Attributes:
        paths: for the exercise policy.
        lower_paths: for the lower bound.
        outer: paths of the upper bound; 0: no upper bound.
        inner: paths at each date of each of them.
    """

    paths: int
    lower_paths: int
    outer: int
    inner: int


@dataclass(frozen=True, slots=True)
class Arguments:
    """What one run does.

    Attributes:
        trades: what is priced.
        contract_file: where they came from; None: the command line.
        warnings: what is unusual about them.
        sizes: how much is drawn.
        precision: of paths, f64 or f32.
        seed: of all draws.
        antithetic: whether each path of policy and lower bound has a mirror image.
        sampling: of the lower bound, monte-carlo or sobol.
        greeks: whether they are asked for.
        plots: whether charts are.
        json: whether standard output is result.json.
        policy: file of exercise policies to use; None: they are found.
        policies: what is in it, one a trade.
        out: directory of the results.
        checkpoint: where and how often to save.
    """

    trades: tuple[Trade, ...]
    contract_file: str | None
    warnings: tuple[str, ...]
    sizes: Sizes
    precision: str
    seed: int
    antithetic: bool
    sampling: str
    greeks: bool
    plots: bool
    json: bool
    policy: str | None
    policies: tuple[Policy, ...] | None
    out: Path
    checkpoint: CheckpointPlan


def make_parser() -> Parser:
    """The arguments as ``--help`` shows them; all values are checked together, in `read_arguments`."""
    parser = Parser("american", "Prices of American and Bermudan options between two bounds, over MPI.")
    parser.add_argument("--contract", metavar="FILE", help="YAML or JSON with these fields, of one contract or of several")
    for name, (what, told) in _CONTRACT.items():
        parser.add_argument(f"--{name}", metavar=what, help=told)
    parser.add_argument("--not-today", action="store_true", help="it cannot be exercised before the first date")
    parser.add_argument("--paths", default="131072", metavar="N", help="from which the exercise policy is found (default: 131072)")
    parser.add_argument("--lower-paths", default="262144", metavar="N", help="fresh paths of the lower bound (default: 262144)")
    parser.add_argument("--outer", default="2048", metavar="N", help="paths of the upper bound (default: 2048)")
    parser.add_argument("--inner", default="256", metavar="N", help="paths from each date of each of them (default: 256)")
    parser.add_argument("--no-upper", action="store_true", help="no upper bound")
    parser.add_argument("--policy", metavar="FILE", help="policy.json of an earlier run of the same contracts; none is found anew")
    parser.add_argument(
        "--greeks", action="store_true", help="delta, gamma and vega of each asset, with errors of the draws (not of the policy)"
    )
    parser.add_argument(
        "--sampling", default=SAMPLINGS[0], metavar="HOW", help="of the lower bound: monte-carlo (default) or sobol"
    )
    parser.add_argument("--antithetic", action="store_true", help="each path has a mirror image")
    parser.add_argument(
        "--precision",
        default=PRECISIONS[0],
        metavar="P",
        help="of paths: f64 (default), or f32, which find the policy in half the time",
    )
    parser.add_argument("--seed", default="1", metavar="N", help="of all draws (default: 1)")
    parser.add_argument("--plots", action="store_true", help="charts: exercise boundary, bounds against paths")
    parser.add_argument("--json", action="store_true", help="print result.json instead of a table")
    add_out(parser)
    add_checkpoint(parser)
    return parser


def read_arguments(words: Sequence[str]) -> Arguments | None:
    """Check the words of a command line, and the contracts; None if it asks for help.

    Raises:
        BadArguments: with all problems.
        Malformed: the file of contracts is.
    """
    problems: list[str] = []
    warnings: list[str] = []
    given = make_parser().read(words, problems)
    if given is None:
        return None
    outer = whole_number("--outer", given.outer, (1, _MOST_PATHS), problems)
    sizes = Sizes(
        whole_number("--paths", given.paths, (_LEAST_PATHS, _MOST_PATHS), problems),
        whole_number("--lower-paths", given.lower_paths, (_LEAST_PATHS, _MOST_PATHS), problems),
        0 if given.no_upper else outer,
        whole_number("--inner", given.inner, _INNER, problems),
    )
    seed = whole_number("--seed", given.seed, (0, 2**59), problems)
    for name, choices in (("precision", PRECISIONS), ("sampling", SAMPLINGS)):
        if (value := getattr(given, name)) not in choices:
            problems.append(f"--{name}: is {value!r}, but must be {' or '.join(choices)}")
    if given.sampling == SAMPLINGS[1] and given.antithetic:
        problems.append("--antithetic: is for --sampling monte-carlo; Sobol' points are even already")
    if given.policy and (problem := input_problem("--policy", given.policy)):
        problems.append(problem)
    check_out(given, problems)
    checkpoint = read_checkpoint(given, problems)
    trades = _trades(given, problems, warnings)
    problems += [problem for trade in trades if (problem := _step_problem(trade))]
    if given.sampling == SAMPLINGS[1]:
        problems += [problem for trade in trades if (problem := _sobol_problem(trade))]
    policies = read_policies(given.policy, trades, problems) if given.policy and not problems else None
    if problems:
        raise BadArguments(problems)
    return Arguments(
        trades=tuple(trades),
        contract_file=given.contract,
        warnings=tuple(warnings),
        sizes=sizes,
        precision=given.precision,
        seed=seed,
        antithetic=given.antithetic,
        sampling=given.sampling,
        greeks=given.greeks,
        plots=given.plots,
        json=given.json,
        policy=given.policy,
        policies=tuple(policies) if policies is not None else None,
        out=Path(given.out),
        checkpoint=checkpoint,
    )


def _trades(given: Namespace, problems: list[str], warnings: list[str]) -> list[Trade]:
    """Those of the file, or the one of the command line."""
    fields = {name: value for name in _CONTRACT if (value := getattr(given, name)) is not None}
    if given.contract is None:
        values = {**fields, "today": not given.not_today}
        trade = read_trade(Fields(values, lambda field: f"--{field}", problems), given.payoff or "contract", warnings)
        return [trade] if trade else []
    both = [f"--{name}" for name in fields] + ["--not-today"] * given.not_today
    if both:
        problems.append(f"--contract: names the contracts, and {', '.join(both)} another one; leave one of them out")
    if problem := input_problem("--contract", given.contract):
        problems.append(problem)
    return [] if problems else read_contracts(given.contract, warnings)


def _step_problem(trade: Trade) -> str | None:
    """Why Heston's paths cannot be made; None if they can."""
    try:
        if isinstance(trade.model, Heston):
            Intervals(trade.model, trade.contract.dates, Philox(0, 0), 4)
    except ValueError as error:
        return f"{trade.name}: {error}"
    return None


def _sobol_problem(trade: Trade) -> str | None:
    """Why its paths cannot be made of Sobol' points; None if they can."""
    if isinstance(trade.model, Heston):
        return f"--sampling: {trade.name} is in Heston's model, whose paths take independent draws; use monte-carlo"
    dates, assets = len(trade.contract.dates), len(trade.spots)
    if dates * assets > DIMENSIONS:
        needed = f"{dates} dates x {assets} assets = {dates * assets:,} dimensions"
        return f"--sampling: {trade.name} has {needed}, but Sobol' points have {DIMENSIONS:,}; use monte-carlo"
    return None
