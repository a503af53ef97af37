from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from examples.genomics.gwas.bed import Fileset
from examples.genomics.gwas.design import make_designs, make_traits
from examples.genomics.gwas.estimates import AS_PLINK, Code, Estimates
from examples.genomics.gwas.genotypes import Block, count, decode
from examples.genomics.gwas.linear import LinearScan
from examples.genomics.gwas.slices import SlicedColumns
from tests.unit.genomics.gwas.plink_files import Called, random_genotypes, write_fileset

PEOPLE = 160  # a multiple of 32: no row is padded


def scan(folder: Path, called: Called, phenotypes, covariates) -> list[Estimates]:
    """All variants in one block; the estimates in the order of the phenotypes."""
    fileset = Fileset.open(write_fileset(folder / "x", called))
    packed = fileset.packed(0, len(called))
    dosages = decode(packed, np.zeros((len(called), fileset.width), np.float32))
    block = Block(packed, dosages, count(packed, called.shape[1]))
    designs = make_designs(make_traits(phenotypes, covariates), covariates)
    scans = [LinearScan(design, fileset.width) for design in designs]
    found = {trait.name: each for one in scans for trait, each in zip(one.traits, one.scan(block), strict=True)}
    return [found[name] for name in phenotypes]


def by_least_squares(copies, values, covariates) -> tuple[int, float, float]:
    """People, beta and its standard error from the whole matrix of those who have everything."""
    columns = np.column_stack([copies, np.ones(len(copies)), *covariates])
    kept = (copies >= 0) & ~np.isnan(values) & ~np.isnan(columns).any(axis=1)
    x, y = columns[kept].astype(np.float64), values[kept]
    beta = np.linalg.lstsq(x, y)[0]
    rest = y - x @ beta
    variance = rest @ rest / (len(y) - x.shape[1])
    return int(kept.sum()), float(beta[0]), float(np.sqrt(variance * np.linalg.inv(x.T @ x)[0, 0]))


@pytest.mark.parametrize("missing", [0.0, 0.01, 0.3])
def test_estimates_are_those_of_least_squares(tmp_path: Path, missing: float) -> None:
    """Variant by variant, for traits of everybody and of some, beta and its error are those of the whole regression."""
    rng = np.random.default_rng(3)
    called = random_genotypes(40, PEOPLE, seed=4, missing=missing)
    first, second, third = rng.standard_normal((3, PEOPLE)) + 0.2 * called[7]
    second[::9] = np.nan
    covariates = {"age": 50 + 9 * rng.standard_normal(PEOPLE), "dose": rng.integers(0, 4, PEOPLE).astype(np.float64)}
    phenotypes = {"first": first, "second": second, "third": 1e6 + third}
    for values, found in zip(phenotypes.values(), scan(tmp_path, called, phenotypes, covariates), strict=True):
        expected = [by_least_squares(copies, values, covariates.values()) for copies in called]
        people, beta, se = (np.array(column) for column in zip(*expected, strict=True))
        assert np.array_equal(found.people, people)
        assert not found.code.any()
        assert np.abs(found.se / se - 1).max() < 1e-7
        assert (np.abs(found.beta - beta) / se).max() < 1e-6


def test_an_outlier_costs_no_accuracy(tmp_path: Path) -> None:
    """One value ten thousand times the others' spread leaves estimates as exact as a slice more makes them."""
    called = random_genotypes(20, PEOPLE, seed=5)
    values = np.random.default_rng(6).standard_normal(PEOPLE)
    values[17] = 1e4
    (found,) = scan(tmp_path, called, {"y": values}, {})
    expected = [by_least_squares(copies, values, []) for copies in called]
    assert max(abs(found.beta[at] - beta) / se for at, (_, beta, se) in enumerate(expected)) < 1e-6


def test_variants_without_an_estimate_have_plinks_reason(tmp_path: Path) -> None:
    """No call, one genotype, a copy of a covariate, nearly one, a covariate that leaves with the missing: each by its name."""
    rng = np.random.default_rng(8)
    called = random_genotypes(6, PEOPLE, seed=9, missing=0.0)
    carriers = np.arange(PEOPLE) % 2
    called[0] = -1
    called[1] = 2
    called[2] = carriers  # the covariate itself
    called[3] = carriers
    called[3, :2] = 1 - called[3, :2]  # but for two people: inflation is 20
    called[4, carriers == 1] = -1  # for the others the covariate is constant
    covariates = {"carrier": carriers.astype(np.float64), "age": rng.standard_normal(PEOPLE)}
    (found,) = scan(tmp_path, called, {"y": rng.standard_normal(PEOPLE)}, covariates)
    assert found.code.tolist() == [Code.TOO_FEW, Code.CONSTANT, Code.TOO_CORRELATED, Code.OK, Code.DEFICIENT, Code.OK]
    assert np.isnan(found.beta[found.code != Code.OK]).all()


def test_products_have_the_same_bits_in_any_block() -> None:
    """A variant's product does not depend on which others are multiplied with it, and is that of exact arithmetic."""
    rng = np.random.default_rng(2)
    columns = rng.standard_normal((5000, 7))
    dosages = rng.integers(0, 3, (64, 5000)).astype(np.float32)
    sliced = SlicedColumns(columns)
    whole = sliced.times(dosages)
    assert np.array_equal(whole[5:12], sliced.times(dosages[5:12]))
    assert np.array_equal(whole[[63]], sliced.times(dosages[63:]))
    assert np.abs(whole - dosages.astype(np.float64) @ columns).max() < 1e-6


def test_missing_calls_of_a_frequent_allele_are_no_correlation(tmp_path: Path) -> None:
    """Where nearly all are homozygous for A1 and one batch lacks calls, every variant has the estimate of least squares."""
    people, rng = 3 * PEOPLE, np.random.default_rng(11)
    batch = np.arange(people) % 2
    called = np.full((40, people), 2, np.int8)
    called[:, rng.choice(people, 2, replace=False)] = 1
    called[(rng.random(called.shape) < 0.5) & (batch == 1) & (called == 2)] = -1
    values, age = rng.standard_normal((2, people))
    (found,) = scan(tmp_path, called, {"y": values}, {"batch": batch.astype(np.float64), "age": age})
    assert not found.code.any()
    expected = [by_least_squares(copies, values, [batch, age]) for copies in called]
    assert max(abs(found.beta[at] - beta) / se for at, (_, beta, se) in enumerate(expected)) < 1e-6


def test_copies_of_a_covariate_are_told_whoever_is_missing(tmp_path: Path) -> None:
    """A variant that is a covariate or its reverse, a call missing here and there, is correlated, not without a reason."""
    rng = np.random.default_rng(21)
    site = (np.arange(PEOPLE) < 12).astype(np.int8)
    called = np.stack([site, 2 - site, site, 2 - site])
    called[1, 20:60] = called[2, 0] = called[3, 5:9] = -1
    covariates = {"age": rng.standard_normal(PEOPLE), "site": site.astype(np.float64)}
    (found,) = scan(tmp_path, called, {"y": rng.standard_normal(PEOPLE)}, covariates)
    assert found.code.tolist() == [Code.TOO_CORRELATED] * 4


def test_fits_without_a_rest_and_values_beyond_doubles_are_invalid(tmp_path: Path) -> None:
    """A phenotype that a variant explains wholly, or one whose square overflows, has plink2's INVALID_RESULT."""
    called = random_genotypes(3, PEOPLE, seed=9, missing=0.0)
    called[2, :9] = -1
    huge = np.random.default_rng(1).standard_normal(PEOPLE)
    huge[11] = 1e200
    exact, overflown = scan(tmp_path, called, {"exact": 2.0 * called[0] + 1, "huge": huge}, {})
    assert exact.code.tolist() == [Code.INVALID, Code.OK, Code.OK]
    assert overflown.code.tolist() == [Code.INVALID] * 3
    assert AS_PLINK[Code.INVALID] == "INVALID_RESULT"
    assert np.isnan(exact.beta[0])
