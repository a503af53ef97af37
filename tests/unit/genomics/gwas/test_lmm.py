from __future__ import annotations

import functools
import shutil
from pathlib import Path

import numpy as np
import pytest

from examples.genomics.gwas import lmm
from examples.genomics.gwas.bed import Fileset
from examples.genomics.gwas.design import Design, UnfitModel, make_designs, make_traits
from examples.genomics.gwas.lmm import Associations, Plan
from examples.genomics.gwas.tables import Column
from examples.workload.arguments import CheckpointPlan
from examples.workload.communicator import Alone
from examples.workload.errors import Malformed
from tests.unit.genomics.gwas.dense import Ended, EndingComm, centred, projected
from tests.unit.genomics.gwas.plink_files import random_genotypes, write_fileset
from tests.unit.workload.thread_ranks import ThreadComm, run_ranks

NOWHERE = CheckpointPlan(None, 60.0)
CHROMOSOMES = ["1"] * 400 + ["2"] * 350 + ["X"] * 5 + ["7"] * 245
AUTOSOMAL = np.array([name != "X" for name in CHROMOSOMES])
CALLED = random_genotypes(len(CHROMOSOMES), 500, seed=3, missing=0.01)


@pytest.fixture
def fileset(tmp_path: Path) -> Fileset:
    return Fileset.open(write_fileset(tmp_path / "x", CALLED, CHROMOSOMES))


def design(missing: int = 0, traits: int = 1) -> Design:
    """A trait of which variants explain half; two covariates; the first people have no phenotype."""
    rng = np.random.default_rng(6)
    x = centred(CALLED)
    genetic = x @ rng.standard_normal((x.shape[1], traits))
    covariates: dict[str, Column] = {"age": rng.uniform(30, 70, 500), "sex": (np.arange(500) % 2).astype(np.float64)}
    values = 3 * (genetic / genetic.std(axis=0) + rng.standard_normal((500, traits))) + 0.1 * covariates["age"][:, None]
    values[:missing] = np.nan
    return make_designs(make_traits({f"trait{at}": values[:, at] for at in range(traits)}, covariates), covariates)[0]


class Dense:
    """The model by whole matrices."""

    def __init__(self, model: Design, delta: float) -> None:
        self.x = projected(CALLED[AUTOSOMAL][:, model.included], model.basis)
        self.chromosomes = np.array(CHROMOSOMES)[AUTOSOMAL]
        y = model.traits[0].values - model.basis @ (model.basis.T @ model.traits[0].values)
        self.freedom = len(y) - model.basis.shape[1]
        self.y = y * np.sqrt(self.freedom / (y @ y))
        people, variants = self.x.shape
        self.scores, self.forms, self.variance = np.empty(variants), np.empty(variants), 0.0
        for name in sorted(set(CHROMOSOMES) - {"X"}):
            own = self.chromosomes == name
            inverse = np.linalg.inv(self.x[:, ~own] @ self.x[:, ~own].T / variants + delta * np.eye(people))
            self.scores[own] = self.x[:, own].T @ inverse @ self.y
            self.forms[own] = np.einsum("pv,pq,qv->v", self.x[:, own], inverse, self.x[:, own], optimize=True)
            self.variance += own.mean() * float(self.y @ inverse @ self.y) / self.freedom


def run_alone(fileset: Fileset, model: Design, plan: Plan) -> Associations:
    return lmm.run(Alone(), fileset, model, plan, NOWHERE)[0]


@pytest.mark.parametrize(("precision", "relative"), [("float64", 1e-7), ("float32", 1e-6)])
@pytest.mark.parametrize("missing", [0, 21])
def test_statistics_are_those_of_a_dense_solution(fileset: Fileset, precision: str, relative: float, missing: int) -> None:
    """At given delta, chi-square times the calibration is (x' V^-1 y)^2 of each variant's own left out chromosome."""
    model = design(missing)
    found = run_alone(fileset, model, Plan(delta=1.3, tolerance=1e-9, passes=60, precision=precision))
    dense = Dense(model, 1.3)
    assert found.indices.tolist() == np.flatnonzero(AUTOSOMAL).tolist()
    scores = np.sign(found.beta) * np.sqrt(found.chi2 * found.calibration[0])
    assert np.abs(scores - dense.scores).max() < relative * np.abs(dense.scores).max()


def test_calibration_is_the_mean_over_all_variants(fileset: Fileset) -> None:
    """The constant is the mean of x' V^-1 x times the variance, within four of its own standard deviations, and these are small."""
    model = design()
    dense = Dense(model, 0.8)
    for seed in range(3):
        constant, deviation = run_alone(fileset, model, Plan(delta=0.8, seed=seed)).calibration
        assert abs(constant - dense.forms.mean() * dense.variance) < 4 * deviation
        assert deviation < 0.03 * constant


def test_effects_are_per_allele_and_in_the_unit_of_the_trait(fileset: Fileset) -> None:
    """An effect is that of generalized least squares with the mean x' V^-1 x for the variant's own; chi-square is (beta / se)^2."""
    model = design()
    found = run_alone(fileset, model, Plan(delta=1.0, tolerance=1e-6, probes=300))
    dense = Dense(model, 1.0)
    x = centred(CALLED[AUTOSOMAL])
    x -= model.basis @ (model.basis.T @ x)
    per_allele = np.sqrt(dense.freedom) / np.linalg.norm(x, axis=0)
    y = model.traits[0].values - model.basis @ (model.basis.T @ model.traits[0].values)
    expected = dense.scores / dense.forms.mean() * per_allele * np.sqrt(y @ y / dense.freedom)
    assert np.allclose(found.beta, expected, rtol=0.03, atol=1e-4)
    assert np.allclose(found.chi2, np.square(found.beta / found.se))


def test_delta_is_where_the_restricted_likelihood_is_largest(fileset: Fileset) -> None:
    """The estimated heritability is a dense REML's, within four standard deviations by the choice of signs; so is its error."""
    model = design()
    found = run_alone(fileset, model, Plan(signs=40)).heritability
    dense = Dense(model, 1.0)
    values, vectors = np.linalg.eigh(dense.x @ dense.x.T / dense.x.shape[1])
    values, squares = values[3:], np.square(vectors.T @ dense.y)[3:]
    grid = np.exp(np.linspace(-4, 4, 4001))[:, None]
    deviance = dense.freedom * np.log((squares / (values + grid)).sum(axis=1)) + np.log(values + grid).sum(axis=1)
    expected = 1 / (1 + float(grid[deviance.argmin(), 0]))
    assert abs(found.h2 - expected) < 4 * found.monte_carlo
    assert found.monte_carlo < found.standard_error
    assert not found.at_limit


def test_trait_without_heritability_is_at_the_limit(fileset: Fileset) -> None:
    """Where the genotypes explain less than nothing, heritability ends at the limit, and that is told."""
    model = design()
    dense = Dense(model, 1.0)
    vectors = np.linalg.eigh(dense.x @ dense.x.T)[1]
    trait = model.traits[0]
    smallest = type(trait)(trait.name, trait.included, vectors[:, 3:60].sum(axis=1) + model.basis[:, 0], binary=False)
    found = run_alone(fileset, Design(model.included, model.covariates, model.basis, [smallest], 1.0), Plan())
    assert found.heritability.at_limit
    assert found.heritability.h2 < 0.001
    assert found.converged


def test_traits_of_one_design_are_as_each_alone(fileset: Fileset) -> None:
    """Two traits of the same people share the passes that estimate variances; results are those of one at a time, to rounding."""
    both = design(traits=2)
    together = lmm.run(Alone(), fileset, both, Plan(), NOWHERE)
    for at, trait in enumerate(both.traits):
        alone = lmm.run(Alone(), fileset, Design(both.included, both.covariates, both.basis, [trait], 1.0), Plan(), NOWHERE)[0]
        assert together[at].trait == trait.name
        assert np.isclose(together[at].heritability.h2, alone.heritability.h2, atol=0.02)


def table(comm: Alone | ThreadComm, fileset: Fileset, model: Design, kept: CheckpointPlan = NOWHERE) -> bytes:
    found = lmm.run(comm, fileset, model, Plan(), kept)[0]
    return b"".join(lmm.lines(fileset, model, found))


@pytest.mark.parametrize("size", [2, 3, 9])
def test_bytes_do_not_depend_on_the_number_of_ranks(fileset: Fileset, size: int) -> None:
    """The ranks' lines, one after the other, are those of one rank, ranks without a variant among them."""
    model = design(missing=7)
    expected = table(Alone(), fileset, model)
    assert expected.count(b"\n") == AUTOSOMAL.sum()
    assert b"".join(run_ranks(size, lambda comm: table(comm, fileset, model))) == expected


@pytest.mark.parametrize("sums", [6, 18])
def test_ended_run_goes_on_with_other_ranks(fileset: Fileset, tmp_path: Path, sums: int) -> None:
    """Ended while variances are estimated or while systems are solved, and resumed by other ranks: the same bytes, fewer passes."""
    model, kept = design(), CheckpointPlan(str(tmp_path / "kept"), 0.0)
    found = lmm.run(Alone(), fileset, model, Plan(), NOWHERE)[0]
    with pytest.raises(Ended):
        run_ranks(2, lambda comm: table(EndingComm(comm, sums), fileset, model, kept))
    left = sum(found.passes) + 1 - sums + 3
    rest = run_ranks(3, lambda comm: table(EndingComm(comm, left), fileset, model, kept))
    assert b"".join(rest) == table(Alone(), fileset, model)


def test_ended_run_goes_on_wherever_it_was(fileset: Fileset, tmp_path: Path) -> None:
    """Ended as variances settle, once they have, or after, and resumed: the variances, passes and bytes of a whole run."""
    model = design()
    whole = lmm.run(Alone(), fileset, model, Plan(), NOWHERE)[0]
    for sums in (whole.passes[0] + more for more in (-1, 0, 2)):
        kept = CheckpointPlan(str(tmp_path / f"{sums}"), 0.0)
        with pytest.raises(Ended):
            run_ranks(1, functools.partial(ended_after, sums, fileset, model, kept))
        found = resumed(fileset, model, kept)
        assert found.facts() == whole.facts()
        assert found.beta.tobytes() == whole.beta.tobytes()


def ended_after(sums: int, fileset: Fileset, model: Design, kept: CheckpointPlan, comm: ThreadComm) -> None:
    lmm.run(EndingComm(comm, sums), fileset, model, Plan(), kept)


def resumed(fileset: Fileset, model: Design, kept: CheckpointPlan) -> Associations:
    return run_ranks(1, lambda comm: lmm.run(comm, fileset, model, Plan(), kept)[0])[0]


def test_systems_keep_the_variances_they_were_begun_with(fileset: Fileset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If variances come out otherwise when they are found anew, systems that were begun are not continued as other systems."""
    model, kept = design(), CheckpointPlan(str(tmp_path / "kept"), 0.0)
    with monkeypatch.context() as soon:
        soon.setattr(lmm, "_LEAST", 4)
        whole = lmm.run(Alone(), fileset, model, Plan(), NOWHERE)[0]
        with pytest.raises(Ended):
            run_ranks(1, functools.partial(ended_after, sum(whole.passes) - 2, fileset, model, kept))
    (folder,) = (tmp_path / "kept").iterdir()
    shutil.rmtree(folder / "variance")
    assert lmm.run(Alone(), fileset, model, Plan(), NOWHERE)[0].heritability != whole.heritability
    found = resumed(fileset, model, kept)
    assert found.facts() == whole.facts()
    assert found.beta.tobytes() == whole.beta.tobytes()


def test_lines_are_those_of_bolt(fileset: Fileset) -> None:
    """Columns are BOLT-LMM's: position, alleles, frequency and missing calls among the people who take part, beta, se, p."""
    model = design(missing=100)
    found = lmm.run(Alone(), fileset, model, Plan(delta=2.0), NOWHERE)[0]
    lines = b"".join(lmm.lines(fileset, model, found)).decode().splitlines()
    assert lmm.HEADER.count("\t") == lines[0].count("\t")
    name, chromosome, position, cm, a1, a2, frequency, missing, beta, se, p = lines[401].split("\t")
    own = CALLED[401, 100:]
    assert (name, chromosome, position, cm, a1, a2) == ("v401", "2", "40107", "0", "A", "G")
    assert frequency == f"{own[own >= 0].mean() / 2:.6g}"
    assert missing == f"{(own < 0).mean():.6g}"
    assert (float(beta), float(se)) == pytest.approx((found.beta[401], found.se[401]), rel=1e-5)
    assert p == f"{np.exp(found.log_p[401]):.1E}"


def test_facts_say_how_far_off_the_model_is(fileset: Fileset) -> None:
    """Heritability and calibration are told with their errors; where delta is given there is no error to tell."""
    told = run_alone(fileset, design(), Plan()).facts()
    assert {"h2", "standard error of h2", "error of h2 by random signs", "calibration", "error of calibration"} <= told.keys()
    given = run_alone(fileset, design(), Plan(delta=3.0)).facts()
    assert given["h2"] == 0.25
    assert "standard error of h2" not in given


def test_one_chromosome_is_refused(tmp_path: Path) -> None:
    """With all variants on one autosome there is nothing to leave in."""
    fileset = Fileset.open(write_fileset(tmp_path / "x", CALLED[:50], ["16"] * 50))
    with pytest.raises(UnfitModel, match="has variants of 1 autosome, but"):
        lmm.run(Alone(), fileset, design(), Plan(), NOWHERE)


@pytest.mark.parametrize(("alike", "told"), [(60, "none"), (30, "only chromosome 2")])
def test_autosomes_without_a_difference_are_refused(tmp_path: Path, alike: int, told: str) -> None:
    """Variants that are the same in all people do not make a chromosome whose effects the others could explain."""
    called = CALLED[:60].copy()
    called[:alike] = 1
    fileset = Fileset.open(write_fileset(tmp_path / "x", called, ["1"] * 30 + ["2"] * 30))
    with pytest.raises(Malformed, match=rf"x\.bed: --lmm: of 2 autosomes, {told} has variants"):
        run_ranks(2, lambda comm: lmm.run(comm, fileset, design(), Plan(), NOWHERE))
