"""``risk_ranks.py WORK SIZE REPEATS [EVERY]`` on every rank: a risk workload, counted; rank 0 prints JSON.

WORK: market (SIZE blocks of 4,096 scenarios of the directional book), sweep (the policy of the 5-asset max-call, from SIZE
blocks of 8,192 paths), american (its policy and bounds, SIZE times a small size). EVERY: seconds between two checkpoints.
"""

import contextlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mpi4py import MPI

from benchmarks import risk_inputs
from benchmarks.american_runs import Phases, max_call
from benchmarks.waiting import Waiting
from examples.risk.american.arguments import read_arguments
from examples.risk.american.price import price_all
from examples.risk.american.sweep import BLOCK
from examples.risk.market import tail
from examples.risk.numerics.traffic import Counted
from examples.workload.arguments import CheckpointPlan
from examples.workload.communicator import Communicator
from examples.workload.restart import Restart

WORK, SIZE, REPEATS = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
EVERY = float(sys.argv[4]) if len(sys.argv) > 4 else 0.0
MAX_CALL = "--payoff max-call --assets 5 --spot 100 --strike 100 --rate 5% --dividend 10% --volatility 20% --expiry 3 --dates 9"


def market(comm: Communicator, plan: CheckpointPlan) -> None:
    book, scenarios = risk_inputs.book_and_scenarios("directional")
    with Kept(comm, plan, "scenarios", {"book": "directional"}, tail.VERSION) as restart:
        tail.measure(comm, book, scenarios, SIZE, levels=risk_inputs.LEVELS, restart=restart if plan.where else None)


def sweep(comm: Communicator, plan: CheckpointPlan) -> None:
    Phases(max_call(5, 100.0)).policy(SIZE * BLOCK, comm, Kept(comm, plan, "policy", {"paths": str(SIZE)}, "1"))


def american(comm: Communicator, _: CheckpointPlan) -> None:
    sizes = f"--paths {SIZE * 65536} --lower-paths {SIZE * 65536} --outer {SIZE * 512} --inner 512"
    arguments = read_arguments(f"{MAX_CALL} {sizes} --out {tempfile.gettempdir()}/unused{os.getpid()}".split())
    if arguments:
        price_all(comm, arguments)


def run(work: Callable[[Communicator, CheckpointPlan], None]) -> dict[str, Any]:
    """What all ranks say of one run."""
    waiting = Waiting(MPI.COMM_WORLD)
    counted = Counted(waiting.comm)
    place = MPI.COMM_WORLD.bcast(tempfile.mkdtemp() if EVERY and MPI.COMM_WORLD.rank == 0 else None)
    before = Kept.saves
    MPI.COMM_WORLD.Barrier()
    start, cpu = time.perf_counter(), time.process_time()
    with Path(os.devnull).open("w", encoding="utf-8") as silent, contextlib.redirect_stderr(silent):
        work(counted, CheckpointPlan(place, EVERY or 60.0))
    wall, cpu = time.perf_counter() - start, time.process_time() - cpu
    told = MPI.COMM_WORLD.allgather((wall, cpu, waiting.cpu, counted.traffic.collectives, counted.traffic.bytes))
    if place and MPI.COMM_WORLD.rank == 0:
        shutil.rmtree(place)
    walls, cpus, waits, calls, sent = zip(*told, strict=True)
    return {
        "wall": max(walls),
        "cpu": sum(cpus),
        "waiting": sum(waits),
        "calls": max(calls),
        "bytes": max(sent),
        "saves": Kept.saves - before,
    }


class Kept(Restart):
    """Counts checkpoints."""

    saves = 0

    def save(self, *given: Any, **named: Any) -> None:
        Kept.saves += 1
        super().save(*given, **named)


WORKS = {"market": market, "sweep": sweep, "american": american}
found = [run(WORKS[WORK]) for _ in range(REPEATS)]
if MPI.COMM_WORLD.rank == 0:
    sys.stdout.write(json.dumps(found))
