"""Which bin a junction belongs to: that of its own minimizer. numpy only.

The m-mers of a k-mer are those of its two junctions together. So the minimizer of a k-mer is that of at least one of them: most
ends have their junction in the k-mer's own bin, and only where the minimizer is the first or the last m-mer it may be another
(one end in 20 at k = 31).
"""

from __future__ import annotations

from functools import cache

import numpy as np

from examples.genomics.kmers.minimizers import MULTIPLIER, OFFSET, Bins, Hashes, Scheme
from examples.genomics.kmers.words import Kmers
from examples.genomics.unitigs.joins import Ends
from examples.genomics.unitigs.strands import low_bases, reverse_complement

BLOCK = 1 << 13  # words hashed at a time


def bins_of(words: Kmers, length: int, scheme: Scheme) -> Bins:
    """The bins of words of another length than k: of their smallest hash; 0 if they are shorter than a minimizer."""
    found = np.zeros(len(words), np.uint32)
    if length >= scheme.minimizer:
        for start in range(0, len(words), BLOCK):
            found[start : start + BLOCK] = scheme.bin_of(_smallest(words[start : start + BLOCK], length, scheme))
    return found


def _smallest(words: Kmers, length: int, scheme: Scheme) -> Hashes:
    hash_of_seed, distance, windows = _seed_hashes(scheme.seed), scheme.minimizer - scheme.seed, length - scheme.minimizer + 1
    first_seeds: list[Hashes] = []
    smallest = np.full(len(words), 0xFFFFFFFF, np.uint32)
    for place in range(length - scheme.seed + 1):
        if windows <= place < distance:
            continue  # neither the first nor the last seed of an m-mer
        seed = low_bases(words >> np.uint64(2 * (length - scheme.seed - place)), scheme.seed)
        hashes = hash_of_seed[seed.view(np.int64)]
        if place < windows:
            first_seeds.append(hashes)
        if place >= distance:
            np.minimum(smallest, hashes * first_seeds[place - distance] if distance else hashes, out=smallest)
    return smallest


@cache
def _seed_hashes(seed: int) -> Hashes:
    """Of every seed, as `kmers.minimizers` hashes them."""
    words = np.arange(4**seed, dtype=np.uint64)
    canonical = np.minimum(words, reverse_complement(words, seed)).astype(np.uint32)
    return canonical * MULTIPLIER + OFFSET | np.uint32(1)


def away_ends(kmers: Kmers, keys: Kmers, k: int, number: int, scheme: Scheme) -> tuple[Ends, Bins]:
    """The ends of a bin's k-mers whose junction belongs to another bin, by rising number, and these bins.

    Args:
        kmers: of bin ``number``, canonical.
        keys: of all their ends, from `joins.end_keys`.
        k: their length.
        number: of the bin.
        scheme: by which k-mers were dealt out.
    """
    if k - 1 < scheme.minimizer:
        doubtful = np.arange(2 * len(kmers))
    else:
        m = scheme.minimizer
        without_last = np.flatnonzero(bins_of(low_bases(kmers, m), m, scheme) == number) * 2
        without_first = np.flatnonzero(bins_of(kmers >> np.uint64(2 * (k - m)), m, scheme) == number) * 2 + 1
        doubtful = np.sort(np.concatenate((without_last, without_first)))
    doubtful = doubtful[keys[doubtful] != np.uint64(0xFFFFFFFFFFFFFFFF)]  # palindromes are joined nowhere
    bins = bins_of(keys[doubtful] >> np.uint64(1), k - 1, scheme)
    away = bins != number
    return doubtful[away], bins[away]
