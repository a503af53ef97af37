from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from examples.genomics.gwas import grm
from examples.genomics.gwas.bed import Fileset
from examples.workload.arguments import CheckpointPlan
from examples.workload.communicator import Alone
from examples.workload.errors import BadArguments, Malformed
from tests.unit.genomics.gwas.dense import Matrix, standardized
from tests.unit.genomics.gwas.plink_files import random_genotypes, write_fileset
from tests.unit.workload.thread_ranks import ThreadComm, run_ranks

NOWHERE = CheckpointPlan(None, 60.0)
CHROMOSOMES = ["1"] * 700 + ["X"] * 9 + ["2"] * 600
CALLED = random_genotypes(len(CHROMOSOMES), 150, seed=3)


@pytest.fixture
def fileset(tmp_path: Path) -> Fileset:
    return Fileset.open(write_fileset(tmp_path / "x", CALLED, CHROMOSOMES))


def whole() -> Matrix:
    x = standardized(CALLED[[name != "X" for name in CHROMOSOMES]])
    found: Matrix = x @ x.T / x.shape[1]
    return found


def square(comm: Alone | ThreadComm, fileset: Fileset, path: Path) -> bytes:
    grm.write_square(comm, path, grm.run(comm, fileset, grm.Plan(), NOWHERE))
    return path.read_bytes()


def test_matrix_is_that_of_the_whole_genotypes(fileset: Fileset, tmp_path: Path) -> None:
    """Every value of .rel.bin is numpy's to float32's digits, and it is symmetric."""
    found = np.frombuffer(square(Alone(), fileset, tmp_path / "x.rel.bin")).reshape(150, 150)
    assert np.abs(found - whole()).max() < 1e-6
    assert np.array_equal(found, found.T)


def test_triangle_is_the_half_of_the_square(fileset: Fileset, tmp_path: Path) -> None:
    """GCTA's files have the lower triangle row by row as float32, and from how many variants each value is."""
    relationships = grm.run(Alone(), fileset, grm.Plan(), NOWHERE)
    grm.write_triangle(Alone(), tmp_path / "x.grm.bin", relationships)
    grm.write_counts(tmp_path / "x.grm.N.bin", relationships)
    found = np.fromfile(tmp_path / "x.grm.bin", np.float32)
    whole = np.frombuffer(square(Alone(), fileset, tmp_path / "x.rel.bin")).reshape(150, 150)
    assert np.array_equal(found, whole[np.tril_indices(150)].astype(np.float32))
    assert np.array_equal(np.fromfile(tmp_path / "x.grm.N.bin", np.float32), np.full(150 * 151 // 2, 1300, np.float32))


def test_variants_of_x_alone_are_refused(tmp_path: Path) -> None:
    """There is nothing to make relationships from; zeros are not written as if they were some."""
    fileset = Fileset.open(write_fileset(tmp_path / "x", CALLED[:9], ["X"] * 9))
    with pytest.raises(Malformed, match=r"x\.bim: has 0 variants that are not on X, Y, MT"):
        grm.run(Alone(), fileset, grm.Plan(), NOWHERE)


@pytest.mark.parametrize("size", [2, 3, 7, 12])
def test_bytes_do_not_depend_on_the_number_of_ranks(fileset: Fileset, tmp_path: Path, size: int) -> None:
    """The matrix has the same bytes from any number of ranks, ranks without a tile among them."""
    expected = square(Alone(), fileset, tmp_path / "one")
    assert run_ranks(size, lambda comm: square(comm, fileset, tmp_path / "many"))[0] == expected


class Ended(Exception):
    """The node was taken away."""


class CutFileset(Fileset):
    """Genotypes that can be read so many times."""

    def packed(self, first: int, last: int) -> np.ndarray:
        if first > 300:
            raise Ended
        return super().packed(first, last)


def test_ended_run_goes_on_with_other_ranks(fileset: Fileset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ended after the first block on three ranks and resumed by two: the other blocks only, and the same bytes."""
    monkeypatch.setattr(grm, "_STEP_DOSAGES", 1)
    kept = CheckpointPlan(str(tmp_path / "kept"), 0.0)
    cut = CutFileset(fileset.prefix, fileset.samples, fileset.variants, fileset.bed, fileset.versions)
    with pytest.raises(Ended):
        run_ranks(3, lambda comm: grm.run(comm, cut, grm.Plan(), kept))
    expected = square(Alone(), fileset, tmp_path / "one")

    def rest(comm: ThreadComm) -> bytes:
        grm.write_square(comm, tmp_path / "rest", grm.run(comm, fileset, grm.Plan(), kept))
        return (tmp_path / "rest").read_bytes()

    assert run_ranks(2, rest)[0] == expected


def test_matrix_that_takes_too_much_memory_is_refused(fileset: Fileset) -> None:
    """Before anything is computed: how much it takes, how much a rank may have, and how many ranks would do."""
    with pytest.raises(BadArguments, match=r"--grm: the matrix of 150 people takes 0 MiB .* take 10 ranks or more"):
        grm.run(Alone(), fileset, grm.Plan(memory=20_000), NOWHERE)


@pytest.mark.parametrize("people", [1, 31, 127, 128, 500, 5000, 6000])
@pytest.mark.parametrize("size", [1, 2, 5, 100])
def test_tiles_are_dealt_out_once(people: int, size: int) -> None:
    """Strips begin with whole words and end with the last person; each tile has one rank; shares are about equal."""
    bounds = grm.strips(people)
    assert all(bound % 32 == 0 for bound in bounds[:-1])
    assert bounds[-1] == people
    tiles = [(row, column) for row in range(len(bounds) - 1) for column in range(row + 1)]
    shares = [grm.share(tiles, rank, size) for rank in range(size)]
    assert [place for first, last in shares for place in range(first, last)] == list(range(len(tiles)))
    costs = [sum(1 if row == column else 2 for row, column in tiles[first:last]) for first, last in shares]
    assert max(costs) <= sum(costs) / size + 2


def test_ids_are_those_of_the_samples(fileset: Fileset) -> None:
    """plink2's list has a header, GCTA's has none."""
    assert grm.ids(fileset.samples, header=True).startswith("#FID\tIID\np0\tp0\np1\tp1\n")
    assert grm.ids(fileset.samples, header=False).splitlines()[149] == "p149\tp149"
