"""Linear regression of every variant against plink2, on one thread each: CPU time of whole runs, once their results agree.

The cohort is simulated (`benchmarks.simulated_cohort`), with ten covariates; 1 % of the calls are missing, or none, for which
plink2 has a faster way. Also what a second rank costs.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks import jobs
from benchmarks.jobs import Mpi
from benchmarks.measure import Benchmark, Goal, Missing, Options, Row, Sample, alternate, middle, scratch, timed
from benchmarks.report import run
from benchmarks.simulated_cohort import Cohort, cohort

PEOPLE, VARIANTS, COVARIATES = 5000, 100_000, 10
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
TABLE = "PHENO.glm.linear"


def measure(options: Options) -> list[Row]:
    if not shutil.which("plink2"):
        raise Missing("needs plink2: apt-get install plink2")
    folder = Path(tempfile.gettempdir()) / "batchhpc-cohorts"
    folder.mkdir(exist_ok=True)
    rows = []
    with scratch() as place:
        for missing, goal in ((0.01, 4.0), (0.0, 1.1)):
            made = cohort(folder, PEOPLE, VARIANTS, missing=missing)
            files = _inputs(made, place)
            ours, theirs = alternate(_ours(files, place), _theirs(files, place), options.repeats)
            _agree(place / TABLE, place / f"peer.{TABLE}")
            work = f"{PEOPLE:,} people x {VARIANTS:,} variants, {COVARIATES} covariates, {missing:.0%} missing"
            peer = f"plink2 --glm hide-covar --threads 1, and it must take {goal:g} times as much"
            rows.append(Row(work, ours, peer, theirs, Goal("cpu", middle(theirs, "cpu") / goal)))
        two, one = alternate(_ours(files, place, Mpi.find(options)), _ours(files, place), options.repeats)
        rows.append(Row(f"{work}, 2 ranks", two, "1 rank", one))
    return rows


def _inputs(made: Cohort, place: Path) -> list[str]:
    """Arguments that both programs take."""
    _, *lines = Path(f"{made.prefix}.pheno").read_text().splitlines()
    ids = [line.split()[:2] for line in lines]
    values = [line.split()[-1] for line in lines]
    numbers = np.random.default_rng(4).standard_normal((len(ids), COVARIATES))
    pheno, covar = place / "pheno", place / "covar"
    pheno.write_text("#FID\tIID\tPHENO\n" + "".join("\t".join([*who, y]) + "\n" for who, y in zip(ids, values, strict=True)))
    rows = ("\t".join([*who, *(f"{x:.8g}" for x in row)]) + "\n" for who, row in zip(ids, numbers.tolist(), strict=True))
    covar.write_text("\t".join(["#FID", "IID", *(f"C{at}" for at in range(COVARIATES))]) + "\n" + "".join(rows))

    return ["--bfile", str(made.prefix), "--pheno", str(pheno), "--covar", str(covar)]


def _ours(files: list[str], place: Path, mpi: Mpi | None = None) -> Callable[[], Sample]:
    words = [sys.executable, "-m", "examples.genomics.gwas", "--glm", *files, "--out", str(place)]
    env = {**os.environ, **(mpi.env if mpi else {}), **ONE_THREAD, "PYTHONPATH": str(Path.cwd())}
    launcher = [mpi.mpirun, "-n", "2"] if mpi else []
    return lambda: timed([*launcher, *words], env, jobs.LONGEST)


def _theirs(files: list[str], place: Path) -> Callable[[], Sample]:
    words = ["plink2", *files, "--glm", "hide-covar", "--threads", "1", "--out", str(place / "peer")]
    return lambda: timed(words, timeout=jobs.LONGEST)


def _agree(ours: Path, theirs: Path) -> None:
    """Ids, alleles and counts are equal; beta differs by at most 1e-6 of its error or one in the last printed digit.

    Raises:
        RuntimeError: the programs do not say the same.
    """
    mine, peers = ([line.split("\t") for line in path.read_text().splitlines()] for path in (ours, theirs))
    for left, right in zip(mine, peers, strict=True):
        if left[:8] != right[:8] or left[12] != right[12]:
            raise RuntimeError(f"{left} here, {right} of plink2")
        if left[8:10] != right[8:10]:
            (beta, se), (other, _) = ([float(each) for each in row[8:10]] for row in (left, right))
            if abs(beta - other) > max(1e-6 * se, 1.1e-5 * abs(other)):
                raise RuntimeError(f"beta is {beta} here and {other} of plink2: {left}")


def versions(options: Options) -> dict[str, str]:
    plink2 = os.popen("plink2 --version").read().split()  # noqa: S605
    return {**jobs.versions(options), "numpy": np.__version__, "plink2": " ".join(plink2[1:3])}


BENCHMARK = Benchmark("gwas", measure, 3, versions)

if __name__ == "__main__":
    sys.exit(run(BENCHMARK))
