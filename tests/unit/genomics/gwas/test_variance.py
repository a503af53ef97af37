from __future__ import annotations

import numpy as np
import pytest

from examples.genomics.gwas.conjugate_gradients import Solutions
from examples.genomics.gwas.lanczos import Lanczos, Spectra
from examples.genomics.gwas.variance import estimate
from tests.unit.genomics.gwas.dense import Matrix


@pytest.fixture
def matrix() -> Matrix:
    """Symmetric, positive definite, with a few large eigenvalues, as people's relationships have."""
    rng = np.random.default_rng(2)
    half = rng.standard_normal((60, 90)) * np.where(np.arange(60) < 3, 5.0, 1.0)[:, None]
    return np.asarray(half @ half.T / 90, np.float64)


def test_quadrature_gives_quadratic_forms_for_all_shifts(matrix: Matrix) -> None:
    """After 40 products b' (K + shift)**-p b is exact to eight digits, for each shift, though no system was solved."""
    vectors = np.random.default_rng(1).standard_normal((60, 4))
    run = Lanczos.start(vectors)
    for _ in range(40):
        run.step(lambda now: matrix @ now)
    shifts = np.array([0.05, 1.0, 30.0])
    for power in (1, 2):
        found = run.spectra().inverse(shifts, power)
        for column, vector in enumerate(vectors.T):
            for at, shift in enumerate(shifts):
                inverse = np.linalg.matrix_power(np.linalg.inv(matrix + shift * np.eye(60)), power)
                assert np.isclose(found[column, at], vector @ inverse @ vector / (vector @ vector), rtol=1e-8)


def test_run_that_has_seen_everything_stays_as_it_is() -> None:
    """A vector in the span of two eigenvectors ends after two steps; further steps change nothing."""
    matrix = np.diag([1.0, 2.0, 3.0, 4.0])
    run = Lanczos.start(np.array([[1.0], [0.0], [2.0], [0.0]]))
    for _ in range(6):
        run.step(lambda now: matrix @ now)
    found = run.spectra().inverse(np.array([0.5]), 1)[0, 0]
    assert found == pytest.approx((1 / 1.5 + 4 / 3.5) / 5)


def test_estimate_is_the_maximum_of_the_restricted_likelihood(matrix: Matrix) -> None:
    """With whole spectra, delta, h2 and its standard error are those of the likelihood's maximum and its expected information."""
    values, vectors = np.linalg.eigh(matrix)
    rng = np.random.default_rng(4)
    trait = vectors @ (np.sqrt(values + 1.5) * rng.standard_normal(60))
    squares = np.square(vectors.T @ trait)
    everything = Spectra(values[None], np.full((1, 60), 1 / 60))
    found = estimate(Spectra(values[None], squares[None] / squares.sum()), everything, 60)
    grid = np.exp(np.linspace(-4, 6, 100_001))[:, None]
    deviance = 60 * np.log((squares / (values + grid)).sum(axis=1)) + np.log(values + grid).sum(axis=1)
    assert np.isclose(found.delta, float(grid[deviance.argmin(), 0]), rtol=2e-4)
    inverse = np.diag(1 / (values + found.delta))
    parts = [np.diag(values) @ inverse, inverse]
    information = np.array([[np.trace(a @ b) for b in parts] for a in parts]) / 2
    gradient = np.array([found.delta, -1.0]) / (1 + found.delta) ** 2
    assert np.isclose(found.standard_error, np.sqrt(gradient @ np.linalg.inv(information) @ gradient), rtol=1e-9)


def test_systems_are_solved_each_to_its_own_tolerance(matrix: Matrix) -> None:
    """Two systems with shifts of their own: both solved, and the one with the wide tolerance left the others early."""
    right = np.random.default_rng(3).standard_normal((60, 2))
    shifts, taken = np.array([0.2, 2.0]), []
    solutions = Solutions.start(right, np.array([1e-10, 1e-2]))
    while len(columns := solutions.open):
        taken.append(columns.tolist())
        solutions.step(lambda now, some: matrix @ now + shifts[some] * now, columns)
    for column, shift in enumerate(shifts):
        expected = np.linalg.solve(matrix + shift * np.eye(60), right[:, column])
        off = np.linalg.norm(solutions.found[:, column] - expected) / np.linalg.norm(expected)
        assert off < [1e-9, 1e-2][column]
    assert taken[0] == [0, 1]
    assert taken[-1] == [0]
