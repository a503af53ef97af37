"""Uniform numbers of a replicate, block by block: independent ones, or the points of one scramble of Sobol's sequence."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from examples.risk.market.scenarios import BLOCK
from examples.risk.numerics.philox import Philox
from examples.risk.numerics.sobol import Sobol

Reals = npt.NDArray[np.float64]
Kind = Literal["monte carlo", "antithetic", "sobol", "importance without sobol", "importance"]
KINDS: tuple[Kind, ...] = get_args(Kind)
STREAM = 16  # of words
_SCRAMBLES = 1 << 32  # a seed's
_FRACTION = 11  # of 64 bits, that float64 has no room for


class Uniforms:
    """The uniforms of one replicate, between 0 and 1, neither included.

    Args:
        kind: antithetic: the second half of a block is 1 less the first but for dimension 1, a chi-square if there is one; with
            normals in it all moves are the first half's with the other sign.
        dimensions: of a point.
        seed: the user's.
        replicate: from -1 on.
    """

    def __init__(self, kind: Kind, dimensions: int, seed: int, replicate: int) -> None:
        self.replicate = replicate
        self._dimensions, self._antithetic = dimensions, kind == "antithetic"
        self._sobol: Sobol | None = None
        if kind in ("sobol", "importance"):
            self._sobol = Sobol(dimensions, BLOCK.bit_length() - 1, seed * _SCRAMBLES + replicate + 1)
        self._words = Philox(seed, STREAM)

    def block(self, number: int) -> Reals:
        """(dimensions, BLOCK)."""
        if self._sobol:
            return self._sobol.uniforms(number, np.empty((self._dimensions, BLOCK)))
        words = self._words.words(number, self._dimensions * BLOCK, self.replicate + 1).reshape(self._dimensions, BLOCK)
        uniforms = ((words >> np.uint64(_FRACTION)) + 0.5) * 2.0 ** (_FRACTION - 64)
        if self._antithetic:
            half = BLOCK // 2
            mirrored = 1 - uniforms[:, :half]
            uniforms[:, half:] = mirrored
            uniforms[1, half:] = uniforms[1, :half]
        return np.asarray(uniforms)
