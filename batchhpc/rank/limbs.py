"""Whole numbers of thousands of bits, many at once: rows of limbs in int64, added by any MPI without an error.

A double is a whole multiple of 2**-1074, and so is any sum of doubles. Limb ``i`` counts 2**(32 i - 1074), so 68 limbs hold
the sum of 2**63 doubles of any size. A limb's 64 bits leave room for 2**30 additions before carries must be taken on.
"""

from __future__ import annotations

import math
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Integers: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]

BITS: Final = 32  # of a limb
LIMBS: Final = 68  # of the sum of 2**63 doubles
LEAST: Final = -1074  # exponent of the smallest double
_MASK: Final = (1 << BITS) - 1
_HALF: Final = 1 << (BITS - 1)
_WORD: Final = 64
_DOUBLE: Final = 53  # bits of a double's significand
_FEW: Final = 64  # numbers for which Python's own are quicker than a hundred array operations


def place(limbs: Integers, numbers: Integers, shift: int) -> None:
    """Adds ``numbers * 2**shift`` to three limbs, ``limbs[:3]``, each of which grows by less than 2**33.

    Args:
        limbs: (3 or more, k).
        numbers: (k,), at most 2**62 either way.
        shift: 0 to 31.
    """
    low, high = (numbers & _MASK) << shift, (numbers >> BITS) << shift
    limbs[0] += low & _MASK
    limbs[1] += (low >> BITS) + (high & _MASK)
    limbs[2] += high >> BITS


def carried(limbs: Integers, *, balanced: bool) -> Integers:
    """The same numbers, (k,), with one limb more on top and every limb in its range, so that equal numbers have equal limbs.

    Args:
        limbs: (n, k), each at most 2**62 either way.
        balanced: limbs from -2**31 to 2**31 - 1; else from 0 to 2**32 - 1, but the topmost, which has the sign.
    """
    result = np.concatenate([limbs, np.zeros_like(limbs[:1])])
    for i in range(len(limbs)):
        carry = (result[i] + _HALF if balanced else result[i]) >> BITS
        result[i] -= carry << BITS
        result[i + 1] += carry
    return result


def rounded(limbs: Integers, first: int, precision: int, least: int) -> Floats:
    """The doubles nearest to these numbers, a tie to the even one; rounded once.

    Args:
        limbs: (n, k), each at most 2**62 either way.
        first: index of ``limbs[0]`` among the limbs of a double.
        precision: bits of a result's significand, 53 for doubles.
        least: exponent of the smallest result, -1074 for doubles.

    Returns:
        (k,); what is too large is infinite, zero is +0.0.
    """
    if not len(limbs):
        return np.zeros(limbs.shape[1])
    digits = carried(limbs, balanced=False)
    negative = digits[-1] < 0
    if limbs.shape[1] <= _FEW and precision == _DOUBLE:
        return np.array([_quotient(column, first) for column in digits.T.tolist()])
    if negative.any():
        digits = carried(np.where(negative, -digits, digits), balanced=False)
    top, lowest = _ends(digits)
    high, middle, low = (_picked(digits, top - i).view(np.uint64) for i in range(3))
    length = np.frexp(high.astype(np.float64))[1].astype(np.int64)  # of the topmost digit, in bits
    used, free = length.astype(np.uint64), (BITS - length).astype(np.uint64)
    word = ((high << np.uint64(BITS)) | middle) << free | low >> used  # the first 64 bits
    more = (((low << free) & np.uint64(_MASK)) != 0) | (lowest < top - 2)  # whether there are others
    exponent = BITS * (first + top) + length - _WORD + LEAST  # of the word's last bit
    drop = np.array(_WORD - precision)
    if (exponent < least - drop).any():  # some results have fewer bits
        drop = np.maximum(drop, least - exponent)
        word[drop > _WORD] = 0  # less than half of the smallest
        drop = np.minimum(drop, _WORD)
    last = (drop - 1).astype(np.uint64)
    upper = word >> last
    kept, half = upper >> np.uint64(1), upper & np.uint64(1)
    more |= word & ((np.uint64(1) << last) - np.uint64(1)) != 0
    kept += half & (more.astype(np.uint64) | kept & np.uint64(1))
    with np.errstate(over="ignore"):
        sizes: Floats = np.ldexp(kept.astype(np.float64), exponent + drop)
    return np.where(negative, -sizes, sizes)


def _quotient(digits: list[int], first: int) -> float:
    """The double nearest to one number: Python rounds a quotient of integers once, a tie to the even one."""
    number = 0
    for digit in reversed(digits):
        number = (number << BITS) + digit
    shift = BITS * first + LEAST
    try:
        return (number << max(0, shift)) / (1 << max(0, -shift))
    except OverflowError:
        return math.copysign(math.inf, digits[-1] or 1)


def _ends(digits: Integers) -> tuple[Integers, Integers]:
    """Index of each number's topmost digit that is not 0, and of its lowest; 0 and the last for zero."""
    top, lowest = (np.full(digits.shape[1], fill, np.int8) for fill in (0, len(digits) - 1))
    for i, digit in enumerate(digits):
        there = digit != 0
        np.maximum(top, there * np.int8(i), out=top)
        np.minimum(lowest, np.where(there, np.int8(i), lowest), out=lowest)
    return top.astype(np.int64), lowest.astype(np.int64)


def _picked(digits: Integers, index: Integers) -> Integers:
    """One digit of each number; 0 for a negative index."""
    count = digits.shape[1]
    found: Integers = digits.ravel().take(np.maximum(index, 0) * count + np.arange(count))
    found[index < 0] = 0
    return found
