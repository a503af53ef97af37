"""Which k-mers are joined: the edges of the compacted de Bruijn graph inside of unitigs. numpy only.

A k-mer has two ends: end 0 is its first k - 1 bases, end 1 its last; end e of k-mer i is number 2 i + e. The (k - 1)-mer of an
end in canonical form is its *junction*. All ends at one junction come from one of its two *sides*. Two ends are joined if they
are the only ones at their junction and come from different sides (Chikhi, Limasset, Medvedev 2016). Where a junction is its own
reverse complement, each end comes from both sides, and none is joined.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from examples.genomics.kmers.words import Kmers
from examples.genomics.unitigs.strands import low_bases

Ends = npt.NDArray[np.int64]

NEVER = np.uint64(0xFFFFFFFFFFFFFFFF)  # the key of an end that is not joined here
# Ends matched at a time: more than a bin usually has, and few enough for a place and 43 bits of fingerprint in one word.
MOST_ENDS = 1 << 20
_ONE = np.uint64(1)
_MULTIPLIER, _PART_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)  # odd, bits evenly mixed


def end_keys(kmers: Kmers, others: Kmers, k: int) -> Kmers:
    """(2 n,) the key of each end: twice its junction, and 1 if it comes from the second side; `NEVER` at palindromes.

    Args:
        kmers: (n,) canonical, at most 31 bases.
        others: (n,) their reverse complements.
        k: odd.
    """
    keys = np.empty(2 * len(kmers), np.uint64)
    two = np.uint64(2)
    keys[0::2] = _keys(kmers >> two, low_bases(others, k - 1))
    keys[1::2] = _keys(others >> two, low_bases(kmers, k - 1))
    return keys


def _keys(inward: Kmers, outward: Kmers) -> Kmers:
    """Of ends that read so into their k-mers, and so out of them: whichever is smaller is the junction, and tells the side."""
    keys = np.minimum(inward, outward)
    keys <<= _ONE
    keys |= outward < inward
    keys[inward == outward] = NEVER
    return keys


def joined(keys: Kmers, most: int = MOST_ENDS) -> tuple[Ends, Ends]:
    """The places of ends that are joined, pair by pair; each end in at most one pair.

    Args:
        keys: all ends at their junctions, in any order (`end_keys`); those that are `NEVER` are left out.
        most: ends matched at a time.
    """
    if len(keys) <= most:
        return _match(keys)
    # Too many for one go (one minimizer has a large share of all k-mers): parts that hold whole junctions.
    parts = 1 << (2 * len(keys) // most).bit_length()
    part_of = (keys >> _ONE) * _PART_MULTIPLIER >> np.uint64(64 - parts.bit_length() + 1)
    found = []
    for part in range(parts):
        places = np.flatnonzero(part_of == np.uint64(part))
        found.append([places[ends] for ends in _match(keys[places])])
    return np.concatenate([first for first, _ in found]), np.concatenate([second for _, second in found])


def _match(keys: Kmers) -> tuple[Ends, Ends]:
    """By sorting fingerprints of junctions with the place in their low bits: 7 to 10 ns an end, where argsort takes 18 to 26."""
    bits = np.uint64(len(keys).bit_length())
    low = _ONE << bits
    low -= _ONE
    marks = keys >> _ONE
    marks *= _MULTIPLIER
    marks &= ~low
    marks |= np.arange(len(keys), dtype=np.uint64)
    never = keys == NEVER
    marks[never] = NEVER
    marks.sort()
    marks = marks[: len(marks) - np.count_nonzero(never)]
    places = (marks & low).view(np.int64)
    marks >>= bits
    same = np.zeros(len(marks) + 1, bool)  # whether an end is at the junction of the one before
    np.equal(marks[1:], marks[:-1], out=same[1:-1])
    seconds = np.flatnonzero(same)
    sorted_keys = keys[places]
    if ((sorted_keys[seconds] ^ sorted_keys[seconds - 1]) > _ONE).any():  # two junctions with one fingerprint
        places = np.argsort(keys)
        places = places[: len(marks)]
        sorted_keys = keys[places]
        same[1:-1] = (sorted_keys[1:] ^ sorted_keys[:-1]) <= _ONE
        seconds = np.flatnonzero(same)
    alone = ~(same[seconds - 1] | same[seconds + 1])
    seconds = seconds[alone & (sorted_keys[seconds] != sorted_keys[seconds - 1])]
    return places[seconds - 1], places[seconds]
