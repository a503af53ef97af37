"""Whole runs on case/control traits."""

from __future__ import annotations

import json

import numpy as np

from examples.genomics.gwas.__main__ import main
from examples.workload.communicator import Alone
from tests.unit.genomics.gwas.plink_files import random_genotypes, write_fileset
from tests.unit.workload.thread_ranks import run_ranks

VARIANTS, PEOPLE = 400, 90  # four blocks


def test_case_control_results_do_not_depend_on_ranks(tmp_path, capsys):
    """Effects of a case/control trait, Firth's among them, are the same bytes from one rank and three; run.json counts cases."""
    genotypes = random_genotypes(VARIANTS, PEOPLE)
    cases = np.random.default_rng(6).random(PEOPLE) < 0.2
    genotypes[::50] = 0
    genotypes[::50, np.flatnonzero(~cases)[:4]] = 1
    prefix = write_fileset(tmp_path / "study", genotypes)
    rows = "".join(f"p{at} {2 if case else 1} {170 + at % 7}\n" for at, case in enumerate(cases))
    pheno = tmp_path / "pheno"
    pheno.write_text("#IID disease height\n" + rows)
    words = ["--bfile", prefix, "--pheno", str(pheno), "--glm", "--out"]
    assert main(Alone(), [*words, str(tmp_path / "one")]) == 0
    assert run_ranks(3, lambda comm: main(comm, [*words, str(tmp_path / "three")])) == [0, 0, 0]
    for name in ("disease.glm.logistic.hybrid", "height.glm.linear", "glm.qq.svg", "run.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "three" / name).read_bytes()
    table = (tmp_path / "one" / "disease.glm.logistic.hybrid").read_text().splitlines()
    assert {"v0", "v50", "v100"} <= {line.split("\t")[2] for line in table if line.split("\t")[6] == "Y"}
    assert json.loads((tmp_path / "one" / "run.json").read_text())["glm"]["disease"]["cases"] == cases.sum()
    assert "glm disease" in capsys.readouterr().out
