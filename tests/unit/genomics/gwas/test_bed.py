from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from examples.genomics.gwas.bed import Fileset
from examples.genomics.gwas.genotypes import count, decode, mask, missing_positions
from examples.workload.errors import Malformed
from tests.unit.genomics.gwas.plink_files import Called, random_genotypes, write_fileset


@pytest.fixture(params=[1, 3, 4, 5, 31, 32, 33, 130])
def called(request: pytest.FixtureRequest) -> Called:
    return random_genotypes(9, request.param, seed=request.param, missing=0.2)


def test_genotypes_come_back_as_they_were_written(tmp_path: Path, called: Called) -> None:
    """Dosages are A1 alleles, missing calls and the people that pad a row are 0, whatever the number of people."""
    fileset = Fileset.open(write_fileset(tmp_path / "x", called))
    samples = called.shape[1]
    dosages = decode(fileset.packed(2, 8), np.full((9, fileset.width), 7, np.float32))
    assert dosages.shape == (6, fileset.width)
    assert np.array_equal(dosages[:, :samples], np.maximum(called[2:8], 0))
    assert not dosages[:, samples:].any()


def test_counts_are_those_of_genotypes(tmp_path: Path, called: Called) -> None:
    """Homozygotes, heterozygotes and missing calls add up to the people there are."""
    fileset = Fileset.open(write_fileset(tmp_path / "x", called))
    counts = count(fileset.packed(0, 9), called.shape[1])
    for found, dosage in ((counts.hom_a1, 2), (counts.het, 1), (counts.hom_a2, 0), (counts.missing, -1)):
        assert np.array_equal(found, (called == dosage).sum(axis=1))
    assert np.array_equal(counts.a1, np.where(called > 0, called, 0).sum(axis=1))


def test_missing_calls_are_found_in_order(tmp_path: Path, called: Called) -> None:
    """Positions of missing calls are those of a plain search."""
    fileset = Fileset.open(write_fileset(tmp_path / "x", called))
    rows, people = missing_positions(fileset.packed(0, 9))
    assert np.array_equal(np.stack((rows, people)), np.stack(np.nonzero(called == -1)))


def test_people_who_are_left_out_count_as_no_allele(tmp_path: Path, called: Called) -> None:
    """A masked row has the same counts as one of the other people alone, and no missing call of those left out."""
    fileset = Fileset.open(write_fileset(tmp_path / "x", called))
    included = np.arange(called.shape[1]) % 3 != 1
    masked = fileset.packed(0, 9) | mask(included, fileset.width)
    counts = count(masked, int(included.sum()))
    for found, dosage in ((counts.hom_a1, 2), (counts.het, 1), (counts.hom_a2, 0), (counts.missing, -1)):
        assert np.array_equal(found, (called[:, included] == dosage).sum(axis=1))


def test_chromosomes_have_the_names_plink_prints(tmp_path: Path) -> None:
    """Numbers and prefixes are told apart as plink2 does; X, Y and the mitochondrion are not diploid in everybody."""
    chroms = ["chr1", "22", "23", "x", "chrY", "XY", "26", "0", "scaffold_7"]
    variants = Fileset.open(write_fileset(tmp_path / "x", random_genotypes(9, 6), chroms)).variants
    assert variants.chrom == ["1", "22", "X", "X", "Y", "XY", "MT", "0", "scaffold_7"]
    assert variants.autosomal.tolist() == [True, True] + [False] * 7
    assert variants.diploid.tolist() == [True, True, False, False, False, True, False, True, True]


BROKEN = [
    ("bed", lambda old: old[:-1], "has 20 bytes, but 9 variants of 6 samples take 3 + 9 x 2 = 21; is it cut off"),
    ("bed", lambda old: old + b"\0", "has 22 bytes, but 9 variants of 6 samples take 3 + 9 x 2 = 21"),
    ("bed", lambda old: b"\x6c\x1b\x00" + old[3:], "is in sample-major mode; make it variant-major: plink --bfile OLD --make-bed"),
    ("bed", lambda old: b"PK\x03" + old[3:], "begins with 50 4b 03, a PLINK 1 .bed with 6c 1b 01"),
    ("bed", lambda _: b"", "begins with nothing, a PLINK 1 .bed with 6c 1b 01"),
    ("fam", lambda old: old.replace(b"p3 p3 0 0 2 -9", b"p3 p3 0 0 2"), "line 4: has 5 fields, but must have 6"),
    ("fam", lambda old: old.replace(b"p5 p5", b"p2 p2"), "line 6: p2 p2 is in line 3 already"),
    ("fam", lambda _: b"", "is empty"),
    ("bim", lambda old: old.replace(b"\t207\t", b"\t2e5\t"), "line 3: the position '2e5' is no whole number"),
    ("bim", lambda old: old.replace(b"\tv4\t", b"\tv4\tx\t"), "line 5: has 7 fields, but must have 6"),
    ("bim", lambda _: b"1\t\xff\t0\t1\tA\tC\n", "byte 2: is not text"),
]


@pytest.mark.parametrize(("ending", "change", "told"), BROKEN)
def test_files_that_do_not_fit_are_named_with_place_and_numbers(tmp_path: Path, ending: str, change, told: str) -> None:
    """A fileset that is cut off, of the wrong kind or not well formed is refused before anything is computed."""
    prefix = write_fileset(tmp_path / "x", random_genotypes(9, 6))
    path = Path(f"{prefix}.{ending}")
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(Malformed) as caught:
        Fileset.open(prefix)
    assert str(caught.value).startswith(f"{path}: ")
    assert told in str(caught.value)


def test_genotypes_that_vanish_during_a_run_are_noticed(tmp_path: Path) -> None:
    """A .bed that becomes shorter after it was opened ends the run instead of giving old bytes."""
    fileset = Fileset.open(write_fileset(tmp_path / "x", random_genotypes(9, 6)))
    (tmp_path / "x.bed").write_bytes(b"\x6c\x1b\x01" + bytes(10))
    with pytest.raises(Malformed, match="variant 4: ends before it did when this run began"):
        fileset.packed(3, 9)
