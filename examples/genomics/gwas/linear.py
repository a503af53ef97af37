"""Linear regression of each variant, as ``plink2 --glm hide-covar`` does it: whose call is missing is left out, variant by variant.

With an orthonormal basis Q of the covariates and the residual r of the phenotype, a variant g needs only g'g, Q'g and r'g
(Frisch-Waugh-Lovell): beta = (r'g) / (g'g - |Q'g|^2). g'g and sums of g are counts; the rest is one product of dosages with the
columns [Q, r] of all traits. Missing calls take their people's rows out of Q'Q, Q'r and r'r; their dosage is 0, so g needs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from examples.genomics.gwas.bed import Packed
from examples.genomics.gwas.design import Design
from examples.genomics.gwas.estimates import MOST_CORRELATION, MOST_INFLATION, Code, Estimates
from examples.genomics.gwas.genotypes import Block, Counted, Counts, count, mask, missing_positions
from examples.genomics.gwas.slices import SlicedColumns

Matrix = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]
_SAFE_LEVERAGE = 0.9  # of the people who are missing together: below 1 they cannot take a covariate with them
_SINGULAR = 1e-10
_EXACT_FIT = 1e-7  # share of the phenotype that no variant or covariate explains, below which that is mostly rounding
_GATHERED = 1 << 13  # missing calls whose rows are gathered at once: they stay in the L2 cache


class LinearScan:
    """The quantitative traits of one design against any variants."""

    def __init__(self, design: Design, width: int) -> None:
        """Prepare the columns.

        Args:
            design: at least one of its traits is quantitative.
            width: people of a row of dosages, padding included.
        """
        self.traits = [trait for trait in design.traits if not trait.binary]
        self._people, self._covariates = design.basis.shape
        self._first = design.basis[0, 0]  # the basis' first vector is this number for everybody
        self._mask = None if design.included.all() else mask(design.included, width)
        residuals, self._squares = [], []
        for trait in self.traits:
            values = trait.values
            for _ in range(2):  # twice is enough
                values = values - design.basis @ (design.basis.T @ values)
            residuals.append(values)
            with np.errstate(over="ignore"):
                self._squares.append(float(values @ values))
        rows = np.flatnonzero(design.included)
        columns = np.column_stack([design.basis, *residuals])
        self._rows = np.zeros((width + 1, columns.shape[1]))  # the last is nobody's
        self._rows[rows] = columns
        self._sliced = SlicedColumns(self._rows[:width, 1:])
        triangle = design.basis.T @ design.covariates
        inverse = np.linalg.inv(triangle)
        self._to_coefficients = inverse[1:].T  # of covariates, from those of the basis
        self._triangle = triangle
        self._inflations = np.square(inverse[1:]).sum(axis=1) * self._people

    @np.errstate(over="ignore", invalid="ignore")  # a phenotype of 1e200 ends as INVALID
    def scan(self, block: Block) -> list[Estimates]:
        """One `Estimates` for each quantitative trait."""
        own, counts = block.packed, block.counts
        if self._mask is not None:
            own = own | self._mask
            counts = count(own, self._people)
        products = self._sliced.times(block.dosages)
        on_basis = np.column_stack([counts.a1 * self._first, products[:, : self._covariates - 1]])
        on_residuals = products[:, self._covariates - 1 :]
        explained = np.square(on_basis).sum(axis=1)
        with_residuals = np.zeros_like(on_residuals)  # of what basis and residuals have in common once people are missing
        left = np.broadcast_to(np.array(self._squares), on_residuals.shape).copy()
        deficient = np.zeros(len(own), np.bool_)
        p = self._covariates
        regressed = on_basis.copy()  # coefficients of the basis
        staying = np.ones(len(own))  # at least this share of any combination of covariates stays with the called
        lost_basis: dict[int, Matrix] = {}  # of the variants whose reason is looked for more closely
        for rows, people in _runs_with_missing(own, counts.missing, nobody=len(self._rows) - 1):
            gathered = np.take(self._rows, people, axis=0)  # twice as fast as `self._rows[people]`
            lost = np.matmul(gathered.transpose(0, 2, 1), gathered)
            kept = np.eye(p) - lost[:, :p, :p]
            staying[rows] = 1 - np.einsum("vkk->v", lost[:, :p, :p])
            deficient[rows] = _are_singular(kept)
            kept[deficient[rows]] = np.eye(p)
            sides = np.concatenate([on_basis[rows, :, None], -lost[:, :p, p:]], axis=2)
            solved = np.linalg.solve(kept, sides)
            regressed[rows] = solved[:, :, 0]
            explained[rows] = (on_basis[rows] * solved[:, :, 0]).sum(axis=1)
            close = self._may_be_inflated(counts, explained, regressed, staying, rows) & ~deficient[rows]
            lost_basis.update(zip(rows[close].tolist(), lost[close, :p, :p], strict=True))
            with_residuals[rows] = (on_basis[rows, :, None] * solved[:, :, 1:]).sum(axis=1)
            lost_squares = np.einsum("vkk->vk", lost[:, p:, p:])
            left[rows] -= lost_squares + (sides[:, :, 1:] * solved[:, :, 1:]).sum(axis=1)
        code = np.where(deficient, Code.DEFICIENT, Code.OK).astype(np.int64)
        suspects = np.flatnonzero(self._may_be_inflated(counts, explained, regressed, staying, np.arange(len(own))) & ~deficient)
        if len(suspects):
            kept = np.eye(p) - np.array([lost_basis.get(at, np.zeros((p, p))) for at in suspects.tolist()])
            code[suspects] = self._reasons(kept, on_basis[suspects], (counts.het + 4 * counts.hom_a1)[suspects])
        squares = counts.het + 4 * counts.hom_a1
        code[np.square(counts.a1) == counts.called * squares] = Code.CONSTANT
        code[counts.called <= p + 1] = Code.TOO_FEW
        return [
            self._estimates(
                counts, code, explained, on_residuals[:, at] - with_residuals[:, at], left[:, at], whole=self._squares[at]
            )
            for at in range(len(self._squares))
        ]

    def _may_be_inflated(
        self, counts: Counts, explained: Matrix, regressed: Matrix, staying: Matrix, rows: Rows
    ) -> npt.NDArray[np.bool_]:
        """Of some variants, whether any variance inflation factor can be above plink2's limit: a bound, exact if all are called."""
        squares = (counts.het + 4 * counts.hom_a1)[rows]
        spread = squares - np.square(counts.a1[rows]) / np.maximum(counts.called[rows], 1)
        rest = squares - explained[rows]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            of_covariates = self._inflations / np.maximum(staying[rows, None], 0)
            of_covariates = of_covariates + np.square(regressed[rows] @ self._to_coefficients) * (self._people / rest)[:, None]
            inflation = np.maximum(spread / rest, of_covariates.max(axis=1, initial=0.0))
        within: npt.NDArray[np.bool_] = (inflation <= MOST_INFLATION) & (rest > 0)
        return ~within

    def _reasons(self, kept: Matrix, on_basis: Matrix, squares: Counted) -> npt.NDArray[np.int64]:
        """Codes by plink2's rule: correlations of variant and covariates among the called, then their inverse's diagonal.

        Args:
            kept: products of basis vectors among the called, (variants, covariates, covariates).
            on_basis: and with the variant.
            squares: of the variant.
        """
        p = self._covariates
        products = np.empty((len(kept), p + 1, p + 1))
        products[:, :p, :p] = self._triangle.T @ kept @ self._triangle
        products[:, p, :p] = products[:, :p, p] = on_basis @ self._triangle
        products[:, p, p] = squares
        sums = products[:, 0, 1:]
        spread = products[:, 1:, 1:] - sums[:, :, None] * sums[:, None, :] / products[:, :1, :1]
        with np.errstate(divide="ignore", invalid="ignore"):
            scale = 1 / np.sqrt(np.einsum("vkk->vk", spread))
            correlations = spread * scale[:, :, None] * scale[:, None, :]
        code = np.full(len(kept), Code.DEFICIENT, np.int64)
        known = np.isfinite(correlations).all(axis=(1, 2))
        correlations[~known] = np.eye(p)
        regular = known & (np.linalg.eigvalsh(correlations)[:, 0] > _SINGULAR)
        inflation = np.einsum("vkk->vk", np.linalg.inv(np.where(regular[:, None, None], correlations, np.eye(p)))).max(axis=1)
        code[regular] = np.where(inflation[regular] > MOST_INFLATION, Code.INFLATED, Code.OK)
        among = np.abs(correlations - np.eye(p)).max(axis=(1, 2))
        code[known & (among > MOST_CORRELATION)] = Code.TOO_CORRELATED
        return code

    def _estimates(
        self, counts: Counts, code: npt.NDArray[np.int64], explained: Matrix, along: Matrix, left: Matrix, *, whole: float
    ) -> Estimates:
        squares = counts.het + 4 * counts.hom_a1
        called = counts.called
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            rest = squares - explained
            beta = along / rest
            unexplained = left - beta * along
            se = np.sqrt(unexplained / (called - self._covariates - 1) / rest)
            invalid = ~(np.isfinite(beta) & np.isfinite(se) & (unexplained > _EXACT_FIT * whole))
        code = np.where((code == Code.OK) & invalid, Code.INVALID, code)
        bad = code != Code.OK
        beta[bad] = se[bad] = np.nan
        return Estimates(called, beta, se, code, np.zeros(len(code), np.bool_))


def _runs_with_missing(packed: Packed, missing: Counted, nobody: int) -> Iterator[tuple[Rows, Rows]]:
    """Variants with missing calls, some at a time, and their people, (variants, most of them), filled up with ``nobody``."""
    if not missing.any():
        return
    people = missing_positions(packed)[1]
    starts = np.cumsum(missing) - missing
    order = np.argsort(missing, kind="stable")[(missing == 0).sum() :]  # alike ones together: little to fill up
    while len(order):
        sizes = missing[order]
        rows = order[: max(1, int((sizes * np.arange(1, len(order) + 1) <= _GATHERED).sum()))]
        order = order[len(rows) :]
        slots = np.arange(missing[rows[-1]])
        found = people[np.minimum(starts[rows, None] + slots, len(people) - 1)]
        yield rows, np.where(slots < missing[rows, None], found, nobody)


def _are_singular(kept: Matrix) -> npt.NDArray[np.bool_]:
    """Whether a covariate has left with the people: of matrices I - D, whose eigenvalues are at least 1 - trace(D)."""
    singular = np.zeros(len(kept), np.bool_)
    doubtful = kept.shape[1] - np.einsum("vii->v", kept) > _SAFE_LEVERAGE
    if doubtful.any():
        singular[doubtful] = np.linalg.eigvalsh(kept[doubtful])[:, 0] < _SINGULAR
    return singular
