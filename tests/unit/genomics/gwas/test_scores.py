"""Polygenic scores."""

from __future__ import annotations

import numpy as np
import pytest

from examples.genomics.gwas.bed import Fileset
from examples.genomics.gwas.score_table import read_scores
from examples.genomics.gwas.scores import Scores, score, sscore
from examples.workload.communicator import Alone
from examples.workload.errors import Malformed
from tests.unit.genomics.gwas.plink_files import Called, random_genotypes, write_fileset
from tests.unit.workload.thread_ranks import run_ranks

VARIANTS, PEOPLE = 400, 37  # several blocks, on several ranks


def write_table(tmp_path, lines: list[str], header: str = "ID A1 one two"):
    path = tmp_path / "weights.txt"
    path.write_text("\n".join([header, *lines]) + "\n")
    return str(path)


def random_table(seed: int = 1) -> tuple[list[str], list[tuple[int, bool, float, float]]]:
    random = np.random.default_rng(seed)
    chosen = random.permutation(VARIANTS)[:300].tolist()
    rows = [(at, bool(random.random() < 0.5), float(random.normal()), float(random.lognormal(-9, 3))) for at in chosen]
    return [f"v{at} {'A' if of_a1 else 'G'} {one!r} {two!r}" for at, of_a1, one, two in rows], rows


def by_hand(genotypes: Called, rows: list[tuple[int, bool, float, float]]) -> np.ndarray:
    """Sums, with missing calls as the mean."""
    sums = np.zeros((genotypes.shape[1], 2))
    for at, of_a1, one, two in rows:
        called = genotypes[at].astype(float)
        called[called < 0] = called[called >= 0].mean()
        sums += np.outer(called if of_a1 else 2 - called, [one, two])
    return sums


def test_scores_are_weighted_sums_of_effect_alleles(tmp_path):
    """A score is the sum of weight times copies of the effect allele, whichever allele that is; a missing call is the mean."""
    genotypes = random_genotypes(VARIANTS, PEOPLE)
    fileset = Fileset.open(write_fileset(tmp_path / "study", genotypes))
    lines, rows = random_table()
    found = score(Alone(), fileset, read_scores(write_table(tmp_path, lines), fileset.variants))
    assert found.sums == pytest.approx(by_hand(genotypes, rows), rel=1e-11, abs=1e-13)
    scored = genotypes[[at for at, *_ in rows]]
    assert found.alleles.tolist() == (2 * (scored >= 0).sum(axis=0)).tolist()
    of_a1 = np.array([each[1] for each in rows])[:, None]
    named = np.where(scored < 0, 0, np.where(of_a1, scored, 2 - scored)).sum(axis=0)
    assert found.named.tolist() == named.tolist()


def test_scores_do_not_depend_on_ranks_nor_on_the_order_of_lines(tmp_path):
    """One, two, three ranks and a shuffled table give the same bits."""
    fileset = Fileset.open(write_fileset(tmp_path / "study", random_genotypes(VARIANTS, PEOPLE)))
    lines, _ = random_table()
    table = read_scores(write_table(tmp_path, lines), fileset.variants)
    shuffled = read_scores(write_table(tmp_path, lines[::-1]), fileset.variants)
    alone: Scores = score(Alone(), fileset, table)
    for other in [score(Alone(), fileset, shuffled), *run_ranks(2, lambda comm: score(comm, fileset, table))]:
        assert other.sums.tobytes() == alone.sums.tobytes()
    assert run_ranks(3, lambda comm: score(comm, fileset, table))[2].sums.tobytes() == alone.sums.tobytes()


def test_the_mean_is_that_of_founders(tmp_path):
    """A missing call counts as the mean of people without a known parent, as in plink2."""
    people = ["f a 0 0 1 -9", "f b 0 0 2 -9", "f child a b 1 -9", "f lost 0 0 1 -9"]
    genotypes = np.array([[2, 1, 0, -1]], np.int8)
    fileset = Fileset.open(write_fileset(tmp_path / "study", genotypes, people=people))
    found = score(Alone(), fileset, read_scores(write_table(tmp_path, ["v0 A 1"], "ID A1 s"), fileset.variants))
    assert found.sums[:, 0].tolist() == [2, 1, 0, 1.5]


def test_a_variant_without_a_founders_call_counts_as_one_copy(tmp_path):
    """Whose call is missing has one copy of either allele where no founder's is known, as in plink2 (--bad-freqs)."""
    people = ["f a 0 0 1 -9", "f b 0 0 2 -9", "f child a b 1 -9"]
    genotypes = np.array([[-1, -1, -1], [-1, -1, 2], [0, 1, 2]], np.int8)
    fileset = Fileset.open(write_fileset(tmp_path / "study", genotypes, people=people))
    table = read_scores(write_table(tmp_path, ["v0 A 1", "v1 G 4", "v2 A 0.5"], "ID A1 s"), fileset.variants)
    assert score(Alone(), fileset, table).sums[:, 0].tolist() == [5, 5.5, 2]


def test_both_alleles_of_a_variant_may_have_weights(tmp_path):
    """Two lines of one variant about its two alleles are two weights of one variant."""
    fileset = Fileset.open(write_fileset(tmp_path / "study", np.array([[0, 1, 2, -1]], np.int8)))
    found = score(Alone(), fileset, read_scores(write_table(tmp_path, ["v0 A 1", "v0 G 10"], "ID A1 s"), fileset.variants))
    assert found.sums[:, 0].tolist() == [20, 11, 2, 11]
    assert (found.variants, found.named.tolist()) == (1, [2, 2, 2, 0])


def test_what_does_not_fit_is_counted(tmp_path):
    """Unknown variants, alleles the variant does not have and chromosomes of sex are left out, counted and told."""
    genotypes = random_genotypes(3, PEOPLE)
    fileset = Fileset.open(write_fileset(tmp_path / "study", genotypes, chroms=["1", "X", "2"]))
    table = read_scores(write_table(tmp_path, ["v0 A 1 2", "v1 A 1 2", "v2 C 1 2", "rs9 A 1 2"]), fileset.variants)
    assert (sum(table.left_out.values()), table.ambiguous) == (3, 0)
    assert table.tell() == (
        "one, two from 1 lines, 1 of alleles that the variant does not have left out, 1 of unknown variants left out, "
        "1 on X, Y, MT left out"
    )


def test_the_table_has_plink2s_columns(tmp_path):
    """Averages are sums by the alleles of all scored variants; the family is 0 where nobody has one."""
    people = [f"0 p{at} 0 0 1 -9" for at in range(4)]
    fileset = Fileset.open(write_fileset(tmp_path / "study", np.array([[0, 1, 2, -1]], np.int8), people=people))
    found = score(Alone(), fileset, read_scores(write_table(tmp_path, ["v0 A 0.5"], "ID A1 risk"), fileset.variants))
    assert sscore(fileset.samples, found) == (
        "#FID\tIID\tALLELE_CT\tNAMED_ALLELE_DOSAGE_SUM\trisk_AVG\n"
        "0\tp0\t2\t0\t0\n0\tp1\t2\t1\t0.25\n0\tp2\t2\t2\t0.5\n0\tp3\t0\t0\t0.25\n"
    )


@pytest.mark.parametrize(
    ("lines", "header", "message"),
    [
        (["v0 A 1"], "ID A1 s t", "line 2: has 3 fields, but the header has 4"),
        (["v0 A 1", "v1 A NA"], "ID A1 s", "line 3, column s: the weight 'NA' is no finite number"),
        (["v0 A inf"], "ID A1 s", "line 2, column s: the weight 'inf' is no finite number"),
        (["v0 A 1", "v1 A 1", "v0 A 2"], "ID A1 s", "line 4: v0 A is in line 2 already"),
        (["v1 A 1"], "v0 A 1", "line 1: has no header: '1' is a number, but must be the name of a score"),
        (["v0 A"], "ID A1", "line 1: must begin with a header 'ID A1 NAME ...', but begins with 'ID A1'"),
        (["v0 A 1 1"], "ID A1 s s", "line 1: names s twice"),
        (["rs1 A 1", "v0 T 1"], "ID A1 s", "no line fits the 2 variants of the fileset: 1 of unknown variants, 1 of alleles"),
    ],
)
def test_a_bad_table_is_told_by_line(tmp_path, lines, header, message):
    """What is wrong with a table of weights is told with its line, before anything is added up."""
    fileset = Fileset.open(write_fileset(tmp_path / "study", random_genotypes(2, 5)))
    with pytest.raises(Malformed) as caught:
        read_scores(write_table(tmp_path, lines, header), fileset.variants)
    assert message in str(caught.value)


def test_an_id_of_several_variants_cannot_be_scored(tmp_path):
    """A weight whose variant cannot be told is refused."""
    prefix = write_fileset(tmp_path / "study", random_genotypes(2, 5))
    bim = tmp_path / "study.bim"
    bim.write_text(bim.read_text().replace("v1", "v0"))
    with pytest.raises(Malformed, match="v0 is the id of several variants"):
        read_scores(write_table(tmp_path, ["v0 A 1 2"]), Fileset.open(prefix).variants)
