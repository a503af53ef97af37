from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from examples.genomics.gwas import association
from examples.genomics.gwas.__main__ import main
from examples.genomics.gwas.design import make_designs, make_traits
from examples.workload.communicator import Alone
from tests.unit.genomics.gwas.plink_files import random_genotypes, write_fileset
from tests.unit.workload.thread_ranks import run_ranks

PEOPLE, VARIANTS = 90, 700
CHROMS = [str(1 + at // 100) for at in range(600)] + ["X"] * 60 + ["MT"] * 40


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """A cohort with a child of two of its people, two traits, one for some only, and a covariate."""
    called = random_genotypes(VARIANTS, PEOPLE, missing=0.03)
    people = [f"f{at} p{at} 0 0 {1 + at % 2} -9" for at in range(PEOPLE - 1)] + ["f0 child p0 p1 1 -9"]
    prefix = write_fileset(tmp_path / "cohort", called, CHROMS, people)
    rng = np.random.default_rng(2)
    names = [" ".join(person.split()[:2]) for person in people]
    traits = rng.standard_normal((PEOPLE, 2)) + 2.0 * np.maximum(called[250], 0)[:, None]
    pheno = [
        f"{name} {a:.5f} {'NA' if at % 8 == 0 else f'{b:.5f}'}\n"
        for at, (name, (a, b)) in enumerate(zip(names, traits, strict=True))
    ]
    (tmp_path / "pheno").write_text("#FID IID tall wide\n" + "".join(pheno))
    ages = rng.integers(20, 70, PEOPLE).tolist()
    (tmp_path / "covar").write_text("#FID IID age\n" + "".join(f"{name} {age}\n" for name, age in zip(names, ages, strict=True)))
    return ["--bfile", prefix, "--pheno", str(tmp_path / "pheno"), "--covar", str(tmp_path / "covar")]


def results(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(out.iterdir())}


def test_relationships_are_written_as_gcta_has_them(tmp_path: Path, words: list[str], capsys) -> None:
    """--grm gcta gives GCTA's three files, the same from one rank and two; another form is refused by name."""
    asked = [*words, "--grm", "gcta", "--out"]
    assert main(Alone(), [*asked, str(tmp_path / "1")]) == 0
    assert run_ranks(2, lambda comm: main(comm, [*asked, str(tmp_path / "2")])) == [0, 0]
    assert set(results(tmp_path / "1")) == {"gwas.grm.bin", "gwas.grm.N.bin", "gwas.grm.id", "run.json"}
    assert results(tmp_path / "1") == results(tmp_path / "2")
    assert main(Alone(), [*words, "--grm", "king", "--out", str(tmp_path / "3")]) == 2
    assert "--grm: is 'king', but must be plink2 or gcta, or nothing" in capsys.readouterr().err


def test_results_are_the_same_bytes_on_any_number_of_ranks(tmp_path: Path, words: list[str], capsys) -> None:
    """Tables, charts and run.json of all analyses are the same from one, two and three ranks, and nothing else is left there."""
    asked = [*words, "--freq", "--missing", "--hardy", "--pca", "3", "--pcs", "2", "--grm", "--glm"]
    assert main(Alone(), [*asked, "--out", str(tmp_path / "1")]) == 0
    assert run_ranks(2, lambda comm: main(comm, [*asked, "--out", str(tmp_path / "2")])) == [0, 0]
    assert run_ranks(3, lambda comm: main(comm, [*asked, "--out", str(tmp_path / "3")])) == [0, 0, 0]
    first = results(tmp_path / "1")
    assert results(tmp_path / "2") == first
    assert results(tmp_path / "3") == first
    told = json.loads(first["run.json"])
    assert set(first) == {*told["files"], "run.json"}
    assert told["left out: on X, Y, MT"] == 100
    assert told["glm"]["tall"]["smallest P"]["id"] == "v250"
    assert (told["glm"]["tall"]["people"], told["glm"]["wide"]["people"]) == (90, 78)
    assert told["glm"]["tall"]["tested"] == 600
    assert f"{tmp_path / '1'}" in capsys.readouterr().out


def test_tables_have_plinks_columns(tmp_path: Path, words: list[str]) -> None:
    """Each header is plink2's, each line has its fields, chromosomes X and MT are left out, A1 is the rarer allele."""
    assert main(Alone(), [*words, "--freq", "--missing", "--hardy", "--glm", "--out", str(tmp_path / "out")]) == 0
    headers = {
        "tall.glm.linear": "#CHROM\tPOS\tID\tREF\tALT\tA1\tTEST\tOBS_CT\tBETA\tSE\tT_STAT\tP\tERRCODE",
        "gwas.afreq": "#CHROM\tID\tREF\tALT\tALT_FREQS\tOBS_CT",
        "gwas.vmiss": "#CHROM\tID\tMISSING_CT\tOBS_CT\tF_MISS",
        "gwas.hardy": "#CHROM\tID\tA1\tAX\tHOM_A1_CT\tHET_A1_CT\tTWO_AX_CT\tO(HET_A1)\tE(HET_A1)\tP",
    }
    lines = {name: (tmp_path / "out" / name).read_text().splitlines() for name in headers}
    for name, header in headers.items():
        assert lines[name][0] == header
        assert len(lines[name]) == 601
        assert {line.count("\t") for line in lines[name]} == {header.count("\t")}
    frequencies = [float(line.split("\t")[4]) for line in lines["gwas.afreq"][1:]]
    rarer = [line.split("\t")[5] for line in lines["tall.glm.linear"][1:]]
    assert rarer == ["A" if frequency <= 0.5 else "G" for frequency in frequencies]
    assert max(int(line.split("\t")[5]) for line in lines["gwas.afreq"][1:]) <= 2 * (PEOPLE - 1)  # the child is no founder
    smiss = (tmp_path / "out" / "gwas.smiss").read_text().splitlines()
    missing = (random_genotypes(VARIANTS, PEOPLE, missing=0.03)[:600] == -1).sum(axis=0)
    assert [int(line.split("\t")[-3]) for line in smiss[1:]] == missing.tolist()


def test_all_problems_of_arguments_are_told_at_once(tmp_path: Path, capsys) -> None:
    """A command line with several mistakes is answered with all of them."""
    (tmp_path / "file").touch()
    words = ["--bfile", str(tmp_path / "none"), "--pheno", "no.txt", "--pca", "x", "--pcs", "3", "--covar-name", "a", "--huh"]
    assert main(Alone(), [*words, "--out", str(tmp_path / "file")]) == 2
    told = capsys.readouterr().err
    for problem in (
        f"--bfile: {tmp_path / 'none'}.bed does not exist",
        "--pheno: no.txt does not exist",
        "--pca: is 'x', but must be a whole number from 0 to 200",
        "--pcs: needs --glm or --lmm",
        "--covar-name: needs --covar",
        "--huh: is not an argument of this program",
        f"--out: {tmp_path / 'file'} is there and is not a directory",
    ):
        assert f"gwas: {problem}" in told


def test_all_problems_of_tables_are_told_at_once(tmp_path: Path, words: list[str], capsys) -> None:
    """Malformed phenotypes and covariates are told together, before anything is written."""
    (tmp_path / "pheno").write_text("#FID IID tall\nf1 p1 high\n")
    (tmp_path / "covar").write_text("#FID IID age\nf1 p1 3 4\n")
    assert main(Alone(), [*words, "--glm", "--out", str(tmp_path / "out")]) == 65
    told = capsys.readouterr().err
    assert f"gwas: {tmp_path / 'pheno'}: line 2, column tall: 'high' is no number" in told
    assert f"{tmp_path / 'covar'}: line 2: has 4 fields, but the header has 3" in told
    assert not (tmp_path / "out").exists()


def test_a_constant_covariate_is_named(tmp_path: Path, words: list[str], capsys) -> None:
    """A covariate that is the same for everybody ends the run before it begins."""
    (tmp_path / "covar").write_text("#FID IID age\n" + "".join(f"f{at} p{at} 44\n" for at in range(PEOPLE - 1)))
    assert main(Alone(), [*words, "--glm", "--out", str(tmp_path / "out")]) == 65
    assert f"{tmp_path / 'covar'}: covariate age: is 44 for all 89 people of tall; leave it out" in capsys.readouterr().err


def test_an_earlier_runs_results_are_not_left_beside_new_ones(tmp_path: Path, words: list[str]) -> None:
    """A second run with fewer analyses leaves only its own files."""
    assert main(Alone(), [*words, "--freq", "--glm", "--out", str(tmp_path / "out")]) == 0
    assert main(Alone(), [*words, "--hardy", "--glm", "--out", str(tmp_path / "out")]) == 0
    assert "gwas.afreq" not in results(tmp_path / "out")
    assert "gwas.hardy" in results(tmp_path / "out")


def test_a_checkpoint_of_other_covariates_is_not_taken(tmp_path: Path, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same files but another choice of covariates, results are those of a run from the start."""
    first, *others = (tmp_path / "covar").read_text().splitlines()
    lines = [f"{line} {at * 37 % 11}\n" for at, line in enumerate(others)]
    (tmp_path / "covar").write_text(f"{first} dose\n" + "".join(lines))
    asked = [*words, "--glm", "--pheno-name", "tall"]
    monkeypatch.setattr(association, "_ROUNDS", 1)
    saving = ["--checkpoint", str(tmp_path / "saved"), "--checkpoint-every", "0s"]
    ages = [*asked, *saving, "--covar-name", "age", "--out", str(tmp_path / "age")]
    assert run_ranks(1, lambda comm: main(comm, ages)) == [0]
    assert list((tmp_path / "saved").glob("glm*/*"))
    assert run_ranks(1, lambda comm: main(comm, [*asked, *saving, "--out", str(tmp_path / "both")])) == [0]
    assert main(Alone(), [*asked, "--out", str(tmp_path / "afresh")]) == 0
    assert results(tmp_path / "both")["tall.glm.linear"] == results(tmp_path / "afresh")["tall.glm.linear"]


def test_digests_of_models_differ_with_anything_that_matters() -> None:
    """Other covariates, people or values of a trait give another digest; the same give the same."""
    rng = np.random.default_rng(4)
    tall, age, dose = rng.standard_normal((3, 30))
    fewer = tall.copy()
    fewer[3] = np.nan

    def digest(values, **covariates) -> str:
        (design,) = make_designs(make_traits({"tall": values}, covariates), covariates)
        return design.digest()

    assert digest(tall, age=age) == digest(tall.copy(), age=age)
    assert (
        len({digest(tall), digest(tall, age=age), digest(tall, age=dose), digest(fewer, age=age), digest(tall + age, age=age)}) == 5
    )


def test_columns_with_names_of_components_are_refused(tmp_path: Path, words: list[str], capsys) -> None:
    """A covariate called PC2 and --pcs 2 are a contradiction; with --pcs 1 they are not."""
    path = tmp_path / "covar"
    path.write_text(path.read_text().replace("age", "PC2", 1))
    assert main(Alone(), [*words, "--glm", "--pcs", "2", "--out", str(tmp_path / "out")]) == 65
    assert f"{path}: line 1: has PC2 as --pcs 2 does" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert main(Alone(), [*words, "--glm", "--pcs", "1", "--out", str(tmp_path / "out")]) == 0


def test_names_of_phenotypes_need_a_table(tmp_path: Path, words: list[str], capsys) -> None:
    """--pheno-name without --pheno is an error, not a regression of something else."""
    assert main(Alone(), [*words[:2], "--glm", "--pheno-name", "tall", "--out", str(tmp_path / "out")]) == 2
    assert "gwas: --pheno-name: needs --pheno" in capsys.readouterr().err


def test_another_trait_leaves_no_tables_of_the_one_before(tmp_path: Path, words: list[str]) -> None:
    """Tables and charts of a trait that an earlier run wrote go with its run.json; files of others stay."""
    out = tmp_path / "out"
    assert main(Alone(), [*words, "--glm", "--pheno-name", "wide", "--out", str(out)]) == 0
    (out / "mine.glm.linear").write_text("kept")
    assert main(Alone(), [*words, "--glm", "--pheno-name", "tall", "--out", str(out)]) == 0
    assert set(results(out)) == {*json.loads((out / "run.json").read_text())["files"], "run.json", "mine.glm.linear"}
    assert "tall.glm.linear" in results(out)


def test_missing_calls_of_people_are_told_with_plinks_columns(tmp_path: Path, words: list[str]) -> None:
    """Families of 0 have their column too, and each phenotype says Y for those without it."""
    people = [f"0 p{at} 0 0 1 -9" for at in range(4)]
    prefix = write_fileset(tmp_path / "few", random_genotypes(5, 4, missing=0.0), people=people)
    (tmp_path / "pheno").write_text("#IID sick tall\np0 0 1.5\np1 1 NA\np2 2 3\n")
    asked = ["--bfile", prefix, "--missing", "--out", str(tmp_path / "out")]
    assert main(Alone(), [*asked, "--pheno", str(tmp_path / "pheno")]) == 0
    lines = (tmp_path / "out" / "gwas.smiss").read_text().splitlines()
    assert lines[0] == "#FID\tIID\tsick\ttall\tMISSING_CT\tOBS_CT\tF_MISS"
    assert [line.split("\t")[:4] for line in lines[1:]] == [
        ["0", "p0", "Y", "N"],
        ["0", "p1", "N", "Y"],
        ["0", "p2", "N", "N"],
        ["0", "p3", "Y", "Y"],
    ]
    assert main(Alone(), asked) == 0
    assert (tmp_path / "out" / "gwas.smiss").read_text().startswith("#FID\tIID\tMISSING_CT\t")


def test_equilibrium_without_calls_expects_no_heterozygotes(tmp_path: Path) -> None:
    """A variant that nobody has a call of has plink2's E(HET) of 0 and P of 1."""
    prefix = write_fileset(tmp_path / "none", np.full((1, 4), -1, np.int8))
    assert main(Alone(), ["--bfile", prefix, "--hardy", "--out", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "gwas.hardy").read_text().splitlines()[1].split("\t")[4:] == ["0", "0", "0", "nan", "0", "1"]
