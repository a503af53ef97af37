"""Logistic regression plink2's way, from all coefficients 0, and Firth's where that has no end: the rules of its ``firth-fallback``.

The rules are those of plink2 2.00a3 (LogisticRegression and FirthRegression in plink2_glm.cc; the latter after Heinze's logistf), so
that the same variants get the same FIRTH? and ERRCODE, and Firth's iterations end at the same step.

    Firth, Biometrika 80 (1993) 27-38. Heinze and Schemper, Statistics in Medicine 21 (2002) 2409-2419.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from examples.genomics.gwas.estimates import Code
from examples.genomics.gwas.likelihood import Evaluated, Genotypes, Indices, Likelihood, Reals

Bools = npt.NDArray[np.bool_]
_LAST_NEWTON, _LAST_FIRTH = 13, 24  # iterations, from 0
_NEWTON_CHANGE = 1e-4  # of all coefficients together
_LONGEST_STEP = 5.0  # of Firth's, in any coefficient
_CHANGE = _SLOPE = _RISE = 1e-4  # of coefficients, gradient and likelihood at Firth's end
_HALVINGS = 5
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
    coefficients, covariance = np.zeros((variants, likelihood.covariates + 1)), np.full((variants, 1, 1), np.nan)
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
        base = _rounded(coefficients[active])
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
    """Coefficients, covariance and code of the penalized likelihood's maximum."""
    variants = len(genotypes.centred)
    coefficients = np.zeros((variants, likelihood.covariates + 1))
    covariance = np.full((variants, likelihood.covariates + 1, likelihood.covariates + 1), np.nan)
    code = np.full(variants, int(Code.FIRTH_NOT_CONVERGED))
    active = np.arange(variants)
    found = likelihood.at(genotypes, coefficients, likelihood=True)
    level = _penalized(found)
    for iteration in range(_LAST_FIRTH + 1):
        own = genotypes.some(active)
        base, before = coefficients[active], level
        inverse = _inverses(found.information)
        gradient = found.gradient + likelihood.firth_gradient(own, base, inverse)
        step = np.einsum("vij,vj->vi", inverse, gradient)
        longest = np.abs(step).max(axis=1)
        step *= np.minimum(1, _LONGEST_STEP / longest)[:, None]
        longest, slope = np.minimum(longest, _LONGEST_STEP), np.abs(gradient).max(axis=1)
        settled = (longest <= _CHANGE) & (slope < _SLOPE)
        now, found, level, flat = _climb(likelihood, own, _Step(base, step, before, longest, slope, settled))
        broken = ~np.isfinite(level)
        ended = ~broken & (np.abs(level - before) <= _RISE) & (settled | flat)
        unfinished = ~broken & ~ended & (iteration == _LAST_FIRTH)
        coefficients[active] = now
        covariance[active[ended | unfinished]] = _inverses(found.information[ended | unfinished])
        code[active[ended]], code[active[unfinished]] = Code.OK, Code.UNFINISHED
        on = np.flatnonzero(~(broken | ended | unfinished))
        active, level, found = active[on], level[on], Evaluated(*(each[on] for each in found))
        if not len(active):
            break
    return coefficients, covariance, code


class _Step(NamedTuple):
    base: Reals
    step: Reals
    level: Reals
    longest: Reals
    slope: Reals
    settled: Bools


def _climb(likelihood: Likelihood, genotypes: Genotypes, planned: _Step) -> tuple[Reals, Evaluated, Reals, Bools]:
    """Go a step, and back by half of it, a quarter, ..., while the penalized likelihood is lower than before.

    Returns:
        Coefficients, what is found there, the penalized likelihood there, and whether it is flat up to float32's precision.
    """
    variants = len(planned.level)
    now = _rounded(planned.base + planned.step)
    lowest = planned.level - np.where(planned.settled, 0.999999 * _RISE, 0.0)
    most, flat = np.full(variants, _HALVINGS), np.zeros(variants, np.bool_)
    halving = np.ones(variants, np.int64)
    found = likelihood.at(genotypes, now, likelihood=True)
    level = _penalized(found)
    trying: Indices = np.flatnonzero(~(level >= planned.level))
    while len(trying):
        enough = level[trying] >= lowest[trying]
        most[trying[enough]] = halving[trying[enough]]
        last = ~enough & (halving[trying] == most[trying])
        bail = trying[
            last
            & (planned.longest[trying] < 1e-3)
            & (planned.slope[trying] < 0.05)
            & (level[trying] >= planned.level[trying] - _RISE)
        ]
        halving[bail] -= 1  # undoes the halvings instead of one more
        most[bail] -= 1
        flat[bail] = True
        now[trying] = _rounded(now[trying] - planned.step[trying] * 0.5 ** halving[trying, None])
        halving[trying] += 1
        again = likelihood.at(genotypes.some(trying), now[trying], likelihood=True)
        for whole, part in zip(found, again, strict=True):
            whole[trying] = part
        level[trying] = _penalized(again)
        trying = trying[(halving[trying] <= most[trying]) & ~(level[trying] >= planned.level[trying])]
    return now, found, level, flat


def _penalized(found: Evaluated) -> Reals:
    sign, log_determinant = np.linalg.slogdet(found.information)
    return found.likelihood + 0.5 * np.where(sign > 0, log_determinant, np.nan)


def _rounded(coefficients: Reals) -> Reals:
    return coefficients.astype(np.float32).astype(np.float64)
