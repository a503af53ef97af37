"""Firth's logistic regression: a penalized likelihood that has a maximum where the usual one has none.

plink2's iterations end at changes below 1e-4 of the covariates' units: its estimates move by up to 1e-3 standard errors when
covariates are scaled. Those here go on, and are within 1e-7 standard errors of the maximum.

    Firth, Biometrika 80 (1993) 27-38. Heinze and Schemper, Statistics in Medicine 21 (2002) 2409-2419.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from examples.genomics.gwas.estimates import Code
from examples.genomics.gwas.likelihood import Genotypes, Indices, Likelihood, Precision, Reals

_STEPS, _OF_SCORING, _LONGEST_STEP, _HALVINGS = 100, 20, 5.0, 5  # the longest in any coefficient, as in plink2
_CONVERGED = 1e-13  # of the squared step in standard errors
_FLAT = 1e-9  # of a logarithm of a likelihood: it is no lower
_BEYOND = -0.5  # of a slope: what is left of it, where a step led too far across the top


class Found(NamedTuple):
    """(variants,) each, as in `Estimates`."""

    beta: Reals
    se: Reals
    code: npt.NDArray[np.int64]


class _Point(NamedTuple):
    """Of the penalized likelihood, at some coefficients: (variants, ...) each; nan where the information is singular."""

    level: Reals
    gradient: Reals
    covariance: Reals

    def some(self, rows: Indices) -> _Point:
        return _Point(*(each[rows] for each in self))


def penalized_regression(likelihood: Likelihood, genotypes: Genotypes) -> Found:
    """Estimate the last coefficient of each variant: scoring steps, then BFGS, halved while they lead down or too far."""
    variants = len(genotypes.centred)
    coefficients, variance = np.zeros((variants, likelihood.covariates + 1)), np.full(variants, np.nan)
    code = np.full(variants, int(Code.UNFINISHED))
    active, point = np.arange(variants), _evaluate(likelihood, genotypes, coefficients)
    inverse = point.covariance
    for number in range(_STEPS):
        step = _times(inverse, point.gradient)
        step *= np.minimum(1, _LONGEST_STEP / np.abs(step).max(axis=1))[:, None]
        size = np.abs(
            (_times(point.covariance, point.gradient) * point.gradient).sum(axis=1)
        )  # below 0 only where rounding decides
        base, before = coefficients[active], point.gradient
        coefficients[active], point = _climb(likelihood, genotypes.some(active), base, step, point)
        variance[active] = point.covariance[:, -1, -1]
        broken, ended = ~(np.isfinite(size) & (variance[active] > 0)), size < _CONVERGED
        code[active[ended]], code[active[broken]] = Code.OK, Code.FIRTH_NOT_CONVERGED
        if number < _OF_SCORING:
            inverse = point.covariance
        else:
            inverse = _learn(inverse, coefficients[active] - base, before - point.gradient, point.covariance)
        on = np.flatnonzero(~(broken | ended))
        active, point, inverse = active[on], point.some(on), inverse[on]
        if not len(active):
            break
    failed = code == Code.FIRTH_NOT_CONVERGED
    coefficients[failed] = variance[failed] = np.nan
    return Found(coefficients[:, -1], np.sqrt(variance), code)


def _learn(inverse: Reals, step: Reals, fall: Reals, instead: Reals) -> Reals:
    """The inverse of the curvature, better by what a step made of the gradient (BFGS); ``instead`` where that makes no sense.

    Where a variant determines the trait, scoring is off by factors that differ between directions, and takes hundreds of steps.
    """
    along = (step * fall).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = step / along[:, None]
        left = np.eye(step.shape[1]) - scaled[:, :, None] * fall[:, None, :]
        better = left @ inverse @ left.transpose(0, 2, 1) + scaled[:, :, None] * step[:, None, :]
    good = (along > 0) & np.isfinite(better).all(axis=(1, 2))
    return np.where(good[:, None, None], better, instead)


def _times(matrices: Reals, vectors: Reals) -> Reals:
    return np.asarray(np.einsum("vij,vj->vi", matrices, vectors))


def _climb(likelihood: Likelihood, genotypes: Genotypes, base: Reals, step: Reals, start: _Point) -> tuple[Reals, _Point]:
    """Coefficients a step away, or half of it, ..., where the level is not lower nor the top far behind; and what is there.

    The level alone lets steps go to and fro between two sides of the top for ever: scoring leaves out the penalty's curvature.
    """
    now = base + step
    found = _evaluate(likelihood, genotypes, now)
    slope = (step * start.gradient).sum(axis=1)
    for halving in range(1, _HALVINGS + 1):
        ahead = (step * found.gradient).sum(axis=1)
        wrong = np.flatnonzero(~((found.level >= start.level - _FLAT) & (ahead >= _BEYOND * np.abs(slope))))
        if not len(wrong):
            break
        now[wrong] = base[wrong] + step[wrong] * 0.5**halving
        again = _evaluate(likelihood, genotypes.some(wrong), now[wrong])
        for whole, part in zip(found, again, strict=True):
            whole[wrong] = part
    return now, found


def _evaluate(likelihood: Likelihood, genotypes: Genotypes, coefficients: Reals) -> _Point:
    found = likelihood.at(genotypes, coefficients, Precision.EXACT)
    covariance = _inverses(found.information)
    with np.errstate(invalid="ignore"):  # of an information that is nan
        sign, log_determinant = np.linalg.slogdet(found.information)
    level = found.likelihood + 0.5 * np.where(sign > 0, log_determinant, np.nan)
    return _Point(level, found.gradient + likelihood.firth_gradient(genotypes, coefficients, covariance), covariance)


def _inverses(information: Reals) -> Reals:
    """Nan where there is none."""
    try:
        return np.asarray(np.linalg.inv(information), np.float64)
    except np.linalg.LinAlgError:
        found = np.full(information.shape, np.nan)
        for at, each in enumerate(information):
            if np.isfinite(each).all() and np.linalg.matrix_rank(each, hermitian=True) == len(each):
                found[at] = np.linalg.inv(each)
        return found
