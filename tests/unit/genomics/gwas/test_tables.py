from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from examples.genomics.gwas.bed import Fileset, Samples
from examples.genomics.gwas.design import UnfitModel, make_designs, make_traits
from examples.genomics.gwas.tables import case_control, own_phenotype, read_table
from examples.workload.errors import Malformed
from tests.unit.genomics.gwas.plink_files import random_genotypes, write_fileset

HEAD = "#FID\tIID\tage\tbmi\n"


@pytest.fixture
def samples(tmp_path: Path) -> Samples:
    people = ["f p0 0 0 1 1", "f p1 0 0 2 2", "g p2 0 0 1 -9", "g p3 f p0 2 0"]
    return Fileset.open(write_fileset(tmp_path / "x", random_genotypes(3, 4), people=people)).samples


def table(folder: Path, text: str) -> str:
    path = folder / "table"
    path.write_text(text)
    return str(path)


def test_rows_are_joined_by_ids(tmp_path: Path, samples: Samples) -> None:
    """In any order, with strangers counted and absent people missing, as NA and -9 are."""
    found = read_table(table(tmp_path, HEAD + "g p3 41 NA\nx y 1 2\nf p0 7 -9\n\nf p1 -9 2e1\n"), samples)
    assert (found.matched, found.others) == (3, 1)
    assert np.array_equal(found.columns["age"], [7, np.nan, np.nan, 41], equal_nan=True)
    assert np.array_equal(found.columns["bmi"], [np.nan, 20, np.nan, np.nan], equal_nan=True)


def test_individual_ids_alone_will_do(tmp_path: Path, samples: Samples) -> None:
    """A table with IID only is joined by it, and only the wanted columns are read."""
    found = read_table(table(tmp_path, "IID height note\np2 180 x\np0 170 y\n"), samples, ["height"])
    assert list(found.columns) == ["height"]
    assert np.array_equal(found.columns["height"], [170, np.nan, 180, np.nan], equal_nan=True)


BROKEN = [
    ("", "is empty"),
    ("f p0 1 2\n", "line 1: must begin with a header, '#FID IID NAME ...' or '#IID NAME ...', but begins with 'f p0 1 2'"),
    ("#FID IID\nf p0\n", "line 1: has no columns besides ids"),
    ("#FID IID a b a\n", "line 1: names a twice"),
    (HEAD + "f p0 1\n", "line 2: has 3 fields, but the header has 4"),
    (HEAD + "f p0 1 2\nf p1 1 tall\n", "line 3, column bmi: 'tall' is no number; missing values are NA or -9"),
    (HEAD + "f p0 1 inf\n", "line 2, column bmi: inf is not finite"),
    (HEAD + "f p0 1 2\nf p0 3 4\n", "line 3: f p0 is in line 2 already"),
    (
        HEAD + "a a 1 2\nb b 1 2\n",
        "none of its 2 people is among the 4 of the .fam; it has a a, b b, the .fam has f p0, f p1, g p2 (family and individual)",
    ),
]


@pytest.mark.parametrize(("text", "told"), BROKEN)
def test_what_is_wrong_with_a_table_is_named_with_its_place(tmp_path: Path, samples: Samples, text: str, told: str) -> None:
    """Line, column and numbers are told, and why nobody was matched."""
    path = table(tmp_path, text)
    with pytest.raises(Malformed) as caught:
        read_table(path, samples)
    assert str(caught.value) == f"{path}: {told}"


def test_columns_that_are_not_there_are_named(tmp_path: Path, samples: Samples) -> None:
    """A wanted column that the table lacks is refused with those that it has."""
    with pytest.raises(Malformed, match="has no column weight, size; it has age, bmi"):
        read_table(table(tmp_path, HEAD + "f p0 1 2\n"), samples, ["age", "weight", "size"])


def test_only_0_1_and_2_are_case_control(samples: Samples) -> None:
    """Cases become 1, controls 0, and 0 is missing; any other value makes the phenotype quantitative."""
    coded = case_control(own_phenotype(samples, "x.fam").columns["PHENO1"])
    assert coded is not None
    assert np.array_equal(coded, [0, 1, np.nan, np.nan], equal_nan=True)
    assert case_control(np.array([1, 2, 3.0])) is None
    assert case_control(np.array([0, 0, np.nan])) is None


def unfit(phenotype, **covariates) -> str:
    columns = {name: np.asarray(column, np.float64) for name, column in covariates.items()}
    with pytest.raises(UnfitModel) as caught:
        make_designs(make_traits({"y": np.asarray(phenotype, np.float64)}, columns), columns)
    return str(caught.value)


def test_models_that_cannot_be_fitted_say_why() -> None:
    """One value, nobody left, too few people, a constant, a combined and a nearly combined covariate are told by name."""
    y, a, b = np.random.default_rng(1).standard_normal((3, 50))
    some = np.where(np.arange(50) < 4, 1.0, np.nan)
    assert unfit(np.full(50, 7.0)) == "phenotype y: all 50 people have one value (7); there is nothing to explain"
    assert unfit(np.full(50, 2.0)) == "phenotype y: all 50 people have one value (case); there is nothing to explain"
    assert unfit(y, a=np.full(50, np.nan)) == "phenotype y: nobody has it and all 1 covariates"
    assert unfit(y * some, a=a, b=b) == "phenotype y: 4 people are too few for 2 covariates, a variant and an intercept"
    assert unfit(y, a=a, b=np.full(50, 3.0)) == "covariate b: is 3 for all 50 people of y; leave it out"
    assert (
        unfit(y, a=a, b=b, c=a - 2 * b) == "covariate c: is a combination of those before it among the 50 people of y; leave it out"
    )
    assert "(variance inflation factor" in unfit(y, a=a, b=a + 0.01 * b)


def test_a_byte_order_mark_is_no_part_of_the_header(tmp_path: Path, samples: Samples) -> None:
    """Tables that an editor saved with a mark before the header are read like others."""
    found = read_table(table(tmp_path, "\ufeff" + HEAD + "f p0 7 8\n"), samples)
    assert found.columns["age"][0] == 7
