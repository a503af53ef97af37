"""The likelihood of a case/control trait, for many variants at once: gradient, information, Firth's penalty.

The model of a variant has the covariates X of all variants and its own genotypes g; only the weights W = diag(mu (1 - mu)) differ.
So X'WX of a whole block is one matrix product: weights (variants, people) by products of pairs of covariates (people, pairs). That
takes 1.4 ns a genotype with 11 covariates; one variant after the other takes 4.

Chances and gradients are in float64, since they decide where the maximum is; the first step to it is in float32, in half the time.
Information leads there and gives standard errors: float32 is enough. Firth's leverages are small differences of large numbers and
need float64 throughout. Arrays of a tile of people stay in the L2 cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from examples.genomics.gwas.design import Trait
from examples.genomics.gwas.genotypes import Dosages

Reals = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Indices = npt.NDArray[np.intp]
_TILE = 1 << 16  # genotypes: their arrays stay in the L2 cache


class Genotypes(NamedTuple):
    """Some variants among the people of a trait.

    Attributes:
        centred: (variants, people): copies of A1 less their mean; 0 if missing. Only the intercept depends on the mean.
        variant, person: of each missing call, ordered by person.
    """

    centred: Dosages
    variant: Indices
    person: Indices

    def some(self, rows: Indices) -> Genotypes:
        """These variants only; ``rows`` in ascending order."""
        if len(rows) == len(self.centred):
            return self
        place = np.full(len(self.centred), -1)
        place[rows] = np.arange(len(rows))
        kept = place[self.variant] >= 0
        return Genotypes(self.centred[rows], place[self.variant[kept]], self.person[kept])


class Precision(IntEnum):
    """What is float64: nothing; chances and gradient; all."""

    ROUGH = 0
    USUAL = 1
    EXACT = 2


class Evaluated(NamedTuple):
    """At some coefficients, the variant's last.

    Attributes:
        likelihood: logarithms, (variants,); 0 if not exact.
        gradient: (variants, coefficients).
        information: (variants, coefficients, coefficients); the inverse of the estimates' covariance.
    """

    likelihood: Reals
    gradient: Reals
    information: Reals


class _Tile(NamedTuple):
    """Of all variants and some people; ``chance``, (variants, people), is that of being a case."""

    people: slice
    genotypes: Singles
    chance: npt.NDArray[Any]
    missing: tuple[Indices, Indices]


class Likelihood:
    """Of one trait, given its covariates."""

    def __init__(self, covariates: Reals, trait: Trait) -> None:
        """Prepare; takes 4 bytes for each person and pair of covariates.

        Args:
            covariates: (people, covariates), the intercept first.
            trait: with cases as 1, controls as 0.
        """
        self.covariates = covariates.shape[1]
        self._left, self._right = np.triu_indices(self.covariates)
        self._x, self._rough_x = covariates, covariates.astype(np.float32)
        self._pairs = (covariates[:, self._left] * covariates[:, self._right]).astype(np.float32)
        self._cases = trait.values

    @cached_property
    def _exact_pairs(self) -> Reals:
        return self._x[:, self._left] * self._x[:, self._right]

    def at(self, genotypes: Genotypes, coefficients: Reals, precision: Precision = Precision.USUAL) -> Evaluated:
        """Evaluate at ``coefficients``, (variants, covariates + 1); the likelihood too if exactly."""
        variants, p = coefficients.shape[0], self.covariates
        level, gradient, information = np.zeros(variants), np.zeros((variants, p + 1)), np.zeros((variants, p + 1, p + 1))
        pairs = np.zeros((variants, len(self._left)))
        exact, rough = precision == Precision.EXACT, precision == Precision.ROUGH
        x, products = (self._x, self._exact_pairs) if exact else (self._rough_x, self._pairs)
        real = np.dtype(np.float32 if rough else np.float64)
        x_of_gradient, cases = (self._rough_x, self._cases.astype(real)) if rough else (self._x, self._cases)
        for tile in self._tiles(genotypes, coefficients, real):
            if exact:
                level += self._log_likelihood(tile)
            surprise = cases[tile.people] - tile.chance
            surprise[tile.missing] = 0
            gradient[:, :p] += surprise @ x_of_gradient[tile.people]
            gradient[:, p] += _row_products(surprise, tile.genotypes.astype(real, copy=False))
            weights = _weights(tile.chance if exact else tile.chance.astype(np.float32, copy=False))
            weights[tile.missing] = 0
            pairs += weights @ products[tile.people]
            weights *= tile.genotypes
            information[:, p, :p] += weights @ x[tile.people]
            information[:, p, p] += _row_products(weights, tile.genotypes)
        information[:, self._left, self._right] = information[:, self._right, self._left] = pairs
        information[:, :p, p] = information[:, p, :p]
        return Evaluated(level, gradient, information)

    def firth_gradient(self, genotypes: Genotypes, coefficients: Reals, covariance: Reals) -> Reals:
        """What the penalty, half the logarithm of the information's determinant, adds to the gradient (Firth 1993).

        Person i adds h_i (1/2 - mu_i) x_i, with leverage h_i = w_i x_i' C x_i for covariance C: once more products of pairs.
        """
        p = self.covariates
        added = np.zeros(coefficients.shape)
        doubled = np.where(self._left == self._right, 1.0, 2.0)
        of_pairs = covariance[:, self._left, self._right] * doubled
        for tile in self._tiles(genotypes, coefficients, np.dtype(np.float64)):
            x = self._x[tile.people]
            leverage = covariance[:, p, p, None] * tile.genotypes
            leverage += 2 * covariance[:, p, :p] @ x.T
            leverage *= tile.genotypes
            leverage += of_pairs @ self._exact_pairs[tile.people].T
            leverage *= _weights(tile.chance)
            leverage *= 0.5 - tile.chance
            leverage[tile.missing] = 0
            added[:, :p] += leverage @ x
            added[:, p] += _row_products(leverage, tile.genotypes.astype(np.float64))
        return added

    def _tiles(self, genotypes: Genotypes, coefficients: Reals, real: np.dtype[Any]) -> Iterator[_Tile]:
        against, people = (-coefficients).astype(real), len(self._cases)
        x = self._x if real == self._x.dtype else self._rough_x
        length = _TILE // len(coefficients)
        edges = np.searchsorted(genotypes.person, np.arange(0, people + length, length))
        for number, start in enumerate(range(0, people, length)):
            inside = slice(start, min(people, start + length))
            own = genotypes.centred[:, inside]
            odds = own.astype(real)  # first: a product of float64 and float32 takes twice as long
            odds *= against[:, -1:]
            odds += against[:, :-1] @ x[inside].T
            with np.errstate(over="ignore"):  # infinite odds against it are a chance of 0
                np.exp(odds, out=odds)
            odds += 1
            chance = np.divide(real.type(1), odds, out=odds)
            calls = slice(edges[number], edges[number + 1])
            yield _Tile(inside, own, chance, (genotypes.variant[calls], genotypes.person[calls] - start))

    def _log_likelihood(self, tile: _Tile) -> Reals:
        right = np.where(self._cases[tile.people] > 0, tile.chance, 1 - tile.chance)
        with np.errstate(divide="ignore"):  # impossible: minus infinity
            logs: Reals = np.log(right)
        logs[tile.missing] = 0
        total: Reals = logs.sum(axis=1)
        return total


def _weights(chance: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.asarray(chance - chance * chance)


def _row_products(left: npt.NDArray[Any], right: Singles) -> npt.NDArray[Any]:
    return np.asarray(np.einsum("vi,vi->v", left, right))
