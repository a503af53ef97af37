"""Logistic regression of every variant on a case/control trait, against plink2: CPU time of whole runs, and whether they agree.

The trait: people whose simulated phenotype is among the highest 30 % are cases; of the rare one, the highest 0.7 %, so that for
some variants all carriers are controls and Firth's regression takes over.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks import jobs
from benchmarks.measure import Benchmark, Goal, Missing, Options, Row, Sample, alternate, middle, scratch, timed
from benchmarks.report import run
from benchmarks.simulated_cohort import Cohort, cohort

SAMPLES, VARIANTS = 5000, 20_000
TRAITS = (("30 % cases", 0.7), ("0.7 % cases", 0.993))
LARGEST_DIFFERENCE = 2e-3  # of Z between two programs: plink2's single precision and its early end of Firth's iterations
OUR_FILE, THEIR_FILE = "case.glm.logistic.hybrid", "theirs.case.glm.logistic.hybrid"
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def measure(options: Options) -> list[Row]:
    if not shutil.which("plink2"):
        raise Missing("needs plink2: apt-get install plink2")
    rows = []
    for missing in (0.01, 0.0):
        with scratch() as place:
            made = cohort(place, SAMPLES, VARIANTS, missing=missing)
            for name, quantile in TRAITS:
                trait = _case_control(made, quantile, place)
                ours, theirs = alternate(_ours(made, trait, place), _theirs(made, trait, place), options.repeats)
                firth = _agree(place / OUR_FILE, place / THEIR_FILE)
                work = f"{SAMPLES:,} people x {VARIANTS:,} variants, {missing:.0%} missing, {name}, {firth} variants Firth's"
                goal = Goal("cpu", middle(theirs, "cpu"))
                rows.append(Row(work, ours, "plink2 --glm hide-covar --threads 1", theirs, goal))
    return rows


def _case_control(made: Cohort, quantile: float, place: Path) -> Path:
    header, *lines = Path(f"{made.prefix}.pheno").read_text().splitlines()
    ids = len(header.split()) - 1
    values = np.array([float(line.split()[ids]) for line in lines])
    coded = np.where(values > np.quantile(values, quantile), 2, 1)
    table = ["#FID\tIID\tcase", *("\t".join([*line.split()[:2], str(code)]) for line, code in zip(lines, coded, strict=True))]
    path = place / "trait"
    path.write_text("\n".join(table) + "\n")
    return path


def _ours(made: Cohort, trait: Path, place: Path) -> Callable[[], Sample]:
    files = ["--bfile", str(made.prefix), "--pheno", str(trait), "--covar", f"{made.prefix}.covar", "--out", str(place)]
    env = {**os.environ, **ONE_THREAD, "PYTHONPATH": str(Path.cwd())}
    return lambda: timed([sys.executable, "-m", "examples.genomics.gwas", "--glm", *files], env, jobs.LONGEST)


def _theirs(made: Cohort, trait: Path, place: Path) -> Callable[[], Sample]:
    files = ["--bfile", str(made.prefix), "--pheno", str(trait), "--covar", f"{made.prefix}.covar", "--out", str(place / "theirs")]
    return lambda: timed(["plink2", *files, "--glm", "hide-covar", "--threads", "1"], timeout=jobs.LONGEST)


def _agree(ours: Path, theirs: Path) -> int:
    """How many variants were Firth's.

    Raises:
        RuntimeError: the programs do not say the same.
    """
    mine, peers = ([line.split() for line in path.read_text().splitlines()] for path in (ours, theirs))
    header = mine[0]
    z = header.index("Z_STAT")
    same = [at for at, name in enumerate(header) if name not in {"OR", "LOG(OR)_SE", "Z_STAT", "P"}]
    for left, right in zip(mine, peers, strict=True):
        if any(left[at] != right[at] for at in same):
            raise RuntimeError(f"{left} here, {right} of plink2")
        if left[z] != right[z] and abs(float(left[z]) - float(right[z])) > LARGEST_DIFFERENCE:
            raise RuntimeError(f"Z is {left[z]} here and {right[z]} of plink2: {left}")
    return sum(row[header.index("FIRTH?")] == "Y" for row in mine)


def versions(options: Options) -> dict[str, str]:
    plink2 = os.popen("plink2 --version").read().split()  # noqa: S605
    return {**jobs.versions(options), "numpy": np.__version__, "plink2": " ".join(plink2[1:3])}


BENCHMARK = Benchmark("gwas_logistic", measure, 3, versions)

if __name__ == "__main__":
    sys.exit(run(BENCHMARK))
