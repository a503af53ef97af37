"""Why a variant cannot be told from the covariates: the first reason that plink2 gives.

For all variants at once a missing call counts as the mean. That is off where few people are called, or few in whom a covariate
differs, or where a variant is unlike a covariate only in those without a call. Variants that this may change are looked at again,
one by one, among the people with a call (at most a tenth more time, with 20 covariates and 5 % missing).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from examples.genomics.gwas.design import Design
from examples.genomics.gwas.estimates import MOST_CORRELATION, MOST_INFLATION, Code
from examples.genomics.gwas.genotypes import Counts, Dosages

Codes = npt.NDArray[np.int64]
Indices = npt.NDArray[np.intp]
Reals = npt.NDArray[np.float64]
# Share of a direction of the covariates that is with people without a call; of a variant, what covariates explain. Below both, they
# explain at most 0.45 / (1 - 0.5) = 0.9 of the variant among the called: an inflation of 10, far from the limit of 50.
_LOST, _EXPLAINED = 0.5, 0.45
_SINGULAR = 1e-9  # smallest eigenvalue of correlations; and share of a covariate's variance that is left to the called


class Collinearity:
    """Of the covariates of one design with any variant."""

    def __init__(self, design: Design) -> None:
        """Prepare for `codes`."""
        people, self._covariates = design.basis.shape
        self._basis, self._leverages = design.basis, np.square(design.basis).sum(axis=1)
        self._rough_basis = design.basis[:, 1:].astype(np.float32)
        triangle = design.basis.T @ design.covariates
        self._to_coefficients = np.linalg.inv(triangle)[1:, 1:]
        self._correlations = triangle[1:, 1:] / np.sqrt(people)
        self._inflations = np.square(self._to_coefficients).sum(axis=1) * people
        self._x, self._products = design.covariates, design.covariates.T @ design.covariates
        self._people = people

    def codes(self, centred: Dosages, counts: Counts, missing: Indices) -> Codes:
        """Of `Code`, (variants,).

        Args:
            centred: (variants, people): copies of A1 less their mean; 0 if missing.
            counts: of these people.
            missing: people without a call of the first variant, then of the second, ...
        """
        called, squares = counts.called, counts.het + 4 * counts.hom_a1
        spread = squares - np.square(counts.a1) / np.maximum(called, 1)
        on_basis = (centred @ self._rough_basis).astype(np.float64)
        explained = np.square(on_basis).sum(axis=1)
        rest = spread - explained
        with np.errstate(divide="ignore", invalid="ignore"):
            others = self._inflations + np.square(on_basis @ self._to_coefficients.T) * self._people / rest[:, None]
            inflation = np.maximum(spread / rest, others.max(axis=1, initial=0.0))
            correlation = np.abs(on_basis @ self._correlations).max(axis=1, initial=0.0) / np.sqrt(spread)
        reasons = [
            called <= self._covariates + 1,
            np.square(counts.a1) == called * squares,
            correlation > MOST_CORRELATION,
            ~((inflation <= MOST_INFLATION) & (rest > 0)),
        ]
        code = np.select(reasons, [Code.TOO_FEW, Code.CONSTANT, Code.TOO_CORRELATED, Code.INFLATED], Code.OK)
        unlike = (explained > _EXPLAINED * spread) | (inflation > MOST_INFLATION / 2)
        ends = np.cumsum(counts.missing)
        lost = np.diff(np.append(0.0, np.cumsum(self._leverages[missing]))[ends], prepend=0.0)  # at least the largest eigenvalue
        doubtful = (unlike | (lost > _LOST)) & (counts.missing > 0) & (code != Code.TOO_FEW) & (code != Code.CONSTANT)
        for row in np.flatnonzero(doubtful):
            people = missing[ends[row] - counts.missing[row] : ends[row]]
            if unlike[row] or self._are_needed(people):
                code[row] = self._code_among_called(centred[row], people)
        return code

    def _are_needed(self, missing: Indices) -> bool:
        """Whether the covariates of the others may depend on one another: `_code_among_called` says so, but takes all people."""
        rows = self._basis[missing]
        return bool(np.linalg.norm(rows.T @ rows) > _LOST)  # at least the largest eigenvalue too, and much nearer

    def _code_among_called(self, centred: Dosages, missing: Indices) -> Code:
        left_out = self._x[missing]
        products = np.empty((self._covariates + 1, self._covariates + 1))
        products[:-1, :-1] = self._products - left_out.T @ left_out
        products[-1, :-1] = products[:-1, -1] = centred @ self._x
        products[-1, -1] = np.square(centred).sum(dtype=np.float64)
        sums = products[0, 1:]  # of products with the intercept
        covariance = products[1:, 1:] - np.outer(sums, sums) / products[0, 0]
        variances = np.diag(covariance)
        if (variances < _SINGULAR * self._people).any():
            return Code.DEFICIENT
        correlation = covariance / np.sqrt(np.outer(variances, variances))
        if np.abs(np.tril(correlation, -1)).max() > MOST_CORRELATION:
            return Code.TOO_CORRELATED
        if np.linalg.eigvalsh(correlation)[0] < _SINGULAR:
            return Code.DEFICIENT
        inflated = np.diag(np.linalg.inv(correlation)).max() > MOST_INFLATION
        return Code.INFLATED if inflated else Code.OK
