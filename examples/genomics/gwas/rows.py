"""Vectors over people, dealt out: each rank has the rows of whole blocks of people.

What is computed of a block does not depend on the rank that has it, and sums over blocks are exact, so all numbers have the same
bits on any number of ranks; each rank does its share of the work on vectors, and keeps its share of them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from batchhpc.rank import block_range, exact_sum
from examples.genomics.gwas.standardized import Matrix, Rounded
from examples.workload.communicator import Communicator

PEOPLE = 4096  # of a block
_ROUNDS = 3  # of orthonormalization: one for each half of a double's digits that a block may have lost, and one to be sure


class Rows:
    """This rank's rows of vectors over so many people; matrices are (own people, columns) unless it is said otherwise.

    Attributes:
        bounds: the first of this rank's rows, and the first of the next rank's.
    """

    def __init__(self, comm: Communicator, people: int) -> None:
        self._comm, self._people = comm, people
        rows = block_range(people, comm.rank, comm.size, PEOPLE)
        self.bounds = rows.start, rows.stop

    def own(self, whole: Matrix) -> Matrix:
        """This rank's rows of a matrix that all ranks have."""
        return whole[slice(*self.bounds)]

    def whole(self, own: Rounded) -> Rounded:
        """All ranks' rows, on all ranks, of the same dtype; collective."""
        padded = np.zeros((self._people, own.shape[1]), own.dtype)
        padded[slice(*self.bounds)] = own
        summed = np.empty_like(padded)
        self._comm.Allreduce(padded, summed)  # each number is that of one rank, the others add 0
        return summed

    def inner(self, left: Matrix, right: Matrix) -> Matrix:
        """Products L' R over all people, on all ranks; collective."""
        parts = [left[some].T @ right[some] for some in self._blocks()]
        return np.asarray(exact_sum(np.array(parts).reshape(-1, left.shape[1], right.shape[1]), self._comm), np.float64)

    def times(self, left: Matrix, small: Matrix) -> Matrix:
        """L S, block by block: the shape of a product can change its last bit."""
        product = np.empty((len(left), small.shape[1]))
        for some in self._blocks():
            product[some] = left[some] @ small
        return product

    def lengths(self, vectors: Matrix) -> Matrix:
        """Of each column, on all ranks; collective."""
        squares = [np.square(vectors[some]).sum(axis=0) for some in self._blocks()]
        return np.sqrt(exact_sum(np.array(squares).reshape(-1, vectors.shape[1]), self._comm))

    def orthonormal(self, basis: Matrix, block: Matrix, most: int) -> Matrix:
        """At most so many orthonormal directions of a block, none of which is in an orthonormal basis; collective.

        By eigenvectors of the block's inner products (Stathopoulos & Wu, 2002): unlike Householder's reflections that needs one sum
        over the ranks, and it is made of matrix products. Directions that are lost in rounding are replaced by what rounding left.
        """
        for _ in range(_ROUNDS):
            if basis.shape[1]:
                block = block - self.times(basis, self.inner(basis, block))
            gram = self.inner(block, block)
            unit = 1 / np.sqrt(np.maximum(np.diag(gram), np.finfo(float).tiny))
            values, vectors = np.linalg.eigh(gram * unit * unit[:, None])
            values, vectors = values[-most:], vectors[:, -most:]
            block = self.times(block, unit[:, None] * vectors / np.sqrt(np.maximum(values, np.finfo(float).eps)))
        return block

    def _blocks(self) -> Iterator[slice]:
        count = self.bounds[1] - self.bounds[0]
        for first in range(0, count, PEOPLE):
            yield slice(first, min(first + PEOPLE, count))
