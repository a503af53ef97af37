"""Packed genotypes to numbers: dosages for matrix products, counts, and where calls are missing."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from examples.genomics.gwas.bed import Packed

Dosages = npt.NDArray[np.float32]
Counted = npt.NDArray[np.int64]
_LOW_BITS = np.uint64(0x5555_5555_5555_5555)
_ONE = np.uint64(1)
_DOSAGE_OF_CODE = np.array([2, 0, 1, 0], np.float32)  # 00, 01 (missing), 10, 11


class Counts(NamedTuple):
    """Genotypes of each variant: (variants,) each."""

    hom_a1: Counted
    het: Counted
    hom_a2: Counted
    missing: Counted

    @property
    def called(self) -> Counted:
        """People whose genotype is known."""
        return self.hom_a1 + self.het + self.hom_a2

    @property
    def a1(self) -> Counted:
        """A1 alleles."""
        return 2 * self.hom_a1 + self.het


class Block(NamedTuple):
    """Some variants, one after the other.

    Attributes:
        packed: (variants, width / 4), see `Fileset.packed`.
        dosages: (variants, width): A1 alleles, missing as 0.
        counts: of everybody.
    """

    packed: Packed
    dosages: Dosages
    counts: Counts


def _four_dosages() -> npt.NDArray[np.complex128]:
    codes = np.arange(256)[:, None] >> np.array([0, 2, 4, 6]) & 3
    return np.ascontiguousarray(_DOSAGE_OF_CODE[codes]).view(np.complex128).reshape(-1)


def _nth_flags() -> npt.NDArray[np.intp]:
    """Which of four people has the n-th flag of a byte: (256, 4)."""
    flags = np.arange(256)[:, None] >> np.array([0, 2, 4, 6]) & 1
    return np.argsort(1 - flags, axis=1, kind="stable")


_FOUR_DOSAGES = _four_dosages()
_NTH_FLAG = _nth_flags()


def decode(packed: Packed, out: Dosages) -> Dosages:
    """A1 alleles of each person, missing as 0, into the first rows of ``out``, (variants, 4 x bytes), which are returned.

    Four float32 are taken at once as one complex128: 0.2-0.3 ns a genotype, 8 times faster than shifts and masks.
    """
    rows = out[: len(packed)]
    np.take(_FOUR_DOSAGES, packed.astype(np.intp), out=rows.view(np.complex128), mode="clip")  # clip: "raise" copies `out`
    return rows


def count(packed: Packed, samples: int) -> Counts:
    """Count genotypes, 32 at a time by population counts of words (0.05 ns a genotype).

    Args:
        packed: (variants, bytes), padded with people who have no A1 allele.
        samples: people without those.
    """
    words = packed.view(np.uint64)
    high = words >> _ONE
    low = words & _LOW_BITS
    high &= _LOW_BITS
    both = np.bitwise_count(high & low).sum(axis=1, dtype=np.int64)
    highs = np.bitwise_count(high).sum(axis=1, dtype=np.int64)
    lows = np.bitwise_count(low).sum(axis=1, dtype=np.int64)
    width = 4 * packed.shape[1]
    return Counts(hom_a1=width - (highs + lows - both), het=highs - both, hom_a2=both - (width - samples), missing=lows - both)


def missing_positions(packed: Packed) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Variant and person of each missing call, ordered by variant, then by person."""
    words = packed.view(np.uint64)
    flags = ~(words >> _ONE)
    flags &= words
    flags &= _LOW_BITS
    flat = flags.view(np.uint8).reshape(-1)
    hit = np.flatnonzero(flat != 0)  # of bytes: four times fewer than people; nearly all are 0
    calls = np.bitwise_count(flat[hit])
    owner = np.repeat(np.arange(len(hit)), calls)
    nth = np.arange(len(owner)) - np.repeat(np.cumsum(calls, dtype=np.intp) - calls, calls)
    rows, offsets = np.divmod(hit, packed.shape[1])
    return rows[owner], offsets[owner] * 4 + _NTH_FLAG[flat[hit[owner]], nth]


def mask(included: npt.NDArray[np.bool_], width: int) -> Packed:
    """Bytes that, or-ed to packed rows, give all people who are not included two A2 alleles, (width / 4,)."""
    out = np.ones(width, np.bool_)
    out[: len(included)] = ~included
    return np.packbits(np.repeat(out, 2), bitorder="little")
