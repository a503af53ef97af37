"""Logistic regression from all coefficients 0, as plink2 does it, and Firth's where that has no end.

Which variants are Firth's, and what is doubtful, is decided by the rules of plink2 2.00a3 (LogisticRegression in plink2_glm.cc).
Firth's own iterations go on further than plink2's, which end at changes below 1e-4 of the covariates' units: its estimates move by
up to 1e-3 standard errors when covariates are scaled. Those here are within MEASURED standard errors of the maximum.

    Firth, Biometrika 80 (1993) 27-38. Heinze and Schemper, Statistics in Medicine 21 (2002) 2409-2419.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from examples.genomics.gwas.estimates import Code
from examples.genomics.gwas.likelihood import Evaluated, Genotypes, Likelihood, Reals

Bools = npt.NDArray[np.bool_]
_LAST_NEWTON = 13  # iteration, from 0
_NEWTON_CHANGE = 1e-4  # of all coefficients together
_FIRTH_STEPS, _LONGEST_STEP, _HALVINGS = 100, 5.0, 5  # the longest in any coefficient
_FIRTH_CONVERGED = 1e-14  # of the squared step in standard errors
_FLAT = 1e-9  # of a logarithm of a likelihood: it is no lower
_SMALLEST_VARIANCE, _MOST_CORRELATED = 1e-20, 0.99999


class Found(NamedTuple):
    """(variants,) each, as in `Estimates`."""

    beta: Reals
    se: Reals
    code: npt.NDArray[np.int64]
    firth: Bools


def as_plink(likelihood: Likelihood, genotypes: Genotypes, separated: Bools) -> Found:
    """Estimate the last coefficient.

    Args:
        likelihood: of the trait.
        genotypes: of the variants.
        separated: (variants,): whether the likelihood has no maximum, for all carriers of an allele are cases, or all are controls.
    """
    variants = len(separated)
    coefficients = np.zeros((variants, likelihood.covariates + 1))
    covariance = np.full((variants, likelihood.covariates + 1, likelihood.covariates + 1), np.nan)
    code, firth = np.full(variants, int(Code.OK)), separated.copy()
    usual = np.flatnonzero(~separated)
    if len(usual):
        coefficients[usual], covariance[usual], code[usual], firth[usual] = _newton(likelihood, genotypes.some(usual))
    penalized = np.flatnonzero(firth)
    if len(penalized):
        coefficients[penalized], covariance[penalized], code[penalized] = _firth(likelihood, genotypes.some(penalized))
    code = np.where((code <= Code.UNFINISHED) & ~_plausible(covariance), int(Code.INVALID), code)
    bad = (code != Code.OK) & (code != Code.UNFINISHED)
    variance = np.where(bad, np.nan, covariance[:, -1, -1])
    return Found(np.where(bad, np.nan, coefficients[:, -1]), np.sqrt(variance), code, firth)


def solve(information: Reals, gradient: Reals) -> tuple[Reals, Reals]:
    """Newton's step and the variance of the last coefficient of each variant; nan where the information is singular."""
    sides = np.zeros((*gradient.shape, 2))
    sides[:, :, 0] = gradient
    sides[:, -1, 1] = 1
    try:
        solved = np.linalg.solve(information, sides)
    except np.linalg.LinAlgError:
        solved = _inverses(information) @ sides
    return solved[:, :, 0], solved[:, -1, 1]


def _inverses(information: Reals) -> Reals:
    """Nan where there is none."""
    try:
        return np.linalg.inv(information)
    except np.linalg.LinAlgError:
        found = np.full(information.shape, np.nan)
        for at, each in enumerate(information):
            if np.isfinite(each).all() and np.linalg.matrix_rank(each, hermitian=True) == len(each):
                found[at] = np.linalg.inv(each)
        return found


def _plausible(covariance: Reals) -> Bools:
    """Whether all variances are positive and no two estimates are one."""
    variances = np.einsum("vkk->vk", covariance)
    with np.errstate(invalid="ignore"):
        deviations = np.sqrt(variances)
        limits = _MOST_CORRELATED * deviations[:, :, None] * deviations[:, None, :]
        below = np.tril(np.ones(covariance.shape[1:], np.bool_), -1)
        return np.asarray((variances[:, 1:] >= _SMALLEST_VARIANCE).all(axis=1) & ~((covariance > limits) & below).any(axis=(1, 2)))


def _newton(likelihood: Likelihood, genotypes: Genotypes) -> tuple[Reals, Reals, npt.NDArray[np.int64], Bools]:
    """Coefficients, covariance, code, and which did not converge."""
    variants = len(genotypes.centred)
    coefficients = np.zeros((variants, likelihood.covariates + 1))
    covariance = np.full((variants, likelihood.covariates + 1, likelihood.covariates + 1), np.nan)
    code, failed = np.full(variants, int(Code.OK)), np.zeros(variants, np.bool_)
    smallest = np.full(variants, 1e9)
    active = np.arange(variants)
    for iteration in range(_LAST_NEWTON + 2):
        base = coefficients[active]
        found = likelihood.at(genotypes.some(active), base)
        inverse = _inverses(found.information)
        step = np.einsum("vij,vj->vi", inverse, found.gradient)
        now = base + step
        coefficients[active], covariance[active] = now, inverse
        change, size = np.abs(step).sum(axis=1), np.abs(now).max(axis=1)
        smallest[active] = np.fmin(smallest[active], change)
        bad, unfinished = np.isnan(change), np.zeros(len(active), np.bool_)
        if iteration > 3:
            bad |= (change > 20) & (change > 2 * smallest[active])
            if iteration > 6:
                bad |= np.abs(1 - change) < 1e-3  # one more each time: on its way to infinity
            if iteration > _LAST_NEWTON:
                bad |= size > 8e3
                unfinished = ~bad
        done = ~bad & ~unfinished & (change < _NEWTON_CHANGE)
        bad |= done & (size > 6e4)
        failed[active[bad]] = True
        code[active[unfinished]] = Code.UNFINISHED
        active = active[~(bad | done | unfinished)]
        if not len(active):
            break
    return coefficients, covariance, code, failed


def _firth(likelihood: Likelihood, genotypes: Genotypes) -> tuple[Reals, Reals, npt.NDArray[np.int64]]:
    """Coefficients, covariance and code of the penalized likelihood's maximum: scoring steps, halved while they lead down."""
    variants = len(genotypes.centred)
    coefficients = np.zeros((variants, likelihood.covariates + 1))
    covariance = np.full((variants, likelihood.covariates + 1, likelihood.covariates + 1), np.nan)
    code = np.full(variants, int(Code.UNFINISHED))
    active, found = np.arange(variants), likelihood.at(genotypes, coefficients, likelihood=True)
    for _ in range(_FIRTH_STEPS):
        own, inverse = genotypes.some(active), _inverses(found.information)
        gradient = found.gradient + likelihood.firth_gradient(own, coefficients[active], inverse)
        step = np.einsum("vij,vj->vi", inverse, gradient)
        size = (step * gradient).sum(axis=1)
        step *= np.minimum(1, _LONGEST_STEP / np.abs(step).max(axis=1))[:, None]
        coefficients[active], found = _climb(likelihood, own, coefficients[active], step, _penalized(found))
        covariance[active] = _inverses(found.information)
        broken, ended = ~np.isfinite(size), size < _FIRTH_CONVERGED
        code[active[broken]], code[active[ended]] = Code.FIRTH_NOT_CONVERGED, Code.OK
        on = np.flatnonzero(~(broken | ended))
        active, found = active[on], Evaluated(*(each[on] for each in found))
        if not len(active):
            break
    return coefficients, covariance, code


def _climb(likelihood: Likelihood, genotypes: Genotypes, base: Reals, step: Reals, level: Reals) -> tuple[Reals, Evaluated]:
    """Coefficients a step, or half of it, a quarter, ... away, where the penalized likelihood is not lower, and what is found there."""
    now = base + step
    found = likelihood.at(genotypes, now, likelihood=True)
    for halving in range(1, _HALVINGS + 1):
        lower = np.flatnonzero(~(_penalized(found) >= level - _FLAT))
        if not len(lower):
            break
        now[lower] = base[lower] + step[lower] * 0.5**halving
        again = likelihood.at(genotypes.some(lower), now[lower], likelihood=True)
        for whole, part in zip(found, again, strict=True):
            whole[lower] = part
    return now, found


def _penalized(found: Evaluated) -> Reals:
    sign, log_determinant = np.linalg.slogdet(found.information)
    return found.likelihood + 0.5 * np.where(sign > 0, log_determinant, np.nan)
