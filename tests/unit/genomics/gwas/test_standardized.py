from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from examples.genomics.gwas.bed import Fileset
from examples.genomics.gwas.standardized import Block, Standardized, blocks_of
from examples.workload.communicator import Alone
from tests.unit.genomics.gwas.dense import Matrix, projected, standardized
from tests.unit.genomics.gwas.plink_files import Called, random_genotypes, write_fileset
from tests.unit.workload.thread_ranks import ThreadComm, run_ranks

CHROMOSOMES = ["1"] * 150 + ["2"] * 20 + ["X"] * 10 + ["2"] * 140 + ["22"] * 5
CALLED = random_genotypes(len(CHROMOSOMES), 90, seed=3)
AUTOSOMAL = np.array([name != "X" for name in CHROMOSOMES])


@pytest.fixture
def fileset(tmp_path: Path) -> Fileset:
    return Fileset.open(write_fileset(tmp_path / "x", CALLED, CHROMOSOMES))


def everybody(fileset: Fileset) -> np.ndarray:
    return np.ones(len(fileset.samples), np.bool_)


def basis_of(people: int) -> Matrix:
    covariates = np.random.default_rng(8).standard_normal((people, 3))
    covariates[:, 0] = 1
    return np.linalg.qr(covariates)[0]


def off(basis: Matrix, vectors: Matrix) -> Matrix:
    return vectors - basis @ (basis.T @ vectors)


def test_blocks_end_where_a_chromosome_or_a_run_ends(fileset: Fileset) -> None:
    """Blocks have at most 128 variants, all of one chromosome and all of them chosen."""
    assert blocks_of(fileset, fileset.variants.autosomal) == [
        Block(0, 128, "1"),
        Block(128, 150, "1"),
        Block(150, 170, "2"),
        Block(180, 308, "2"),
        Block(308, 320, "2"),
        Block(320, 325, "22"),
    ]


def test_product_is_that_with_the_whole_matrix(fileset: Fileset) -> None:
    """X X' V, with calls missing and variants left out, is what numpy makes of the whole matrix, to float32's digits."""
    vectors = np.random.default_rng(1).standard_normal((90, 7))
    x = standardized(CALLED[AUTOSOMAL])
    genotypes = Standardized(Alone(), fileset, fileset.variants.autosomal, everybody(fileset))
    assert genotypes.variants == AUTOSOMAL.sum()
    assert np.allclose(genotypes.relate(vectors), x @ (x.T @ vectors), rtol=0, atol=1e-6 * len(CALLED))


def test_double_precision_is_exact_to_the_grid(fileset: Fileset) -> None:
    """In float64 the only errors are those of mean calls as float32, and of the grid."""
    vectors = np.random.default_rng(1).standard_normal((90, 2))
    called = np.abs(CALLED)
    whole = Fileset.open(write_fileset(Path(fileset.prefix).with_name("whole"), called, CHROMOSOMES))
    x = standardized(called[AUTOSOMAL])
    genotypes = Standardized(Alone(), whole, whole.variants.autosomal, everybody(fileset), precision=np.float64)
    assert np.allclose(genotypes.relate(vectors), x @ (x.T @ vectors), rtol=0, atol=1e-11 * len(CALLED))


def test_people_who_do_not_take_part_do_not_count(fileset: Fileset) -> None:
    """Means, lengths and products are those of the people who take part, off their covariates."""
    people = np.random.default_rng(2).random(90) < 0.7
    basis = basis_of(int(people.sum()))
    vectors = off(basis, np.random.default_rng(1).standard_normal((len(basis), 4)))
    x = projected(CALLED[AUTOSOMAL][:, people], basis)
    genotypes = Standardized(Alone(), fileset, fileset.variants.autosomal, people, covariates=basis)
    assert np.allclose(genotypes.relate(vectors), x @ (x.T @ vectors), rtol=0, atol=3e-6 * len(CALLED))
    names = ["1", "2", "22"]
    scores = genotypes.correlate(vectors[:, :3], names)
    own = [names.index(name) for name in CHROMOSOMES if name != "X"]
    assert np.allclose(scores, (x.T @ vectors)[np.arange(len(own)), own], rtol=0, atol=1e-5)
    assert genotypes.variants_of(names) == {"1": 150, "2": 160, "22": 5}


def test_each_column_leaves_its_chromosome_out(fileset: Fileset) -> None:
    """The variants of a column's chromosome do not count in its product."""
    vectors = np.random.default_rng(1).standard_normal((90, 2))
    genotypes = Standardized(Alone(), fileset, fileset.variants.autosomal, everybody(fileset))
    found = genotypes.relate(vectors, left_out=["2", "none"])
    others = standardized(CALLED[np.array([name in {"1", "22"} for name in CHROMOSOMES])])
    whole = standardized(CALLED[AUTOSOMAL])
    assert np.allclose(found[:, 0], others @ (others.T @ vectors[:, 0]), rtol=0, atol=1e-3)
    assert np.allclose(found[:, 1], whole @ (whole.T @ vectors[:, 1]), rtol=0, atol=1e-3)


def test_combination_is_that_of_the_whole_matrix(fileset: Fileset) -> None:
    """X W with weights by block is what numpy makes of the whole matrix."""
    weights = np.random.default_rng(5).choice([-1.0, 1.0], (len(CALLED), 3))
    genotypes = Standardized(Alone(), fileset, fileset.variants.autosomal, everybody(fileset))
    found = genotypes.combine(lambda block: weights[block.first : block.last], 3)
    assert np.allclose(found, standardized(CALLED[AUTOSOMAL]) @ weights[AUTOSOMAL], rtol=0, atol=1e-4)


@pytest.mark.parametrize("size", [2, 3, 4, 7])
def test_bits_do_not_depend_on_the_number_of_ranks(fileset: Fileset, size: int) -> None:
    """Sums over ranks have the same bits on any number of ranks, ranks without a block among them; ranks' variants are in order."""
    people = np.arange(90) % 5 != 0
    basis = basis_of(int(people.sum()))
    vectors = off(basis, np.random.default_rng(1).standard_normal((len(basis), 3)))

    def program(comm: Alone | ThreadComm) -> tuple[Matrix, Matrix, Matrix]:
        genotypes = Standardized(comm, fileset, fileset.variants.autosomal, people, covariates=basis)
        ones = genotypes.combine(lambda block: np.ones((block.last - block.first, 2)), 2)
        return genotypes.relate(vectors), ones, genotypes.correlate(vectors, ["1", "2", "22"])

    related, combined, scores = program(Alone())
    ranks = run_ranks(size, program)
    for found in ranks:
        assert found[0].tobytes() == related.tobytes()
        assert found[1].tobytes() == combined.tobytes()
    assert np.concatenate([found[2] for found in ranks]).tobytes() == scores.tobytes()


def test_variant_that_says_nothing_is_left_out(tmp_path: Path) -> None:
    """A variant of one allele, one that nobody has a call of, and one that is a covariate, have scale 0 and do not count."""
    called: Called = random_genotypes(6, 40, missing=0)
    called[1], called[3] = 0, -1
    fileset = Fileset.open(write_fileset(tmp_path / "x", called))
    covariates = np.column_stack([np.ones(40), called[4]]).astype(np.float64)
    genotypes = Standardized(Alone(), fileset, np.ones(6, np.bool_), everybody(fileset), covariates=np.linalg.qr(covariates)[0])
    assert (genotypes.scale > 0).tolist() == [True, False, True, False, False, True]
    assert genotypes.variants == 3
    assert np.isfinite(genotypes.relate(np.ones((40, 1)))).all()


def test_frequencies_may_be_those_of_some(tmp_path: Path) -> None:
    """With founders named, means and frequencies are theirs; all people's products are formed."""
    called = random_genotypes(30, 50, missing=0.1)
    founders = np.arange(50) % 2 == 0
    fileset = Fileset.open(write_fileset(tmp_path / "x", called))
    genotypes = Standardized(Alone(), fileset, np.ones(30, np.bool_), everybody(fileset), frequencies_of=founders)
    dosages = np.where(called < 0, np.nan, called.astype(np.float64)).T
    mean = np.nanmean(dosages[founders], axis=0)
    x = np.nan_to_num(dosages - mean) / np.sqrt(mean * (1 - mean / 2))
    vectors = np.random.default_rng(1).standard_normal((50, 2))
    assert np.allclose(genotypes.relate(vectors), x @ (x.T @ vectors), rtol=0, atol=1e-4)
