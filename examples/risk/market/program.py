"""One run on all ranks: from the arguments to the results."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from examples.risk.market.arguments import make_parser, read_arguments
from examples.risk.market.backtest import backtest
from examples.risk.market.figures import ES_LEVEL, LEVELS, Losses
from examples.risk.market.found import Found, Point
from examples.risk.market.incremental import incremental
from examples.risk.market.plots import charts
from examples.risk.market.report import backtest_csv, components_csv, convergence_csv, result, tail_csv
from examples.risk.market.study import Source, Study, open_study
from examples.risk.market.summary import table
from examples.risk.market.tail import VERSION, measure
from examples.risk.numerics.provenance import provenance
from examples.risk.numerics.traffic import Counted, Traffic
from examples.workload.communicator import Communicator
from examples.workload.program import run_program
from examples.workload.restart import Restart
from examples.workload.results import naming, prepare

if TYPE_CHECKING:
    from examples.risk.market.importance import Sampled

COMPONENTS, TAIL, BACKTEST = "components.csv", "tail.csv", "backtest.csv"
CONVERGENCE, RESULT = "convergence.csv", "result.json"
CHARTS = ("distribution.svg", "components.svg", "backtest.svg", "convergence.svg")
NAMES = (COMPONENTS, TAIL, BACKTEST, CONVERGENCE, *CHARTS, RESULT)
_SHARES = (64, 16, 4)  # of the scenarios, for the chart of convergence: a third more work


def main(comm: Communicator, words: Sequence[str]) -> int:
    """The exit code."""

    def check(words: Sequence[str]) -> Study | None:
        arguments = read_arguments(words)
        return open_study(arguments) if arguments else None

    return run_program(comm, make_parser(), check, work, words)


def work(comm: Communicator, study: Study) -> None:
    """Compute, write the results, and print the table of the run on rank 0."""
    arguments = study.arguments
    if comm.rank == 0:
        for note in study.notes:
            print(f"market: note: {note}", file=sys.stderr, flush=True)
    place = prepare(comm, arguments.out, NAMES)
    found = find(comm, study)
    origin = provenance(comm, arguments.inputs(), arguments.seed)
    if comm.rank == 0:
        texts = {COMPONENTS: components_csv(study, found), TAIL: tail_csv(study, found)}
        if found.backtest:
            texts[BACKTEST] = backtest_csv(found.backtest)
        if arguments.plots:
            texts |= {CONVERGENCE: convergence_csv(found), **charts(study, found)}
        texts[RESULT] = json.dumps(result(study, found, origin), indent=2, allow_nan=False) + "\n"
        for name, text in texts.items():
            with naming(place.partial(name), len(text)):
                place.partial(name).write_text(text, encoding="utf-8")
        place.make_visible()
        print(texts[RESULT] if arguments.json else table(study, found), end="" if arguments.json else "\n", flush=True)
    comm.Barrier()  # the results are there when any rank returns


def find(comm: Communicator, study: Study) -> Found:
    """All figures; collective."""
    phases = _Phases(comm)
    with phases.counted("losses") as counted:
        losses = _measured(counted, study, study.normal, "losses")
    stressed = None
    if study.stressed:
        with phases.counted("stressed") as counted:
            stressed = _measured(counted, study, study.stressed, "stressed", levels=(ES_LEVEL,))
    sampled = _sampled(phases, study) if study.arguments.replicates else None
    added = foretold = None
    if study.arguments.incremental:
        with phases.counted("incremental") as counted:
            added = incremental(counted, study.book, study.scenarios(study.normal), study.arguments.blocks, losses)
    if study.history:
        with phases.counted("backtest") as counted:
            foretold = backtest(
                counted,
                study.book,
                study.history,
                study.foreteller.degrees,
                study.backtest,
                study.arguments.seed,
                brute_force=study.arguments.brute_force,
            )
    convergence: list[Point] = []
    if study.arguments.plots:
        with phases.counted("convergence") as counted:
            convergence = _convergence(counted, study, losses, sampled)
    return Found(losses, stressed, sampled, added, foretold, tuple(convergence), phases.traffic, phases.seconds)


def _measured(comm: Communicator, study: Study, source: Source, phase: str, levels: tuple[float, ...] = LEVELS) -> Losses:
    arguments = study.arguments
    identity = study.identity(source) | {"levels": ", ".join(map(str, levels))}
    with Restart(comm, arguments.checkpoint, phase, identity, VERSION) as restart:
        return measure(
            comm,
            study.book,
            study.scenarios(source),
            arguments.blocks,
            levels=levels,
            brute_force=arguments.brute_force,
            restart=restart if arguments.checkpoint.where else None,
        )


def _sampled(phases: _Phases, study: Study) -> Sampled:
    from examples.risk.market.importance import Sampler, measure_by_replicates  # noqa: PLC0415 - half a second, for Sobol' points

    replicates, blocks = study.arguments.replicates or (0, 0)
    with phases.counted("importance") as counted:
        sampler = Sampler(counted, study.book, study.normal.covariance, study.degrees, study.arguments.seed)
        return measure_by_replicates(sampler, blocks, replicates)


def _convergence(comm: Communicator, study: Study, losses: Losses, sampled: Sampled | None) -> list[Point]:
    """Figures of the first part of the scenarios, and of more of them, up to all; so of the points of all replicates."""
    blocks = sorted({study.arguments.blocks // share for share in _SHARES} - {0})
    parts = [measure(comm, study.book, study.scenarios(study.normal), part, levels=(ES_LEVEL,)) for part in blocks]
    plain = [Point("monte-carlo", each.scenarios, each.at(ES_LEVEL).expected_shortfall) for each in (*parts, losses)]
    if not sampled:
        return plain
    return plain + [Point("importance", points * sampled.replicates, estimate) for points, estimate in sampled.convergence]


@dataclass(slots=True)
class _Phases:
    """What each phase has sent, and how long it took."""

    comm: Communicator
    traffic: dict[str, Traffic] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def counted(self, name: str) -> Iterator[Communicator]:
        """Ranks whose messages are counted."""
        counted, begin = Counted(self.comm), time.perf_counter()
        yield counted
        self.traffic[name], self.seconds[name] = counted.traffic, time.perf_counter() - begin
