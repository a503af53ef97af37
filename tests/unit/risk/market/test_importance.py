from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from scipy.integrate import quad
from scipy.stats import norm, t

from examples.risk.market.book import Book, Options
from examples.risk.market.elliptical import Elliptical
from examples.risk.market.importance import Sampled, Sampler, figures, measure_by_replicates
from examples.risk.market.scenarios import BLOCK
from examples.risk.market.sensitivities import sensitivities
from examples.risk.market.tail import measure
from examples.risk.market.tilt import Tilt
from examples.risk.market.uniforms import Uniforms
from examples.workload.communicator import Alone
from tests.unit.risk.market.books import HORIZON, hedged, random_book
from tests.unit.workload.thread_ranks import run_ranks

Reals = npt.NDArray[np.float64]
LEVELS = (0.975, 0.99)


def covariance(factors: int) -> Reals:
    deviation = np.full(factors, 0.055)
    correlation = np.full((factors, factors), 0.4)
    deviation[-1] = 0.22
    correlation[-1] = correlation[:, -1] = -0.5
    np.fill_diagonal(correlation, 1.0)
    return np.asarray(deviation[:, None] * correlation * deviation)


def shares_of_one() -> Book:
    none = np.empty(0)
    options = Options(np.empty(0, np.intp), none, none, none, none, none)
    return Book(("A",), np.array([50.0]), np.array([2.0]), options, 0.02, HORIZON, moves_volatility=False)


def sampled(book: Book, kind: str = "importance", **asked: object) -> Sampled:
    sampler = Sampler(Alone(), book, covariance(book.factors), 4.0, 3, exact=False)
    return measure_by_replicates(sampler, 1, 8, kind=kind, levels=LEVELS, **asked)  # type: ignore[arg-type]


@pytest.mark.parametrize("degrees", [4.0, 3.0, 30.0, math.inf])
def test_one_share_has_the_quantile_and_shortfall_of_the_closed_form(degrees: float) -> None:
    """The loss of shares of one stock rises with its fall, so its quantile is known, and its shortfall is one integral."""
    sampler = Sampler(Alone(), shares_of_one(), np.array([[0.06**2]]), degrees, 3)
    found = measure_by_replicates(sampler, 2, 8, levels=LEVELS)
    law = norm if math.isinf(degrees) else t(degrees)
    scale = 0.06 if math.isinf(degrees) else 0.06 * math.sqrt((degrees - 2) / degrees)

    def loss(level: float) -> float:
        return float(100 * (1 - math.exp(-scale * min(law.ppf(level), 1.2 / scale))))  # 1.2: the limit, 20 deviations

    for level, value, shortfall in zip(LEVELS, found.value_at_risk, found.expected_shortfall, strict=True):
        assert abs(value.value - loss(level)) < max(5 * value.error, 1e-4 * loss(level))
        mean = quad(loss, level, 1, epsabs=1e-6)[0] / (1 - level)
        assert abs(shortfall.value - mean) < max(5 * shortfall.error, 1e-4 * mean)
    assert found.bound == 0.0


def test_options_have_the_figures_of_plain_sampling() -> None:
    """Importance sampling is within the errors of the plain tail, of 262,144 scenarios."""
    book = random_book(3, 24)
    plain = measure(Alone(), book, Elliptical(covariance(4), 4.0, 5), 64, levels=LEVELS)
    found = sampled(book)
    for each, value, shortfall in zip(plain.measures, found.value_at_risk, found.expected_shortfall, strict=True):
        low, high = each.interval
        assert low - 4 * value.error <= value.value <= high + 4 * value.error
        error = math.hypot(shortfall.error, each.expected_shortfall.error)
        assert abs(shortfall.value - each.expected_shortfall.value) < 4 * error


def test_bits_do_not_depend_on_ranks() -> None:
    """Replicates that several ranks share have the figures that one rank finds."""
    book = random_book(2, 8)

    def run(ranks: int) -> list[Sampled]:
        def program(comm: object) -> Sampled:
            sampler = Sampler(comm, book, covariance(3), 4.0, 3)  # type: ignore[arg-type]
            return measure_by_replicates(sampler, 2, 2, levels=LEVELS)

        return run_ranks(ranks, program)

    (alone,) = run(1)
    assert all(each == alone for ranks in (2, 3, 4) for each in run(ranks))


def test_it_needs_fewer_points_of_either_book() -> None:
    """At equal points the variance is a small part of plain sampling's, and a hedged book's axes have spreads of their own."""
    directional = random_book(4, 40)
    for book, value_ratio, shortfall_ratio in ((directional, 10, 30), (hedged(directional), 3, 3)):
        plain, found = sampled(book, "monte carlo"), sampled(book)
        assert plain.value_at_risk[1].error ** 2 > value_ratio * found.value_at_risk[1].error ** 2
        assert plain.expected_shortfall[0].error ** 2 > shortfall_ratio * found.expected_shortfall[0].error ** 2
    assert any(each != 1 for each in found.tilt.spreads)


def test_the_screen_alone_is_within_its_bound() -> None:
    """Figures of screened losses differ from exact ones by the bound at most, and exact ones have none."""
    book = random_book(2, 8)
    quick, exact = (
        measure_by_replicates(Sampler(Alone(), book, covariance(3), 4.0, 3, exact=exact), 1, 2, levels=LEVELS)
        for exact in (False, True)
    )
    assert exact.bound == 0.0 < quick.bound
    assert quick.revalued < exact.revalued < exact.points * exact.replicates
    for left, right in zip(
        quick.value_at_risk + quick.expected_shortfall, exact.value_at_risk + exact.expected_shortfall, strict=True
    ):
        assert abs(left.value - right.value) <= quick.bound


def test_a_run_does_not_depend_on_the_runs_before_it() -> None:
    """Asked twice, a sampler gives the same, whatever it was asked in between."""
    sampler = Sampler(Alone(), random_book(2, 8), covariance(3), 4.0, 3)
    first = measure_by_replicates(sampler, 1, 2, levels=LEVELS)
    measure_by_replicates(sampler, 1, 2, kind="sobol", levels=(0.95,))
    assert measure_by_replicates(sampler, 1, 2, levels=LEVELS) == first


def test_both_ways_of_a_shift_count_right() -> None:
    """A loss on moves either way, as of options sold and hedged, has the same figures under a two-way shift."""
    found = sampled(hedged(random_book(2, 8)), tilt=Tilt(1.5, 0.6, both=True, axis=1))
    plain = sampled(hedged(random_book(2, 8)), "sobol")
    for left, right in zip(found.expected_shortfall, plain.expected_shortfall, strict=True):
        assert abs(left.value - right.value) < 4 * math.hypot(left.error, right.error)


def test_figures_of_equal_weights_are_those_of_order_statistics() -> None:
    """With weights of 1 the quantile is the k-th largest loss, and the shortfall the mean of the k largest."""
    losses = np.random.default_rng(1).permutation(1000).astype(np.float64)
    (value,), (shortfall,) = figures([(losses, np.ones(1000))], 1000, (0.975,))
    assert (value, shortfall) == (975.0, pytest.approx(987.0))
    with pytest.raises(ValueError, match=r"10000 points are too few for the level of 0\.5"):
        figures([(losses, np.ones(1000))], 10000, (0.5,))


def test_antithetic_blocks_are_their_own_mirror() -> None:
    """The second half is the first with the other sign, and the same chi-square."""
    block = Uniforms("antithetic", 4, 3, 0).block(1)
    first, second = block[:, : BLOCK // 2], block[:, BLOCK // 2 :]
    assert np.array_equal(first[1], second[1])
    assert np.array_equal(1 - first[[0, 2, 3]], second[[0, 2, 3]])


def test_unusable_sizes_are_refused() -> None:
    """Three blocks, or one replicate, are told before anything is drawn."""
    sampler = Sampler(Alone(), shares_of_one(), np.array([[0.06**2]]), 4.0, 3)
    with pytest.raises(ValueError, match="2 replicates of 3 blocks"):
        measure_by_replicates(sampler, 3, 2)
    with pytest.raises(ValueError, match="1 replicates of 4 blocks"):
        measure_by_replicates(sampler, 4, 1)


def test_differences_give_a_quadratic_losses_slope_and_curvature() -> None:
    """Slopes and curvatures of a book whose P&L is a quadratic are exact."""
    book = random_book(2, 4)
    slope = np.array([3.0, -2.0, 5.0])
    curvature = np.array([[4.0, 0.0, 1.5], [0.0, -6.0, 2.5], [1.5, 2.5, 7.0]])

    def profit(moves: Reals) -> Reals:
        own, index = moves[:2], moves[2]
        halves = curvature[2, 2] / 4 * index**2 + slope[2] / 2 * index
        return np.asarray(
            -slope[:2, None] * own - np.diag(curvature)[:2, None] / 2 * own**2 - curvature[:2, 2:] * own * index - halves
        )

    found = sensitivities(book, profit, np.array([0.05, 0.06, 0.2]))
    assert np.allclose(found.slope, slope)
    assert np.allclose(found.curvature, curvature)
