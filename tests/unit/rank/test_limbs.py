"""Whole numbers as limbs, against Python's own, which have any length and whose quotients are rounded once."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from batchhpc.rank.limbs import BITS, LEAST, LIMBS, carried, place, rounded

ONE = 1 << -LEAST  # 1.0, counted in the smallest double
NUMBERS = st.integers(0, LIMBS * BITS - 2).flatmap(lambda bits: st.integers(-(1 << bits), 1 << bits))


def limbs_of(number: int) -> list[int]:
    """The number's limbs from 0 to 2**32 - 1, and the sign in the topmost."""
    low = [number >> (BITS * i) & 0xFFFFFFFF for i in range(LIMBS)]
    return [*low, number >> (BITS * LIMBS)]


def column(number: int) -> np.ndarray:
    return np.array(limbs_of(number), np.int64)[:, None]


def number_of(limbs: np.ndarray, first: int = 0) -> int:
    return sum(int(limb) << (BITS * (first + i)) for i, limb in enumerate(limbs[:, 0]))


def double(limbs: np.ndarray, first: int = 0) -> float:
    """The nearest double, which is the same for one number alone and for one of many: they are rounded in different ways."""
    (alone,) = rounded(limbs, first, 53, LEAST)
    many = rounded(np.repeat(limbs, 100, axis=1), first, 53, LEAST)
    assert many.tobytes() == np.full(100, alone).tobytes()
    return float(alone)


def nearest(number: int) -> float:
    """The double nearest to so many smallest doubles: Python rounds a quotient of integers once, half to even."""
    try:
        return number / ONE
    except OverflowError:
        return math.inf if number > 0 else -math.inf


@settings(deadline=None)
@given(NUMBERS)
def test_numbers_are_rounded_once_to_the_nearest_double(number):
    """Any number of up to 2,176 bits becomes the double that Python's quotient of integers gives."""
    assert double(column(number)) == nearest(number)


@settings(deadline=None)
@given(
    significand=st.integers(1 << 52, (1 << 53) - 1),
    negative=st.booleans(),
    shift=st.integers(0, 2040),
    beside=st.sampled_from([-1, 0, 1]),
    below=st.integers(0, 150),
)
@example(significand=(1 << 53) - 1, negative=True, shift=971 + 1074, beside=0, below=0)
def test_ties_go_to_the_even_double(significand, negative, shift, beside, below):
    """Half-way between two doubles, or beside that by one bit anywhere below, is rounded as Python does it."""
    number = ((2 * significand + 1) << shift) + (beside << max(0, shift - below))
    number = -number if negative else number
    assert double(column(number)) == nearest(number)


@pytest.mark.parametrize("even", [0, 1])
@pytest.mark.parametrize("beside", [-1, 0, 1])
def test_one_bit_anywhere_below_decides_a_tie(even, beside):
    """Wherever that bit is, in whichever limb, it is not overlooked."""
    for below in range(200):
        number = ((((1 << 52) + even) * 2 + 1) << 200) + (beside << below)
        assert double(column(number)) == nearest(number)


@settings(deadline=None)
@given(NUMBERS)
def test_numbers_are_rounded_once_to_the_nearest_float32(number):
    """A double between two float32 is not rounded a second time: the float32 is the nearest to the number itself."""
    got = rounded(column(number), 0, 24, -149)[0]
    if number == 0:
        assert got == 0
        return
    drop = max(abs(number).bit_length() - 24, -149 - LEAST)
    kept, rest = divmod(abs(number), 1 << drop)
    half = 1 << (drop - 1) if drop > 0 else 1
    kept += rest > half or (rest == half and kept & 1)
    assert got == (nearest(kept << drop) if number > 0 else -nearest(kept << drop))


def test_a_number_is_the_sum_of_its_limbs_wherever_they_begin():
    """Limbs that begin further up, and are out of range, mean the same number."""
    limbs = np.array([[-5], [1 << 40], [-(1 << 61)], [3]], np.int64)
    for first in (0, 1, 33, 60):
        assert double(limbs, first) == nearest(number_of(limbs, first))


@pytest.mark.parametrize("balanced", [True, False])
@settings(deadline=None)
@given(limbs=st.lists(st.integers(-(1 << 62), 1 << 62), min_size=1, max_size=5))
def test_carries_change_the_limbs_and_not_the_number(limbs, balanced):
    """Afterwards every limb but the topmost is in its range, and the number is the same."""
    before = np.array(limbs, np.int64)[:, None]
    after = carried(before, balanced=balanced)
    low, high = (-(1 << 31), (1 << 31) - 1) if balanced else (0, (1 << 32) - 1)
    assert number_of(after) == number_of(before)
    assert ((after[:-1] >= low) & (after[:-1] <= high)).all()


@settings(deadline=None)
@given(st.integers(-(1 << 62), 1 << 62), st.integers(0, 31))
def test_placed_numbers_grow_each_limb_by_less_than_33_bits(number, shift):
    """A number lands shifted, and no limb can overflow before 2**30 of them have."""
    limbs = np.zeros((3, 1), np.int64)
    place(limbs, np.array([number]), shift)
    assert number_of(limbs) == number << shift
    assert (np.abs(limbs) < 1 << 33).all()


def test_nothing_is_zero():
    """No limbs at all are zeros, +0.0."""
    zeros = rounded(np.zeros((0, 3), np.int64), 0, 53, LEAST)
    assert zeros.tolist() == [0.0] * 3
    assert not np.signbit(zeros).any()
