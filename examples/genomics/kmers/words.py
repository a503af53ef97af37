"""K-mers as 64-bit words: letters to words and back.

A base is two bits (A 0, C 1, G 2, T 3), so that the order of words is the alphabetical order of k-mers. Up to 31 bases are one
word, and k-mers an array of shape (n,); up to 61 bases are two, the last 32 bases in the second, and k-mers an array of shape (n,
2). The *canonical* k-mer is the smaller of a k-mer and its reverse complement: a read comes from either strand, and both must
count as one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Text = npt.NDArray[np.uint8]
Kmers = npt.NDArray[np.uint64]
Counts = npt.NDArray[np.int64]

MAX_K = 61
LONGEST_IN_ONE_WORD = 31
BASES_IN_A_WORD = 32
LETTERS = np.frombuffer(b"ACGT", np.uint8)

_NO_BASE = 4
_CODES = np.full(256, _NO_BASE, np.uint8)
for _code, _letters in enumerate((b"Aa", b"Cc", b"Gg", b"Tt")):
    _CODES[list(_letters)] = _code


def words_of(k: int) -> int:
    """How many words a k-mer takes."""
    return 1 if k <= LONGEST_IN_ONE_WORD else 2


def no_kmers(k: int) -> Kmers:
    """An empty array of k-mers."""
    return np.empty((0, 2)[: words_of(k)], np.uint64)


def encode(kmers: Sequence[str], k: int, *, canonical: bool = False) -> Kmers:
    """The words of k-mers, as they stand or made canonical.

    Raises:
        ValueError: one holds something else than A, C, G and T (in either case), or is not ``k`` long.
    """
    codes = np.full((len(kmers), k), _NO_BASE, np.uint8)
    for row, kmer in enumerate(kmers):
        letters = np.frombuffer(kmer.encode(), np.uint8)
        if len(letters) == k:
            codes[row] = _CODES[letters]
    if wrong := np.flatnonzero((codes == _NO_BASE).any(axis=1)).tolist():
        raise ValueError(f"{kmers[wrong[0]]!r} is not a k-mer of {k} letters A, C, G, T")
    words = _words(codes)
    if not canonical:
        return words
    other = _words((3 - codes)[:, ::-1])
    if words.ndim == 1:
        return np.minimum(words, other)
    smaller = (other[:, 0] < words[:, 0]) | ((other[:, 0] == words[:, 0]) & (other[:, 1] < words[:, 1]))
    return np.where(smaller[:, None], other, words)


def _words(codes: npt.NDArray[np.uint8]) -> Kmers:
    k = codes.shape[1]
    if words_of(k) == 2:
        return np.stack([_word(codes[:, : k - BASES_IN_A_WORD]), _word(codes[:, k - BASES_IN_A_WORD :])], axis=1)
    return _word(codes)


def _word(codes: npt.NDArray[np.uint8]) -> Kmers:
    word = np.zeros(len(codes), np.uint64)
    for column in codes.T:
        word = word << np.uint64(2) | column
    return word


def decode(kmers: Kmers, k: int) -> Text:
    """The letters of k-mers: shape (number of k-mers, k)."""
    if kmers.ndim == 1:
        return _letters_of(kmers, k)
    return np.hstack([_letters_of(kmers[:, 0], k - BASES_IN_A_WORD), _letters_of(kmers[:, 1], BASES_IN_A_WORD)])


def _letters_of(words: Kmers, length: int) -> Text:
    shifts = np.arange(2 * (length - 1), -1, -2, dtype=np.uint64)  # the first base is in the highest bits
    return LETTERS[(words[:, None] >> shifts & np.uint64(3)).astype(np.uint8)]
