"""The likelihood of a case/control trait, for many variants at once: gradient, information, Firth's penalty.

The model of a variant has the covariates X of all variants and its own genotypes g; only the weights W = diag(mu (1 - mu)) differ.
So X'WX of a whole block is one matrix product: weights (variants, people) by products of pairs of covariates (people, pairs). That
takes 1.2 ns a genotype with 11 covariates; one X'WX after the other takes 9.

Products are in float32 over a tile of people, whose arrays stay in the L2 cache, and tiles are added up in float64. Coefficients are
rounded to float32 first and steps are taken from the rounded ones, so that a gradient belongs to its coefficients.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from examples.genomics.gwas.design import Trait
from examples.genomics.gwas.genotypes import Dosages

Reals = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Indices = npt.NDArray[np.intp]
_TILE = 512  # people: with 128 variants an array has 256 KiB


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
        """These variants only."""
        place = np.full(len(self.centred), -1)
        place[rows] = np.arange(len(rows))
        kept = place[self.variant] >= 0
        return Genotypes(self.centred[rows], place[self.variant[kept]], self.person[kept])


class Evaluated(NamedTuple):
    """At some coefficients, the variant's last.

    Attributes:
        likelihood: logarithms, (variants,); 0 if not asked for.
        gradient: (variants, coefficients).
        information: (variants, coefficients, coefficients); the inverse of the estimates' covariance.
    """

    likelihood: Reals
    gradient: Reals
    information: Reals


class _Tile(NamedTuple):
    people: slice
    genotypes: Singles
    covariates: Singles
    chance: Singles
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
        self._x = covariates.astype(np.float32)
        self._pairs = (covariates[:, self._left] * covariates[:, self._right]).astype(np.float32)
        self._cases = trait.values.astype(np.float32)

    def at(self, genotypes: Genotypes, coefficients: Reals, *, likelihood: bool = False) -> Evaluated:
        """Evaluate at ``coefficients``, (variants, covariates + 1), each a float32 number."""
        variants, p = coefficients.shape[0], self.covariates
        level, gradient, information = np.zeros(variants), np.zeros((variants, p + 1)), np.zeros((variants, p + 1, p + 1))
        pairs = np.zeros((variants, len(self._left)))
        for tile in self._tiles(genotypes, coefficients):
            cases, chance = self._cases[tile.people], tile.chance
            if likelihood:
                level += _log_likelihood(cases, tile)
            surprise = cases - chance
            weights = chance - chance * chance
            surprise[tile.missing] = 0
            weights[tile.missing] = 0
            gradient[:, :p] += surprise @ tile.covariates
            gradient[:, p] += _row_products(surprise, tile.genotypes)
            pairs += weights @ self._pairs[tile.people]
            weights *= tile.genotypes
            information[:, p, :p] += weights @ tile.covariates
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
        of_pairs = (covariance[:, self._left, self._right] * doubled).astype(np.float32)
        of_genotype = (2 * covariance[:, p, :p]).astype(np.float32)
        of_square = covariance[:, p, p, None].astype(np.float32)
        for tile in self._tiles(genotypes, coefficients):
            leverage = of_square * tile.genotypes
            leverage += of_genotype @ tile.covariates.T
            leverage *= tile.genotypes
            leverage += of_pairs @ self._pairs[tile.people].T
            leverage *= tile.chance - tile.chance * tile.chance
            leverage *= np.float32(0.5) - tile.chance
            leverage[tile.missing] = 0
            added[:, :p] += leverage @ tile.covariates
            added[:, p] += _row_products(leverage, tile.genotypes)
        return added

    def _tiles(self, genotypes: Genotypes, coefficients: Reals) -> Iterator[_Tile]:
        singles = coefficients.astype(np.float32)
        of_covariates, of_genotype = np.ascontiguousarray(-singles[:, :-1]), -singles[:, -1:]
        people = len(self._cases)
        edges = np.searchsorted(genotypes.person, np.arange(0, people + _TILE, _TILE))
        for number, start in enumerate(range(0, people, _TILE)):
            inside = slice(start, min(people, start + _TILE))
            own, x = genotypes.centred[:, inside], self._x[inside]
            odds = of_genotype * own
            odds += of_covariates @ x.T
            with np.errstate(over="ignore"):  # an infinite odds against it is a chance of 0
                np.exp(odds, out=odds)
            odds += 1
            chance = np.divide(np.float32(1), odds, out=odds)
            calls = slice(edges[number], edges[number + 1])
            yield _Tile(inside, own, x, chance, (genotypes.variant[calls], genotypes.person[calls] - start))


def _log_likelihood(cases: Singles, tile: _Tile) -> Reals:
    right = np.where(cases > 0, tile.chance, 1 - tile.chance)
    with np.errstate(divide="ignore"):  # impossible: minus infinity
        logs = np.log(right)
    logs[tile.missing] = 0
    return logs.sum(axis=1, dtype=np.float64)


def _row_products(left: Singles, right: Singles) -> Singles:
    return np.einsum("vi,vi->v", left, right)
