"""Principal components, relationship matrix and mixed model against plink2 and BOLT-LMM, on one thread each: CPU seconds.

The cohort is simulated (`benchmarks.simulated_cohort`); peers are Debian's ``plink2`` and ``bolt-lmm``. Results are compared before
any time is told: components to 1e-6, eigenvalues to all digits, relationships to 1e-6, and chi-squares of the mixed model by their
correlation, at least 0.9999 at the same ratio of variances.
"""

from __future__ import annotations

import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks import jobs
from benchmarks.jobs import Mpi
from benchmarks.measure import Benchmark, Goal, Missing, Options, Row, Sample, alternate, middle, scratch, timed
from benchmarks.report import run
from benchmarks.simulated_cohort import Cohort, cohort

PEOPLE, VARIANTS = 5000, 100_000
LONGEST = 900.0  # seconds of one run
THREADS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def measure(options: Options) -> list[Row]:
    for program, package in (("plink2", "plink2"), ("bolt", "bolt-lmm")):
        if not shutil.which(program):
            raise Missing(f"needs {program}: apt install {package}")
    folder = Path(tempfile.gettempdir()) / "batchhpc-cohorts"
    folder.mkdir(exist_ok=True)
    data = cohort(folder, PEOPLE, VARIANTS)
    with scratch() as out:
        return [*components(options, data, out), relationships(options, data, out), mixed_model(options, data, out)]


def components(options: Options, data: Cohort, out: Path) -> list[Row]:
    rows = []
    for method, times in (("approx", 4), ("meanimpute", 7)):
        ours, theirs = alternate(
            lambda: ours_of(options, data, out, "--pca", "10"),
            lambda method=method: plink2(data, out, "--pca", "10", method),  # type: ignore[misc]
            options.repeats,
        )
        own, peers = (np.loadtxt(out / name, skiprows=1, usecols=range(2, 12)) for name in ("gwas.eigenvec", "peer.eigenvec"))
        agree("components", float(np.abs(own - peers * np.sign((own * peers).sum(axis=0))).max()), 1e-6)
        if method == "meanimpute" and (out / "gwas.eigenval").read_text() != (out / "peer.eigenval").read_text():
            raise RuntimeError("eigenvalues differ from those of plink2 --pca meanimpute")
        goal = Goal("cpu", middle(theirs, "cpu") / times)
        rows.append(Row(f"10 components of {PEOPLE:,} x {VARIANTS:,}", ours, f"plink2 --pca 10 {method}", theirs, goal))
    return rows


def relationships(options: Options, data: Cohort, out: Path) -> Row:
    ours, theirs = alternate(
        lambda: ours_of(options, data, out, "--grm"),
        lambda: plink2(data, out, "--make-rel", "meanimpute", "bin"),
        options.repeats,
    )
    own, peers = (np.fromfile(out / name) for name in ("gwas.rel.bin", "peer.rel.bin"))
    agree("relationships", float(np.abs(own - peers).max()), 1e-6)
    goal = Goal("cpu", middle(theirs, "cpu") / 1.5)
    return Row("relationship matrix of the same", ours, "plink2 --make-rel meanimpute", theirs, goal)


def mixed_model(options: Options, data: Cohort, out: Path) -> Row:
    tables = ("--pheno", f"{data.prefix}.pheno", "--covar", f"{data.prefix}.covar")
    for ending in ("pheno", "covar"):  # BOLT's header has no #
        (out / ending).write_text(Path(f"{data.prefix}.{ending}").read_text().removeprefix("#"))
    ours, theirs = alternate(lambda: ours_of(options, data, out, *tables, "--lmm"), lambda: bolt(data, out), options.repeats)
    log_delta = re.search(r"Variance params: .*logDelta = (\S+),", (out / "bolt.log").read_text())
    if not log_delta:
        raise RuntimeError("BOLT-LMM told no logDelta")
    ours_of(options, data, out, *tables, "--lmm", "--lmm-delta", repr(math.exp(float(log_delta[1]))))
    own, peers = (np.loadtxt(out / name, skiprows=1, usecols=(8, 9)) for name in ("Y.lmm.tsv", "peer.bolt"))
    own_squares, peer_squares = (np.square(each[:, 0] / each[:, 1]) for each in (own, peers))
    agree("1 - correlation of chi-squares", 1 - float(np.corrcoef(own_squares, peer_squares)[0, 1]), 1e-4)
    return Row("mixed model of the same, with variances", ours, "bolt --lmmInfOnly", theirs, Goal("cpu", middle(theirs, "cpu") / 2))


def ours_of(options: Options, data: Cohort, out: Path, *words: str) -> Sample:
    mpi = Mpi.find(options)
    command = [mpi.python, "-m", "examples.genomics.gwas", "--bfile", str(data.prefix), *words, "--out", str(out)]
    return timed(command, {**os.environ, **mpi.env, **THREADS, "PYTHONPATH": str(Path.cwd())}, LONGEST)


def plink2(data: Cohort, out: Path, *words: str) -> Sample:
    command = ["plink2", "--bfile", str(data.prefix), *words, "--threads", "1", "--out", str(out / "peer")]
    return timed(command, {**os.environ, **THREADS}, LONGEST)


def bolt(data: Cohort, out: Path) -> Sample:
    tables = f"--phenoFile={out}/pheno --phenoCol=Y --covarFile={out}/covar --qCovarCol=C{{0:2}}"
    rest = f"--lmmInfOnly --LDscoresUseChip --numThreads=1 --statsFile={out}/peer.bolt"
    command = f"exec bolt --bfile={data.prefix} {tables} {rest} > {out}/bolt.log 2>&1"
    return timed(["sh", "-c", command], {**os.environ, **THREADS}, LONGEST)


def agree(what: str, off: float, limit: float) -> None:
    if not off <= limit:
        raise RuntimeError(f"{what}: {off:.3g} off the peer's, at most {limit:g}")


def versions(options: Options) -> dict[str, str]:
    found = subprocess.run(["plink2", "--version"], capture_output=True, text=True, check=False).stdout.strip()
    told = subprocess.run(["bolt", "-h"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"BOLT-LMM, v(\S+)", told)
    return {**jobs.versions(options), "numpy": np.__version__, "plink2": found, "BOLT-LMM": version[1] if version else "unknown"}


BENCHMARK = Benchmark("gwas_matrix", measure, 3, versions)

if __name__ == "__main__":
    sys.exit(run(BENCHMARK))
