"""Regression models: which people take part, what is regressed on what."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from examples.genomics.gwas.tables import Column, case_control

Matrix = npt.NDArray[np.float64]
_DEPENDENT = 1e-7  # share of a covariate that the ones before it do not explain, below which it is called collinear
_MOST_INFLATION = 50.0  # plink2's limit


class UnfitModel(ValueError):
    """A phenotype cannot be regressed on these covariates; the message says why."""


@dataclass(frozen=True)
class Trait:
    """One phenotype with the people who have it and all covariates.

    Attributes:
        name: of the phenotype.
        included: (samples,).
        values: (people included,): the phenotype; 0 and 1 if it is case/control.
        binary: whether it is.
    """

    name: str
    included: npt.NDArray[np.bool_]
    values: Column
    binary: bool


@dataclass(frozen=True)
class Design:
    """Traits of the same people share one design.

    Attributes:
        included: (samples,).
        covariates: (people included, 1 + covariates): the intercept first, the others of mean 0 and variance 1.
        basis: of the same shape and space, orthonormal.
        traits: at least one.
        inflation: largest variance inflation factor among covariates.
    """

    included: npt.NDArray[np.bool_]
    covariates: Matrix
    basis: Matrix
    traits: list[Trait]
    inflation: float

    def digest(self) -> str:
        """Of all numbers that go into estimates, for the ``inputs`` of a checkpoint."""
        arrays = [self.included, self.basis, *(trait.values for trait in self.traits)]
        return hashlib.sha256(b"".join(np.ascontiguousarray(each).tobytes() for each in arrays)).hexdigest()


def make_traits(phenotypes: Mapping[str, Column], covariates: Mapping[str, Column]) -> list[Trait]:
    """Drop people for whom the phenotype or any covariate is missing.

    Raises:
        UnfitModel: nobody is left, or all have one value.
    """
    whole = ~np.isnan(np.stack(list(covariates.values()))).any(axis=0) if covariates else None
    traits = []
    for name, column in phenotypes.items():
        coded = case_control(column)
        values = column if coded is None else coded
        included = ~np.isnan(values) if whole is None else ~np.isnan(values) & whole
        kept = values[included]
        if not len(kept):
            raise UnfitModel(f"phenotype {name}: nobody has it and all {len(covariates)} covariates")
        if (kept == kept[0]).all():
            what = {0.0: "control", 1.0: "case"}.get(kept[0], "") if coded is not None else f"{kept[0]:g}"
            raise UnfitModel(f"phenotype {name}: all {len(kept):,} people have one value ({what}); there is nothing to explain")
        traits.append(Trait(name, included, kept, coded is not None))
    return traits


def make_designs(traits: list[Trait], covariates: Mapping[str, Column]) -> list[Design]:
    """One design for the traits of the same people.

    Raises:
        UnfitModel: a covariate is constant, or a combination of others.
    """
    groups: dict[bytes, list[Trait]] = {}
    for trait in traits:
        groups.setdefault(np.packbits(trait.included).tobytes(), []).append(trait)
    return [_design(group, covariates) for group in groups.values()]


def _design(traits: list[Trait], covariates: Mapping[str, Column]) -> Design:
    included = traits[0].included
    people, who = int(included.sum()), ", ".join(trait.name for trait in traits)
    if people <= len(covariates) + 2:
        raise UnfitModel(
            f"phenotype {who}: {people} people are too few for {len(covariates)} covariates, a variant and an intercept"
        )
    columns = [np.ones(people)]
    for name, column in covariates.items():
        values = column[included]
        if (values == values[0]).all():
            raise UnfitModel(f"covariate {name}: is {values[0]:g} for all {people:,} people of {who}; leave it out")
        columns.append((values - values.mean()) / values.std())
    matrix = np.column_stack(columns)
    basis, upper = np.linalg.qr(matrix)
    own = np.abs(np.diag(upper)) / np.sqrt(people)
    for name, share in zip(covariates, own[1:], strict=True):
        if share < _DEPENDENT:
            raise UnfitModel(
                f"covariate {name}: is a combination of those before it among the {people:,} people of {who}; leave it out"
            )
    inflation = 1.0
    if covariates:
        factors = np.diag(np.linalg.inv(matrix[:, 1:].T @ matrix[:, 1:] / people))
        inflation = float(factors.max())
        if inflation > _MOST_INFLATION:
            worst = list(covariates)[int(factors.argmax())]
            raise UnfitModel(
                f"covariate {worst}: the others explain all but {1 / inflation:.2%} of it among the people of {who} "
                f"(variance inflation factor {inflation:.0f}, at most {_MOST_INFLATION:.0f} as in plink2); leave one out"
            )
    return Design(included, matrix, basis, traits, inflation)
