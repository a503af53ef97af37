"""Logistic regression: Newton's, and Firth's where there is no maximum."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from examples.genomics.gwas.bed import Fileset
from examples.genomics.gwas.design import Design, make_designs, make_traits
from examples.genomics.gwas.estimates import AS_PLINK, Code, Estimates
from examples.genomics.gwas.genotypes import Block, count, decode
from examples.genomics.gwas.logistic import LogisticScan
from tests.unit.genomics.gwas.dense_logistic import Reals, dense_logistic, design_matrix
from tests.unit.genomics.gwas.plink_files import Called, random_genotypes, write_fileset

PEOPLE, VARIANTS = 301, 40
COVARIATES = {
    "age": np.random.default_rng(2).uniform(20, 70, PEOPLE),
    "pc": np.random.default_rng(3).standard_normal(PEOPLE),
}

# OBS_CT, A1, FIRTH?, OR, LOG(OR)_SE of v0, v1, ...: plink2 v2.00a3.5, each variant by itself (--snp), for among others its standard
# errors depend on the variants before where calls are missing: --covar-variance-standardize --glm hide-covar.
BY_PLINK2 = [
    (286, "G", "N", 1.06307, 0.194021),
    (279, "G", "N", 1.54295, 0.328939),
    (286, "A", "N", 1.01, 0.25031),
    (301, "A", "Y", 38.7778, 1.7082),
    (280, "A", "N", 0.852041, 0.220847),
    (286, "A", "N", 0.819768, 0.199792),
    (285, "G", "N", 0.81445, 0.274051),
    (288, "A", "N", 0.923193, 0.202767),
]


def disease(seed: int = 4, intercept: float = -0.5) -> Reals:
    """2 for cases, 1 for controls; more often older people."""
    random = np.random.default_rng(seed)
    chance = 1 / (1 + np.exp(-intercept - (COVARIATES["age"] - 45) / 20))
    return np.asarray(1.0 + (random.random(PEOPLE) < chance))


def design(phenotype: Reals, covariates: Mapping[str, Reals]) -> Design:
    (only,) = make_designs(make_traits({"disease": phenotype}, covariates), covariates)
    return only


def scan(tmp_path, genotypes: Called, model: Design) -> Estimates:
    fileset = Fileset.open(write_fileset(tmp_path / "study", genotypes))
    packed = fileset.packed(0, len(genotypes))
    dosages = decode(packed, np.zeros((len(genotypes), fileset.width), np.float32))
    block = Block(packed, dosages, count(packed, len(fileset.samples)))
    (found,) = LogisticScan(model, fileset.width).scan(block)
    return found


def dense(genotypes: Called, model: Design, *, firth: bool) -> list[tuple[float, float]]:
    """Of each variant: people whose call is missing are left out."""
    results = []
    for called in genotypes[:, model.included]:
        known = called >= 0
        x = design_matrix(model.covariates[known], called[known].astype(float))
        results.append(dense_logistic(x, model.traits[0].values[known], firth=firth))
    return results


@pytest.mark.parametrize("missing", [0.0, 0.05])
def test_estimates_are_those_of_a_dense_solution(tmp_path, missing):
    """Effects and standard errors are the ones that a float64 solution of each variant by itself gives."""
    genotypes = random_genotypes(VARIANTS, PEOPLE, missing=missing)
    model = design(disease(), COVARIATES)
    found = scan(tmp_path, genotypes, model)
    expected = np.array(dense(genotypes, model, firth=False))
    assert not found.firth.any()
    assert np.abs(found.beta - expected[:, 0]).max() < 1e-6 * expected[:, 1].min()
    assert found.se == pytest.approx(expected[:, 1], rel=1e-6)
    assert (found.people == (genotypes >= 0).sum(axis=1)).all()


def test_estimates_are_plink2s(tmp_path):
    """Odds ratios, standard errors and who is Firth's are what plink2 prints, to its precision."""
    phenotype, genotypes = disease(), random_genotypes(len(BY_PLINK2), PEOPLE)
    genotypes[3] = 0
    genotypes[3, np.flatnonzero(phenotype == 2)[:5]] = 1
    found = scan(tmp_path, genotypes, design(phenotype, COVARIATES))
    for at, (people, a1, firth, odds_ratio, se) in enumerate(BY_PLINK2):
        assert (found.people[at], "Y" if found.firth[at] else "N") == (people, firth)
        beta = found.beta[at] if a1 == "A" else -found.beta[at]
        precision = 1e-3 if firth == "Y" else 5e-6  # plink2 ends Firth's iterations early
        assert np.exp(beta) == pytest.approx(odds_ratio, rel=precision)
        assert found.se[at] == pytest.approx(se, rel=precision)


def test_people_without_phenotype_or_covariate_are_left_out(tmp_path):
    """A missing phenotype or covariate takes its person out of the regression, whatever the genotype."""
    phenotype, covariates = disease(), {name: column.copy() for name, column in COVARIATES.items()}
    phenotype[::7], covariates["pc"][3::11] = np.nan, np.nan
    genotypes = random_genotypes(VARIANTS, PEOPLE)
    model = design(phenotype, covariates)
    found = scan(tmp_path, genotypes, model)
    expected = np.array(dense(genotypes, model, firth=False))
    assert found.beta == pytest.approx(expected[:, 0], abs=1e-6 * expected[:, 1].min())
    assert found.people.max() <= model.included.sum() < PEOPLE


def test_without_covariates_the_odds_ratio_is_that_of_the_table(tmp_path):
    """Of a variant without heterozygotes and a model without covariates, the effect is half the table's log odds ratio."""
    genotypes = np.array([[0] * 60 + [2] * 40], np.int8)
    phenotype = np.array([2.0] * 20 + [1.0] * 40 + [2.0] * 30 + [1.0] * 10)
    found = scan(tmp_path, genotypes, design(phenotype, {}))
    assert found.beta[0] == pytest.approx(np.log((30 * 40) / (10 * 20)) / 2, rel=1e-9)
    assert found.se[0] == pytest.approx(np.sqrt(1 / 20 + 1 / 40 + 1 / 30 + 1 / 10) / 2, rel=1e-6)


def test_variants_without_a_maximum_are_firths(tmp_path):
    """Where all carriers are cases, or all controls, the estimate is the maximum of the penalized likelihood, and it says so."""
    phenotype = disease()
    genotypes = random_genotypes(VARIANTS, PEOPLE)
    for variant, group in ((3, 2), (11, 1), (12, 2)):
        carriers = np.flatnonzero(phenotype == group)[: 2 + variant]
        genotypes[variant] = 0
        genotypes[variant, carriers] = 1
    genotypes[12] = np.where(genotypes[12] == 1, 1, 2)  # of the other allele
    model = design(phenotype, COVARIATES)
    found = scan(tmp_path, genotypes, model)
    assert np.flatnonzero(found.firth).tolist() == [3, 11, 12]
    expected = np.array(dense(genotypes[found.firth], model, firth=True))
    assert found.beta[found.firth] == pytest.approx(expected[:, 0], abs=1e-6)
    assert found.se[found.firth] == pytest.approx(expected[:, 1], rel=1e-6)
    assert (found.code == Code.OK).all()


def test_separation_by_a_combination_of_variant_and_covariate_is_found(tmp_path):
    """A maximum that is at infinity though no allele is on one side only is given up, and Firth's is reported."""
    random = np.random.default_rng(8)
    called = random.integers(0, 3, PEOPLE)
    burden = np.round(random.uniform(-2, 2, PEOPLE), 2)
    phenotype: Reals = 1.0 + (called + burden > 1.0).astype(np.float64)
    model = design(phenotype, {"burden": burden})
    genotypes = called[None].astype(np.int8)
    found = scan(tmp_path, genotypes, model)
    assert found.firth.all()
    ((beta, se),) = dense(genotypes, model, firth=True)
    assert (found.beta[0], found.se[0]) == (pytest.approx(beta, abs=1e-3 * se), pytest.approx(se, rel=1e-3))


def test_why_a_variant_has_no_estimate(tmp_path):
    """Constant variants, variants that a covariate copies, and variants of too few people are told apart as by plink2."""
    genotypes = random_genotypes(4, PEOPLE, missing=0.0)
    copied = genotypes[3].astype(float)
    genotypes[0] = 1
    genotypes[1, 3:] = -1
    found = scan(tmp_path, genotypes, design(disease(), {"copy": copied + 1e-4 * COVARIATES["pc"]}))
    assert found.code.tolist() == [Code.CONSTANT, Code.TOO_FEW, Code.OK, Code.TOO_CORRELATED]
    assert np.isnan(found.se).tolist() == [True, True, False, True]


def test_a_trait_that_covariates_separate_ends(tmp_path):
    """A covariate that tells cases from controls leaves no maximum for any variant: all are Firth's, and finite."""
    phenotype = disease()
    genotypes = random_genotypes(5, PEOPLE)
    found = scan(tmp_path, genotypes, design(phenotype, {"diagnosis": phenotype + 0.01 * COVARIATES["pc"]}))
    assert found.firth.all()
    assert (np.isfinite(found.beta) | (found.code == Code.FIRTH_NOT_CONVERGED)).all()


def test_one_of_several_traits_is_regressed_as_if_alone(tmp_path):
    """Traits of one design share genotypes and nothing else."""
    genotypes = random_genotypes(VARIANTS, PEOPLE)
    traits = {"first": disease(), "second": disease(seed=5, intercept=-2.0), "size": COVARIATES["pc"] + 1.0}
    covariates = {"age": COVARIATES["age"]}
    (together,) = make_designs(make_traits(traits, covariates), covariates)
    fileset = Fileset.open(write_fileset(tmp_path / "study", genotypes))
    packed = fileset.packed(0, VARIANTS)
    block = Block(packed, decode(packed, np.zeros((VARIANTS, fileset.width), np.float32)), count(packed, PEOPLE))
    both = LogisticScan(together, fileset.width)
    assert [trait.name for trait in both.traits] == ["first", "second"]
    second = scan(tmp_path, genotypes, design(traits["second"], covariates))
    assert both.scan(block)[1].beta.tolist() == second.beta.tolist()


def test_firths_steps_do_not_go_to_and_fro(tmp_path):
    """Alleles of a few cases, or of a few controls, have Firth's maximum, though whole steps cycle around it for every fifth."""
    phenotype, random = disease(), np.random.default_rng(9)
    genotypes = np.zeros((VARIANTS, PEOPLE), np.int8)
    for variant in range(VARIANTS):
        group = np.flatnonzero(phenotype == 1 + variant % 2)
        genotypes[variant, random.choice(group, 1 + variant % 5, replace=False)] = 1
    model = design(phenotype, COVARIATES)
    found = scan(tmp_path, genotypes, model)
    assert found.firth.all()
    assert (found.code == Code.OK).all()
    expected = np.array(dense(genotypes, model, firth=True))
    assert found.beta == pytest.approx(expected[:, 0], abs=1e-6)
    assert found.se == pytest.approx(expected[:, 1], rel=1e-6)


@pytest.mark.parametrize("missing", [0.0, 0.05])
def test_a_covariate_whose_people_are_all_controls_makes_every_variant_firths(tmp_path, missing):
    """A site without cases has its coefficient at minus infinity: as in plink2, no variant has the usual estimate."""
    genotypes = random_genotypes(12, PEOPLE, missing=missing)
    site = (np.arange(PEOPLE) % 7 == 0).astype(np.float64)
    phenotype = np.where(site == 1, 1.0, disease())
    model = design(phenotype, COVARIATES | {"site": site})
    found = scan(tmp_path, genotypes, model)
    assert found.firth.all()
    expected = np.array(dense(genotypes, model, firth=True))
    assert found.beta == pytest.approx(expected[:, 0], abs=1e-6)


def test_a_covariate_that_separates_only_the_called_is_found(tmp_path):
    """Where a site's only case has no call, the variant is Firth's, as in plink2; the other variants are not."""
    genotypes = random_genotypes(4, PEOPLE, missing=0.0)
    site = (np.arange(PEOPLE) % 7 == 0).astype(np.float64)
    phenotype = np.where(site == 1, 1.0, disease())
    phenotype[0] = 2
    genotypes[2, 0] = -1
    model = design(phenotype, COVARIATES | {"site": site})
    assert scan(tmp_path, genotypes, model).firth.tolist() == [False, False, True, False]


def test_whether_a_variant_can_be_told_from_covariates_is_asked_of_the_called(tmp_path):
    """What plink2 says where people without a call leave a covariate constant, or a variant equal to a covariate."""
    site = (np.arange(PEOPLE) < 12).astype(np.float64)
    genotypes = random_genotypes(8, PEOPLE, missing=0.0)
    genotypes[1, :12] = -1  # nobody of the site is left
    genotypes[2] = 2 - site  # A1 common: a missing call as no A1 would be far off
    genotypes[2, 20:100] = -1
    genotypes[3] = site
    genotypes[3, 0] = -1
    genotypes[4, :] = site
    genotypes[5] = -1  # but for six of elsewhere
    genotypes[5, 200:206] = [0, 1, 2, 0, 1, 2]
    genotypes[6, :11] = -1  # one of the site is left: rare, but no reason
    found = scan(tmp_path, genotypes, design(disease(), {"pc": COVARIATES["pc"], "site": site}))
    assert [AS_PLINK[Code(code)] for code in found.code] == [
        ".",
        "VIF_INFINITE",
        "CORR_TOO_HIGH",
        "CORR_TOO_HIGH",
        "CORR_TOO_HIGH",
        "VIF_INFINITE",
        ".",
        ".",
    ]
    assert np.isnan(found.beta).tolist() == [code != Code.OK for code in found.code]


def test_covariates_that_are_one_among_the_called_leave_no_estimate(tmp_path):
    """Two covariates that differ only in people without a call are inflated without limit for this variant alone."""
    genotypes = random_genotypes(3, PEOPLE, missing=0.0)
    genotypes[1, :30] = -1
    mixed = COVARIATES["age"] + 9 * COVARIATES["pc"]
    mixed[:30] = 45
    found = scan(tmp_path, genotypes, design(disease(), COVARIATES | {"mixed": mixed}))
    assert found.code.tolist() == [Code.OK, Code.DEFICIENT, Code.OK]


def test_a_variant_that_determines_the_trait_has_firths_estimate(tmp_path):
    """Where all carriers are cases and no other is, some directions take 100 short steps; Firth's maximum is reached."""
    random = np.random.default_rng(17)
    genotypes = random.binomial(2, np.linspace(0.1, 0.9, 8)[:, None], (8, PEOPLE)).astype(np.int8)
    covariates = {f"c{at}": random.standard_normal(PEOPLE) for at in range(4)}
    for called in genotypes:
        model = design(1.0 + (called > 0), covariates)
        found = scan(tmp_path, called[None], model)
        assert found.code.tolist() == [Code.OK]
        ((beta, se),) = dense(called[None], model, firth=True)
        assert (found.beta[0], found.se[0]) == (pytest.approx(beta, abs=1e-5 * se), pytest.approx(se, rel=1e-5))
