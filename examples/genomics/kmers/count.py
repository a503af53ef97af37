"""One bin's super-k-mers to its k-mers in order, and how often each occurs. Knows neither files nor MPI."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from examples.genomics.kmers.superkmers import LENGTH_BITS, LENGTH_MASK, Records, rows, words_of_record
from examples.genomics.kmers.words import BASES_IN_A_WORD, Counts, Kmers, no_kmers, words_of

Lengths = npt.NDArray[np.uint32]
Places = npt.NDArray[np.int64]

AT_ONCE = 1 << 22  # k-mers sorted at a time: a larger bin is counted in slices, which bounds memory
_BLOCK = 1 << 13  # records expanded at a time: their words and temporaries stay in the second-level cache
_FLAGS = 1 << 17
_MIX = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)
_NIBBLES, _PAIRS = np.uint64(0x0F0F0F0F0F0F0F0F), np.uint64(0x3333333333333333)


class Counter:
    """Counts one bin after the other, in buffers of its own."""

    def __init__(self, k: int) -> None:
        self.k = k
        self._record_words, self._words = words_of_record(k), words_of(k)
        self._expanded = np.empty((self._words, 0), np.uint64)
        self._forward, self._reverse = (np.empty((self._words, _BLOCK), np.uint64) for _ in range(2))
        self._spare = np.empty(_BLOCK, np.uint64)
        self._flags, self._more_flags = np.empty(_FLAGS, bool), np.empty(_BLOCK, bool)
        self._edges = np.empty(0, np.int64)

    def count(self, parts: Sequence[Records]) -> tuple[Kmers, Counts]:
        """The k-mers of all these records, in order, and how often each occurs; arrays of their own."""
        records = np.concatenate(parts) if parts else np.empty((0, self._record_words), np.uint64)
        lengths = (records[:, -1] & LENGTH_MASK).astype(np.uint32)
        total = int(lengths.sum(dtype=np.int64))
        if total <= AT_ONCE:
            return self._count_slice(records, lengths, total)
        slice_of = np.cumsum(lengths, dtype=np.int64) // AT_ONCE
        edges = np.searchsorted(slice_of, np.arange(int(slice_of[-1]) + 2))
        slices = [slice(start, stop) for start, stop in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)]
        counted = [self._count_slice(records[each], lengths[each], int(lengths[each].sum(dtype=np.int64))) for each in slices]
        return merge(counted, self.k)

    def _count_slice(self, records: Records, lengths: Lengths, total: int) -> tuple[Kmers, Counts]:
        words = self._expand(records, lengths, total)
        if self._words == 1:
            words[0].sort()
            edges = self._run_edges(words[0])
            return words[0][edges[:-1]], np.diff(edges)
        # Equal k-mers come together by a fingerprint of both words, in one sort instead of three. Where two of them are
        # equal by chance, a k-mer comes as several runs: `merge`, which puts the far fewer different k-mers in order, adds them.
        ordered = _by_fingerprint(words)
        edges = self._run_edges(*ordered)
        runs = np.stack([each[edges[:-1]] for each in ordered], axis=1)
        return merge([(runs, np.diff(edges))], self.k)

    def _expand(self, records: Records, lengths: Lengths, total: int) -> Kmers:
        """Canonical k-mers of all records: (words, total), in no order.

        Records are put in order of falling length, so that the j-th k-mers of all that have one are those of a prefix: a few numpy
        functions for each j, without a mask.
        """
        if self._expanded.shape[1] < total:
            self._expanded = np.empty((self._words, total + total // 4), np.uint64)
        expanded, done = self._expanded[:, :total], 0
        order = np.uint32(LENGTH_MASK) - lengths  # as in Scanner: length and index as one number
        order <<= np.uint32(32 - LENGTH_BITS)
        order |= np.arange(len(records), dtype=np.uint32)
        order.sort()
        falling = int(LENGTH_MASK) - (order >> np.uint32(32 - LENGTH_BITS)).astype(np.int64)
        order &= np.uint32((1 << 32 - LENGTH_BITS) - 1)
        ordered = np.take(rows(records, self.k), order.astype(np.intp), mode="clip").view(np.uint64).reshape(-1, self._record_words)
        for start in range(0, len(records), _BLOCK):
            forward = np.ascontiguousarray(ordered[start : start + _BLOCK].T)
            reverse = _reverse_complement(forward)
            block = falling[start : start + _BLOCK]
            longer = (len(block) - np.searchsorted(block[::-1], np.arange(1, int(block[0]) + 1))).tolist()  # than j
            for j, prefix in enumerate(longer):
                self._canonical(forward, reverse, j, expanded[:, done : done + prefix])
                done += prefix
        return expanded

    def _canonical(self, forward: Kmers, reverse: Kmers, j: int, out: Kmers) -> None:
        """The canonical form of the j-th k-mer of the first records."""
        k, count = self.k, out.shape[1]
        bases = BASES_IN_A_WORD * self._record_words
        there, back = j, bases - k - j  # where it begins on either strand
        if self._words == 1:
            shift = np.uint64(2 * (BASES_IN_A_WORD - k))
            one = self._word_at(forward, there, self._forward[0, :count])
            other = self._word_at(reverse, back, self._reverse[0, :count])
            np.minimum(one, other, out=out[0])
            np.right_shift(out[0], shift, out=out[0])
            return
        tail = k - BASES_IN_A_WORD
        high, low = (self._word_at(forward, there + tail * row, self._forward[row, :count]) for row in range(2))
        other_high, other_low = (self._word_at(reverse, back + tail * row, self._reverse[row, :count]) for row in range(2))
        smaller, same = self._flags[:count], self._more_flags[:count]
        np.less(other_high, high, out=smaller)
        np.equal(other_high, high, out=same)
        if same.any():  # rare: the first 32 bases are those of the other strand
            smaller |= same & (other_low < low)
        np.minimum(high, other_high, out=out[0])
        np.right_shift(out[0], np.uint64(2 * (BASES_IN_A_WORD - tail)), out=out[0])
        # The low word of the smaller strand: low ^ ((low ^ other) & -smaller) keeps to SIMD, `copyto(where=)` branches.
        mask = self._spare[:count]
        np.copyto(mask, smaller)
        np.negative(mask, out=mask)
        np.bitwise_xor(low, other_low, out=out[1])
        np.bitwise_and(out[1], mask, out=out[1])
        np.bitwise_xor(out[1], low, out=out[1])

    def _word_at(self, words: Kmers, base: int, buffer: Kmers) -> Kmers:
        """The 32 bases from a base on, of the first records."""
        count = len(buffer)
        word, offset = divmod(base, BASES_IN_A_WORD)
        if offset == 0:
            return words[word, :count]
        np.left_shift(words[word, :count], np.uint64(2 * offset), out=buffer)
        if word + 1 < len(words):
            rest = self._spare[:count]
            np.right_shift(words[word + 1, :count], np.uint64(2 * (BASES_IN_A_WORD - offset)), out=rest)
            np.bitwise_or(buffer, rest, out=buffer)
        return buffer

    def _run_edges(self, *ordered: Kmers) -> Places:
        """Where a k-mer differs from the one before, and the end; in pieces that stay in the cache."""
        total, found = len(ordered[0]), 0
        if len(self._edges) < total + 1:
            self._edges = np.empty(total + total // 4 + 1, np.int64)
        for start in range(0, total, _FLAGS):
            stop = min(total, start + _FLAGS)
            flags = self._flags[: stop - start]
            skip = 1 if start == 0 else 0  # the first k-mer has none before it
            flags[0] = True
            now, before = slice(start + skip, stop), slice(start + skip - 1, stop - 1)
            np.not_equal(ordered[0][now], ordered[0][before], out=flags[skip:])
            for more in ordered[1:]:
                flags[skip:] |= more[now] != more[before]
            places = np.flatnonzero(flags)
            np.add(places, start, out=self._edges[found : found + len(places)])
            found += len(places)
        self._edges[found] = total
        return self._edges[: found + 1]


def _reverse_complement(words: Kmers) -> Kmers:
    """Of whole records (words, n): the other strand, which begins with what was at the very end."""
    reverse = words[::-1].byteswap()  # a new array: bytes are reversed; then the four bases of each byte
    for mask, width in ((_NIBBLES, 4), (_PAIRS, 2)):
        shift = np.uint64(width)
        upper = reverse >> shift
        upper &= mask
        reverse &= mask
        reverse <<= shift
        reverse |= upper
    return np.invert(reverse, out=reverse)


def _by_fingerprint(words: Kmers) -> list[Kmers]:
    """K-mers of two words (2, n) with equal ones side by side, collisions apart: hash and index as one number (see `Scanner`)."""
    total = words.shape[1]
    index_bits = np.uint64(max(1, total).bit_length())
    index_mask = (np.uint64(1) << index_bits) - np.uint64(1)
    keys = words[0] * _MIX[0]
    keys += words[1] * _MIX[1]
    keys &= ~index_mask
    keys |= np.arange(total, dtype=np.uint64)
    keys.sort()
    keys &= index_mask
    order = keys.view(np.int64)
    return [each[order] for each in words]


def order_of(words: Kmers, k: int) -> Places:
    """Which order sorts k-mers of two words (2, n).

    From the lowest bits on, each time as many as fit into a word beside the place of before, which keeps the order of equal ones:
    two or three SIMD sorts of about 15 ns, where numpy's `lexsort` takes more than 100.
    """
    total = words.shape[1]
    index_bits = max(1, total).bit_length()
    width = 64 - index_bits
    places = np.arange(total, dtype=np.uint64)
    order = np.arange(total)
    for low in range(0, 2 * k, width):
        if low >= 64:
            field = words[0] >> np.uint64(low - 64)
        else:
            field = words[1] >> np.uint64(low)
            if low:
                field |= words[0] << np.uint64(64 - low)
        key = field[order] if low else field
        key <<= np.uint64(index_bits)
        key |= places
        key.sort()
        key &= np.uint64((1 << index_bits) - 1)
        order = order[key.view(np.int64)]
    return order


def merge(parts: Sequence[tuple[Kmers, Counts]], k: int) -> tuple[Kmers, Counts]:
    """Several counts as one, in order."""
    kmers = np.concatenate([no_kmers(k), *[each for each, _ in parts]])
    counts = np.concatenate([np.empty(0, np.int64), *[each for _, each in parts]])
    if not len(kmers):
        return kmers, counts
    columns = np.ascontiguousarray(np.atleast_2d(kmers.T))  # columns side by side: in rows, each step takes 3 times as long
    order = np.argsort(kmers, kind="stable") if kmers.ndim == 1 else order_of(columns, k)
    columns, counts = columns[:, order], counts[order]
    new = np.ones(len(kmers), bool)
    new[1:] = np.logical_or.reduce([column[1:] != column[:-1] for column in columns])
    firsts = np.flatnonzero(new)
    if len(firsts) < len(kmers):
        columns, counts = columns[:, firsts], np.add.reduceat(counts, firsts)
    return columns[0] if kmers.ndim == 1 else np.ascontiguousarray(columns.T), counts
