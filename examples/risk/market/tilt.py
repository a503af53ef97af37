"""Draws of an elliptical distribution under which large losses are common, and what each then counts.

The moves are x = A z sqrt((nu - 2) / y): z standard normal, y chi-square with nu degrees of freedom, A A' the covariance; for the
normal distribution x = A z. Any rotation of A does. Here its first column is the direction in which the loss rises most, so that
the first dimension of Sobol's points, the best one, decides most of the loss; the others follow by the loss's curvature in them
(Imai and Tan, "A general dimension reduction technique for derivative pricing", Journal of Computational Finance 2006).

A tilt draws z_1 with mean mu, and y as theta times a chi-square: both move the draws to where the losses are large
(Glasserman, Heidelberger and Shahabuddin, "Portfolio value-at-risk with heavy-tailed risk factors", Mathematical Finance 2002).
A draw then counts

    w = exp(mu^2 / 2 - mu z_1) theta^(nu / 2) exp(y / (2 theta) - y / 2).

Where both directions of an axis lose, as with options sold and hedged, z_1 has mean mu or -mu with probability 1/2, and the first
factor of w is exp(mu^2 / 2) / cosh(mu z_1). The loss's curvature makes other axes spread less in the tail where they gain, and more
where they lose: there z_i is drawn with deviation s_i, and w has the factors s_i exp(z_i^2 / (2 s_i^2) - z_i^2 / 2).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from examples.risk.market.elliptical import Mixing
from examples.risk.market.scenarios import BLOCK, Moves
from examples.risk.market.sensitivities import Sensitivities

Reals = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Tilt:
    """How draws are moved; the default moves nothing.

    Attributes:
        shift: mu, the mean of the first normal.
        scale: theta of the chi-square; below 1 makes large moves of everything more common.
        both: whether the shift goes both ways.
        axis: 0: the first column of A is the loss's slope; 1: it is the loss's greatest upward curvature.
        spreads: s_i of the second and the following axes; none beyond the last that is given.
    """

    shift: float = 0.0
    scale: float = 1.0
    both: bool = False
    axis: int = 0
    spreads: tuple[float, ...] = ()

    def weights(self, normals: Reals, chi_square: Reals | None, degrees: float) -> Reals:
        """What draws count, (m,): the model's density over theirs.

        Args:
            normals: z, (factors, m).
            chi_square: y, (m,); None for the normal distribution.
            degrees: of freedom.
        """
        mu, theta, first = self.shift, self.scale, normals[0]
        log = -np.logaddexp(mu * first, -mu * first) + math.log(2) if self.both else -mu * first
        log += mu * mu / 2
        if chi_square is not None and theta != 1:
            log += chi_square * (0.5 / theta - 0.5) + 0.5 * degrees * math.log(theta)
        for spread, normal in zip(self.spreads, normals[1:], strict=False):
            if spread != 1:
                log += math.log(spread) + (0.5 / spread**2 - 0.5) * np.square(normal)
        return np.asarray(np.exp(log))


@dataclass(frozen=True, slots=True)
class Drawn:
    """A block of independent variables.

    Attributes:
        normals: z, (factors, BLOCK).
        factor: sqrt((nu - 2) / y), (BLOCK,); None for the normal distribution.
    """

    normals: Reals
    factor: Reals | None

    def chi_square(self, degrees: float) -> Reals | None:
        """The y, (BLOCK,)."""
        return None if self.factor is None else (degrees - 2) / np.square(self.factor)


class Axes:
    """A multivariate t or normal distribution of the moves, in the axes that suit a book.

    Args:
        covariance: over the horizon, (factors, factors).
        degrees: of freedom, more than 2; infinite for the normal distribution.
        sensitivities: of the book's loss.
        limit: of each factor's moves, in its standard deviations: larger ones are taken as so large.

    Attributes:
        degrees: as given.
        dimensions: uniforms of a draw.
        rotations: the axes that begin with the slope, and those that begin with the curvature, (2, factors, factors).
    """

    def __init__(self, covariance: Reals, degrees: float, sensitivities: Sensitivities, limit: float) -> None:
        self.degrees = degrees
        self._limit = (limit * np.sqrt(np.diag(covariance)))[:, None].astype(np.float32)
        values, vectors = np.linalg.eigh(covariance)
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        slope, curvature = root.T @ sensitivities.slope, root.T @ sensitivities.curvature @ root
        steepest = np.linalg.eigh(curvature)[1][:, -1]
        self.rotations: Reals = np.stack([_axes(first, curvature) for first in (slope, steepest)])
        self._roots = np.stack([root @ each for each in self.rotations])
        self._mixing = None if math.isinf(degrees) else Mixing(degrees, BLOCK)
        self.dimensions = len(covariance) + (self._mixing is not None)

    def draw(self, uniforms: Reals, tilt: Tilt) -> Drawn:
        """Of uniforms (dimensions, BLOCK): the first normal's, the chi-square's if there is one, the others'."""
        heavy = self._mixing is not None
        normals = np.empty((self.dimensions - heavy, uniforms.shape[1]))
        normals[0] = _shifted(uniforms[0], tilt)
        ndtri(uniforms[1 + heavy :], out=normals[1:])
        spread = 1 + len(tilt.spreads)
        normals[1:spread] *= np.array(tilt.spreads)[:, None]
        if self._mixing is None:
            return Drawn(normals, None)
        factor = np.empty(BLOCK)
        self._mixing(ndtri(uniforms[1]), factor)
        return Drawn(normals, factor / math.sqrt(tilt.scale))

    def moves(self, drawn: Drawn, axis: int) -> Moves:
        """(factors, BLOCK), float32 as all scenarios are; the product has one shape always, so bits depend on no other block."""
        moves = self._roots[axis] @ drawn.normals
        if drawn.factor is not None:
            moves *= drawn.factor
        return np.asarray(np.clip(moves.astype(np.float32), -self._limit, self._limit))


def _shifted(uniforms: Reals, tilt: Tilt) -> Reals:
    if not tilt.both:
        return np.asarray(ndtri(uniforms) + tilt.shift)
    up = uniforms >= 0.5  # the first bit says which way; the others are a uniform again
    return np.asarray(ndtri(2 * uniforms - up) + np.where(up, tilt.shift, -tilt.shift))


def _axes(first: Reals, curvature: Reals) -> Reals:
    """An orthonormal basis, in columns: the first as given, the others by falling absolute curvature."""
    length = float(np.linalg.norm(first))
    unit = first / length if length else np.eye(len(first))[0]
    beside = np.linalg.svd(unit[None, :])[2][1:].T  # an orthonormal basis of what is left
    values, vectors = np.linalg.eigh(beside.T @ curvature @ beside)
    order = np.argsort(-np.abs(values), kind="stable")
    return np.column_stack([unit, beside @ vectors[:, order]])
