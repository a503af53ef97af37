"""Random words with an address: word k of (seed, stream, date, block) is the same on any rank, in any order.

Philox4x64-10 is a bijection of a counter under a key (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011),
so the address is the key and the upper words of the counter; nothing is skipped, and nothing is kept.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint64]


class Philox:
    """All words of one stream.

    Args:
        seed: the user's, 0 to 2**64 - 1.
        stream: what the words are for; different purposes of one run have different streams.
    """

    def __init__(self, seed: int, stream: int) -> None:
        self._key = (seed, stream)
        self._generator = np.random.Philox(key=np.array(self._key, np.uint64))
        self._state = self._generator.state

    def words(self, block: int, count: int, date: int = 0) -> Words:
        """The first so many words of a block; setting the counter takes 1 us, a new generator 8."""
        inner = self._state["state"]
        inner["key"][:] = self._key
        inner["counter"][:] = (0, 0, block, date)
        self._state["buffer_pos"] = 4  # nothing is buffered
        self._generator.state = self._state
        words: Words = self._generator.random_raw(count)
        return words
