"""How much of a trait's variance the genotypes explain: REML for y = g + e, var g = v K, var e = v delta, without forming K.

The restricted likelihood is largest where tr H^-1 = N y'H^-2 y / y'H^-1 y, H = K + delta. Quadratic forms of y come from Lanczos'
quadrature, the trace from those of random vectors of signs (Hutchinson), for all delta at once. It is the equation that BOLT-LMM
solves (Loh et al., 2015, section 1.2 of the supplement) with the expectations over random phenotypes taken exactly, so that signs
can do what simulated genetic values and noise did: half the columns, and a fraction of the Monte Carlo error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from examples.genomics.gwas.lanczos import Spectra
from examples.genomics.gwas.standardized import Matrix

_LOG_DELTA = np.linspace(np.log(1e-3), np.log(1e4), 162)  # heritability 0.999 to 0.0001
_HALVINGS = 40


@dataclass(frozen=True, slots=True)
class Heritability:
    """Variance components of one trait.

    Attributes:
        delta: variance of the noise per variance of the genetic values.
        h2: 1 / (1 + delta).
        standard_error: of h2, from the expected information.
        monte_carlo: standard deviation of h2 by the choice of random signs, from leaving one vector out in turn.
        at_limit: the likelihood has its largest value at the end of what is looked at.
    """

    delta: float
    h2: float
    standard_error: float
    monte_carlo: float
    at_limit: bool


def estimate(trait: Spectra, signs: Spectra, freedom: int) -> Heritability:
    """Maximize the restricted likelihood.

    Args:
        trait: of one column, the phenotype.
        signs: of random vectors.
        freedom: N, people less covariates.
    """
    delta, at_limit = _root(trait, signs)
    h2 = 1 / (1 + delta)
    columns = len(signs.nodes)
    others = [[column for column in range(columns) if column != each] for each in range(columns)] if columns > 1 else []
    again = np.array([1 / (1 + _root(trait, signs.of(rest))[0]) for rest in others])
    monte_carlo = float(np.sqrt((columns - 1) / columns * np.square(again - again.mean()).sum())) if columns > 1 else np.inf
    return Heritability(delta, h2, _standard_error(signs, delta, freedom), monte_carlo, at_limit)


def given(delta: float) -> Heritability:
    """Where delta is not estimated."""
    return Heritability(delta, 1 / (1 + delta), float("nan"), float("nan"), at_limit=False)


def _slope(trait: Spectra, signs: Spectra, delta: Matrix) -> Matrix:
    """Of -2 log likelihood / N in delta."""
    slope: Matrix = signs.inverse(delta, 1).mean(axis=0) - trait.inverse(delta, 2)[0] / trait.inverse(delta, 1)[0]
    return slope


def _root(trait: Spectra, signs: Spectra) -> tuple[float, bool]:
    slopes = _slope(trait, signs, np.exp(_LOG_DELTA))
    minima = np.flatnonzero((slopes[:-1] < 0) & (slopes[1:] >= 0))
    if slopes[-1] < 0 or not len(minima):
        return float(np.exp(_LOG_DELTA[-1 if slopes[-1] < 0 else 0])), True
    low, high = _LOG_DELTA[minima[0]], _LOG_DELTA[minima[0] + 1]
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _slope(trait, signs, np.exp([middle]))[0] < 0 else (low, middle)
    return float(np.exp((low + high) / 2)), False


def _standard_error(signs: Spectra, delta: float, freedom: int) -> float:
    """Of h2, from the Fisher information of both components; units of the genetic variance cancel."""
    inverse, squared = (freedom * float(signs.inverse(np.array([delta]), power).mean()) for power in (1, 2))
    genetic = freedom - 2 * delta * inverse + delta**2 * squared  # tr H^-1 K H^-1 K
    mixed = inverse - delta * squared
    determinant = genetic * squared - mixed**2
    variance = 2 * (delta**2 * squared + 2 * delta * mixed + genetic) / determinant / (1 + delta) ** 4
    return float(np.sqrt(variance)) if determinant > 0 else np.inf
