"""What was asked for, or every problem with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from examples.risk.exposure.simulation import BLOCK
from examples.workload.arguments import (
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

_INPUTS = ("curve", "swaps", "counterparties")
_DAYS = 365
_SHORTEST_MONTH = 30  # days


@dataclass(frozen=True, slots=True)
class Arguments:
    """What one run does.

    Attributes:
        curve, swaps, counterparties: files, here or at s3://.
        reversion: Hull and White's a, per year.
        volatility: their sigma, absolute, per square root of a year.
        own_spread: of this side's CDS, per year.
        own_recovery: what this side pays of a claim after its default.
        step: months between two dates.
        margin: years of the margin period.
        paths: a multiple of the block.
        seed: of all draws.
        plots: whether charts are drawn.
        json: whether the result is printed as JSON.
        out: directory of the results.
        checkpoint: where and how often to save.
    """

    curve: str
    swaps: str
    counterparties: str
    reversion: float
    volatility: float
    own_spread: float
    own_recovery: float
    step: int
    margin: float
    paths: int
    seed: int
    plots: bool
    json: bool
    out: Path
    checkpoint: CheckpointPlan

    @property
    def inputs(self) -> dict[str, str]:
        """Files by name."""
        return {name: getattr(self, name) for name in _INPUTS}


def make_parser() -> Parser:
    """The arguments as ``--help`` shows them; all values are checked together, in `read_arguments`."""
    parser = Parser("exposure", "Exposure to counterparties and CVA of interest rate swaps, over MPI.")
    parser.add_argument(
        "--curve", metavar="FILE", help="CSV years,zero_rate (continuously compounded; 0.03 is 3 %%), here or at s3://"
    )
    parser.add_argument(
        "--swaps",
        metavar="FILE",
        help="CSV counterparty,direction,notional,fixed_rate,maturity,payments_per_year and perhaps fixing;"
        " direction: payer or receiver of the fixed rate; maturity in years; fixing: rate of the period that has begun",
    )
    parser.add_argument("--counterparties", metavar="FILE", help="CSV counterparty,cds_spread,recovery and perhaps threshold")
    parser.add_argument(
        "--reversion", default="0.03", metavar="A", help="Hull and White's mean reversion, per year (default: 0.03)"
    )
    parser.add_argument(
        "--volatility", default="0.01", metavar="SIGMA", help="of the short rate, absolute (default: 0.01: 100 basis points)"
    )
    parser.add_argument(
        "--own-spread", default="0.01", metavar="SPREAD", help="of this side's CDS, per year, for DVA (default: 0.01)"
    )
    parser.add_argument("--own-recovery", default="0.4", metavar="SHARE", help="of this side (default: 0.4)")
    parser.add_argument("--step", default="6", metavar="MONTHS", help="between two dates of exposure (default: 6)")
    parser.add_argument("--margin-period", default="10", metavar="DAYS", help="from the last margin to the close-out (default: 10)")
    parser.add_argument(
        "--paths", default="65536", metavar="N", help=f"{2 * BLOCK} or more, rounded up to blocks of {BLOCK} (default: 65536)"
    )
    parser.add_argument("--seed", default="1", metavar="N", help="of all draws (default: 1)")
    parser.add_argument("--plots", action="store_true", help="draw exposure.svg and cva.svg")
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
    for name in _INPUTS:
        address = getattr(given, name)
        if address is None:
            problems.append(f"--{name}: is missing; examples are in examples/risk/data")
        elif problem := input_problem(f"--{name}", address):
            problems.append(problem)
    check_out(given, problems)
    paths = whole_number("--paths", given.paths, (2 * BLOCK, 2**32), problems)
    step = whole_number("--step", given.step, (1, 12), problems)
    margin = number("--margin-period", given.margin_period, (0, 90), problems)
    if margin > _SHORTEST_MONTH * step:
        problems.append(f"--margin-period: is {margin:g} days, but must not be longer than --step, {step} months")
    arguments = Arguments(
        curve=given.curve or "",
        swaps=given.swaps or "",
        counterparties=given.counterparties or "",
        reversion=number("--reversion", given.reversion, (1e-4, 2), problems),
        volatility=number("--volatility", given.volatility, (1e-6, 0.2), problems),
        own_spread=number("--own-spread", given.own_spread, (0, 1), problems),
        own_recovery=number("--own-recovery", given.own_recovery, (0, 0.99), problems),
        step=step,
        margin=margin / _DAYS,
        paths=-(-paths // BLOCK) * BLOCK,
        seed=whole_number("--seed", given.seed, (0, 2**53), problems),
        plots=given.plots,
        json=given.json,
        out=Path(given.out or "."),
        checkpoint=read_checkpoint(given, problems),
    )
    if problems:
        raise BadArguments(problems)
    return arguments
