"""All benchmarks with few repeats, in under five minutes: ``python -m benchmarks [--json]``."""

from __future__ import annotations

import json
import sys

from benchmarks import checkpoint, exact_sum, many_jobs, mpi_start, node_loss, reform, rendezvous, run_overhead, startup
from benchmarks.measure import Missing, Options
from benchmarks.report import as_data, as_text

FEW = (
    (startup, 7),
    (run_overhead, 5),
    (mpi_start, 3),
    (rendezvous, 1),
    (node_loss, 1),
    (reform, 1),
    (many_jobs, 1),
    (checkpoint, 1),
    (exact_sum, 3),
)


def main() -> None:
    found = []
    for module, repeats in FEW:
        options = Options(repeats, None)
        try:
            if "--json" in sys.argv:
                found.append(as_data(module.BENCHMARK, options))
            else:
                print(as_text(module.BENCHMARK, options), flush=True)
        except Missing as missing:
            print(f"benchmarks.{module.BENCHMARK.name} {missing}\n", file=sys.stderr, flush=True)
    if found:
        print(json.dumps(found, indent=2))


main()
