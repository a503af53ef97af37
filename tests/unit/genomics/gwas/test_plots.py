from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from examples.genomics.gwas.bed import Fileset, Variants
from examples.genomics.gwas.plots import components, manhattan, qq
from tests.unit.genomics.gwas.plink_files import random_genotypes, write_fileset


@pytest.fixture
def variants(tmp_path: Path) -> Variants:
    chroms = ["1"] * 40 + ["2"] * 30 + ["22"] * 30
    return Fileset.open(write_fileset(tmp_path / "x", random_genotypes(100, 4), chroms)).variants


def words(svg: str) -> list[str]:
    """The texts of a chart."""
    assert "nan" not in re.sub(r">[^<]*<", "><", svg)  # no mark is nowhere
    return re.findall(r"<text[^>]*>([^<]*)<", svg)


def test_manhattan_names_chromosomes_and_what_stands_out(variants: Variants) -> None:
    """Chromosomes are on the axis, variants beyond 5e-8 are named unless a higher one is near, and missing P values are no harm."""
    logs = -np.linspace(0.1, 3, 100)
    logs[[10, 11, 75]] = -30, -25, -1000
    logs[20] = np.nan
    told = words(manhattan(variants, logs, "tall"))
    assert {"tall: association of 99 variants", "1", "2", "22", "v10", "v75"} <= set(told)
    assert "v11" not in told


def test_charts_of_nothing_are_charts(variants: Variants) -> None:
    """Without any P value, there are axes without marks."""
    nothing = np.full(100, np.nan)
    assert "tall: association of 0 variants" in words(manhattan(variants, nothing, "tall"))
    assert "tall: no P values" in words(qq({"tall": nothing}))


def test_qq_tells_lambda_of_each_trait() -> None:
    """P values as expected have lambda 1."""
    told = words(qq({"tall": np.log((np.arange(999) + 0.5) / 999), "wide": np.log(np.full(10, 0.5))}))
    assert "tall: lambda 1.000" in told
    assert "wide: lambda 1.000" in told


@pytest.mark.parametrize("number", [1, 2, 5])
def test_components_are_drawn_with_their_share(number: int) -> None:
    """The first two are drawn; a single one against itself."""
    vectors = np.random.default_rng(1).standard_normal((30, number))
    values = np.arange(number, 0, -1.0)
    told = words(components(vectors, values))
    assert f"PC1 ({values[0] / values.sum():.1%} of the {number})" in told
