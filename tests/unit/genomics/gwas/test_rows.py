from __future__ import annotations

import numpy as np
import pytest

from examples.genomics.gwas import rows
from examples.genomics.gwas.rows import Rows
from examples.workload.communicator import Alone
from tests.unit.genomics.gwas.dense import Matrix
from tests.unit.workload.thread_ranks import ThreadComm, run_ranks

PEOPLE = 200


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "PEOPLE", 32)


def vectors(columns: int, seed: int) -> Matrix:
    return np.random.default_rng(seed).standard_normal((PEOPLE, columns))


def test_products_are_those_of_whole_vectors() -> None:
    """Inner products, products with small matrices, lengths and whole vectors are numpy's, on three ranks."""
    left, right, small = vectors(5, 1), vectors(3, 2), np.random.default_rng(3).standard_normal((5, 2))

    def program(comm: ThreadComm) -> tuple[Matrix, Matrix, Matrix]:
        own = Rows(comm, PEOPLE)
        times = own.whole(own.times(own.own(left), small))
        return own.inner(own.own(left), own.own(right)), times, own.lengths(own.own(right))

    for inner, times, lengths in run_ranks(3, program):
        assert np.allclose(inner, left.T @ right, rtol=1e-12)
        assert np.allclose(times, left @ small, rtol=1e-12)
        assert np.allclose(lengths, np.linalg.norm(right, axis=0), rtol=1e-12)


@pytest.mark.parametrize("size", [2, 5, 8])
def test_bits_do_not_depend_on_the_number_of_ranks(size: int) -> None:
    """An orthonormal block has the same bits on any number of ranks, ranks without people among them."""
    basis = np.linalg.qr(vectors(7, 4))[0]

    def program(comm: Alone | ThreadComm) -> bytes:
        own = Rows(comm, PEOPLE)
        return own.whole(own.orthonormal(own.own(basis), own.own(vectors(6, 5)), 6)).tobytes()

    expected = program(Alone())
    assert all(found == expected for found in run_ranks(size, program))


@pytest.mark.parametrize("scale", [1.0, 1e-7, 1e-13])
def test_block_becomes_orthonormal_however_dependent_it_is(scale: float) -> None:
    """Columns that are nearly those of the basis, or of one another, give directions that are orthonormal and not in the basis."""
    basis = np.linalg.qr(vectors(7, 4))[0]
    block = basis @ np.random.default_rng(6).standard_normal((7, 6)) + scale * vectors(6, 5)
    block[:, 3] = block[:, 2] + scale * 1e-3 * vectors(1, 7)[:, 0]
    found = Rows(Alone(), PEOPLE).orthonormal(basis, block, 6)
    assert np.abs(found.T @ found - np.eye(6)).max() < 1e-13
    assert np.abs(basis.T @ found).max() < 1e-13


def test_no_more_directions_than_there_are() -> None:
    """Where the basis leaves room for two directions only, two are found."""
    basis = np.linalg.qr(vectors(PEOPLE - 2, 4))[0]
    found = Rows(Alone(), PEOPLE).orthonormal(basis, vectors(6, 5), 2)
    assert found.shape == (PEOPLE, 2)
    assert np.abs(basis.T @ found).max() < 1e-12
    assert np.abs(found.T @ found - np.eye(2)).max() < 1e-12
