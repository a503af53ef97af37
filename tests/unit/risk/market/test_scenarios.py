from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from examples.risk.market.bootstrap import Bootstrap
from examples.risk.market.elliptical import Elliptical, Mixing, mixing
from examples.risk.market.scenarios import BLOCK, Scenarios

COVARIANCE = np.array([[4.0, 1.2, -0.5], [1.2, 1.0, 0.1], [-0.5, 0.1, 0.25]]) * 1e-4


def drawn(scenarios: Scenarios, blocks: int) -> npt.NDArray[np.float64]:
    out = np.empty((scenarios.factors, BLOCK), np.float32)
    return np.concatenate([scenarios.fill(block, out).astype(np.float64) for block in range(blocks)], axis=1)


@pytest.mark.parametrize("degrees", [4.0, 5.5, math.inf])
def test_elliptical_scenarios_have_their_covariance_and_margins(degrees: float) -> None:
    """Of 200,000 draws the covariance is the given one, and each factor is a t, or normal, of its variance (Kolmogorov-Smirnov)."""
    scenarios = Elliptical(COVARIANCE, degrees, seed=3)
    moves = drawn(scenarios, 49)
    np.testing.assert_allclose(scenarios.scale, np.sqrt(np.diag(COVARIANCE)), rtol=1e-12)
    scaled = moves / scenarios.scale[:, None]
    expected = COVARIANCE / np.outer(scenarios.scale, scenarios.scale)
    assert np.abs(np.cov(scaled) - expected).max() < (0.05 if degrees < 5 else 0.02)
    margin = stats.norm() if math.isinf(degrees) else stats.t(degrees, scale=math.sqrt((degrees - 2) / degrees))
    for row in scaled:
        assert stats.kstest(row, margin.cdf).pvalue > 1e-3


def test_the_factors_of_a_t_move_together() -> None:
    """The squared distance over the number of factors is Snedecor's F, as of a multivariate t, not of three t of their own."""
    moves = drawn(Elliptical(COVARIANCE, 4.0, seed=8), 25)
    distances = np.square(np.linalg.solve(np.linalg.cholesky(COVARIANCE), moves)).sum(axis=0)
    assert stats.kstest(2 * distances / 3, stats.f(3, 4).cdf).pvalue > 1e-3  # the scale matrix is half the covariance


@pytest.mark.parametrize("degrees", [2.5, 4.0, 30.0])
def test_the_table_of_factors_is_the_inverse_distribution(degrees: float) -> None:
    """The table differs from sqrt((nu - 2) / chi2) at the same probability by 1e-8, relatively, wherever draws are."""
    normals = np.linspace(-7.4, 7.4, 20001)
    table = Mixing(degrees, len(normals))(normals, np.empty_like(normals))
    np.testing.assert_allclose(table, mixing(normals, degrees), rtol=1.5e-8)
    middle = normals[::2000]
    chi2 = stats.chi2(degrees).ppf(stats.norm.cdf(middle))
    np.testing.assert_allclose(mixing(middle, degrees)[:8], np.sqrt((degrees - 2) / chi2)[:8], rtol=1e-7)


def test_a_block_is_a_function_of_its_number_and_the_seed() -> None:
    """A block has the same bits first or last, other blocks and seeds have other ones, and few degrees are refused."""
    changes = np.random.default_rng(1).standard_normal((90, 3))
    first: list[Scenarios] = [Elliptical(COVARIANCE, 4.0, seed=1), Bootstrap(changes, 10, 3, seed=1)]
    again: list[Scenarios] = [Elliptical(COVARIANCE, 4.0, seed=1), Bootstrap(changes, 10, 3, seed=1)]
    for one, other in zip(first, again, strict=True):
        blocks = drawn(one, 3)
        out = np.empty((3, BLOCK), np.float32)
        assert other.fill(2, out).tobytes() == blocks[:, 2 * BLOCK :].astype(np.float32).tobytes()
        assert not np.array_equal(blocks[:, :BLOCK], blocks[:, BLOCK : 2 * BLOCK])
    assert not np.array_equal(drawn(first[0], 1), drawn(Elliptical(COVARIANCE, 4.0, seed=2), 1))
    with pytest.raises(ValueError, match=r"2\.0 degrees of freedom: must be at least 2\.5"):
        Elliptical(COVARIANCE, 2.0, seed=1)


def test_the_bootstrap_draws_days_of_the_past() -> None:
    """With a horizon of one day each scenario is a past day less the mean, each day as often as chance has it."""
    changes = 0.01 * np.random.default_rng(2).standard_normal((80, 2))
    moves = drawn(Bootstrap(changes, 1, 1, seed=4), 10)
    past = (changes - changes.mean(axis=0)).astype(np.float32)
    which = np.abs(moves[0][:, None] - past[:, 0]).argmin(axis=1)
    np.testing.assert_allclose(moves.T, past[which], rtol=0, atol=1e-9)
    assert stats.chisquare(np.bincount(which, minlength=80)).pvalue > 1e-3


@pytest.mark.parametrize("days", [1, 4, 10])
def test_the_bootstrap_keeps_what_days_in_a_row_have_to_do_with_one_another(days: int) -> None:
    """The deviation over ten days is the one that blocks of so many days have: larger with blocks if days follow one another."""
    noise = np.random.default_rng(6).standard_normal((500, 1))
    changes = 0.01 * (noise[1:] + 0.8 * noise[:-1])
    scenarios = Bootstrap(changes, 10, days, seed=4)
    moves = drawn(scenarios, 10)
    assert moves.std() == pytest.approx(scenarios.scale[0], rel=0.02)
    single = Bootstrap(changes, 10, 1, seed=4).scale[0]
    assert scenarios.scale[0] == single if days == 1 else scenarios.scale[0] > 1.2 * single
