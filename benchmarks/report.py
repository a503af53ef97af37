"""The command line of a benchmark, and what it says: a table for people, every sample for programs."""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import batchhpc
from benchmarks.measure import Benchmark, Missing, Options, Row, Sample, middle

_TIMES = ("wall", "cpu", "wall more")  # seconds; all else are counts


def run(benchmark: Benchmark) -> int:
    """The command line of one benchmark."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{benchmark.name}")
    parser.add_argument("--repeats", type=int, default=benchmark.repeats, help="of each side; default %(default)s")
    parser.add_argument("--mpi", type=Path, help="directory with another mpirun and a python3 that has mpi4py")
    parser.add_argument("--json", action="store_true", help="for programs: every sample")
    args = parser.parse_args()
    options = Options(args.repeats, args.mpi)
    try:
        print(json.dumps(as_data(benchmark, options), indent=2) if args.json else as_text(benchmark, options))
    except Missing as missing:
        print(f"benchmarks.{benchmark.name} {missing}", file=sys.stderr)
        return 1
    return 0


def as_text(benchmark: Benchmark, options: Options) -> str:
    """Measures; gives a table in Markdown, with what it was measured on."""
    facts = about(benchmark, options)
    rows = benchmark.run(options)
    counts = list(dict.fromkeys(name for row in rows for name in row.ours[0].counts))
    ours, theirs = (["wall s", "cpu s", *counts] for _ in range(2))
    ratios = [f"ratio {name}" for name in ("wall", "cpu", *counts)]
    head = ["work", f"batchhpc: {ours[0]}", *ours[1:], "peer", f"peer: {theirs[0]}", *theirs[1:], *ratios, "goal: measured"]
    lines = [head, ["---"] * len(head), *(_cells(row, counts) for row in rows)]
    table = "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
    told = "; ".join(f"{name} {value}" for name, value in facts.items())
    return f"## {benchmark.name}\n\n{told}; median (min..max)\n\n{table}\n"


def as_data(benchmark: Benchmark, options: Options) -> dict[str, Any]:
    """Measures; a time that was beyond its bound, or not taken, is null."""
    facts = about(benchmark, options)
    rows = [
        {
            "work": row.work,
            "ours": [_numbers(sample) for sample in row.ours],
            "peer": row.peer,
            "theirs": [_numbers(sample) for sample in row.theirs],
            "goal": row.goal and {"of": row.goal.of, "limit": row.goal.limit, "measured": row.figure},
        }
        for row in benchmark.run(options)
    ]
    return {"benchmark": benchmark.name, "about": facts, "rows": rows}


def about(benchmark: Benchmark, options: Options) -> dict[str, str]:
    """Machine, versions, repeats."""
    git = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    commit = ""
    with suppress(FileNotFoundError):  # no git here
        commit = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
    models = [line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line]
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "commit": commit or "unknown",
        "machine": f"{len(os.sched_getaffinity(0))} cores of {models[0] if models else platform.machine()}",
        "load": f"{os.getloadavg()[0]:.1f}",
        "Python": platform.python_version(),
        "batchhpc": batchhpc.__version__,
        **benchmark.versions(options),
        "repeats": str(options.repeats),
    }


def _cells(row: Row, counts: Sequence[str]) -> list[str]:
    ratios = []
    for of in ("wall", "cpu", *counts):
        ours, theirs = middle(row.ours, of), middle(row.theirs, of)
        ratios.append(f"{ours / theirs:.{2 if ours > theirs / 10 else 4}f}" if _comparable(ours, theirs) else "-")
    goal = ""
    if row.goal:
        goal = f"< {row.goal.limit:g} {'' if row.goal.of in counts else 's '}{row.goal.of}: {_number(row.figure or 0, row.goal.of)}"
    return [row.work, *_values(row.ours, counts), row.peer, *_values(row.theirs, counts), *ratios, goal]


def _comparable(ours: float, theirs: float) -> bool:
    return bool(theirs) and math.isfinite(ours) and math.isfinite(theirs)


def _values(samples: Sequence[Sample], counts: Sequence[str]) -> list[str]:
    return [_spread([sample.value(of) for sample in samples], of) for of in ("wall", "cpu", *counts)]


def _spread(values: Sequence[float], of: str) -> str:
    if any(map(math.isnan, values)):
        return "-"
    if all(map(math.isinf, values)):
        return "not within the bound"
    if of not in _TIMES and min(values) == max(values):
        return _number(values[0], of)
    return f"{_number(statistics.median(values), of)} ({_number(min(values), of)}..{_number(max(values), of)})"


def _number(value: float, of: str) -> str:
    return f"{value:.3f}" if of in _TIMES else f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"


def _numbers(sample: Sample) -> dict[str, Any]:
    values = (("wall", sample.wall), ("cpu", sample.cpu), *sample.counts.items())
    return {name: value if math.isfinite(value) else None for name, value in values}
