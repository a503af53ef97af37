"""Logistic regression of one variant in float64, written as in the textbook."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Reals = npt.NDArray[np.float64]
_STEPS = 2000


def design_matrix(covariates: Reals, dosages: Reals) -> Reals:
    """Covariates and one variant, (people, covariates + 1)."""
    return np.column_stack([covariates, dosages])


def dense_logistic(x: Reals, cases: Reals, *, firth: bool = False) -> tuple[float, float]:
    """Last coefficient and its standard error, by Newton's steps; by half of each for Firth's, where whole ones may cycle."""
    coefficients = np.zeros(x.shape[1])
    for _ in range(_STEPS):
        chance = 1 / (1 + np.exp(-x @ coefficients))
        weights = chance * (1 - chance)
        covariance = np.linalg.inv(x.T @ (weights[:, None] * x))
        residuals = cases - chance
        if firth:
            residuals = residuals + weights * np.einsum("ij,jk,ik->i", x, covariance, x) * (0.5 - chance)
        step = covariance @ (x.T @ residuals)
        step *= min(1.0, 2.0 / np.abs(step).max())
        if np.abs(step).max() < 1e-11:
            break
        coefficients += step / 2 if firth else step
    return float(coefficients[-1]), float(np.sqrt(covariance[-1, -1]))
