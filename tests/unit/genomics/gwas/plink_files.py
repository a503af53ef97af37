"""Small PLINK filesets, written genotype by genotype."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

_CODE_OF_DOSAGE = np.array([3, 2, 0, 1], np.uint8)  # index -1: missing
Called = npt.NDArray[np.int8]


def random_genotypes(variants: int, samples: int, seed: int = 1, missing: float = 0.05) -> Called:
    """A1 alleles, (variants, samples), -1 if missing; frequencies from 0.05 to 0.95."""
    rng = np.random.default_rng(seed)
    frequencies = rng.uniform(0.05, 0.95, (variants, 1))
    called = rng.binomial(2, np.broadcast_to(frequencies, (variants, samples))).astype(np.int8)
    called[rng.random(called.shape) < missing] = -1
    return called


def write_fileset(prefix: Path, genotypes: Called, chroms: Sequence[str] | None = None, people: Sequence[str] | None = None) -> str:
    """Write ``prefix``.bed, .bim and .fam; the prefix as text.

    Args:
        prefix: path without ending.
        genotypes: A1 alleles, (variants, samples), -1 if missing.
        chroms: of each variant; all on 1 if None.
        people: lines of the .fam; ``p0 p0 0 0 1 -9``, ... if None.
    """
    variants, samples = genotypes.shape
    codes = np.zeros((variants, -(-samples // 4) * 4), np.uint8)
    codes[:, :samples] = _CODE_OF_DOSAGE[genotypes]
    rows = codes.reshape(variants, -1, 4) << np.array([0, 2, 4, 6], np.uint8)
    prefix.with_suffix(".bed").write_bytes(b"\x6c\x1b\x01" + rows.sum(axis=2).astype(np.uint8).tobytes())
    chroms = chroms or ["1"] * variants
    bim = "".join(f"{chrom}\tv{at}\t0\t{100 * at + 7}\tA\tG\n" for at, chrom in enumerate(chroms))
    prefix.with_suffix(".bim").write_text(bim)
    people = people or [f"p{at} p{at} 0 0 {1 + at % 2} -9" for at in range(samples)]
    prefix.with_suffix(".fam").write_text("".join(f"{person}\n" for person in people))
    return str(prefix)
