"""Exact order statistics and quantiles: against numpy on all values in one array, on any number of ranks."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchhpc.rank import exact_quantile, order_statistics
from tests.unit.rank.adding_ranks import run_ranks, shares

NUMBERS = st.lists(st.floats(allow_nan=False) | st.sampled_from([0.0, -0.0, 1.0, math.inf]), min_size=1, max_size=60)
METHODS = ("linear", "lower", "higher", "inverted_cdf")
RNG = np.random.default_rng(11)


@settings(deadline=None)
@given(NUMBERS)
def test_every_order_statistic_is_that_of_the_sorted_values(values):
    """Ties, both zeros, subnormal and infinite numbers have their places; negative places count from the largest."""
    ordered, places = np.sort(values), np.arange(-len(values), len(values))
    np.testing.assert_array_equal(order_statistics(values, places), ordered[places])


@pytest.mark.parametrize("method", METHODS)
@settings(deadline=None)
@given(values=st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=40), q=st.lists(st.floats(0, 1), max_size=4))
def test_quantiles_are_those_of_numpy(method, values, q):
    """The same bits as numpy.quantile has for all values in one array."""
    shares = [0.0, 0.5, *q, 1.0]
    expected = np.quantile(np.array(values) + 0.0, shares, method=method)
    np.testing.assert_array_equal(exact_quantile(values, shares, method=method), expected)


def test_infinities_on_both_sides_of_a_quantile():
    """Between equal infinities is that infinity, and nothing is made up of others."""
    assert exact_quantile([math.inf, math.inf, 1.0], 0.75) == math.inf
    assert exact_quantile([-math.inf, -math.inf, 1.0], [0.25, 1.0]).tolist() == [-math.inf, 1.0]
    assert exact_quantile([1.0, math.inf], 0.5, method="lower") == 1.0
    assert exact_quantile([-math.inf, 1.0], 0.5, method="higher") == 1.0


def test_shapes_and_dtypes():
    """Results have the shape of what was asked, a scalar for a scalar, and the values' dtype."""
    values = RNG.standard_normal((30, 4)).astype(np.float32)
    assert order_statistics(values, 0).shape == ()
    assert order_statistics(values, [[0, 1, 2]]).shape == (1, 3)
    assert order_statistics(values, []).shape == (0,)
    median = exact_quantile(values, 0.5, method="lower")
    assert median.dtype == np.float32
    assert median == np.sort(values.ravel())[59]


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_the_bits_do_not_depend_on_the_ranks(size):
    """However values are dealt out, to some ranks none, every rank gets the bits that one rank alone gets."""
    values = np.concatenate([RNG.standard_t(3, 5000), np.round(RNG.standard_normal(500), 1), [0.0, -0.0] * 3])
    ks, q = [0, 17, 2750, 2750, -1], [0.01, 0.5, 0.975]
    expected = order_statistics(values, ks).tobytes() + exact_quantile(values, q).tobytes()
    parts = shares(RNG.permutation(values), [0, 3, 3000, 3001][: size - 1])

    def program(comm):
        mine = parts[comm.rank]
        return order_statistics(mine, ks, comm).tobytes() + exact_quantile(mine, q, comm).tobytes()

    assert run_ranks(size, program) == [expected] * size


def test_more_places_than_one_message_has_room_for():
    """A hundred quantiles at once are as exact as one."""
    values = RNG.standard_normal(3000)
    q = np.linspace(0, 1, 101)
    for got in run_ranks(2, lambda comm: exact_quantile(values[comm.rank :: 2], q, comm)):
        assert got.tobytes() == np.quantile(values, q).tobytes()


def test_what_is_sent_hardly_depends_on_the_number_of_values():
    """Few values need the first message only, with the count of NaN in 8 bytes; a hundred thousand one more, of 32 KiB."""

    def program(values, comm):
        order_statistics(values[comm.rank :: comm.size], len(values) // 3, comm)
        return comm.sent

    for count, sent in ((10, [32776]), (100_000, [32776, 32768])):
        assert run_ranks(2, partial(program, np.arange(count, dtype=np.float64))) == [sent] * 2
    assert run_ranks(2, partial(program, np.full(10_000, 0.1))) == [[32776, *[32768] * 4, 128]] * 2


def test_many_values_that_differ_in_their_last_bits():
    """Messages go on to the last bit where thousands of values begin alike, and beginnings share a message."""
    values = np.concatenate([start + np.spacing(start) * np.arange(6000) for start in (1.0, 3.0, -7.0)])
    shuffled, ks = RNG.permutation(values), [0, 5999, 6000, 9000, 17_000]

    def program(comm):
        return order_statistics(shuffled[comm.rank :: comm.size], ks, comm), comm.sent

    for found, sent in run_ranks(3, program):
        np.testing.assert_array_equal(found, np.sort(values)[ks])
        assert max(sent[1:]) <= 32_768


def test_a_nan_on_one_rank_is_told_on_every_rank():
    """Nobody is left waiting: all ranks refuse, and say how many there are among how many."""

    def program(comm):
        with pytest.raises(ValueError, match="2 of 6 values are NaN, which has no place in an order"):
            exact_quantile([1.0, 2.0] if comm.rank != 1 else [math.nan, -math.nan], 0.5, comm)
        return True

    assert run_ranks(3, program) == [True] * 3


def test_places_that_are_not_there():
    """A place beyond the values of all ranks is refused, with both numbers; so is a quantile of nothing."""

    def program(comm):
        with pytest.raises(ValueError, match="there are 4 values, so none has the place 4, -5"):
            order_statistics([1.0, 2.0], [4, 0, -5], comm)
        with pytest.raises(ValueError, match="there are 0 values"):
            exact_quantile([], 0.5, comm)
        return True

    assert run_ranks(2, program) == [True] * 2


@pytest.mark.parametrize("q", [1.5, [-0.1, 0.5], math.nan])
def test_no_share(q):
    """A share below 0 or above 1 is refused before anybody is asked."""
    with pytest.raises(ValueError, match="quantiles are from 0 to 1, but q is"):
        exact_quantile([1.0], q)


def test_no_method():
    """A method that is none is refused with those that are."""
    with pytest.raises(ValueError, match="method is linear, lower, higher or inverted_cdf, not 'nearest'"):
        exact_quantile([1.0], 0.5, method="nearest")  # type: ignore[arg-type]
