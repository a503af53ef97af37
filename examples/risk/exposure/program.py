"""One run of the program, on every rank."""

from __future__ import annotations

import json
from collections.abc import Sequence

from examples.risk.exposure import plots, report
from examples.risk.exposure.arguments import Arguments, make_parser, read_arguments
from examples.risk.exposure.curve import read_curve
from examples.risk.exposure.hull_white import HullWhite
from examples.risk.exposure.simulation import KEPT, Plan, Simulation
from examples.risk.exposure.trades import MONTHS, read_counterparties, read_swaps
from examples.risk.numerics.provenance import provenance
from examples.workload.communicator import Communicator
from examples.workload.errors import Malformed
from examples.workload.program import run_program
from examples.workload.restart import Restart
from examples.workload.results import prepare

RESULT, TABLE = "result.json", "exposures.csv"
CHARTS = ("exposure.svg", "cva.svg")


def main(comm: Communicator, words: Sequence[str]) -> int:
    """Run the program on this rank; the exit code."""
    return run_program(comm, make_parser(), read_arguments, work, words)


def work(comm: Communicator, arguments: Arguments) -> None:
    """Simulate, write the results, and print the table on rank 0."""
    plan = _plan(arguments)
    simulation = Simulation(plan)
    place = prepare(comm, arguments.out, (TABLE, *(CHARTS if arguments.plots else ()), RESULT))
    made = provenance(comm, arguments.inputs, arguments.seed)
    inputs = comm.bcast({name: each["sha256"] for name, each in made["inputs"].items()})  # rank 0 read them
    asked = {
        name: str(getattr(arguments, name))
        for name in ("reversion", "volatility", "own_spread", "own_recovery", "step", "margin", "paths", "seed")
    }
    with Restart(comm, arguments.checkpoint, "exposure", {**inputs, **asked}, KEPT) as restart:
        found = simulation.run(comm, restart)
    if comm.rank == 0:
        result = json.dumps({**made, **report.figures(plan, found)}, indent=2) + "\n"
        written = {RESULT: result, TABLE: report.exposures_csv(plan, found)}
        if arguments.plots:
            written |= dict(zip(CHARTS, (plots.profiles(plan, found), plots.adjustments(plan, found)), strict=True))
        for name, text in written.items():
            place.partial(name).write_text(text, encoding="utf-8")
        place.make_visible()
        print(result if arguments.json else report.table(simulation, found, str(arguments.out)), flush=True)
    comm.Barrier()  # the results are there when any rank returns


def _plan(arguments: Arguments) -> Plan:
    counterparties = read_counterparties(arguments.counterparties)
    swaps = read_swaps(arguments.swaps, counterparties)
    if not len(swaps.notional):
        raise Malformed(arguments.swaps, "has no swaps")
    return Plan(
        swaps,
        counterparties,
        HullWhite(read_curve(arguments.curve), arguments.reversion, arguments.volatility, float(swaps.maturity.max()) / MONTHS),
        arguments.own_spread,
        arguments.own_recovery,
        arguments.step,
        arguments.margin,
        arguments.paths,
        arguments.seed,
    )
