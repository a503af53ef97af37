"""Exact sums, against `fractions` and `math.fsum`; in any order, on any number of ranks."""

from __future__ import annotations

import math
import pickle
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchhpc.rank import ExactSum, block_range, block_sums, exact_sum, sums
from tests.unit.rank.adding_ranks import run_ranks, shares

FINITE = st.floats(allow_nan=False, allow_infinity=False)
SINGLE = st.floats(allow_nan=False, allow_infinity=False, width=32)
CANCELLING = st.lists(FINITE, max_size=30).flatmap(lambda some: st.permutations([*some, *(-each for each in some), *some[:3]]))
RNG = np.random.default_rng(7)


def true_sum(values) -> float:
    """The exact sum, rounded once."""
    total = sum(map(Fraction, np.ravel(values).tolist()), Fraction(0))
    try:
        return total.numerator / total.denominator
    except OverflowError:
        return math.inf if total > 0 else -math.inf


def uneven(*shape: int) -> np.ndarray:
    """Numbers of both signs over 400 binary orders of magnitude."""
    return np.ldexp(RNG.standard_normal(shape), RNG.integers(-200, 200, shape).astype(np.int32))


# --- one rank -------------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.lists(FINITE, max_size=60))
def test_the_sum_of_any_doubles_is_the_true_one_rounded_once(values):
    """Subnormal, huge or mixed: the result is the double nearest to the sum of fractions, infinite if that is too large."""
    column = np.array(values, np.float64)
    assert exact_sum(column) == true_sum(values)
    assert exact_sum(np.repeat(column[:, None], 70, axis=1)).tolist() == [true_sum(values)] * 70


@settings(deadline=None)
@given(CANCELLING)
def test_cancellation_loses_nothing(values):
    """What is left of numbers that cancel each other is exact, in any order."""
    assert exact_sum(np.array(values, np.float64)) == true_sum(values)


@settings(deadline=None)
@given(st.lists(SINGLE, max_size=60))
def test_sums_of_float32_are_rounded_once_to_float32(values):
    """The result is float32, and as near to the true sum as any float32 is."""
    got = exact_sum(np.array(values, np.float32))
    assert got.dtype == np.float32
    with np.errstate(over="ignore"):
        beside = np.nextafter(got, [-np.inf, np.inf], dtype=np.float32)
    total = sum(map(Fraction, values), Fraction(0))
    if np.isfinite(got):
        assert all(abs(total - Fraction(float(got))) <= abs(total - Fraction(float(each))) for each in beside if np.isfinite(each))
    else:
        assert abs(total) >= Fraction(2**128 - 2**103)


@pytest.mark.parametrize("shape", [(0, 3), (1, 1), (1, 700), (64, 132), (3000, 7), (5, 17000), (40000,), (2, 3, 5, 4)])
def test_sums_of_columns_of_any_shape(shape):
    """Few or many rows, narrow or wide: each column is summed like one alone, in whatever order memory has it."""
    values = uneven(*shape)
    expected = np.array([math.fsum(column) for column in values.reshape(shape[0], math.prod(shape[1:])).T]).reshape(shape[1:])
    for same in (values, np.asfortranarray(values), values[::-1]):
        got = exact_sum(same)
        assert got.dtype == np.float64
        assert got.tobytes() == expected.tobytes()


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 31, 32, 33, 63, 1000, 70_000])
def test_numbers_that_are_all_as_large_as_they_can_be(count):
    """No subtotal has more bits than a double, though every number has all of its own, and all the same exponent."""
    values = np.full((count, 3), np.nextafter(2.0, 1.0)) - np.ldexp(RNG.integers(0, 9, (count, 3)), -52)
    assert exact_sum(values).tolist() == [math.fsum(column) for column in values.T]
    assert exact_sum(values, axis=None) == math.fsum(values.ravel())


def test_the_axis():
    """Any axis can be summed, the first by itself; None sums everything to a number."""
    values = uneven(4, 5, 6)
    assert exact_sum(values, axis=2).shape == (4, 5)
    assert exact_sum(values, axis=-1)[3, 2] == math.fsum(values[3, 2])
    assert exact_sum(values, axis=None) == math.fsum(values.ravel())


@pytest.mark.parametrize("spare", [0, 5])
def test_infinities_and_nan_count_as_in_ieee_754(spare):
    """An infinity wins over numbers, two of both signs are NaN, and so is a NaN; other columns know nothing of it."""
    inf, nan = math.inf, math.nan
    values = np.array([[inf, -inf, inf, nan, 1.0, 1e308], [inf, 2.0, -inf, inf, 2.0, 1e308], *[[1.0] * 6] * spare])
    expected = np.array([inf, -inf, nan, nan, 3.0 + spare, inf])
    np.testing.assert_array_equal(exact_sum(values), expected)


def test_zero_has_one_sign():
    """Zeros of both signs, or numbers that cancel, give +0.0."""
    for values in ([-0.0], [-0.0, 0.0], [1.5, -1.5], []):
        assert not np.signbit(exact_sum(values))


@pytest.mark.parametrize("values", [np.array([1, 2]), [1 + 2j], np.array([1.0], np.longdouble), ["1"], np.array([1], np.uint64)])
def test_numbers_that_no_double_holds_are_refused(values):
    """What would have to be rounded before it is summed is refused, with what is taken instead."""
    with pytest.raises(TypeError, match="exact sums take float64, float32, float16 and integers of at most 32 bits, not"):
        exact_sum(values)


def test_small_integers_are_taken():
    """Every integer of up to 32 bits is a double, and so is every truth value."""
    assert exact_sum(np.array([2**31 - 1, -7], np.int32)) == 2**31 - 8
    assert exact_sum([True, False, True]) == 2.0


def test_sums_in_parts_are_the_same():
    """Blocks that are added as they come, one number or many, give what all of them at once do."""
    values = uneven(501, 6)
    total = ExactSum(6)
    for row in values[:3]:
        total.add(row)
    total.add(values[3:500].reshape(7, 71, 6))
    total.add(values[500:])
    assert total.value().tobytes() == exact_sum(values).tobytes()


def test_a_wrong_shape_is_refused():
    """Values that do not end in the sums' shape are refused, with both; so are other sums."""
    with pytest.raises(ValueError, match=r"sums of shape \(3,\) were given an array of shape \(3, 2\)"):
        ExactSum(3).add(np.ones((3, 2)))
    with pytest.raises(ValueError, match=r"sums of shape \(3,\) cannot take in sums of shape \(\)"):
        ExactSum(3).merge(ExactSum())
    with pytest.raises(TypeError, match="sums are float64 or float32, not int64"):
        ExactSum(dtype=np.int64)


def test_carries_are_taken_on_before_limbs_overflow(monkeypatch):
    """However many parts are placed: with room for only four, the sum is still the true one."""
    monkeypatch.setattr(sums, "_MOST_PLACED", 4)
    values = uneven(200)
    total = ExactSum()
    for value in values:
        total.add(value)
    assert total.value() == math.fsum(values)
    assert np.abs(total._limbs).max() < 1 << 36
    both = ExactSum()
    for _ in range(100):
        both.merge(total)
    assert np.abs(both._limbs).max() < 1 << 36
    assert both.value() == true_sum(np.repeat(values, 100))


def test_memory_is_bounded():
    """An accumulator grows with the span of the numbers, at most to the span of all doubles, not with how many were added."""
    total = ExactSum()
    for exponent in range(-1074, 1024, 3):
        total.add(np.full(100, math.ldexp(1.0, exponent)))
    assert total._limbs.nbytes <= 8 * 70


# --- states ---------------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.lists(FINITE, max_size=40), st.randoms(use_true_random=False), st.integers(0, 40))
def test_equal_sums_have_equal_states(values, random, cut):
    """The state does not tell in which order numbers came, nor in which parts."""
    shuffled = values[:]
    random.shuffle(shuffled)
    one, other, rest = ExactSum(), ExactSum(), ExactSum()
    one.add(values)
    other.add(shuffled[:cut])
    rest.add(shuffled[cut:])
    other.merge(rest)
    assert one.state().tobytes() == other.state().tobytes()


def test_states_of_ranks_can_be_dealt_out_to_other_ranks():
    """States of 4 ranks, concatenated and cut for 1, 2, 3 or 6, go on to the bits of the undisturbed sum."""
    values = uneven(400, 3)
    values[7, 1] = -math.inf
    ranks = [ExactSum(3) for _ in range(4)]
    for rank, part in zip(ranks, shares(values[:300], [10, 10, 250]), strict=True):
        rank.add(part)
    saved = np.concatenate([rank.state() for rank in ranks])
    for size in (1, 2, 3, 6):
        restored = [ExactSum.from_state(part) for part in np.array_split(saved, size)]
        for i, rank in enumerate(restored):
            rank.add(values[300:][i::size])
            restored[0].merge(rank) if i else None
        assert restored[0].value().tobytes() == exact_sum(values).tobytes()


def test_sums_can_be_pickled():
    """A pickled accumulator goes on where it was."""
    total = ExactSum((2,), np.float32)
    total.add(np.array([[1e10, 1e-10]], np.float32))
    again = pickle.loads(pickle.dumps(total))  # noqa: S301 - our own
    again.add(np.array([[-1e10, 1.0]], np.float32))
    total.add(np.array([[-1e10, 1.0]], np.float32))
    assert again.state().tobytes() == total.state().tobytes()
    assert again.value().dtype == np.float32


@pytest.mark.parametrize("state", [np.zeros((1, 70), np.int64), np.zeros((1, 71)), np.zeros(71, np.int64)])
def test_what_is_no_state_is_refused(state):
    """An array of another type or shape is not taken for a state."""
    with pytest.raises(ValueError, match="no state of sums"):
        ExactSum.from_state(state)


# --- ranks ----------------------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=50)
@given(CANCELLING, st.lists(st.integers(0, 40), max_size=4), st.sampled_from([np.float64, np.float32]))
def test_any_numbers_on_any_ranks(values, cuts, dtype):
    """However numbers of any size are cut among 1 to 5 ranks, each rank gets the true sum, rounded once."""
    with np.errstate(over="ignore"):
        array = np.array(values, np.float64).astype(dtype)
    array = array[np.isfinite(array)]
    parts = shares(array, cuts)
    expected = exact_sum(array)
    if dtype == np.float64:
        assert expected == true_sum(array)
    for got in run_ranks(len(parts), lambda comm: exact_sum(parts[comm.rank], comm)):
        assert got.tobytes() == expected.tobytes()


@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_bits_do_not_depend_on_the_ranks(size, dtype):
    """Rows dealt out unevenly, in another order, to some ranks none: every rank gets the bits that one rank alone gets."""
    values = uneven(300, 4).astype(np.float64)
    if dtype == np.float32:
        values = RNG.standard_normal((300, 4))
    values = values.astype(dtype)
    expected = exact_sum(values)
    parts = shares(values[RNG.permutation(300)], [0, 40, 41, 290][: size - 1])
    for got in run_ranks(size, lambda comm: exact_sum(parts[comm.rank], comm)):
        assert got.dtype == dtype
        assert got.tobytes() == expected.tobytes()


def test_odd_numbers_of_one_rank_reach_all():
    """An infinity or a NaN on one rank is in the result of every rank, and nothing of it in other columns."""
    values = np.array([[1.0, 2.0, 3.0], [math.inf, math.nan, 4.0]])
    for got in run_ranks(2, lambda comm: exact_sum(values[comm.rank : comm.rank + 1], comm)):
        np.testing.assert_array_equal(got, [math.inf, math.nan, 7.0])


def test_ranks_without_numbers():
    """Sums over ranks that all have nothing are zeros."""
    for got in run_ranks(3, lambda comm: exact_sum(np.empty((0, 2)), comm)):
        assert got.tolist() == [0.0, 0.0]


def test_a_rank_keeps_its_own():
    """The sums of all ranks leave those of each as they were, so that a program can go on adding."""

    def program(comm):
        mine = ExactSum()
        mine.add(comm.rank + 1.0)
        both = [mine.reduce(comm).value() for _ in range(2)]
        mine.add(100.0)
        return both, mine.value(), mine.reduce(comm).value()

    assert run_ranks(3, program) == [([6.0, 6.0], 101.0 + rank, 306.0) for rank in range(3)]


def test_only_limbs_that_somebody_has_are_sent():
    """Two messages: 568 bytes to agree, then 8 bytes for each sum and 32 bits of span, none for a gap in between."""

    def program(comm, *values):
        exact_sum(np.full((1, 1000), values[comm.rank]), comm)
        return comm.sent

    assert run_ranks(2, lambda comm: program(comm, 1.0, 3.0)) == [[568, 8000]] * 2
    assert run_ranks(2, lambda comm: program(comm, 1e300, 1e-300))[0][1] <= 6 * 8000


def test_ranks_with_different_shapes_are_told_on_every_rank():
    """Nobody is left waiting: all ranks learn which rank has what."""

    def program(comm):
        with pytest.raises(ValueError, match=r"rank 0 float64 of shape \(2,\), rank 1 float64 of shape \(3,\)"):
            exact_sum(np.ones((4, 2 + comm.rank)), comm)
        return True

    assert run_ranks(2, program) == [True, True]


# --- blocks ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("more", [(), (1,), (3,), (2, 5)])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_blocks_sum_has_the_same_bits_wherever_the_block_is(more, dtype):
    """Block sums of the whole are those of each block alone, whichever blocks are beside it, the short last one included."""
    values = RNG.standard_normal((1000, *more)).astype(dtype)
    whole = block_sums(values, 128)
    assert whole.dtype == dtype
    for start in range(8):
        for stop in range(start + 1, 9):
            part = block_sums(values[start * 128 : stop * 128], 128)
            assert part.tobytes() == whole[start:stop].tobytes()


@pytest.mark.parametrize("total", [0, 1, 127, 128, 1000, 12800])
@pytest.mark.parametrize("size", [1, 3, 4, 7])
def test_ranges_divide_no_block(total, size):
    """Ranks' ranges follow each other, cover all rows, and begin at blocks; no rank has two blocks more than another."""
    ranges = [block_range(total, rank, size, 128) for rank in range(size)]
    assert [row for each in ranges for row in each] == list(range(total))
    assert all(each.start % 128 == 0 for each in ranges if each)
    blocks = [-(-len(each) // 128) for each in ranges]
    assert max(blocks) - min(blocks) <= 1


def test_totals_by_blocks_do_not_depend_on_the_ranks():
    """Numpy's own sums of blocks, exactly added, give the same bits on 1, 2 and 5 ranks."""
    values = RNG.standard_normal((1500, 2))

    def program(comm):
        mine = block_range(1500, comm.rank, comm.size, 64)
        return exact_sum(block_sums(values[mine.start : mine.stop], 64), comm).tobytes()

    assert len({got for size in (1, 2, 5) for got in run_ranks(size, program)}) == 1
