"""Quadratic forms b' f(K) b for any f, from a few products with K: Gauss quadrature by Lanczos' tridiagonal matrix.

After k products started at b, the tridiagonal matrix' eigenvalues and the squares of its eigenvectors' first entries are nodes and
weights that integrate polynomials of degree 2k - 1 exactly (Golub & Meurant, 1994). So one run serves all shifts at once, as
multi-shift conjugate gradients do, without a vector for each shift.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np

from examples.genomics.gwas.standardized import Matrix

_LOST = 1e-7  # of the first column's length: what is left of a direction is rounding


@dataclass(frozen=True, slots=True)
class Spectra:
    """A sum of weights at nodes for each column b, in place of the spectrum of K as b sees it.

    Attributes:
        nodes, weights: (columns, k); weights of a column add up to 1.
    """

    nodes: Matrix
    weights: Matrix

    def inverse(self, shifts: Matrix, power: int) -> Matrix:
        """The forms b' (K + shift)**-power b / b'b, (columns, shifts)."""
        values: Matrix = (self.weights[:, :, None] / (np.maximum(self.nodes, 0)[:, :, None] + shifts) ** power).sum(axis=1)
        return values

    def of(self, columns: list[int]) -> Spectra:
        """Of some columns."""
        return Spectra(self.nodes[columns], self.weights[columns])


@dataclass(slots=True)
class Lanczos:
    """Runs for several columns at once, each by itself.

    Attributes:
        before, now: (people, columns): the last two vectors of each run; `now` is of length 1, or 0 where a run has ended.
        diagonal: (k, columns).
        beside: (k, columns): the last row is what the next vector was divided by.
    """

    before: Matrix
    now: Matrix
    diagonal: Matrix
    beside: Matrix

    @classmethod
    def start(cls, vectors: Matrix) -> Self:
        """Begin with these, (people, columns), none of them 0."""
        now = vectors / np.linalg.norm(vectors, axis=0)
        empty = np.empty((0, vectors.shape[1]))
        return cls(np.zeros_like(now), now, empty, empty)

    def step(self, product: Callable[[Matrix], Matrix]) -> None:
        """One product with K."""
        new = product(self.now)
        diagonal = np.einsum("pc,pc->c", self.now, new)
        last = self.beside[-1] if len(self.beside) else np.zeros(new.shape[1])
        new -= self.now * diagonal + self.before * last
        beside = np.linalg.norm(new, axis=0)
        beside[beside < _LOST * np.abs(self.diagonal[0] if len(self.diagonal) else diagonal)] = 0.0
        self.before, self.now = self.now, new / np.where(beside > 0, beside, np.inf)
        self.diagonal, self.beside = np.vstack([self.diagonal, diagonal]), np.vstack([self.beside, beside])

    def spectra(self) -> Spectra:
        """As known so far."""
        steps, columns = self.diagonal.shape
        matrices = np.zeros((columns, steps, steps))
        on, off = np.arange(steps), np.arange(steps - 1)
        matrices[:, on, on] = self.diagonal.T
        matrices[:, off, off + 1] = matrices[:, off + 1, off] = self.beside[:-1].T
        nodes, vectors = np.linalg.eigh(matrices)
        return Spectra(nodes, vectors[:, 0, :] ** 2)
