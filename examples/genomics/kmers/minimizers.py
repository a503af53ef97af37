"""Minimizers: which bin a k-mer belongs to, so that neighbours in a sequence mostly share one. Knows neither files nor MPI.

The *minimizer* of a k-mer is that of its m-mers whose hash is smallest (Roberts et al. 2004); the bin is a function of that hash.
Both strands must agree, so the hash of an m-mer is one of the unordered pair of its first and last *seeds*, s-mers in canonical
form: the product of their hashes, which are odd. A product is not linear (an exclusive or gives 0 for all palindromes, and one
bin would be ten times the mean), and a seed that holds no base has hash 0, which makes the hash of all k-mers that cover it 0 for
free.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from examples.genomics.kmers.words import Kmers, Text, decode

Hashes = npt.NDArray[np.uint32]
Bins = npt.NDArray[np.uint32]
Array = np.ndarray[Any, Any]

LONGEST_SEED = 8  # bases: the seed's code fills a uint16
LONGEST_MINIMIZER = 11
# Windows hashed at a time: the arrays of a block stay in the second-level cache.
BLOCK = 1 << 16
MARGIN = 256  # positions beyond a block: the longest record, and a full word
MULTIPLIER, OFFSET, _FINAL = np.uint32(0x9E3779B1), np.uint32(0x7F4A7C15), np.uint32(0x85EBCA6B)
_EIGHT_BASES = np.uint64(0x0303030303030303)
_UPPER_CASE = 0xDF


@dataclass(frozen=True, slots=True)
class Scheme:
    """How k-mers are dealt out to bins; files and checkpoints of one scheme go together.

    Attributes:
        k: length of a k-mer.
        bins: how many; a power of two.
    """

    k: int
    bins: int

    @property
    def minimizer(self) -> int:
        """Length m: the longer, the more even are bins; the shorter, the longer stay neighbours together."""
        return min(LONGEST_MINIMIZER, (self.k + 3) // 2, self.k)

    @property
    def seed(self) -> int:
        """Length s of the pieces of a minimizer that are hashed, so that two of them cover it: 1, 2, 4 or 8."""
        return 1 << (min(self.minimizer, LONGEST_SEED).bit_length() - 1)

    @property
    def windows(self) -> int:
        """How many m-mers a k-mer has."""
        return self.k - self.minimizer + 1

    def bin_of(self, hashes: Hashes) -> Bins:
        """The bin of each smallest hash. These are small numbers, so they are mixed once more."""
        mixed = hashes ^ hashes >> np.uint32(15)
        mixed *= _FINAL
        mixed >>= np.uint32(32 - (self.bins.bit_length() - 1))
        return mixed


def minimizer_bins(kmers: Kmers, scheme: Scheme) -> Bins:
    """The bin of each k-mer, of either strand; about 6 ns a base."""
    hasher, per_block = Hasher(scheme), BLOCK // (scheme.k + 1)
    found = np.empty(len(kmers), np.uint32)
    for start in range(0, len(kmers), per_block):
        letters = decode(kmers[start : start + per_block], scheme.k)
        text = np.pad(letters, ((0, 0), (0, 1)), constant_values=ord("\n")).reshape(-1)
        found[start : start + per_block] = scheme.bin_of(hasher.hashes(text, 0, len(text))[:: scheme.k + 1])
    return found


class Hasher:
    """Hashes the windows of a text, a block at a time, in buffers of its own.

    Attributes:
        fours: of the last block: the four bases from each position on, the first one in the highest bits.
    """

    def __init__(self, scheme: Scheme) -> None:
        self.scheme = scheme
        length = BLOCK + MARGIN
        self._text, self._codes, self._spare = (np.empty(length, np.uint8) for _ in range(3))
        self._pairs, self._other_pairs, self.fours, self._other_fours = (np.empty(length, np.uint8) for _ in range(4))
        self._wrong, self._differs = (np.empty(length, bool) for _ in range(2))
        self._eights, self._other_eights, self._spare16 = (np.empty(length, np.uint16) for _ in range(3))
        self._seed_hashes, self._hashes = (np.empty(length, np.uint32) for _ in range(2))
        self._padded = np.empty(length, np.uint8)

    def hashes(self, text: Text, start: int, stop: int) -> Hashes:
        """The smallest hash of each window of k bases beginning in ``[start, stop)``, at most `BLOCK`; the next call overwrites it.

        0 for a window that covers something else than A, C, G, T in either case, or ends beyond the text.
        """
        length = (stop - start + MARGIN - 7) & ~7  # whole words of eight bases
        block = text[start : start + length]
        if len(block) < length or block.ctypes.data % 8:  # a numpy function of unaligned words costs twice as much as the copy
            self._padded[: len(block)] = block
            self._padded[len(block) : length] = 0
            block = self._padded[:length]
        seeds = self._hash_seeds(self._canonical_seeds(block))
        self._forget_seeds_without_base(block, seeds)
        return self._sliding_minimum(self._join_seeds(seeds))[: stop - start]

    def _canonical_seeds(self, block: Text) -> Array:
        """The smaller of each s-mer and its reverse complement, by doubling 1, 2, 4, 8; both strands in step."""
        length, seed = len(block), self.scheme.seed
        codes, spare = self._codes[:length], self._spare[:length]
        # Bits 1 and 2 tell letters A, C, G, T apart: combined they are the code. By words of eight, 3 times faster than a table.
        by_eight, spare_by_eight = codes.view(np.uint64), spare.view(np.uint64)
        np.right_shift(block.view(np.uint64), np.uint64(1), out=by_eight)
        np.right_shift(block.view(np.uint64), np.uint64(2), out=spare_by_eight)
        np.bitwise_xor(by_eight, spare_by_eight, out=by_eight)
        np.bitwise_and(by_eight, _EIGHT_BASES, out=by_eight)
        pairs, fours = self._pairs[:length], self.fours[:length]
        _join(codes, 4, 1, spare, pairs)  # multiplied: of uint8 numpy has SIMD for `*` (0.04 ns), not for `<<` (0.30)
        _join(pairs, 16, 2, spare, fours)
        if seed == 1:
            np.bitwise_xor(codes, np.uint8(3), out=spare)
            return np.minimum(codes, spare, out=spare)
        np.bitwise_xor(by_eight, _EIGHT_BASES, out=by_eight)  # complement: the same doubling, mirrored
        other_pairs, other_fours = self._other_pairs[:length], self._other_fours[:length]
        _join_mirrored(codes, 4, 1, spare, other_pairs)
        if seed == 2:
            return np.minimum(pairs, other_pairs, out=spare)
        _join_mirrored(other_pairs, 16, 2, spare, other_fours)
        if seed == 4:
            return np.minimum(fours, other_fours, out=spare)
        eights, other, wide = self._eights[:length], self._other_eights[:length], self._spare16[:length]
        np.copyto(wide, fours)
        _join(wide, 256, 4, other, eights)
        np.copyto(wide, other_fours)
        np.multiply(wide, np.uint16(256), out=other)
        np.bitwise_or(wide[:-4], other[4:], out=wide[:-4])
        return np.minimum(eights, wide, out=eights)

    def _hash_seeds(self, seeds: Array) -> Hashes:
        hashes = self._seed_hashes[: len(seeds)]
        np.copyto(hashes, seeds)
        np.multiply(hashes, MULTIPLIER, out=hashes)
        np.add(hashes, OFFSET, out=hashes)
        return np.bitwise_or(hashes, np.uint32(1), out=hashes)

    def _forget_seeds_without_base(self, block: Text, hashes: Hashes) -> None:
        """Set to 0 what covers a character that is no base."""
        upper, wrong, differs = self._text[: len(block)], self._wrong[: len(block)], self._differs[: len(block)]
        np.bitwise_and(block, _UPPER_CASE, out=upper)
        np.not_equal(upper, ord("A"), out=wrong)
        for letter in b"CGT":
            np.not_equal(upper, letter, out=differs)
            np.logical_and(wrong, differs, out=wrong)
        places = np.flatnonzero(wrong)
        for back in range(self.scheme.seed):
            reached = places - back
            hashes[reached[np.searchsorted(reached, 0) :]] = 0

    def _join_seeds(self, seeds: Hashes) -> Hashes:
        """The hash of each m-mer: that of its first seed times that of its last. Odd times odd is odd: only 0 is no base."""
        distance = self.scheme.minimizer - self.scheme.seed
        if distance == 0:
            return seeds
        hashes = self._hashes[: len(seeds)]
        np.multiply(seeds[:-distance], seeds[distance:], out=hashes[:-distance])
        hashes[-distance:] = 0
        return hashes

    def _sliding_minimum(self, hashes: Hashes) -> Hashes:
        """Of all m-mers of each window, by doubling: 5 steps for 21 m-mers, not 20."""
        span, length = 1, len(hashes)
        source = hashes
        spare = (self._hashes if np.shares_memory(hashes, self._seed_hashes) else self._seed_hashes)[:length]
        while span < self.scheme.windows:
            step = min(span, self.scheme.windows - span)
            np.minimum(source[: length - step], source[step:], out=spare[: length - step])
            source, spare, span = spare, source, span + step
        return source


def _join(pieces: Array, factor: int, distance: int, spare: Array, out: Array) -> None:
    """Each piece and the one ``distance`` on as one. Not in place: where they overlap, numpy copies (3 to 10 times slower)."""
    np.multiply(pieces, pieces.dtype.type(factor), out=spare)
    np.bitwise_or(spare[:-distance], pieces[distance:], out=out[:-distance])


def _join_mirrored(pieces: Array, factor: int, distance: int, spare: Array, out: Array) -> None:
    """The same on the other strand, which is read from the far end."""
    np.multiply(pieces, pieces.dtype.type(factor), out=spare)
    np.bitwise_or(pieces[:-distance], spare[distance:], out=out[:-distance])
