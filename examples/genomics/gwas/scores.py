"""Polygenic scores, as ``plink2 --score FILE 1 2 header-read``: weighted sums of effect alleles over variants.

A missing call counts as the mean of the founders' calls, or as one copy if there is none, as in plink2. Weights are whole multiples
of 2^-50 of the score's largest, in five numbers of ten bits: all sums are of whole numbers and exact, so the scores have the same
bits for any number of ranks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from batchhpc.rank import Progress, block_range
from examples.genomics.gwas.bed import Fileset, Packed, Samples
from examples.genomics.gwas.blocks import BLOCK
from examples.genomics.gwas.genotypes import count, decode, mask, missing_positions
from examples.genomics.gwas.score_table import ScoreTable
from examples.workload.communicator import Communicator

Reals = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]
_SLICES, _BITS = 5, 10


@dataclass(frozen=True)
class Scores:
    """Of everybody.

    Attributes:
        names: of the scores.
        variants: that were scored.
        alleles: (samples,), known ones at these variants.
        named: (samples,), effect alleles among them.
        sums: (samples, scores).
    """

    names: list[str]
    variants: int
    alleles: npt.NDArray[np.int64]
    named: npt.NDArray[np.int64]
    sums: Reals


def score(comm: Communicator, fileset: Fileset, table: ScoreTable) -> Scores:
    """Add up, each rank some variants; collective."""
    scored, at = np.unique(table.variant, return_inverse=True)
    slopes, constants = np.zeros((2, len(scored), len(table.names)))  # of A1, and of any call
    copies, always = np.zeros((2, len(scored)))  # effect alleles of a copy of A1, and of any call
    sign = np.where(table.of_a1, 1.0, -1.0)
    np.add.at(slopes, at, sign[:, None] * table.weights)
    np.add.at(constants, at, np.where(table.of_a1, 0.0, 2.0)[:, None] * table.weights)
    np.add.at(copies, at, sign)
    np.add.at(always, at, np.where(table.of_a1, 0.0, 2.0))
    slices = _Slices(np.abs(table.weights).max(axis=0))
    people = len(fileset.samples)
    outside, founders = mask(fileset.samples.founder, fileset.width), int(fileset.samples.founder.sum())
    own = block_range(len(scored), comm.rank, comm.size, BLOCK)
    sums = np.zeros((fileset.width, _SLICES * len(table.names)))
    counted = np.zeros((2, fileset.width), np.int64)
    dosages = np.zeros((BLOCK, fileset.width), np.float32)
    with Progress(len(scored), "variants", comm) as progress:
        for first in range(own.start, own.stop, BLOCK):
            rows = slice(first, min(own.stop, first + BLOCK))
            packed = _rows(fileset, scored[rows])
            block = decode(packed, dosages)
            counts = count(packed | outside, founders)
            means = np.where(counts.called > 0, counts.a1 / np.maximum(counts.called, 1), 1.0)
            variant, person = missing_positions(packed)
            instead = slices.cut(means[:, None] * slopes[rows])[variant]  # of the slope's part, which `block` has as 0
            sums += block.T @ slices.cut(slopes[rows]).astype(np.float32) + slices.cut(constants[rows]).sum(axis=0)
            for column in range(sums.shape[1]):
                sums[:, column] += np.bincount(person, instead[:, column], fileset.width)
            called = len(packed) - np.bincount(person, minlength=fileset.width)
            unnamed = np.bincount(person, always[rows][variant], fileset.width)
            counted += np.array([2 * called, always[rows].sum() - unnamed + copies[rows].astype(np.float32) @ block], np.int64)
            progress.reach(min(len(scored), (rows.stop - own.start) * comm.size))  # this rank speaks for all
    of_all, counted_of_all = np.zeros_like(sums), np.zeros_like(counted)
    comm.Allreduce(sums, of_all)
    comm.Allreduce(counted, counted_of_all)
    alleles, named = counted_of_all[:, :people]
    return Scores(table.names, len(scored), alleles, named, slices.join(of_all[:people]))


def sscore(samples: Samples, scores: Scores) -> str:
    """The whole ``.sscore``: sums by the alleles of all scored variants, as plink2's averages."""
    averages = (scores.sums / (2 * scores.variants)).tolist()
    rows = zip(samples.fid, samples.iid, scores.alleles.tolist(), scores.named.tolist(), averages, strict=True)
    lines = [
        f"{fid}\t{iid}\t{alleles}\t{named}\t" + "\t".join(f"{value:.6g}" for value in values) + "\n"
        for fid, iid, alleles, named, values in rows
    ]
    header = ["#FID", "IID", "ALLELE_CT", "NAMED_ALLELE_DOSAGE_SUM", *(f"{name}_AVG" for name in scores.names)]
    return "\t".join(header) + "\n" + "".join(lines)


class _Slices:
    """Numbers up to a few times ``largest``, (scores,), as whole numbers of ten bits, the most significant first."""

    def __init__(self, largest: Reals) -> None:
        exponents = np.frexp(largest)[1]
        self._units = [np.ldexp(1.0, exponents - _BITS * number) for number in range(1, _SLICES + 1)]

    def cut(self, numbers: Reals) -> Reals:
        """(n, scores) to (n, slices x scores)."""
        parts, rest = [], numbers
        for unit in self._units:
            parts.append(np.rint(rest / unit))
            rest = rest - parts[-1] * unit  # exact: what is left has fewer bits
        return np.concatenate(parts, axis=1)

    def join(self, sums: Reals) -> Reals:
        """Back, from the smallest to the largest."""
        parts = np.split(sums, _SLICES, axis=1)
        total: Reals = parts[-1] * self._units[-1]
        for part, unit in zip(parts[-2::-1], self._units[-2::-1], strict=True):
            total = total + part * unit
        return total


def _rows(fileset: Fileset, variants: Indices) -> Packed:
    """Packed genotypes of these variants, read run by run."""
    return np.concatenate([fileset.packed(int(run[0]), int(run[-1]) + 1) for run in _runs(variants)])


def _runs(variants: Indices) -> Iterator[Indices]:
    yield from np.split(variants, np.flatnonzero(np.diff(variants) != 1) + 1)
