"""Means of figures that have controls, from sums of squares and products alone: nothing else leaves a block.

A figure Y with controls X of mean zero has the mean E[Y - b X] for any b. The best b is that of least squares, but b of the same
draws biases the mean. So the draws are in groups of two kinds, even and odd: the even ones' b serves the odd, and theirs the even
(cross-fitting: Avramidis and Wilson, "A splitting scheme for control variates", Operations Research Letters 14, 1993). No draw is
spent on a pilot, and the mean is without bias.

Groups of independent draws give an error by the spread within; groups that are scrambles of the same Sobol' points by that of their
means. Either way the first so many groups are an estimate too, which shows how it converges; that is kept of the first figure only,
the others have two groups, unless they are scrambles.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from batchhpc.rank import ExactSum
from examples.risk.numerics.estimates import Estimate
from examples.workload.communicator import Communicator

Reals = npt.NDArray[np.float64]
_COLLINEAR = 1e-10  # relative: controls that tell no more than others do
_ENOUGH = 10  # draws for each control
_STILL = 1e-8  # of the figure's variance: a control that moves less would be taken 10,000 times, for what few draws say


@dataclass(frozen=True, slots=True)
class Controlled:
    """A figure, with its controls and without.

    Attributes:
        value: with them.
        plain: without.
        coefficients: of the controls, the mean of both kinds' of groups.
    """

    value: Estimate
    plain: Estimate
    coefficients: tuple[float, ...]


class Moments:
    """Sums of products of figures and their controls, by groups.

    Args:
        groups: at least two.
        controls: how many each figure has.
        replicates: whether a group is one scramble of points instead of independent draws.
    """

    def __init__(self, groups: int, controls: Sequence[int], *, replicates: bool) -> None:
        self._controls, self._replicates = tuple(controls), replicates
        self._groups = [groups if replicates or figure == 0 else 2 for figure in range(len(controls))]
        self._triangles = [np.triu_indices(count + 2) for count in controls]
        sizes = [len(rows) * own for (rows, _), own in zip(self._triangles, self._groups, strict=True)]
        self._starts = np.cumsum([0, *sizes]).tolist()
        self.sums = ExactSum((self._starts[-1],))
        self._totals: Reals | None = None

    def add(self, group: int, figures: Iterable[Reals]) -> None:
        """Add a block: for each figure (controls + 2, draws): ones, the controls less their means, the figure.

        The products are of arrays of one shape for all blocks, as BLAS gives other bits to other shapes. Each figure is done with
        before the next one is asked for.
        """
        part = np.zeros(self.sums.shape)
        for rows, triangle, start, groups in zip(figures, self._triangles, self._starts[:-1], self._groups, strict=True):
            size = len(triangle[0])
            first = start + group % groups * size
            part[first : first + size] = (rows @ rows.T)[triangle]
        self.sums.add(part)

    def reduce(self, comm: Communicator) -> None:
        """Sum over all ranks; collective, two messages."""
        self._totals = np.asarray(self.sums.reduce(comm).value())

    def state(self) -> npt.NDArray[np.int64]:
        """All of it, for checkpoints: (1, ...); equal sums have equal states."""
        return self.sums.state()

    def take(self, states: npt.NDArray[np.int64]) -> None:
        """Begin with what has these states, (n, ...): all of them together, or with nothing if there are none."""
        self.sums = ExactSum.from_state(states)

    def estimate(self, figure: int, groups: int | None = None) -> Controlled:
        """Of all groups, or of the first so many."""
        products = self._products(figure)[:groups]
        counts = products[:, 0, 0]
        kinds = np.arange(len(products)) % 2
        count = self._controls[figure]
        coefficients = np.array([_least_squares(products[kinds != kind].sum(axis=0)) for kind in (0, 1)])
        return Controlled(
            self._mean(products, counts, kinds, coefficients),
            self._mean(products, counts, kinds, np.zeros((2, count))),
            tuple(coefficients.mean(axis=0).tolist()),
        )

    def _products(self, figure: int) -> Reals:
        """(groups, controls + 2, controls + 2)."""
        assert self._totals is not None, "sums are reduced first"
        rows, columns = self._triangles[figure]
        size, groups = self._controls[figure] + 2, self._groups[figure]
        start, end = self._starts[figure : figure + 2]
        square = np.zeros((groups, size, size))
        square[:, rows, columns] = square[:, columns, rows] = self._totals[start:end].reshape(groups, -1)
        return square

    def _mean(self, products: Reals, counts: Reals, kinds: npt.NDArray[np.intp], coefficients: Reals) -> Estimate:
        """Of figure less coefficients times controls; those of ``coefficients[kind]``, which come from the other kind."""
        sums = products[:, 0, -1] - np.einsum("gc,gc->g", products[:, 0, 1:-1], coefficients[kinds])
        if self._replicates:
            return Estimate.of_replicates(sums / counts)
        variance = 0.0
        for kind in (0, 1):
            total = products[kinds == kind].sum(axis=0)
            weights = np.append(-coefficients[kind], 1.0)
            draws, means = total[0, 0], total[0, 1:] / total[0, 0]
            square = weights @ (total[1:, 1:] / draws - np.outer(means, means)) @ weights
            variance += max(0.0, float(square)) * draws * draws / max(1.0, draws - 1)
        return Estimate(float(sums.sum() / counts.sum()), math.sqrt(variance) / float(counts.sum()))


def _least_squares(products: Reals) -> Reals:
    """Coefficients of the controls, from sums of products of (1, controls, figure); none, if there are few draws."""
    if products[0, 0] < _ENOUGH * (len(products) - 2):
        return np.zeros(len(products) - 2)
    means = products[0, 1:] / products[0, 0]
    covariance = products[1:, 1:] / products[0, 0] - np.outer(means, means)
    variances = np.diag(covariance)
    moving = variances[:-1] > _STILL * variances[-1]
    scales = np.where(moving, 1 / np.sqrt(np.where(moving, variances[:-1], 1)), 0)
    scaled = covariance[:-1, :-1] * np.outer(scales, scales)
    return np.asarray(np.linalg.lstsq(scaled, covariance[:-1, -1] * scales, rcond=_COLLINEAR)[0] * scales)
