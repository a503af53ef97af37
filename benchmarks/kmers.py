"""K-mer counting, whole processes with their start: `examples.genomics.kmers` against KMC 3 and Jellyfish 2, on the same reads.

KMC with ``-m2``, where it used the least CPU time; Jellyfish with a hash large enough not to grow. All write their tables.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks import simulated_reads
from benchmarks.jobs import Mpi
from benchmarks.measure import Benchmark, Missing, Options, Row, Sample, alternate, scratch, whole
from benchmarks.report import run

_RANK_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def measure(options: Options) -> list[Row]:
    """All rows.

    Raises:
        Missing: a peer is.
    """
    if missing := [name for name in ("kmc", "jellyfish", "bgzip") if not shutil.which(name)]:
        raise Missing(f"needs {', '.join(missing)}: apt-get install kmc jellyfish tabix")
    mpi = Mpi.find(options)
    env = {**mpi.env, "PYTHONPATH": str(Path.cwd()), **_RANK_ENVIRONMENT}
    with scratch() as folder:
        reads = simulated_reads.ecoli(folder)
        blocks = reads.with_suffix(".gz")
        with blocks.open("wb") as file:
            subprocess.run(["bgzip", "-c", reads], stdout=file, check=True)

        def ours(path: Path, k: int, ranks: int) -> Sample:
            program = [mpi.python, "-m", "examples.genomics.kmers", str(path), "-k", str(k), "--out", str(folder / "out")]
            return whole(program if ranks == 1 else [mpi.mpirun, "-n", str(ranks), *program], env)

        def kmc(path: Path, k: int, threads: int) -> Sample:
            words = [f"-k{k}", "-m2", f"-t{threads}", "-ci1", "-cs65535", str(path), str(folder / "kmc"), str(folder)]
            return whole(["kmc", *words])

        def jellyfish(path: Path, k: int) -> Sample:
            words = ["count", "-C", "-m", str(k), "-s", "32M", "-t", "1", "-o", str(folder / "jellyfish"), str(path)]
            return whole(["jellyfish", *words])

        def against_kmc(path: Path, k: int, ranks: int) -> Row:
            mine, theirs = alternate(lambda: ours(path, k, ranks), lambda: kmc(path, k, ranks), options.repeats)
            return Row(f"{path.name}, k = {k}, {ranks} ranks or threads", mine, "kmc -m2", theirs)

        rows = [against_kmc(reads, k, ranks) for k, ranks in ((31, 1), (31, 2), (21, 1), (15, 1), (61, 1))]
        rows.append(against_kmc(blocks, 31, 1))
        mine, theirs = alternate(lambda: ours(reads, 31, 1), lambda: jellyfish(reads, 31), max(1, options.repeats // 3))
        rows.append(Row(f"{reads.name}, k = 31", mine, "jellyfish -s 32M", theirs))
        two, one = alternate(lambda: ours(reads, 31, 2), lambda: ours(reads, 31, 1), options.repeats)
        rows.append(Row(f"{reads.name}, k = 31, 2 ranks", two, "the same on 1 rank", one))
        return rows


def versions(options: Options) -> dict[str, str]:
    """Of what took part."""
    mpi = Mpi.find(options)
    said = {"KMC": ["kmc"], "Jellyfish": ["jellyfish", "--version"]}
    found = {name: re.search(r"\d+\.\d+\.\d+", _output(argv)) for name, argv in said.items() if shutil.which(argv[0])}
    return {str(mpi.kind): mpi.version, "numpy": np.__version__, **{name: match[0] for name, match in found.items() if match}}


def _output(argv: Sequence[str]) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


BENCHMARK = Benchmark("kmers", measure, 5, versions)

if __name__ == "__main__":
    sys.exit(run(BENCHMARK))
