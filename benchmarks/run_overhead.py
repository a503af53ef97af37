"""What `batchhpc run` costs beyond mpirun itself: the same hello program as a job, and by mpirun alone."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path

from benchmarks import jobs
from benchmarks.jobs import Mpi
from benchmarks.measure import Benchmark, Goal, Options, Row, Sample, alternate, scratch, timed
from benchmarks.report import run

SHAPES = ((1, 2), (4, 1))  # nodes, ranks on each


def as_job(mpi: Mpi, nodes: int, ranks: int) -> Sample:
    """The whole command, from the job spec to the last line of its summary."""
    with scratch() as directory:
        spec = {"name": "hello", "image": "none", "command": mpi.command(0), "nodes": nodes, "ranks_per_node": ranks}
        path = directory / "job.json"
        path.write_text(json.dumps({**spec, "env": {"PATH": mpi.path}}))
        cli = str(Path(sys.executable).with_name("batchhpc"))
        return timed([cli, "run", str(path), "--directory", str(directory / "runs")], mpi.env)


def by_mpirun(mpi: Mpi, ranks: int) -> Sample:
    """All ranks on this machine, as mpirun starts them."""
    with scratch() as directory:
        return timed(mpi.argv(["127.0.0.1"], ranks, None, directory, 0), mpi.env)


def measure(options: Options) -> list[Row]:
    mpi = Mpi.find(options)
    rows = []
    for nodes, ranks in SHAPES:
        ours, theirs = partial(as_job, mpi, nodes, ranks), partial(by_mpirun, mpi, nodes * ranks)
        alternate(ours, theirs, 1)  # file caches
        samples = alternate(ours, theirs, options.repeats)
        work = f"{nodes} node{'s' if nodes > 1 else ''} x {ranks} rank{'s' if ranks > 1 else ''}"
        rows.append(Row(work, samples[0], f"mpirun -n {nodes * ranks}", samples[1], Goal("wall more", 0.5)))
    return rows


BENCHMARK = Benchmark("run_overhead", measure, 7, jobs.versions)

if __name__ == "__main__":
    sys.exit(run(BENCHMARK))
