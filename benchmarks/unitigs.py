"""Unitigs against BCALM2 2.2.3: CPU time and peak memory from FASTQ to unitigs, and that both find the same graph.

Every row's graphs are compared in full: the unitigs (each the smaller of both strands, rings as rings), each one's sum of counts,
and all links; a difference ends the benchmark. Ours also writes GFA. Needs Debian's bcalm; reads are simulated, of known seeds.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks import jobs
from benchmarks.measure import Benchmark, Goal, Missing, Options, Row, Sample, alternate, middle, scratch, whole
from benchmarks.report import run
from benchmarks.simulated_reads import adversarial, ecoli, repeats

MEMORY, PER_KMER = "peak MB", "bytes a solid k-mer"
FASTER = 3.0  # times less CPU time than the peer: the goal
_OTHER_STRAND = str.maketrans("ACGT", "TGCA")
_LINK = re.compile(r"L:([+-]):(\d+):([+-])")


class Work(NamedTuple):
    name: str
    reads: Callable[[Path], Path]
    k: int
    least: int
    ranks: int
    repeats: int | None  # as asked for if None


WORKS = (  # small ones first: a process begins with the peak memory of the one that started it
    Work("adversarial", adversarial, 31, 1, 1, 1),
    Work("adversarial", adversarial, 21, 1, 2, 1),
    Work("adversarial", adversarial, 15, 1, 3, 1),
    Work("E. coli 30x", ecoli, 31, 2, 1, None),
    Work("E. coli 30x", ecoli, 31, 2, 2, None),
    Work("E. coli 30x", ecoli, 21, 2, 1, 1),
    Work("50 Mb with repeats 10x", repeats, 31, 2, 1, 1),
)


class Graph(NamedTuple):
    """Unitigs with their sums of counts, and links as pairs of ends: a unitig, and whether it is its last letter."""

    unitigs: dict[str, int]
    links: set[tuple[tuple[str, bool], tuple[str, bool]]]


def measured(argv: Sequence[str], directory: Path) -> Sample:
    """A run in a directory, with a place for its memory by k-mer."""
    env = {**os.environ, "PYTHONPATH": str(Path.cwd()), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    run = whole(argv, env, directory)
    return Sample(run.wall, run.cpu, {MEMORY: run.counts["MB"], PER_KMER: np.nan})


def read_graph(path: Path, k: int) -> Graph:
    """What is in a FASTA file of BCALM2's form."""
    names: list[tuple[str, bool]] = []
    unitigs: dict[str, int] = {}
    told: list[list[tuple[str, str, str]]] = []
    with path.open() as file:
        for header, line in zip(file, file, strict=True):
            told.append(_LINK.findall(header))
            text = line.strip()
            if _is_ring(text, told[-1], len(names), k):
                name, turned = _smallest_ring(text, k), False
            else:
                other = text.translate(_OTHER_STRAND)[::-1]
                name, turned = (other, True) if other < text else (text, False)
            names.append((name, turned))
            unitigs[name] = int(header.split("KC:i:")[1].split()[0])
    links = set()
    for number, meetings in enumerate(told):
        for leaves, other, enters in meetings:
            (one, turned), (two, also) = names[number], names[int(other)]
            links.add(((one, (leaves == "+") != turned), (two, (enters == "-") != also)))
    return Graph(unitigs, links)


def _is_ring(text: str, meetings: Sequence[tuple[str, str, str]], number: int, k: int) -> bool:
    """Whether its start and its end meet each other and nothing else."""
    return text[: k - 1] == text[1 - k :] and sorted(meetings) == [("+", str(number), "+"), ("-", str(number), "-")]


def _smallest_ring(text: str, k: int) -> str:
    ring = text[: len(text) - k + 1]
    strands = (ring, ring.translate(_OTHER_STRAND)[::-1])
    return min((strand[at:] + strand[:at]) * (1 + k // len(ring)) for strand in strands for at in range(len(ring)))


def _ours(work: Work, options: Options, reads: Path, out: Path) -> Sample:
    out.mkdir(exist_ok=True)
    mpi = jobs.Mpi.find(options)
    program = [mpi.python if work.ranks > 1 else sys.executable, "-m", "examples.genomics.unitigs"]
    words = [str(reads), "-k", str(work.k), "--min", str(work.least), "--out", str(out / "unitigs")]
    launcher = [mpi.mpirun, "-n", str(work.ranks)] if work.ranks > 1 else []
    return measured([*launcher, *program, *words], out)


def _bcalm(work: Work, reads: Path, out: Path) -> Sample:
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    numbers = ["-kmer-size", str(work.k), "-abundance-min", str(work.least), "-nb-cores", str(work.ranks)]
    return measured(["bcalm", "-in", str(reads), *numbers, "-out", "peer"], out)


def measure(options: Options) -> list[Row]:
    if not shutil.which("bcalm"):
        raise Missing("needs bcalm: apt-get install bcalm")
    rows = []
    with scratch() as directory:
        for work in WORKS:
            reads = work.reads(directory)
            times = options.repeats if work.repeats is None else min(work.repeats, options.repeats)
            ours, theirs = alternate(
                lambda work=work, reads=reads: _ours(work, options, reads, directory / "ours"),  # type: ignore[misc]
                lambda work=work, reads=reads: _bcalm(work, reads, directory / "peer"),  # type: ignore[misc]
                times,
            )
            mine = read_graph(directory / "ours/unitigs/unitigs.fa", work.k)
            if mine != read_graph(directory / "peer/peer.unitigs.fa", work.k):
                raise RuntimeError(f"{work.name}, k = {work.k}: ours and BCALM2's graph differ")
            kmers = sum(len(text) - work.k + 1 for text in mine.unitigs)
            ours, theirs = (
                [replace(one, counts={**one.counts, PER_KMER: one.counts[MEMORY] * 2**20 / kmers}) for one in samples]
                for samples in (ours, theirs)
            )
            name = f"{work.name}, k = {work.k}, {work.ranks} {'rank' if work.ranks == 1 else 'ranks'}"
            goal = None if work.reads is adversarial else Goal("cpu", middle(theirs, "cpu") / FASTER)
            rows.append(Row(f"{name}: {len(mine.unitigs):,} unitigs", ours, "bcalm", theirs, goal))
    return rows


def versions(options: Options) -> dict[str, str]:
    told = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", "bcalm"], capture_output=True, text=True, check=False)
    return {**jobs.versions(options), "numpy": np.__version__, "bcalm": told.stdout or "unknown"}


BENCHMARK = Benchmark("unitigs", measure, 3, versions)

if __name__ == "__main__":
    sys.exit(run(BENCHMARK))
