"""Cohorts that anyone can make again: simulated with a seed, as PLINK .bed/.bim/.fam with a phenotype and covariates.

Genotypes: populations that drifted apart (Balding and Nichols, Genetica 96 (1995) 3-12) from allele frequencies uniform on 0.05 to
0.95; variants are independent, calls are missing at random. Phenotype: effects of every 20th variant that make up 40 % of its
variance, three covariates, and noise. Real cohorts have linkage disequilibrium and relatives: iterations converge otherwise there.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

_BATCH = 1000  # variants made at a time
_HERITABILITY, _CAUSAL, _EFFECTS = 0.4, 20, (0.1, 0.2, -0.1)
_CODES = np.array([3, 2, 0], np.uint8)  # of 0, 1, 2 copies of A1, in a .bed; 1 is missing


@dataclass(frozen=True, slots=True)
class Cohort:
    """Files with one name: ``prefix`` .bed, .bim, .fam, .pheno and .covar (both with a header that begins FID, IID)."""

    prefix: Path
    samples: int
    variants: int


def cohort(folder: Path, samples: int = 5000, variants: int = 100_000, *, missing: float = 0.01, populations: int = 12) -> Cohort:
    """The cohort; made if it is not there."""
    made = Cohort(folder / f"cohort-{samples}-{variants}-{1000 * missing:g}-{populations}", samples, variants)
    if not Path(f"{made.prefix}.covar").exists():
        _write(made, missing, populations)
    return made


def _write(made: Cohort, missing: float, populations: int) -> None:
    random = np.random.default_rng(9)
    drift = np.linspace(0.01, 0.03, populations)
    member = random.choice(populations, made.samples)
    genetic = np.zeros(made.samples)
    name = str(made.prefix)
    with Path(f"{name}.bed").open("wb") as bed, Path(f"{name}.bim").open("w") as bim:
        bed.write(b"\x6c\x1b\x01")
        for first in range(0, made.variants, _BATCH):
            many = min(_BATCH, made.variants - first)
            copies = _copies(random, drift, member, many)
            for each in copies[::_CAUSAL]:
                genetic += (each - each.mean()) / each.std() * random.standard_normal()
            codes = _CODES[copies]
            codes[random.random(codes.shape, np.float32) < missing] = 1
            bed.write(_packed(codes))
            rows = range(first, first + many)
            bim.writelines(f"{1 + row * 22 // made.variants}\trs{row}\t0\t{1000 + row * 100}\tA\tG\n" for row in rows)
    _write_samples(made, random, genetic / genetic.std())


def _copies(
    random: np.random.Generator, drift: npt.NDArray[np.float64], member: npt.NDArray[np.int64], many: int
) -> npt.NDArray[np.uint8]:
    """Copies of A1: shape (variants, samples)."""
    ancestral = random.uniform(0.05, 0.95, (many, 1))
    own = random.beta(ancestral * (1 - drift) / drift, (1 - ancestral) * (1 - drift) / drift).astype(np.float32)
    frequency = own[:, member]
    haplotypes = [(random.random(frequency.shape, np.float32) < frequency).astype(np.uint8) for _ in range(2)]
    return haplotypes[0] + haplotypes[1]


def _packed(codes: npt.NDArray[np.uint8]) -> bytes:
    """Four calls to a byte, the first in the lowest bits."""
    padded = np.zeros((len(codes), -(-codes.shape[1] // 4) * 4), np.uint8)
    padded[:, : codes.shape[1]] = codes
    packed: npt.NDArray[np.uint8] = padded[:, 0::4] | padded[:, 1::4] << 2 | padded[:, 2::4] << 4 | padded[:, 3::4] << 6
    return packed.tobytes()


def _write_samples(made: Cohort, random: np.random.Generator, genetic: npt.NDArray[np.float64]) -> None:
    name, rows = str(made.prefix), range(made.samples)
    covariates = random.standard_normal((made.samples, len(_EFFECTS)))
    noise = random.standard_normal(made.samples) * np.sqrt(1 - _HERITABILITY)
    phenotype = genetic * np.sqrt(_HERITABILITY) + noise + covariates @ np.array(_EFFECTS)
    Path(f"{name}.fam").write_text("".join(f"s{row} s{row} 0 0 {1 + row % 2} -9\n" for row in rows))
    Path(f"{name}.pheno").write_text("#FID\tIID\tY\n" + "".join(f"s{row}\ts{row}\t{phenotype[row]:.8g}\n" for row in rows))
    lines = ("\t".join(f"{value:.8g}" for value in covariates[row]) for row in rows)
    heads = "\t".join(f"C{column}" for column in range(len(_EFFECTS)))
    Path(f"{name}.covar").write_text(
        f"#FID\tIID\t{heads}\n" + "".join(f"s{row}\ts{row}\t{line}\n" for row, line in enumerate(lines))
    )
