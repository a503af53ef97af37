from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from scipy.stats import qmc

from examples.risk.numerics.normals import Normals
from examples.risk.numerics.philox import Philox
from examples.risk.numerics.sobol import Sobol


def test_words_are_those_of_their_address_whatever_was_drawn_before() -> None:
    """A block's words are numpy's Philox with key (seed, stream) and counter (0, 0, block, date), in any order of asking."""
    stream = Philox(7, 3)
    later = stream.words(11, 5, date=2)
    stream.words(0, 3)
    plain = np.random.Philox(key=np.array([7, 3], np.uint64), counter=np.array([0, 0, 11, 2], np.uint64)).random_raw(9)
    assert np.array_equal(later, plain[:5])
    assert np.array_equal(stream.words(11, 9, date=2), plain)


def test_different_addresses_have_different_words() -> None:
    """Seed, stream, block and date all count."""
    drawn = [
        Philox(seed, stream).words(block, 4, date=date).tobytes()
        for seed in (0, 1)
        for stream in (0, 1)
        for block in (0, 1)
        for date in (0, 1)
    ]
    assert len(set(drawn)) == 16


def test_normals_are_box_and_mullers() -> None:
    """float64 normals are sqrt(-2 ln u) times cosine and sine of the angle that their word holds, to 13 digits."""
    normals = np.empty((2, 4))
    Normals(Philox(5, 1), 8).fill(3, normals)
    for at, word in enumerate(Philox(5, 1).words(3, 4).tolist()):
        radius = math.sqrt(-2 * math.log(((word >> 26) + 0.5) / 2**38))
        angle = 2 * math.pi * ((word & (2**26 - 1)) + 0.5 - 2**25) / 2**26
        assert normals[0, at] == pytest.approx(radius * math.cos(angle), abs=1e-12)
        assert normals[1, at] == pytest.approx(radius * math.sin(angle), abs=1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_normals_are_normal(dtype: type[np.floating]) -> None:
    """200,000 normals pass Kolmogorov's test, and their first four moments are right within four standard errors."""
    n = 200_000
    drawn = np.empty(n, dtype)
    Normals(Philox(1, 2), n, dtype).fill(0, drawn)
    numbers = drawn.astype(np.float64)
    assert stats.kstest(numbers, "norm").pvalue > 1e-3
    for power, mean, spread in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert abs((numbers**power).mean() - mean) < 4 * math.sqrt(spread / n)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_normals_of_a_large_block_begin_with_those_of_a_small_one(dtype: type[np.floating]) -> None:
    """Blocks are made in pieces of 16,384 normals, and each piece of its own words."""
    small, large = np.empty(16384, dtype), np.empty(3 * 16384 + 10, dtype)
    Normals(Philox(1, 2), small.size, dtype).fill(9, small)
    Normals(Philox(1, 2), large.size, dtype).fill(9, large)
    assert np.array_equal(large[: small.size], small)
    assert len(np.unique(large)) > 0.99 * large.size


def test_an_odd_number_of_normals_is_refused() -> None:
    """A word makes two."""
    with pytest.raises(ValueError, match="come in pairs, but a block of 7"):
        Normals(Philox(0, 0), 7)


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 0, 2, 1)])
def test_sobol_points_are_scipys_in_any_order_of_blocks(order: tuple[int, ...]) -> None:
    """Blocks of 64 points are rows 64 b to 64 b + 63 of scipy's scrambled sequence, bit for bit."""
    engine = qmc.Sobol(17, scramble=True, bits=32, rng=np.random.Generator(np.random.Philox(4)))
    expected = engine.random(256)
    points = Sobol(17, 6, 4)
    for block in order:
        found = points.block(block, np.empty((17, 64), np.uint32))
        assert np.array_equal(found.T * 2.0**-32, expected[64 * block : 64 * (block + 1)])


def test_sobol_uniforms_lie_between_0_and_1() -> None:
    """Points are put in the middle of their cells, so that no normal of them is infinite; other seeds are other scrambles."""
    first, second = (Sobol(3, 10, seed).uniforms(0, np.empty((3, 1024))) for seed in (1, 2))
    assert first.min() > 0
    assert first.max() < 1
    assert not np.array_equal(first, second)
    assert np.array_equal(np.sort((first * 1024).astype(int), axis=1), np.tile(np.arange(1024), (3, 1)))  # one in each cell
