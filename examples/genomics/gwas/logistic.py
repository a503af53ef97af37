"""Logistic regression of each variant, as ``plink2 --glm hide-covar`` does it: Firth's where the likelihood has no maximum.

plink2 begins each variant with all coefficients 0 and takes 5 or 6 Newton steps in float32. Here a variant begins where the
covariates alone leave it, moved by one scoring step whose information is the same for all variants: two Newton steps later it is at
the same maximum. Those that are not there soon begin once more from 0. Where that has no end, or all carriers of an allele are
cases, or all are controls, the estimate is Firth's (`firth`): plink2's ``firth-fallback``.
"""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import numpy.typing as npt

from examples.genomics.gwas.collinearity import Collinearity
from examples.genomics.gwas.design import Design, Trait
from examples.genomics.gwas.estimates import Code, Estimates
from examples.genomics.gwas.firth import penalized_regression
from examples.genomics.gwas.genotypes import Block, Counts, count, mask, missing_positions
from examples.genomics.gwas.likelihood import Genotypes, Indices, Likelihood, Precision, Reals

Codes = npt.NDArray[np.int64]
_STEPS, _STEPS_FROM_ZERO, _STEPS_OF_COVARIATES = 8, 15, 50  # of Newton, at most
_CONVERGED, _SHORT = 1e-8, 1e-13  # squared step, in standard errors and as it is: the next one would be its square
_STILL = 1e-4  # the longest step in any coefficient, as in plink2: on the way to infinity, standard errors grow as fast as steps
_FAR = 30.0  # a coefficient on its way to infinity
_MEANS = 1024.0  # means are rounded to its inverse, so that a centred dosage is an exact float32


class LogisticScan:
    """The case/control traits of one design against any variants."""

    def __init__(self, design: Design, width: int) -> None:
        """Fit each trait to the covariates alone.

        Args:
            design: at least one of its traits is case/control.
            width: people of a row of dosages, padding included.
        """
        self.traits = [trait for trait in design.traits if trait.binary]
        self._outside = mask(design.included, width)
        self._people = np.flatnonzero(design.included)
        self._place = np.cumsum(design.included) - 1  # of a person among those included
        self._collinearity = Collinearity(design)
        self._trait_scans = [_TraitScan(design, trait, width) for trait in self.traits]

    def scan(self, block: Block) -> list[Estimates]:
        """One `Estimates` for each case/control trait."""
        own = block.packed | self._outside
        counts = count(own, len(self._people))
        variant, person = missing_positions(own)
        missing = self._place[person]
        by_person = np.argsort(person, kind="stable")
        variant, person = variant[by_person], self._place[person[by_person]]
        # All people are a slice, at no cost; some are gathered, 1 ns a genotype.
        whole = len(self._people) == len(self._place)
        dosages = block.dosages[:, : len(self._people)] if whole else block.dosages[:, self._people]
        means = np.rint(_MEANS * counts.a1 / np.maximum(counts.called, 1)) / _MEANS
        centred = dosages - means[:, None].astype(np.float32)
        centred[variant, person] = 0
        genotypes = Genotypes(centred, variant, person)
        code = self._collinearity.codes(centred, counts, missing)
        return [scan.scan(genotypes, counts, code, own) for scan in self._trait_scans]


class _TraitScan:
    def __init__(self, design: Design, trait: Trait, width: int) -> None:
        self._likelihood = Likelihood(design.covariates, trait)
        cases = design.included.copy()
        cases[design.included] = trait.values == 1
        self._outside, self._cases = mask(cases, width), int(cases.sum())
        x = design.covariates
        self._start, self._separated = _fit_covariates(x, trait.values)
        chance = _chances(x, self._start)
        weights = chance * (1 - chance)
        residuals = trait.values - chance
        self._scores = np.column_stack([weights[:, None] * x, residuals]).astype(np.float32)
        self._gradients = (residuals[:, None] * x).astype(np.float32)
        self._weights = weights.astype(np.float32)
        self._covariance = np.linalg.pinv(x.T @ (weights[:, None] * x))

    def scan(self, genotypes: Genotypes, counts: Counts, code: Codes, packed: npt.NDArray[np.uint8]) -> Estimates:
        """Estimates of the variants whose ``code`` is OK so far."""
        of_cases = count(packed | self._outside, self._cases)
        separated = _all_or_none(of_cases.a1, counts.a1)
        separated |= _all_or_none(2 * of_cases.called - of_cases.a1, 2 * counts.called - counts.a1)
        beta, se = np.full(len(code), np.nan), np.full(len(code), np.nan)
        separated |= self._separated
        code = code.copy()

        def unsolved() -> Indices:
            return np.flatnonzero((code == Code.OK) & np.isnan(se) & ~separated)

        if len(rows := unsolved()):
            own = genotypes.some(rows)
            beta[rows], se[rows] = _newton(self._likelihood, own, self._first_step(own), _STEPS)
        if len(rows := unsolved()):
            zeros = np.zeros((len(rows), len(self._start) + 1))
            beta[rows], se[rows] = _newton(self._likelihood, genotypes.some(rows), zeros, _STEPS_FROM_ZERO)
        firth = (code == Code.OK) & np.isnan(se)
        if len(rows := np.flatnonzero(firth)):
            beta[rows], se[rows], code[rows] = penalized_regression(self._likelihood, genotypes.some(rows))
        return Estimates(counts.called, beta, se, code, firth)

    def _first_step(self, genotypes: Genotypes) -> Reals:
        """From the covariates' own fit: as if people with missing calls had the mean, but out of the gradient.

        So the information of the covariates is the same for all variants.
        """
        centred = genotypes.centred
        products = (centred @ self._scores).astype(np.float64)
        crossed, slope = products[:, :-1], products[:, -1]
        lost = np.zeros(crossed.shape)
        if len(genotypes.person):
            missing = np.zeros_like(centred)
            missing[genotypes.variant, genotypes.person] = 1
            lost += missing @ self._gradients
        shifts = crossed @ self._covariance
        left = np.square(centred) @ self._weights - (shifts * crossed).sum(axis=1)
        along = np.divide(slope + (shifts * lost).sum(axis=1), left, out=np.zeros(len(left)), where=left > 0)
        return np.column_stack([self._start - lost @ self._covariance - shifts * along[:, None], along])


def _newton(likelihood: Likelihood, genotypes: Genotypes, coefficients: Reals, steps: int) -> tuple[Reals, Reals]:
    """Estimates and their standard errors; nan where there is no maximum within so many steps."""
    beta, se = np.full(len(coefficients), np.nan), np.full(len(coefficients), np.nan)
    active = np.arange(len(coefficients))
    for number in range(steps):
        rough = number == 0
        found = likelihood.at(genotypes, coefficients, Precision.ROUGH if rough else Precision.USUAL)
        step, variance = _solve(found.information, found.gradient)
        size = np.abs((step * found.gradient).sum(axis=1))  # below 0 only where rounding decides
        coefficients = coefficients + step
        done = (size < _CONVERGED) & (size * variance < _SHORT) & (variance > 0) & (not rough)
        done &= np.abs(step).max(axis=1) < _STILL
        beta[active[done]], se[active[done]] = coefficients[done, -1], np.sqrt(variance[done])
        on = np.flatnonzero(~done & (np.abs(coefficients).max(axis=1) < _FAR))
        active, coefficients, genotypes = active[on], coefficients[on], genotypes.some(on)
        if not len(active):
            break
    return beta, se


def _solve(information: Reals, gradient: Reals) -> tuple[Reals, Reals]:
    """Newton's step and the variance of the last coefficient of each variant; nan where the information is singular."""
    sides = np.zeros((*gradient.shape, 2))
    sides[:, :, 0] = gradient
    sides[:, -1, 1] = 1
    try:
        solved = np.asarray(np.linalg.solve(information, sides), np.float64)
    except np.linalg.LinAlgError:  # of one of them: the others by themselves
        solved = np.full(sides.shape, np.nan)
        for at, (each, side) in enumerate(zip(information, sides, strict=True)):
            with suppress(np.linalg.LinAlgError):
                solved[at] = np.linalg.solve(each, side)
    return solved[:, :, 0], solved[:, -1, 1]


def _all_or_none(of_cases: Codes, of_all: Codes) -> npt.NDArray[np.bool_]:
    return np.asarray((of_cases == 0) | (of_cases == of_all))


def _fit_covariates(x: Reals, cases: Reals) -> tuple[Reals, bool]:
    """Coefficients of the covariates alone, and whether they separate cases from controls: so they do for any variant then."""
    coefficients = np.zeros(x.shape[1])
    for _ in range(_STEPS_OF_COVARIATES):
        chance = _chances(x, coefficients)
        gradient = x.T @ (cases - chance)
        step, _, rank, _ = np.linalg.lstsq(x.T @ ((chance * (1 - chance))[:, None] * x), gradient, rcond=None)
        if rank < len(step) or np.abs(coefficients + step).max() > _FAR:
            break
        coefficients += step
        if gradient @ step < _CONVERGED**2 and np.abs(step).max() < _STILL:
            return coefficients, False
    return coefficients, True


def _chances(x: Reals, coefficients: Reals) -> Reals:
    with np.errstate(over="ignore"):  # infinite odds against it are a chance of 0
        return np.asarray(1 / (1 + np.exp(-(x @ coefficients))))
