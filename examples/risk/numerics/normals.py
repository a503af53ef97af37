"""Standard normals by Box and Muller (1958): two of one word of 64 bits, so their number is known before they are drawn.

numpy's ziggurat takes a varying number of words, so its draws have no address; this is also two to three times as quick, for
all of it is array operations that numpy has vectorized. float64 sines are not among those: they come from tan(angle / 2).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from examples.risk.numerics.philox import Philox, Words

Floats = npt.NDArray[Any]
_ANGLE_BITS = 26  # of a word, for float64; the 38 others give the radius, up to 7.3
_PIECE = 16384  # normals that are made at a time: their scratch arrays stay in a processor's cache


class Normals:
    """The standard normals of a stream, block by block.

    Args:
        stream: of words.
        count: normals of a block, even.
        dtype: float64 or float32.
    """

    def __init__(self, stream: Philox, count: int, dtype: npt.DTypeLike = np.float64) -> None:
        if count % 2:
            raise ValueError(f"normals come in pairs, but a block of {count} is asked for")
        self._stream, self._count = stream, count
        self._half = min(_PIECE, count) // 2
        self._make = _of_64 if np.dtype(dtype) == np.float64 else _of_32
        self._scratch = [np.empty(self._half, dtype) for _ in range(2)]
        self._bits = np.empty(self._half, np.uint64)

    def fill(self, block: int, out: Floats, date: int = 0, deviation: float = 1.0) -> None:
        """Write a block's normals, times a deviation, into a contiguous array of so many elements, whatever its shape.

        The deviation goes into the radius, where it costs nothing.
        """
        words = self._stream.words(block, self._count // 2, date)
        flat = out.reshape(-1)
        for start in range(0, len(words), self._half):
            part = words[start : start + self._half]
            n = len(part)
            first, second = flat[2 * start : 2 * start + n], flat[2 * start + n : 2 * (start + n)]
            self._make(part, first, second, -2.0 * deviation * deviation, self._bits[:n], *(array[:n] for array in self._scratch))


def _of_64(words: Words, first: Floats, second: Floats, factor: float, bits: Words, radius: Floats, half: Floats) -> None:
    """The normals r cos(a) and r sin(a), r = sqrt(factor ln u): the upper 38 bits of a word are u, the 26 lower ones a."""
    np.right_shift(words, np.uint64(_ANGLE_BITS), out=bits)
    np.copyto(radius, bits, casting="unsafe")
    np.add(radius, 0.5, out=radius)
    np.multiply(radius, 2.0 ** (_ANGLE_BITS - 64), out=radius)
    np.log(radius, out=radius)
    np.multiply(radius, factor, out=radius)
    np.sqrt(radius, out=radius)
    np.bitwise_and(words, np.uint64((1 << _ANGLE_BITS) - 1), out=bits)
    np.copyto(half, bits, casting="unsafe")
    np.add(half, 0.5 - 2.0 ** (_ANGLE_BITS - 1), out=half)
    np.multiply(half, math.pi * 2.0**-_ANGLE_BITS, out=half)
    np.tan(half, out=half)  # t = tan(a / 2): cos a = (1 - t^2) / (1 + t^2), sin a = 2 t / (1 + t^2)
    np.multiply(half, half, out=second)
    np.add(second, 1.0, out=first)
    np.divide(radius, first, out=radius)
    np.subtract(1.0, second, out=first)
    np.multiply(first, radius, out=first)
    np.add(half, half, out=half)
    np.multiply(half, radius, out=second)


def _of_32(words: Words, first: Floats, second: Floats, factor: float, _: Words, radius: Floats, angle: Floats) -> None:
    """As above, with 32 bits for each of u and a."""
    halves = words.view(np.uint32)
    n = len(words)
    np.copyto(radius, halves[:n], casting="unsafe")
    np.add(radius, np.float32(0.5), out=radius)
    np.multiply(radius, np.float32(2.0**-32), out=radius)
    np.log(radius, out=radius)
    np.multiply(radius, np.float32(factor), out=radius)
    np.maximum(radius, np.float32(0), out=radius)  # the largest u may round to 1
    np.sqrt(radius, out=radius)
    np.copyto(angle, halves[n:].view(np.int32), casting="unsafe")
    np.multiply(angle, np.float32(math.pi * 2.0**-31), out=angle)
    np.cos(angle, out=first)
    np.sin(angle, out=second)
    np.multiply(first, radius, out=first)
    np.multiply(second, radius, out=second)
