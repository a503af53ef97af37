"""Words read from the other strand. numpy only."""

from __future__ import annotations

import numpy as np

from examples.genomics.kmers.words import Kmers

_NIBBLES, _PAIRS = np.uint64(0x0F0F0F0F0F0F0F0F), np.uint64(0x3333333333333333)
_TWO, _FOUR = np.uint64(2), np.uint64(4)


def reverse_complement(words: Kmers, length: int) -> Kmers:
    """The reverse complements of words of 1 to 32 bases: bytes, then half bytes, then bases change places, and all bits flip."""
    turned = words.byteswap()
    high = turned >> _FOUR & _NIBBLES
    turned &= _NIBBLES
    turned <<= _FOUR
    turned |= high
    np.right_shift(turned, _TWO, out=high)
    high &= _PAIRS
    turned &= _PAIRS
    turned <<= _TWO
    turned |= high
    np.invert(turned, out=turned)
    turned >>= np.uint64(64 - 2 * length)
    return turned


def low_bases(words: Kmers, length: int) -> Kmers:
    """The last ``length`` bases of words."""
    return words & np.uint64((1 << 2 * length) - 1)
