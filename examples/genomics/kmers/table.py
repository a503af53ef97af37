"""The count table on disk, and looking k-mers up in it.

    table/index.json       k, bins, parts, fewest occurrences, format
    table/bins.npy         int64 (bins + 1,): the table's row at which each bin begins
    table/kmers-07.npy     uint64 (n,), or (n, 2) for k above 31: the k-mers of a sixteenth of the bins
    table/counts-07.npy    uint32 (n,): how often each occurs; `MOST_COUNTED` means that often or more

Rows are ordered by bin, and within a bin by k-mer. So they depend on the k-mers alone, not on ranks or on the order of reads, and a
k-mer is found by its minimizer and a binary search in one bin.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from examples.genomics.kmers.minimizers import Scheme, minimizer_bins
from examples.genomics.kmers.words import Counts, Kmers, decode, encode

PARTS = 16
MOST_COUNTED = 2**32 - 1
FORMAT = "batchhpc k-mers 1"  # to be changed with the hash of minimizers, too
INDEX, BINS = "table/index.json", "table/bins.npy"
NAMES = (*(f"table/{kind}-{part:02}.npy" for part in range(PARTS) for kind in ("kmers", "counts")), BINS, INDEX)


@dataclass(frozen=True, slots=True)
class Index:
    """What ``index.json`` holds.

    Attributes:
        k: length of a k-mer.
        bins: how many.
        parts: how many files the bins are dealt out to, evenly.
        min: fewest occurrences of a k-mer in the table.
        kmers: how many the table has.
    """

    k: int
    bins: int
    parts: int
    min: int
    kmers: int

    def as_text(self) -> str:
        """The file's text."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=2, sort_keys=True) + "\n"


class CountTable:
    """A table that a run has written.

        table = CountTable.open("results/kmers")
        table.count("ACGTTGCAAGCATTGCAAGTCGATTACGATC")

    Either strand may be asked for. Only what is looked up is read.
    """

    def __init__(self, index: Index, offsets: Counts, kmers: Sequence[Kmers], counts: Sequence[npt.NDArray[np.uint32]]) -> None:
        self.index, self._scheme = index, Scheme(index.k, index.bins)
        self._offsets, self._kmers, self._counts = offsets, kmers, counts

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """The table of the results in a directory.

        Raises:
            FileNotFoundError: there are no finished results.
            ValueError: it is another format.
        """
        out = Path(path)
        if not (out / "summary.json").exists() or not (out / INDEX).exists():
            raise FileNotFoundError(f"{out}: holds no finished count table: {INDEX} and summary.json are written last")
        found = json.loads((out / INDEX).read_text(encoding="utf-8"))
        if found.pop("format", None) != FORMAT:
            raise ValueError(f"{out / INDEX}: is not of the format {FORMAT!r}; count again with this version")
        index = Index(**found)
        tables = [
            [np.load(out / f"table/{kind}-{part:02}.npy", mmap_mode="r") for part in range(index.parts)]
            for kind in ("kmers", "counts")
        ]
        return cls(index, np.load(out / BINS), *tables)

    @property
    def k(self) -> int:
        """Length of a k-mer."""
        return self.index.k

    def __len__(self) -> int:
        """How many k-mers it holds."""
        return self.index.kmers

    def count(self, kmer: str) -> int:
        """How often a k-mer or its reverse complement occurs; 0 if it is not in the table.

        Raises:
            ValueError: it is not ``k`` letters A, C, G, T.
        """
        return int(self.counts([kmer])[0])

    def counts(self, kmers: Sequence[str]) -> Counts:
        """The same for many, in their order."""
        words = encode(kmers, self.k, canonical=True)
        found = np.zeros(len(words), np.int64)
        for number, (word, bin_number) in enumerate(zip(words, minimizer_bins(words, self._scheme).tolist(), strict=True)):
            in_bin, counts = self._bin(bin_number)
            place = _place(in_bin, word)
            if place is not None:
                found[number] = counts[place]
        return found

    def items(self) -> Iterator[tuple[str, int]]:
        """All k-mers and how often each occurs, in the table's order."""
        for bin_number in range(self.index.bins):
            kmers, counts = self._bin(bin_number)
            for letters, count in zip(decode(kmers, self.k), counts.tolist(), strict=True):
                yield letters.tobytes().decode(), count

    def _bin(self, number: int) -> tuple[Kmers, npt.NDArray[np.uint32]]:
        part, bins_in_part = divmod(number, self.index.bins // self.index.parts)
        before = self._offsets[number - bins_in_part]
        rows = slice(int(self._offsets[number] - before), int(self._offsets[number + 1] - before))
        return self._kmers[part][rows], self._counts[part][rows]


def _place(ordered: Kmers, word: Kmers) -> int | None:
    """Where a k-mer is in an ordered array; None if it is not there."""
    if ordered.ndim == 1:
        place = int(np.searchsorted(ordered, word))
    else:
        first, last = (int(np.searchsorted(ordered[:, 0], word[0], side)) for side in ("left", "right"))
        place = first + int(np.searchsorted(ordered[first:last, 1], word[1]))
    return place if place < len(ordered) and np.array_equal(ordered[place], word) else None
