from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from examples.genomics.gwas import rows
from examples.genomics.gwas.bed import Fileset
from examples.genomics.gwas.pca import Components, Plan, check, eigenval, eigenvec, run
from examples.workload.arguments import CheckpointPlan
from examples.workload.communicator import Alone
from examples.workload.errors import Malformed
from tests.unit.genomics.gwas.dense import Ended, EndingComm, Matrix, standardized
from tests.unit.genomics.gwas.plink_files import Called, write_fileset
from tests.unit.workload.thread_ranks import ThreadComm, run_ranks

NOWHERE = CheckpointPlan(None, 60.0)
CHROMOSOMES = ["1"] * 200 + ["2"] * 190 + ["X"] * 10


def populations(variants: int, samples: int, seed: int = 4) -> Called:
    """Genotypes of four populations, 3 % of calls missing."""
    rng = np.random.default_rng(seed)
    frequencies = np.clip(rng.uniform(0.2, 0.8, (variants, 1)) + rng.normal(0, 0.12, (variants, 4)), 0.05, 0.95)
    called = rng.binomial(2, frequencies[:, rng.integers(0, 4, samples)]).astype(np.int8)
    called[rng.random(called.shape) < 0.03] = -1
    return called


@pytest.fixture
def called() -> Called:
    return populations(len(CHROMOSOMES), 120)


@pytest.fixture
def fileset(tmp_path: Path, called: Called) -> Fileset:
    return Fileset.open(write_fileset(tmp_path / "x", called, CHROMOSOMES))


def eigenvectors(called: Called, wanted: int) -> tuple[Matrix, Matrix]:
    x = standardized(called[[name != "X" for name in CHROMOSOMES]])
    values, vectors = np.linalg.eigh(x @ x.T / x.shape[1])
    return values[::-1][:wanted], vectors[:, ::-1][:, :wanted]


def test_components_are_the_eigenvectors_of_the_whole_matrix(fileset: Fileset, called: Called) -> None:
    """Values and vectors of variants that are not on X are numpy's, and the residual says how well."""
    values, vectors = eigenvectors(called, 3)
    found = run(Alone(), fileset, Plan(components=3), NOWHERE)
    assert found.variants == 390
    assert not found.not_converged
    assert np.allclose(found.values, values, rtol=1e-6)
    assert np.allclose(np.abs(np.sum(found.vectors * vectors, axis=0)), 1, atol=1e-9)


def test_largest_entry_of_a_component_is_positive(fileset: Fileset) -> None:
    """The sign, which means nothing, is chosen by the entry that is largest in absolute value."""
    found = run(Alone(), fileset, Plan(components=4), NOWHERE)
    assert (found.vectors.max(axis=0) == np.abs(found.vectors).max(axis=0)).all()


def test_component_that_has_not_converged_is_told(fileset: Fileset) -> None:
    """After too few passes the components inside the bulk are named; those of populations have converged."""
    found = run(Alone(), fileset, Plan(components=10, passes=5, tolerance=1e-3), NOWHERE)
    assert found.passes == 5
    assert found.not_converged == list(range(4, 11))


def test_all_people_are_as_many_components_as_there_can_be(tmp_path: Path) -> None:
    """If more are asked for than people, there is one for each, found exactly."""
    called = populations(60, 9)
    found = run(Alone(), Fileset.open(write_fileset(tmp_path / "x", called)), Plan(components=20), NOWHERE)
    x = standardized(called)
    assert np.allclose(found.values, np.linalg.eigvalsh(x @ x.T / 60)[::-1], atol=1e-6)
    assert found.vectors.shape == (9, 9)


@pytest.mark.parametrize(("call", "chromosome"), [(0, "1"), (1, "1"), (2, "1"), (-1, "1"), (None, "X")])
def test_genotypes_without_a_difference_are_refused(tmp_path: Path, call: int | None, chromosome: str) -> None:
    """People who are alike in all variants, or who have variants on X alone, have no components, rather than random ones of 0."""
    called = populations(6, 20)
    if call is not None:
        called[:] = call
    fileset = Fileset.open(write_fileset(tmp_path / "x", called, [chromosome] * 6))
    with pytest.raises(Malformed, match=r"differ in none of the 6 variants|has 0 variants that are not on X, Y, MT"):
        run_ranks(2, lambda comm: run(comm, fileset, Plan(), NOWHERE))


def test_there_are_no_more_components_than_variants_with_two_alleles(tmp_path: Path) -> None:
    """Of 30 variants of which 4 differ, there are 4 components, all converged; more cannot be covariates."""
    called = populations(30, 50)
    called[4:] = 2
    fileset = Fileset.open(write_fileset(tmp_path / "x", called))
    found = run(Alone(), fileset, Plan(components=10), NOWHERE)
    assert len(found.values) == found.vectors.shape[1] == 4
    assert not found.not_converged
    with pytest.raises(Malformed, match=r"has 4 variants of two alleles, but 5 components are to be covariates"):
        run(Alone(), fileset, Plan(components=10), NOWHERE, least=5)


@pytest.mark.parametrize(
    ("people", "least", "told"),
    [
        (5, 10, r"x\.fam: has 5 people, too few for the 10 components that are to be covariates"),
        (1, 1, r"x\.fam: has 1 person, too few for principal components"),
        (40, 31, r"x\.bim: has 30 variants that are not on X, Y, MT, but 31 components are to be covariates"),
    ],
)
def test_more_components_than_there_can_be_are_refused(tmp_path: Path, people: int, least: int, told: str) -> None:
    """Before any genotype is read: people or variants are too few for the components that are needed."""
    fileset = Fileset.open(write_fileset(tmp_path / "x", populations(30, people)))
    with pytest.raises(Malformed, match=told):
        check(fileset, least)


def test_files_are_the_same_from_any_number_of_ranks(fileset: Fileset, monkeypatch: pytest.MonkeyPatch) -> None:
    """Text and bits are equal on 1, 2, 3 and 5 ranks, of which the last has no people."""
    monkeypatch.setattr(rows, "PEOPLE", 32)

    def program(comm: Alone | ThreadComm) -> tuple[str, str, bytes]:
        found = run(comm, fileset, Plan(components=4), NOWHERE)
        return eigenvec(fileset.samples, found), eigenval(found), found.vectors.tobytes()

    expected = program(Alone())
    assert all(found == expected for size in (2, 3, 5) for found in run_ranks(size, program))


def test_ended_run_goes_on_with_other_ranks(fileset: Fileset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ended in the last pass of two ranks and resumed by three: two more passes at most, the same bits."""
    monkeypatch.setattr(rows, "PEOPLE", 32)
    plan, kept = Plan(components=4), CheckpointPlan(str(tmp_path / "kept"), 0.0)
    expected = run(Alone(), fileset, plan, NOWHERE)
    with pytest.raises(Ended):
        run_ranks(2, lambda comm: run(EndingComm(comm, expected.passes - 1), fileset, plan, kept))
    rest = run_ranks(3, lambda comm: run(EndingComm(comm, 3), fileset, plan, kept))
    assert expected.passes > 4
    assert rest[0].vectors.tobytes() == expected.vectors.tobytes()
    assert rest[0].passes == expected.passes


def test_files_are_those_of_plink2(tmp_path: Path) -> None:
    """Six digits; one line per person with family, which may be 0, and individual; one line per value."""
    components = Components(np.array([2.0]), np.array([[0.6], [0.8000004]]), np.zeros(1), 1e-6, 1, 9)
    people = ["0 a 0 0 1 -9", "F b 0 0 1 -9"]
    fileset = Fileset.open(write_fileset(tmp_path / "x", populations(5, 2), people=people))
    assert eigenvec(fileset.samples, components) == "#FID\tIID\tPC1\n0\ta\t0.6\nF\tb\t0.8\n"
    assert eigenval(components) == "2\n"
