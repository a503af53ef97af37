"""Products with the standardized genotypes X (people x variants), which are never formed: one pass over the packed rows each.

Variants are taken in blocks that depend on the files alone, and ranks have consecutive blocks. What a block adds to a sum over
variants is rounded to multiples of one power of two, coarse enough that all later additions are exact: so sums have the same bits
in any order, on any number of ranks, and one plain Allreduce adds them. The error is below 2**-51 of a bound of the sum for each
block, some 1e-11 of the result; an exact sum of the blocks' products would cost as much as the products.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from batchhpc.rank import exact_sum
from examples.genomics.gwas.bed import Fileset, Packed
from examples.genomics.gwas.genotypes import Counts, Dosages, count, decode, mask, missing_positions
from examples.workload.communicator import Communicator
from examples.workload.errors import Malformed

Matrix = npt.NDArray[np.float64]
Rounded = npt.NDArray[Any]  # float32 or float64, as the precision of the products is
Chosen = npt.NDArray[np.bool_]
_ROWS = 128  # of a block: its dosages stay near the processor (5,000 people: 2.6 MB), its products are wide enough for BLAS
_BLOCK_GENOTYPES = 1 << 24  # at most, so that 64 MiB hold a block of half a million people
_COLLINEAR = 1e-5  # of a variant's squared length, left by the covariates: ten times what float32 products are off
_KEPT = 1 << 30  # bytes of packed rows that a rank keeps; if it has more, each pass reads them again


@dataclass(frozen=True, slots=True)
class Block:
    """Variants ``first`` to ``last`` of the file, all of one chromosome."""

    first: int
    last: int
    chromosome: str


@dataclass(frozen=True, slots=True)
class _Prepared:
    """What is known of a block after the first look.

    Attributes:
        mean, scale: of each variant; a scale of 0 leaves the variant out.
        missing: places of missing calls among the block's dosages.
        fills: how many there are of each variant.
    """

    block: Block
    mean: Matrix
    scale: Matrix
    missing: npt.NDArray[np.uint32]
    fills: npt.NDArray[np.intp]


def blocks_of(fileset: Fileset, chosen: Chosen) -> list[Block]:
    """Cut the chosen variants into blocks, which end where a chromosome or a run of chosen variants ends."""
    rows = max(8, min(_ROWS, _BLOCK_GENOTYPES // fileset.width))
    names = [chromosome if taken else "" for chromosome, taken in zip(fileset.variants.chrom, chosen.tolist(), strict=True)]
    blocks, first = [], 0
    for chromosome, run in groupby(names):
        last = first + sum(1 for _ in run)
        if chromosome:
            blocks += [Block(start, min(start + rows, last), chromosome) for start in range(first, last, rows)]
        first = last
    return blocks


class Standardized:
    """X: each variant's A1 alleles less their mean, missing calls as the mean, divided by a standard deviation.

    That is plink2's, sqrt(2f(1-f)). With covariates, X and all vectors are projected off these, and each variant's length
    becomes sqrt(people - covariates), as BOLT-LMM has it.

    Args:
        comm: the ranks.
        fileset: the genotypes.
        chosen: (variants,), those that take part.
        people: (samples,), those that take part; rows of all matrices are these, in their order.
        frequencies_of: (samples,), those whose alleles give means and frequencies; None: all that take part.
        covariates: (people, c), orthonormal, the constant among them.
        precision: of the products, float32 or float64; sums over blocks are float64 either way.
    """

    def __init__(
        self,
        comm: Communicator,
        fileset: Fileset,
        chosen: Chosen,
        people: Chosen,
        *,
        frequencies_of: Chosen | None = None,
        covariates: Matrix | None = None,
        precision: type[np.float32 | np.float64] = np.float32,
    ) -> None:
        self.comm, self.covariates = comm, covariates
        self._fileset, self._precision = fileset, precision
        self._rows = np.flatnonzero(people)
        self._mask = mask(people, fileset.width)
        self._frequency_mask = self._mask if frequencies_of is None else mask(frequencies_of, fileset.width)
        self._frequency_people = len(self._rows) if frequencies_of is None else int(frequencies_of.sum())
        blocks = blocks_of(fileset, chosen)
        mine = blocks[len(blocks) * comm.rank // comm.size : len(blocks) * (comm.rank + 1) // comm.size]
        self._buffer: Dosages = np.zeros(
            (max((block.last - block.first for block in blocks), default=0), fileset.width), np.float32
        )
        keep = sum(block.last - block.first for block in mine) * fileset.width // 4 <= _KEPT
        self._kept: dict[int, Packed] = {block.first: self._read(block) for block in mine} if keep else {}
        self._prepared = [self._prepare(block) for block in mine]
        counted = [[np.count_nonzero(each.scale), self._reach(each), math.fsum(each.scale)] for each in self._prepared]
        used, self._bound, self._scales = exact_sum(np.array(counted).reshape(-1, 3), comm)
        self.variants = int(used)
        self._scratch = np.empty((0, fileset.width))

    @property
    def people(self) -> int:
        """Rows of X."""
        return len(self._rows)

    @cached_property
    def blocks(self) -> list[Block]:
        """This rank's; its variants are the columns of X that it has."""
        return [each.block for each in self._prepared]

    @cached_property
    def indices(self) -> npt.NDArray[np.intp]:
        """This rank's variants, as places in the ``.bim``."""
        ranges = [np.arange(block.first, block.last) for block in self.blocks]
        return np.concatenate([np.empty(0, np.intp), *ranges])

    @cached_property
    def scale(self) -> Matrix:
        """What each of this rank's variants was multiplied with: 1 / standard deviation, in A1 alleles; 0 if it is left out."""
        return np.concatenate([np.empty(0), *(each.scale for each in self._prepared)])

    @cached_property
    def mean(self) -> Matrix:
        """A1 alleles of a person, of each of this rank's variants."""
        return np.concatenate([np.empty(0), *(each.mean for each in self._prepared)])

    @property
    def varies(self) -> bool:
        """Whether the people differ in any variant; X is 0 if they do not."""
        return bool(self._bound > 0)

    def refuse(self, what: str) -> NoReturn:
        """End the run for what these genotypes are; collective, and told by one rank.

        Raises:
            Malformed: always; other ranks wait for the first to end them.
        """
        if self.comm.rank:
            self.comm.Barrier()
        raise Malformed(f"{self._fileset.prefix}.bed", what)

    def variants_of(self, chromosomes: Sequence[str]) -> dict[str, int]:
        """How many variants count on each of them; collective."""
        own = np.zeros(len(chromosomes), np.int64)
        for each in self._prepared:
            own[chromosomes.index(each.block.chromosome)] += np.count_nonzero(each.scale)
        total = np.empty_like(own)
        self.comm.Allreduce(own, total)
        return dict(zip(chromosomes, total.tolist(), strict=True))

    def project(self, vectors: Matrix) -> Matrix:
        """The vectors off the covariates."""
        return vectors if self.covariates is None else vectors - self.covariates @ (self.covariates.T @ vectors)

    def relate(
        self, vectors: Rounded, *, left_out: Sequence[str] | None = None, advance: Callable[[int], None] = lambda _: None
    ) -> Matrix:
        """X X' V, collective.

        Args:
            vectors: (people, columns), already projected off the covariates; the same on all ranks.
            left_out: the chromosome whose variants do not count, for each column.
            advance: called with the number of variants of each block once that is done.
        """
        padded, sums = self._padded(vectors)
        total, grid = self._total(np.linalg.norm(vectors, axis=0) * self._bound)
        leave = np.array(left_out) if left_out is not None else None
        for each, dosages in self._dosages():
            weights = self._correlated(each, dosages, padded, sums)
            if leave is not None:
                weights[:, leave == each.block.chromosome] = 0
            self._add(total, grid, each, dosages, weights)
            advance(len(weights))
        return self._reduced(total)

    def correlate(self, vectors: Matrix, chromosomes: Sequence[str]) -> Matrix:
        """X' v for this rank's variants, (variants,), each with the vector of its chromosome; products are float64.

        Args:
            vectors: (people, chromosomes), already projected off the covariates.
            chromosomes: whose each column is.
        """
        padded = np.zeros((self._fileset.width, vectors.shape[1]))
        padded[self._rows] = vectors
        sums = vectors.sum(axis=0)
        parts = [np.empty(0)]
        for each in self._prepared:
            column = [chromosomes.index(each.block.chromosome)]
            parts.append(self._correlated(each, self._decode(each).astype(np.float64), padded[:, column], sums[column])[:, 0])
        return np.concatenate(parts)

    def combine(self, weights_of: Callable[[Block], Matrix], columns: int) -> Matrix:
        """X W, collective.

        Args:
            weights_of: the rows of W for a block's variants, (variants, columns), each from -1 to 1.
            columns: of W.
        """
        total, grid = self._total(np.full(columns, 2 * self._scales))
        for each, dosages in self._dosages():
            self._add(total, grid, each, dosages, weights_of(each.block))
        return self._reduced(total)

    def _read(self, block: Block) -> Packed:
        return self._fileset.packed(block.first, block.last)

    def _packed(self, block: Block) -> Packed:
        kept = self._kept.get(block.first)
        return self._read(block) if kept is None else kept

    def _prepare(self, block: Block) -> _Prepared:
        raw = self._packed(block)
        packed = raw | self._mask
        alleles = count(raw | self._frequency_mask, self._frequency_people)
        mean = alleles.a1 / np.maximum(alleles.called, 1)
        rows, places = missing_positions(packed)
        flat = (rows * self._fileset.width + places).astype(np.uint32)
        fills = np.bincount(rows, minlength=len(raw))
        bare = _Prepared(block, mean, np.ones(len(mean)), flat, fills)
        square = mean * (1 - mean / 2) if self.covariates is None else self._squares(bare, count(packed, self.people))
        scale = np.sqrt(self._unit / np.where(square > 0, square, np.inf))
        return _Prepared(block, mean, scale, flat, fills)

    @property
    def freedom(self) -> int:
        """People less covariates."""
        return self.people - (0 if self.covariates is None else self.covariates.shape[1])

    @cached_property
    def _unit(self) -> float:
        """What a variant's square becomes by its scale."""
        return 1.0 if self.covariates is None else float(self.freedom)

    def _squares(self, bare: _Prepared, counts: Counts) -> Matrix:
        """Each variant's squared length once it is projected off the covariates; 0 if they leave nothing but rounding of it."""
        assert self.covariates is not None
        padded, sums = self._padded(self.covariates)
        on_covariates = self._correlated(bare, self._decode(bare), padded, sums)
        whole = _squared_length(bare.mean, counts)
        left = whole - np.square(on_covariates).sum(axis=1)
        return np.where(left > _COLLINEAR * whole, left, 0.0)

    def _reach(self, each: _Prepared) -> float:
        """How large the block's part of X X' v can be for a v of length 1."""
        counts = count(self._packed(each.block) | self._mask, self.people)
        return 2.0 * math.fsum(each.scale**2 * np.sqrt(_squared_length(each.mean, counts)))

    def _decode(self, each: _Prepared) -> Dosages:
        dosages = decode(self._packed(each.block) | self._mask, self._buffer)
        dosages.reshape(-1)[each.missing] = np.repeat(each.mean.astype(np.float32), each.fills)
        return dosages

    def _dosages(self) -> Iterator[tuple[_Prepared, Rounded]]:
        """Each block's A1 alleles, missing calls as the mean: (variants, width)."""
        for each in self._prepared:
            yield each, self._decode(each).astype(self._precision, copy=False)

    def _padded(self, vectors: Matrix) -> tuple[Rounded, Matrix]:
        """The vectors with a row for all samples of a packed row, and their sums as rounded."""
        padded = np.zeros((self._fileset.width, vectors.shape[1]), self._precision)
        padded[self._rows] = vectors
        return padded, padded.sum(axis=0, dtype=np.float64)

    @staticmethod
    def _correlated(each: _Prepared, dosages: Rounded, padded: Rounded, sums: Matrix) -> Matrix:
        """X' V of one block; the mean's part is taken off after the product, which then is one of small whole numbers."""
        products = (dosages @ padded).astype(np.float64)
        products -= each.mean[:, None] * sums
        products *= each.scale[:, None]
        return products

    def _total(self, bounds: Matrix) -> tuple[Matrix, Matrix]:
        """Sums that begin at 0, (columns, width), and for each column the number whose addition rounds to its grid.

        A double between 2**52 and 2**53 times a grid's step is a multiple of that step. So (x + grid) - grid rounds x to the grid.
        """
        steps = np.frexp(np.maximum(bounds, np.finfo(np.float64).tiny * 2.0**100))[1] - 51
        return np.zeros((len(bounds), self._fileset.width)), np.ldexp(1.5, steps + 52)

    def _add(self, total: Matrix, grid: Matrix, each: _Prepared, dosages: Rounded, weights: Matrix) -> None:
        """Add X W of one block, rounded to the grid.

        The product is made transposed, W' X': for a few tens of columns that is 1.1-1.2 times as fast.
        """
        weights = weights * each.scale[:, None]
        product = weights.T.astype(self._precision) @ dosages
        if self._scratch.shape != total.shape:
            self._scratch = np.empty_like(total)
        np.add(product, (grid - each.mean @ weights)[:, None], out=self._scratch)
        self._scratch -= grid[:, None]
        total += self._scratch

    def _reduced(self, total: Matrix) -> Matrix:
        """The sum over ranks, projected: (people, columns)."""
        own = np.ascontiguousarray(total[:, self._rows])
        summed = np.empty_like(own)
        self.comm.Allreduce(own, summed)
        return self.project(np.ascontiguousarray(summed.T))


def _squared_length(mean: Matrix, counts: Counts) -> Matrix:
    """Of each variant less its mean, missing calls as the mean."""
    return counts.het + 4.0 * counts.hom_a1 - 2.0 * mean * counts.a1 + mean * mean * counts.called
