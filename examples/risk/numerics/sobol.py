"""Scrambled Sobol' points block by block: a block of 2**m points is one fixed pattern, each number with one XOR.

The points are those of ``scipy.stats.qmc.Sobol(scramble=True)``, bit for bit: direction numbers of Joe and Kuo (2008), a linear
matrix scramble and a digital shift (Matousek 1998). scipy makes them in order; here block b of any rank is as quick as block 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import qmc

BITS = 32  # of a number; so there are 2**32 points
Points = npt.NDArray[np.uint32]


class Sobol:
    """The points of one scramble.

    Args:
        dimensions: of a point, at most 21,201.
        block_bits: a block has 2**block_bits points.
        seed: of the scramble: scrambles of different seeds are independent.
    """

    def __init__(self, dimensions: int, block_bits: int, seed: int) -> None:
        engine: Any = qmc.Sobol(dimensions, scramble=True, bits=BITS, rng=np.random.Generator(np.random.Philox(seed)))
        self._directions: Points = engine._sv.astype(np.uint32)  # noqa: SLF001 - scipy gives the points, not what they are made of
        self._bits = block_bits
        self._pattern: Points = np.repeat(engine._shift.astype(np.uint32)[:, None], 1 << block_bits, axis=1)  # noqa: SLF001
        codes = np.arange(1 << block_bits)
        codes ^= codes >> 1  # point i has the Gray code of i
        for bit in range(block_bits):
            self._pattern[:, (codes >> bit) & 1 == 1] ^= self._directions[:, bit : bit + 1]

    def block(self, number: int, out: Points) -> Points:
        """Points number * 2**block_bits and following, as whole numbers of 2**-32; (dimensions, 2**block_bits)."""
        first = number << self._bits
        code, offset = first ^ (first >> 1), np.zeros((len(self._directions), 1), np.uint32)
        for bit in range(self._bits - 1, BITS):
            if (code >> bit) & 1:
                offset ^= self._directions[:, bit : bit + 1]
        return np.bitwise_xor(self._pattern, offset, out=out)

    def uniforms(self, number: int, out: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The same points in the middle of their cells, so between 0 and 1, neither included."""
        np.multiply(self.block(number, np.empty(out.shape, np.uint32)), 2.0**-BITS, out=out)
        return np.add(out, 2.0 ** -(BITS + 1), out=out)
