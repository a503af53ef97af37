"""K-mers as 64-bit words: bases to words, words to counts, words to bases. numpy only.

A base is two bits (A 0, C 1, G 2, T 3), so that a k-mer of up to 31 bases is one word and the order of the words is the
alphabetical order of the k-mers. The *canonical* k-mer is the smaller of a k-mer and its reverse complement: a read comes
from either strand, and both must count as the same k-mer.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Text = npt.NDArray[np.uint8]
Kmers = npt.NDArray[np.uint64]
Counts = npt.NDArray[np.int64]

MAX_K = 31
LETTERS = np.frombuffer(b"ACGT", np.uint8)

# Positions scanned at a time: the arrays of one block (8 bytes each) stay in the CPU's second-level cache.
BLOCK = 1 << 15

_NO_BASE = 4
_CODES = np.full(256, _NO_BASE, np.uint8)
for _code, _letters in enumerate((b"Aa", b"Cc", b"Gg", b"Tt")):
    _CODES[list(_letters)] = _code


def count_bases(text: Text) -> int:
    """How many characters of ``text`` are A, C, G or T, in either case."""
    return int(np.count_nonzero(_CODES[text] != _NO_BASE))


def canonical_kmers(text: Text, k: int) -> Kmers:
    """The canonical k-mers of all windows of ``k`` bases in ``text``, in order of position.

    Args:
        text: ASCII letters. Any character that is not A, C, G or T breaks: no window that covers it gives a k-mer.
        k: 1 to `MAX_K`.
    """
    blocks = [_scan(text[start : start + BLOCK + k - 1], k) for start in range(0, len(text) - k + 1, BLOCK)]
    return np.concatenate(blocks) if blocks else np.empty(0, np.uint64)


def _scan(text: Text, k: int) -> Kmers:
    codes = _CODES[text]
    broken = codes == _NO_BASE
    kmers = _both_strands(codes.astype(np.uint64), k)
    if not broken.any():
        return kmers
    # Breaks before each position: a window is free of breaks where this number is the same at both its ends.
    breaks = np.concatenate(([0], np.cumsum(broken, dtype=np.int32)))
    whole: npt.NDArray[np.bool_] = breaks[k:] == breaks[:-k]
    return kmers[whole]


def _both_strands(base: Kmers, k: int) -> Kmers:
    """The smaller of forward and reverse word of every window of ``k`` bases, breaks not heeded.

    As in raising to a power by squaring: windows of length n give those of length 2n by joining each with its neighbour
    n further on, and of length n + 1 by adding a base, so that k = 31 takes eight steps over the text instead of 30.
    """
    complement = np.uint64(3) - base  # a break, 4, wraps round to rubbish; `_scan` drops all windows that cover it
    forward, reverse, length = base, complement, 1
    for bit in f"{k:b}"[1:]:  # the binary digits of k after the leading 1
        shift = np.uint64(2 * length)
        forward, reverse = (
            forward[:-length] << shift | forward[length:],
            reverse[length:] << shift | reverse[:-length],  # the reverse strand is read from the far end
        )
        length *= 2
        if bit == "1":
            forward = forward[:-1] << np.uint64(2) | base[length:]
            reverse = complement[length:] << np.uint64(2 * length) | reverse[:-1]
            length += 1
    smaller: Kmers = np.minimum(forward, reverse)
    return smaller


def run_lengths(ordered: Kmers) -> tuple[Kmers, Counts]:
    """Each k-mer of a sorted array once, and how often it occurs; two arrays of the same length."""
    if not len(ordered):
        return ordered, np.empty(0, np.int64)
    new = np.concatenate(([True], ordered[1:] != ordered[:-1]))
    first = np.flatnonzero(new)
    return ordered[first], np.diff(first, append=len(ordered))


def encode(kmer: str) -> int:
    """The word of one k-mer, as it stands: not made canonical.

    Raises:
        ValueError: it holds something else than A, C, G and T, or is not 1 to `MAX_K` long.
    """
    codes = _CODES[np.frombuffer(kmer.encode(), np.uint8)]
    if not 1 <= len(codes) <= MAX_K or _NO_BASE in codes:
        raise ValueError(f"{kmer!r} is not a k-mer of 1 to {MAX_K} bases")
    return int(sum(int(code) << 2 * place for place, code in enumerate(reversed(codes))))


def decode(kmers: Kmers, k: int) -> Text:
    """The letters of k-mers: shape (number of k-mers, k)."""
    shifts = np.arange(2 * (k - 1), -1, -2, dtype=np.uint64)  # the first base is in the highest bits
    return LETTERS[(kmers[:, None] >> shifts & np.uint64(3)).astype(np.uint8)]
