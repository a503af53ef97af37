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
from examples.genomics.gwas.likelihood import Evaluated, Genotypes, Likelihood, Precision, Reals

_STEPS, _LONGEST_STEP, _HALVINGS = 100, 5.0, 5  # the longest in any coefficient, as in plink2
_CONVERGED = 1e-13  # of the squared step in standard errors
_FLAT = 1e-9  # of a logarithm of a likelihood: it is no lower


class Found(NamedTuple):
    """(variants,) each, as in `Estimates`."""

    beta: Reals
    se: Reals
    code: npt.NDArray[np.int64]


def penalized_regression(likelihood: Likelihood, genotypes: Genotypes) -> Found:
    """Estimate the last coefficient of each variant: scoring steps, halved while they lead down."""
    variants = len(genotypes.centred)
    coefficients, variance = np.zeros((variants, likelihood.covariates + 1)), np.full(variants, np.nan)
    code = np.full(variants, int(Code.UNFINISHED))
    active, found = np.arange(variants), likelihood.at(genotypes, coefficients, Precision.EXACT)
    for _ in range(_STEPS):
        own, inverse = genotypes.some(active), _inverses(found.information)
        gradient = found.gradient + likelihood.firth_gradient(own, coefficients[active], inverse)
        step = np.einsum("vij,vj->vi", inverse, gradient)
        size = np.abs((step * gradient).sum(axis=1))  # below 0 only where rounding decides
        step *= np.minimum(1, _LONGEST_STEP / np.abs(step).max(axis=1))[:, None]
        coefficients[active], found = _climb(likelihood, own, coefficients[active], step, _penalized(found))
        variance[active] = _inverses(found.information)[:, -1, -1]
        broken, ended = ~(np.isfinite(size) & (variance[active] > 0)), size < _CONVERGED
        code[active[ended]], code[active[broken]] = Code.OK, Code.FIRTH_NOT_CONVERGED
        on = np.flatnonzero(~(broken | ended))
        active, found = active[on], Evaluated(*(each[on] for each in found))
        if not len(active):
            break
    failed = code == Code.FIRTH_NOT_CONVERGED
    coefficients[failed] = variance[failed] = np.nan
    return Found(coefficients[:, -1], np.sqrt(variance), code)


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


def _climb(likelihood: Likelihood, genotypes: Genotypes, base: Reals, step: Reals, level: Reals) -> tuple[Reals, Evaluated]:
    """Coefficients a step away, or half of it, ..., where the penalized likelihood is not lower; and what is found there."""
    now = base + step
    found = likelihood.at(genotypes, now, Precision.EXACT)
    for halving in range(1, _HALVINGS + 1):
        lower = np.flatnonzero(~(_penalized(found) >= level - _FLAT))
        if not len(lower):
            break
        now[lower] = base[lower] + step[lower] * 0.5**halving
        again = likelihood.at(genotypes.some(lower), now[lower], Precision.EXACT)
        for whole, part in zip(found, again, strict=True):
            whole[lower] = part
    return now, found


def _penalized(found: Evaluated) -> Reals:
    sign, log_determinant = np.linalg.slogdet(found.information)
    return found.likelihood + 0.5 * np.where(sign > 0, log_determinant, np.nan)
