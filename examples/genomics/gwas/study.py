"""Everything a run reads besides genotypes: people, variants, phenotypes, covariates; checked together, before any work."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from examples.genomics.gwas import grm, lmm, pca
from examples.genomics.gwas.arguments import Arguments
from examples.genomics.gwas.bed import Fileset
from examples.genomics.gwas.design import Design, Trait, UnfitModel, make_designs, make_traits
from examples.genomics.gwas.score_table import ScoreTable, read_scores
from examples.genomics.gwas.tables import Column, Table, own_phenotype, read_table
from examples.genomics.gwas.vcf import Conversion
from examples.workload.errors import Malformed

T = TypeVar("T")
_NO_PHENOTYPE = {"-9", "NA", "nan", "0"}
FILE_NAME = r"[A-Za-z0-9][A-Za-z0-9_.+-]*"


@dataclass(frozen=True)
class Study:
    """What is studied.

    Attributes:
        fileset: genotypes.
        phenotypes: the table, None if no analysis looks at one.
        covariates: the table, None if there is none.
        weights: of polygenic scores, None if there is none.
        conversion: what rank 0 made the fileset of, None if it was there or this is another rank.
    """

    fileset: Fileset
    phenotypes: Table | None
    covariates: Table | None
    weights: ScoreTable | None = None
    conversion: Conversion | None = None

    def models(self, components: Mapping[str, Column] | None = None) -> tuple[list[Trait], list[Design]]:
        """Traits and designs.

        Args:
            components: further covariates, by name.

        Raises:
            Malformed: a phenotype cannot be regressed on the covariates; says which and why.
        """
        if self.phenotypes is None:
            return [], []
        covariates = {**(self.covariates.columns if self.covariates else {}), **(components or {})}
        try:
            traits = make_traits(self.phenotypes.columns, covariates)
            return traits, make_designs(traits, covariates)
        except UnfitModel as error:
            where = self.covariates.address if self.covariates and str(error).startswith("covariate") else self.phenotypes.address
            raise Malformed(where, str(error)) from None

    def inputs(self) -> dict[str, str]:
        """Versions of all files, by address."""
        tables = [table for table in (self.phenotypes, self.covariates, self.weights) if table]
        return self.fileset.versions | {table.address: table.version for table in tables if table.version}


def open_study(arguments: Arguments, conversion: Conversion | None = None) -> Study:
    """Read and check.

    Raises:
        Malformed: with everything that is wrong with the tables.
        OSError: a file is not there.
    """
    fileset = Fileset.open(arguments.bfile)
    problems: list[Malformed] = []

    def tried(read: Callable[[], T]) -> T | None:
        try:
            return read()
        except Malformed as problem:
            problems.append(problem)
            return None

    phenotypes = covariates = weights = None
    regress = bool(arguments.analyses & {"glm", "lmm"})
    if regress or ("missing" in arguments.analyses and (arguments.pheno or set(fileset.samples.phenotype) - _NO_PHENOTYPE)):
        phenotypes = tried(lambda: _phenotypes(arguments, fileset))
    for check in _checks(arguments, fileset):
        tried(check)
    if arguments.covar:
        covariates = tried(lambda: _covariates(arguments, fileset))
    if arguments.score:
        weights = tried(lambda: read_scores(arguments.score or "", fileset.variants))
    study = Study(fileset, phenotypes, covariates, weights, conversion)
    if regress and not problems:
        tried(study.models)
    if problems:
        first, *others = problems
        raise Malformed(first.path, "\n".join([first.what, *map(str, others)]), first.place)
    return study


def _checks(arguments: Arguments, fileset: Fileset) -> list[Callable[[], object]]:
    """Whether the analyses can be of such people and variants."""
    checks: dict[str, Callable[[], object]] = {
        "lmm": lambda: _autosomes(fileset),
        "pca": lambda: pca.check(fileset, max(1, arguments.pcs)),
        "grm": lambda: grm.check(fileset),
    }
    return [check for analysis, check in checks.items() if analysis in arguments.analyses]


def _autosomes(fileset: Fileset) -> list[str]:
    try:
        return lmm.autosomes(fileset)
    except UnfitModel as error:
        raise Malformed(f"{fileset.prefix}.bim", str(error)) from None


def _covariates(arguments: Arguments, fileset: Fileset) -> Table:
    table = read_table(arguments.covar or "", fileset.samples, arguments.covar_names)
    components = {f"PC{number + 1}" for number in range(arguments.pcs)}
    if both := [name for name in table.columns if name in components]:
        raise Malformed(
            table.address,
            f"has {', '.join(both)} as --pcs {arguments.pcs} does, and a model cannot have two covariates of one name; "
            "leave --pcs out, rename the columns, or choose others with --covar-name",
            "line 1",
        )
    return table


def _phenotypes(arguments: Arguments, fileset: Fileset) -> Table:
    if arguments.pheno:
        table = read_table(arguments.pheno, fileset.samples, arguments.pheno_names)
    else:
        table = own_phenotype(fileset.samples, f"{arguments.bfile}.fam")
        if np.isnan(table.columns["PHENO1"]).all():
            raise Malformed(table.address, "has no phenotype in its sixth column (all are missing); give --pheno FILE")
    if strange := [name for name in table.columns if not re.fullmatch(FILE_NAME, name)]:
        raise Malformed(table.address, f"the name {strange[0]!r} of a phenotype cannot be part of a file's name", "line 1")
    return table
