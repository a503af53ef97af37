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
    """Systems that are being solved; all arrays are (people, columns), a column's numbers side by side.

    A column is updated by itself, with its vectors near the processor: ten times as fast as all columns of a row-major array.

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

    def __post_init__(self) -> None:
        self.found, self.residuals, self.directions = map(np.asfortranarray, (self.found, self.residuals, self.directions))

    @classmethod
    def start(cls, right: Matrix, tolerances: Matrix) -> Self:
        """Begin at 0; a tolerance is of a residual's length per that of its right-hand side."""
        return cls(np.zeros_like(right), right.copy(), right.copy(), tolerances**2 * np.square(right).sum(axis=0))

    @property
    def open(self) -> Columns:
        """Systems that are not solved well enough."""
        return np.flatnonzero([residual @ residual > goal for residual, goal in zip(self.residuals.T, self.goals, strict=True)])

    def step(self, product: Callable[[Matrix, Columns], Matrix], columns: Columns) -> None:
        """One iteration of these systems.

        Args:
            product: each system's matrix times its vector: (people, len(columns)).
            columns: which they are.
        """
        products = product(self.directions[:, columns], columns)
        for column, times in zip(columns.tolist(), np.asfortranarray(products).T, strict=True):
            residual, direction = self.residuals[:, column], self.directions[:, column]
            before = residual @ residual
            length = before / (direction @ times)
            self.found[:, column] += length * direction
            residual -= length * times
            direction *= residual @ residual / before
            direction += residual
        self.iterations += 1
