"""CPU time to start: the package, its command line and the agent, against the bare interpreter and pip's command line."""

from __future__ import annotations

import importlib.metadata
import os
import sys
from functools import partial
from pathlib import Path

import batchhpc
from benchmarks.measure import Benchmark, Goal, Options, Row, alternate, timed
from benchmarks.report import run

ROOT = Path(batchhpc.__file__).parent.parent
PYTHON = sys.executable
CLI = str(Path(PYTHON).with_name("batchhpc"))
BARE = ("python -c pass", (PYTHON, "-c", "pass"))
PIP = ("pip --version", (PYTHON, "-m", "pip", "--version"))
WORK = (
    ("import batchhpc", (PYTHON, "-c", "import batchhpc"), BARE, Goal("cpu", 0.15)),
    ("from batchhpc import JobSpec", (PYTHON, "-c", "from batchhpc import JobSpec"), BARE, None),
    ("batchhpc --help", (CLI, "--help"), PIP, Goal("cpu", 0.3)),
    ("batchhpc check kmers.yaml", (CLI, "check", str(ROOT / "examples/genomics/kmers.yaml")), PIP, None),
    ("agent, python -S", (PYTHON, "-S", "-c", "import batchhpc.agent.__main__"), BARE, None),
)


def measure(options: Options) -> list[Row]:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    rows = []
    for work, argv, (peer, peer_argv), goal in WORK:
        ours, theirs = partial(timed, argv, env), partial(timed, peer_argv, env)
        alternate(ours, theirs, 1)  # compiled modules and file caches
        samples = alternate(ours, theirs, options.repeats)
        rows.append(Row(work, samples[0], peer, samples[1], goal))
    return rows


BENCHMARK = Benchmark("startup", measure, 15, lambda _: {"pip": importlib.metadata.version("pip")})

if __name__ == "__main__":
    sys.exit(run(BENCHMARK))
