"""One run on all ranks: from the arguments to the results."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from examples.risk.american.arguments import Arguments, make_parser, read_arguments
from examples.risk.american.boundary import boundaries_of
from examples.risk.american.charts import charts, names_of_charts
from examples.risk.american.policy_file import policy_text
from examples.risk.american.price import price_all
from examples.risk.american.priced import Priced
from examples.risk.american.report import convergence_csv, policy_csv, result, table
from examples.risk.numerics.provenance import provenance
from examples.workload.communicator import Communicator
from examples.workload.program import run_program
from examples.workload.results import naming, prepare

POLICY, DATES, CONVERGENCE, RESULT = "policy.json", "exercise_policy.csv", "convergence.csv", "result.json"


def main(comm: Communicator, words: Sequence[str]) -> int:
    """The exit code."""
    return run_program(comm, make_parser(), read_arguments, work, words)


def work(comm: Communicator, arguments: Arguments) -> None:
    """Price everything, write the results, and print the table of the run on rank 0."""
    if comm.rank == 0:
        for warning in arguments.warnings:
            print(f"american: warning: {warning}", file=sys.stderr, flush=True)
    names = [POLICY, DATES, CONVERGENCE, *names_of_charts(len(arguments.trades), arguments.out), RESULT]
    place = prepare(comm, arguments.out, names)
    priced = price_all(comm, arguments)
    inputs = {name: path for name, path in (("contracts", arguments.contract_file), ("policy", arguments.policy)) if path}
    origin = provenance(comm, inputs, arguments.seed)
    if comm.rank == 0:
        texts = _tables(arguments, priced)
        texts[RESULT] = json.dumps(result(arguments, origin, priced), indent=2, allow_nan=False) + "\n"
        for name, text in texts.items():
            with naming(place.partial(name), len(text)):
                place.partial(name).write_text(text, encoding="utf-8")
        place.make_visible()
        print(texts[RESULT] if arguments.json else table(arguments, priced), flush=True)
    comm.Barrier()  # the results are there when any rank returns


def _tables(arguments: Arguments, priced: Sequence[Priced]) -> dict[str, str]:
    """All files but the last, by name."""
    boundaries = [boundaries_of(each.trade, each.policy) for each in priced]
    return {
        POLICY: policy_text(priced),
        DATES: policy_csv(priced, boundaries),
        CONVERGENCE: convergence_csv(priced),
        **(charts(priced, boundaries) if arguments.plots else {}),
    }
