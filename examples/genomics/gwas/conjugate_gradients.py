"""Conjugate gradients for several systems at once; those that are solved take no further part (Hestenes & Stiefel, 1952)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from examples.genomics.gwas.standardized import Matrix

Columns = npt.NDArray[np.intp]


@dataclass(slots=True)
class Solutions:
    """Systems that are being solved; all arrays are (people, columns).

    Attributes:
        found: the solutions so far.
        residuals: right-hand sides less what `found` gives.
        directions: of the next step.
        goals: (columns,): squared lengths of residuals that will do.
        iterations: so far.
    """

    found: Matrix
    residuals: Matrix
    directions: Matrix
    goals: Matrix
    iterations: int = 0

    @classmethod
    def start(cls, right: Matrix, tolerances: Matrix) -> Self:
        """Begin at 0; a tolerance is of a residual's length per that of its right-hand side."""
        return cls(np.zeros_like(right), right.copy(), right.copy(), tolerances**2 * np.square(right).sum(axis=0))

    @property
    def open(self) -> Columns:
        """Systems that are not solved well enough."""
        return np.flatnonzero(np.square(self.residuals).sum(axis=0) > self.goals)

    def step(self, product: Callable[[Matrix, Columns], Matrix], columns: Columns) -> None:
        """One iteration of these systems.

        Args:
            product: each system's matrix times its vector: (people, len(columns)).
            columns: which they are.
        """
        directions, residuals = self.directions[:, columns], self.residuals[:, columns]
        products = product(directions, columns)
        before = np.square(residuals).sum(axis=0)
        length = before / np.einsum("pc,pc->c", directions, products)
        self.found[:, columns] += length * directions
        residuals -= length * products
        self.residuals[:, columns] = residuals
        self.directions[:, columns] = residuals + np.square(residuals).sum(axis=0) / before * directions
        self.iterations += 1
