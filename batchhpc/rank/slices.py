"""Sums of columns of doubles without an error, by the processor's own additions.

A block's numbers are cut at a common place: the upper part of each is a multiple of a unit that is so large that all of them
can be added in any order, and each subtotal is a double still (Demmel and Nguyen, "Parallel Reproducible Summation", 2015).
What is left is cut again, further down, until nothing is. Doubles of like size take two cuts, of four array operations each.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

import numpy as np

from batchhpc.rank.limbs import LEAST, Floats, Integers

_PRECISION: Final = 53
_LARGE, _SCALE = 960, 512  # exponents: above the first, a cut could overflow; so those numbers are taken smaller by the second
_TOO_LARGE: Final = 1000


def peak(block: Floats) -> float:
    """The largest absolute value; nan if there is a nan."""
    return max(float(block.max()), -float(block.min()))


def slices(block: Floats, top: float, spare: Floats) -> Iterator[tuple[int, Integers]]:
    """The sums of the columns in parts: each is an exponent above 2**-1074, and whole numbers of that unit, at most 2**53.

    Args:
        block: (n, k), finite, n at most 2**20; it is overwritten.
        top: its `peak`.
        spare: as large as the block.
    """
    head = max(2, (len(block) - 1).bit_length())  # bits that a sum of n numbers may have above their own
    while top:
        exponent = math.frexp(top)[1]
        if exponent > _TOO_LARGE:
            large = np.where(np.abs(block) >= 2.0**_LARGE, block, 0.0)
            block -= large
            large *= 2.0**-_SCALE
            yield from ((position + _SCALE, numbers) for position, numbers in slices(large, math.ldexp(top, -_SCALE), spare))
        else:
            unit = max(exponent + head - _PRECISION, LEAST)
            anchor = math.ldexp(1.5, unit + _PRECISION - 1)  # its last bit is the unit, also after a number was added
            np.add(block, anchor, out=spare)
            np.subtract(spare, anchor, out=spare)
            np.subtract(block, spare, out=block)
            yield unit - LEAST, _counted(spare.sum(axis=0), unit)
        top = peak(block)


def _counted(sums: Floats, unit: int) -> Integers:
    """How many units these are; in two steps, for 2**1074 is no double."""
    half = -unit // 2
    sums *= math.ldexp(1.0, half)
    sums *= math.ldexp(1.0, -unit - half)
    return sums.astype(np.int64)
