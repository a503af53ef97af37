"""Logistic regression of every variant on a case/control trait, against plink2: CPU time of whole runs, and whether they agree.

The trait: people whose simulated phenotype is among the highest 30 % are cases; of the rare one, the highest 0.7 %, so that for
some variants all carriers are controls and Firth's regression takes over. Covariates: the cohort's three, and in most rows ten more
that stand for principal components, as studies have them.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import numpy as np

from benchmarks import jobs
from benchmarks.gwas import versions
from benchmarks.measure import Benchmark, Goal, Missing, Options, Row, alternate, middle, scratch, timed
from benchmarks.report import run
from benchmarks.simulated_cohort import Cohort, cohort

SAMPLES, VARIANTS = 5000, 20_000
CASES = ((0.01, 0.7, 10), (0.01, 0.993, 10), (0.0, 0.7, 10), (0.0, 0.7, 0))  # missing calls, controls, further covariates
LARGEST_DIFFERENCE = 2e-3  # of Z between two programs: plink2's single precision and its early end of Firth's iterations
OUR_FILE, THEIR_FILE = "case.glm.logistic.hybrid", "theirs.case.glm.logistic.hybrid"
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def measure(options: Options) -> list[Row]:
    if not shutil.which("plink2"):
        raise Missing("needs plink2: apt-get install plink2")
    return [_row(options, *case) for case in CASES]


def _row(options: Options, missing: float, controls: float, further: int) -> Row:
    with scratch() as place:
        made = cohort(place, SAMPLES, VARIANTS, missing=missing)
        files = ["--bfile", str(made.prefix), "--pheno", str(_case_control(made, controls, place))]
        files += ["--covar", str(_covariates(made, further, place)), "--out"]
        env = {**os.environ, **ONE_THREAD, "PYTHONPATH": str(Path.cwd())}
        mine = [sys.executable, "-m", "examples.genomics.gwas", "--glm", *files, str(place)]
        peers = ["plink2", "--glm", "hide-covar", "--threads", "1", *files, str(place / "theirs")]
        samples = alternate(lambda: timed(mine, env, jobs.LONGEST), lambda: timed(peers, timeout=jobs.LONGEST), options.repeats)
        firth = _agree(place / OUR_FILE, place / THEIR_FILE)
    work = f"{SAMPLES:,} people x {VARIANTS:,} variants, {missing:.0%} missing, {1 - controls:.1%} cases, {3 + further} covariates"
    goal = Goal("cpu", middle(samples[1], "cpu"))
    return Row(f"{work}, {firth} variants Firth's", samples[0], "plink2 --glm hide-covar --threads 1", samples[1], goal)


def _case_control(made: Cohort, quantile: float, place: Path) -> Path:
    header, *lines = Path(f"{made.prefix}.pheno").read_text().splitlines()
    ids = len(header.split()) - 1
    values = np.array([float(line.split()[ids]) for line in lines])
    coded = np.where(values > np.quantile(values, quantile), 2, 1)
    table = ["#FID\tIID\tcase", *("\t".join([*line.split()[:2], str(code)]) for line, code in zip(lines, coded, strict=True))]
    path = place / "trait"
    path.write_text("\n".join(table) + "\n")
    return path


def _covariates(made: Cohort, further: int, place: Path) -> Path:
    lines = Path(f"{made.prefix}.covar").read_text().splitlines()
    more = np.random.default_rng(10).standard_normal((len(lines), further))
    names = [f"PC{number + 1}" for number in range(further)]
    table = ["\t".join([lines[0], *names])]
    table += ["\t".join([line, *(f"{value:.8g}" for value in row)]) for line, row in zip(lines[1:], more, strict=False)]
    path = place / "covariates"
    path.write_text("\n".join(table) + "\n")
    return path


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


BENCHMARK = Benchmark("gwas_logistic", measure, 3, versions)

if __name__ == "__main__":
    sys.exit(run(BENCHMARK))
