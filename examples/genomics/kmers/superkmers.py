"""Text to super-k-mers: runs of windows with one minimizer, as records of a fixed size, grouped by bin.

A *super-k-mer* of L k-mers is k + L - 1 bases: at k = 31 a record of 16 bytes holds 10 k-mers on average, at k = 21 one of 8 holds
4, where each by itself takes 8. Layout of a record: bases from the highest bits of its first word on, two bits each, then anything,
then L in the lowest 6 bits of its last word. What is longer than a record is cut into several. Knows neither files nor MPI.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from examples.genomics.kmers.minimizers import BLOCK, MARGIN, Bins, Hasher, Scheme
from examples.genomics.kmers.words import Text

Records = npt.NDArray[np.uint64]
Offsets = npt.NDArray[np.int64]

LENGTH_BITS = 6
LENGTH_MASK = np.uint64((1 << LENGTH_BITS) - 1)
_LONGEST_IN_ONE_WORD, _LONGEST_IN_TWO_WORDS = 21, 50  # k up to which records of so many words are fewer bytes a k-mer
_GROWTH = 1 << 16  # records


def words_of_record(k: int) -> int:
    """How many words a record has."""
    return 1 if k <= _LONGEST_IN_ONE_WORD else 2 if k <= _LONGEST_IN_TWO_WORDS else 4


def most_kmers(k: int) -> int:
    """How many k-mers a record can hold."""
    bases = 32 * words_of_record(k) - LENGTH_BITS // 2
    return min(bases - k + 1, int(LENGTH_MASK))


def rows(records: Records, k: int) -> npt.NDArray[np.void]:
    """Records as single elements: numpy moves one of 16 bytes at once (1 ns), a row of two words by a loop (9 ns)."""
    return records.reshape(-1).view(f"V{8 * words_of_record(k)}")


@dataclass(frozen=True, slots=True)
class Grouped:
    """Records in the order of bins: those of the bin at place i are ``records[offsets[i] : offsets[i + 1]]``.

    Attributes:
        records: (n, words).
        offsets: (bins + 1,).
    """

    records: Records
    offsets: Offsets

    def sizes(self) -> Offsets:
        """(bins,) how many records each bin has."""
        return np.diff(self.offsets)

    def reordered(self, order: Offsets) -> Grouped:
        """With the bins in another order; (bins,) which comes at each place."""
        starts, stops = self.offsets[:-1][order].tolist(), self.offsets[1:][order].tolist()
        records = np.concatenate([self.records[start:stop] for start, stop in zip(starts, stops, strict=True)])
        return Grouped(records, np.concatenate(([0], np.cumsum(self.sizes()[order]))))


class Scanner:
    """Makes the super-k-mers of one text after the other, in buffers of its own."""

    def __init__(self, scheme: Scheme) -> None:
        self.scheme = scheme
        self._words, self._longest = words_of_record(scheme.k), most_kmers(scheme.k)
        self._hasher = Hasher(scheme)
        # flatnonzero is twice as slow where less than 10 % are true: a tail of true elements keeps it on its fast path.
        self._starts = np.ones(BLOCK + BLOCK // 8 + 8, bool)
        self._phases = np.empty((4, (BLOCK + MARGIN) // 4), np.uint8)
        self._records = np.empty((_GROWTH, self._words), np.uint64)
        self._places = np.empty(_GROWTH, np.uint32)

    def scan(
        self,
        text: Text,
        place_of: Bins | None = None,
        room: Callable[[int], Records] | None = None,
        tick: Callable[[], object] = lambda: None,
    ) -> Grouped:
        """All super-k-mers of a text.

        Args:
            text: letters; whatever is not A, C, G or T in either case separates.
            place_of: where each bin comes in the order of groups; None: by number.
            room: gives an array for so many records; None: a new one each time.
            tick: called every `BLOCK` positions, as to let messages proceed.
        """
        found = 0
        for start in range(0, len(text) - self.scheme.k + 1, BLOCK):
            found = self._scan_block(text, start, min(len(text), start + BLOCK), found)
            tick()
        return self._group(found, place_of, room)

    def _scan_block(self, text: Text, start: int, stop: int, found: int) -> int:
        """Appends the records of windows that begin in a block; how many there are now."""
        hashes = self._hasher.hashes(text, start, stop)
        first, lengths = self._runs(hashes)
        of_run = hashes[first]
        if int(lengths.max()) > self._longest:
            first, lengths, of_run = _cut_runs(first, lengths, of_run, self._longest)
        valid = of_run != 0
        if not valid.all():
            first, lengths, of_run = first[valid], lengths[valid], of_run[valid]
        end = found + len(first)
        if end > len(self._records):
            self._grow(found, end)
        self._pack(first, lengths, self._records[found:end])
        self._places[found:end] = self.scheme.bin_of(of_run)
        return end

    def _runs(self, hashes: Bins) -> tuple[Offsets, Offsets]:
        """Where the hash changes, and how many windows have it from there on."""
        length = len(hashes)
        starts = self._starts if length == BLOCK else np.ones(length + length // 8 + 8, bool)
        np.not_equal(hashes[1:], hashes[:-1], out=starts[1:length])
        first = np.flatnonzero(starts)
        runs = len(first) - (len(starts) - length)
        return first[:runs], np.diff(first[: runs + 1])

    def _pack(self, first: Offsets, lengths: Offsets, out: Records) -> None:
        """The bases from each position on: bytes of four, which lie side by side in the array of its phase, position modulo 4."""
        fours = self._hasher.fours
        quarter = self._phases.shape[1]
        for phase in range(4):
            self._phases[phase, : len(fours) // 4] = fours[phase::4]
        size = 8 * self._words
        packed = np.ndarray((self._phases.size - size + 1,), f"V{size}", self._phases, strides=(1,))  # one begins at each byte
        at = first & 3
        at *= quarter
        at += first >> 2
        np.minimum(at, len(packed) - 1, out=at)
        rows(out, self.scheme.k)[:] = packed[at]
        out.reshape(-1).byteswap(inplace=True)
        last = out[:, -1]
        last &= ~LENGTH_MASK
        last |= lengths.astype(np.uint64)

    def _grow(self, found: int, wanted: int) -> None:
        records, places = self._records, self._places
        size = wanted + wanted // 4 + _GROWTH
        self._records, self._places = np.empty((size, self._words), np.uint64), np.empty(size, np.uint32)
        self._records[:found], self._places[:found] = records[:found], places[:found]

    def _group(self, found: int, place_of: Bins | None, room: Callable[[int], Records] | None) -> Grouped:
        """Sorts by place and index in one number: SIMD `sort` takes 2.5 ns a record, `argsort` 9 to 50."""
        bins, index_bits = self.scheme.bins, max(1, found).bit_length()
        fits = (bins << index_bits) <= 1 << 32
        kind = np.uint32 if fits else np.uint64
        places = self._places[:found]
        keys: npt.NDArray[Any] = (places if place_of is None else place_of[places]).astype(kind)
        keys <<= index_bits
        keys |= np.arange(found, dtype=kind)
        keys.sort()
        edges = np.arange(bins + 1, dtype=np.uint64) << np.uint64(index_bits)
        offsets = np.searchsorted(keys, edges[:-1].astype(kind))
        keys &= (1 << index_bits) - 1
        grouped = room(found) if room else np.empty((found, self._words), np.uint64)
        # With mode="clip" take writes straight to `out`; else it goes through a copy, for it may have to raise.
        np.take(rows(self._records[:found], self.scheme.k), keys.astype(np.intp), out=rows(grouped, self.scheme.k), mode="clip")
        return Grouped(grouped, np.append(offsets, found))


def _cut_runs(first: Offsets, lengths: Offsets, hashes: Bins, longest: int) -> tuple[Offsets, Offsets, Bins]:
    """Runs of more than ``longest`` windows as several, the later ones behind all others."""
    long = np.flatnonzero((lengths > longest) & (hashes != 0))
    further = (lengths[long] - 1) // longest  # runs to add
    of = np.repeat(long, further)
    part = np.arange(len(of)) - np.repeat(np.cumsum(further) - further, further) + 1
    rest = np.minimum(lengths[of] - part * longest, longest)
    kept = np.minimum(lengths, longest)
    return np.concatenate((first, first[of] + part * longest)), np.concatenate((kept, rest)), np.concatenate((hashes, hashes[of]))
