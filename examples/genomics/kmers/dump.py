"""The count table as text: ``KMER<tab>COUNT`` a line, as ``kmc_dump`` writes it; in the table's order, bin by bin."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from examples.genomics.kmers.words import Counts, Kmers, Text, decode

_LINES = 1 << 15  # lines made at a time


def lines(kmers: Kmers, counts: Counts, k: int) -> Iterator[Text]:
    """The lines of the table, in order, many at a time."""
    for start in range(0, len(kmers), _LINES):
        some, many = kmers[start : start + _LINES], counts[start : start + _LINES]
        digits = _digits(int(many.max()))
        powers = 10 ** np.arange(digits - 1, -1, -1)
        table = np.empty((len(some), k + digits + 2), np.uint8)
        table[:, :k] = decode(some, k)
        table[:, k] = ord("\t")
        table[:, k + 1 : -1] = many[:, None] // powers % 10 + ord("0")
        table[:, -1] = ord("\n")
        written = np.ones(table.shape, bool)
        written[:, k + 1 : -1] = many[:, None] >= powers  # all rows are as wide as the longest count: drop leading zeros
        yield table[written]


def lines_size(counts: Counts, k: int) -> int:
    """Bytes of `lines` for these counts, without making them."""
    longest = _digits(int(counts.max(initial=0)))
    return (k + 2) * len(counts) + sum(int(np.count_nonzero(counts >= 10**place)) for place in range(longest))


def _digits(number: int) -> int:
    return len(str(number))
