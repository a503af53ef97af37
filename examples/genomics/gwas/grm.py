"""The genetic relationship matrix: K = Z Z' / variants of standardized genotypes Z (people x variants), missing calls as the mean.

The lower triangle is cut into square tiles, which depend on the number of people alone; each rank has a run of them and adds up the
products of its tiles' people over all variants, so that no sums go over ranks. Products are float32, sums float64: 2e-9 off on
average, 1e-7 at most, at twice the speed of float64. Equal to ``plink2 --make-rel meanimpute``; Yang et al., 2011 (GCTA).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from batchhpc.rank import Progress
from examples.genomics.gwas.bed import Fileset, Packed, Samples
from examples.genomics.gwas.genotypes import Dosages, count, decode, mask, missing_positions
from examples.genomics.gwas.standardized import Block, Matrix
from examples.workload.arguments import CheckpointPlan
from examples.workload.communicator import Communicator
from examples.workload.errors import BadArguments, Malformed
from examples.workload.restart import Restart

_KEPT = "2"  # version of what a checkpoint holds
_SIDE = 1280  # people of a tile: 95 % of what BLAS does with all 5,000 at once
_FEWEST_STRIPS = 4  # so that a few ranks have work with few people, too
_WORD = 32  # people of a packed word; tiles begin with one
_STEP_DOSAGES = 1 << 25  # of all people in one product: 128 MiB
_INNER = 128  # variants that are standardized at once, near the processor


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked for.

    Attributes:
        memory: bytes of tiles that a rank may have.
    """

    memory: int = 4 << 30


@dataclass(frozen=True, slots=True)
class Relationships:
    """This rank's tiles of K.

    Attributes:
        bounds: where the strips of people begin, and the number of people.
        tiles: strips of rows and of columns of each; the first is not the smaller.
        sums: (tiles, side, side): K times the number of variants; what is beyond a strip's end is 0.
        variants: that took part: all but those of X, Y, MT; as in plink2, those of one allele count, with a product of 0.
    """

    bounds: list[int]
    tiles: list[tuple[int, int]]
    sums: Matrix
    variants: int

    def values(self) -> Iterator[tuple[int, int, Matrix]]:
        """First row, first column and values of each tile."""
        for (row, column), tile in zip(self.tiles, self.sums, strict=True):
            (top, bottom), (left, right) = (self.bounds[strip : strip + 2] for strip in (row, column))
            yield top, left, tile[: bottom - top, : right - left] / max(self.variants, 1)


def strips(people: int) -> list[int]:
    """Where strips of about equal length begin, and the number of people."""
    side = -(-people // max(_FEWEST_STRIPS, -(-people // _SIDE)))
    return [*range(0, people, -(-side // _WORD) * _WORD), people]


def share(tiles: list[tuple[int, int]], rank: int, size: int) -> tuple[int, int]:
    """The run of tiles that a rank has; one on the diagonal costs half as much as another."""
    cost = np.cumsum([1 if row == column else 2 for row, column in tiles])
    first, last = (int(np.searchsorted(cost, cost[-1] * each / size, side="right")) for each in (rank, rank + 1))
    return first, len(tiles) if rank == size - 1 else last


def check(fileset: Fileset) -> None:
    """See whether there is any variant to make K from.

    Raises:
        Malformed: there is none.
    """
    if not fileset.variants.diploid.any():
        raise Malformed(
            f"{fileset.prefix}.bim", "has 0 variants that are not on X, Y, MT, but relationships are made from such alone"
        )


def run(comm: Communicator, fileset: Fileset, plan: Plan, checkpoint: CheckpointPlan) -> Relationships:
    """K of all samples from all variants but those of X, Y, MT; collective.

    Raises:
        BadArguments: the tiles of a rank take more memory than they may.
        Malformed: there are no such variants.
    """
    check(fileset)
    bounds = strips(len(fileset.samples))
    side = bounds[1]
    everything = [(row, column) for row in range(len(bounds) - 1) for column in range(row + 1)]
    first, last = share(everything, comm.rank, comm.size)
    tiles = everything[first:last]
    if max(comm.allgather(len(tiles) * side * side * 8)) > plan.memory:
        need = len(everything) * side * side * 8
        problem = (
            f"--grm: the matrix of {len(fileset.samples):,} people takes {need >> 20:,} MiB over all ranks, but each of"
            f" {comm.size} may have {plan.memory >> 20:,} MiB; take {-(-need // plan.memory)} ranks or more"
        )
        raise BadArguments([problem])
    steps = _steps(fileset)
    with (
        Restart(comm, checkpoint, "grm", fileset.versions, _KEPT) as restart,
        Progress(len(steps), "blocks of GRM", comm) as progress,
    ):
        found = restart.load({"sums": (first, last)})
        sums = found.arrays["sums"] if found else np.zeros((len(tiles), side, side))
        done = found.step if found else 0
        founders = fileset.samples.founder
        product = _Products(fileset, bounds, tiles, founders if founders.any() else np.ones_like(founders), steps)
        progress.reach(done)
        for block in steps[done:]:
            product.add(block, sums)
            done += 1
            progress.advance(1)
            restart.offer(done, arrays={"sums": sums})
    return Relationships(bounds, tiles, sums, int(fileset.variants.diploid.sum()))


def _steps(fileset: Fileset) -> list[Block]:
    """Variants, as many at a time as make long products; chromosomes do not matter."""
    rows = max(256, min(1024, _STEP_DOSAGES // fileset.width))
    taken = np.flatnonzero(fileset.variants.diploid)
    cuts = [0, *(np.flatnonzero(np.diff(taken) != 1) + 1).tolist(), len(taken)]
    runs = [(int(taken[start]), int(taken[stop - 1]) + 1) for start, stop in pairwise(cuts) if stop > start]
    return [Block(first, min(first + rows, stop), "") for start, stop in runs for first in range(start, stop, rows)]


class _Products:
    """Adds blocks of variants to tiles; has the buffers."""

    def __init__(
        self, fileset: Fileset, bounds: list[int], tiles: list[tuple[int, int]], founders: npt.NDArray[np.bool_], steps: list[Block]
    ) -> None:
        self._fileset, self._bounds, self._tiles = fileset, bounds, tiles
        self._founders, self._founder_mask = int(founders.sum()), mask(founders, fileset.width)
        rows = max((block.last - block.first for block in steps), default=0)
        self._standardized = {
            strip: np.empty((rows, -(-(bounds[strip + 1] - bounds[strip]) // _WORD) * _WORD), np.float32)
            for strip in {strip for tile in tiles for strip in tile}
        }

    def add(self, block: Block, sums: Matrix) -> None:
        """Add the block's products to this rank's tiles."""
        packed = self._fileset.packed(block.first, block.last)
        alleles = count(packed | self._founder_mask, self._founders)
        mean = alleles.a1 / np.maximum(alleles.called, 1)
        variance = mean * (1 - mean / 2)  # 2f(1 - f)
        scale = 1 / np.sqrt(np.where(variance > 0, variance, np.inf))
        for strip, standardized in self._standardized.items():
            start = self._bounds[strip] // 4
            _standardize(packed[:, start : start + standardized.shape[1] // 4], mean, scale, standardized)
        for (row, column), tile in zip(self._tiles, sums, strict=True):
            left, right = (
                self._standardized[strip][: len(packed), : self._bounds[strip + 1] - self._bounds[strip]] for strip in (row, column)
            )
            tile[: left.shape[1], : right.shape[1]] += left.T @ right  # on the diagonal numpy calls syrk: half the work


def _standardize(packed: Packed, mean: Matrix, scale: Matrix, out: Dosages) -> None:
    for first in range(0, len(packed), _INNER):
        some = slice(first, min(first + _INNER, len(packed)))
        rows = np.ascontiguousarray(packed[some])
        dosages = decode(rows, out[some])
        dosages -= mean[some, None].astype(np.float32)
        dosages *= scale[some, None].astype(np.float32)
        dosages[missing_positions(rows)] = 0


def write_square(comm: Communicator, path: Path, relationships: Relationships) -> None:
    """``.rel.bin`` of plink2: the whole matrix, float64, row after row; collective: a rank writes its tiles and their mirrors."""
    people = relationships.bounds[-1]
    _create(comm, path, people * people * 8)
    with path.open("r+b") as file:
        for top, left, values in relationships.values():
            places = [(top, left, values)] if top == left else [(top, left, values), (left, top, values.T)]
            for first, start, block in places:
                for row, line in enumerate(np.ascontiguousarray(block), first):
                    os.pwrite(file.fileno(), line.tobytes(), (row * people + start) * 8)
    comm.Barrier()  # every tile is written


def write_triangle(comm: Communicator, path: Path, relationships: Relationships) -> None:
    """``.grm.bin`` of GCTA: the lower triangle with the diagonal, float32, row after row; collective."""
    people = relationships.bounds[-1]
    _create(comm, path, people * (people + 1) // 2 * 4)
    with path.open("r+b") as file:
        for top, left, values in relationships.values():
            for row, line in enumerate(values.astype(np.float32), top):
                os.pwrite(file.fileno(), line[: row + 1 - left].tobytes(), (row * (row + 1) // 2 + left) * 4)
    comm.Barrier()  # every tile is written


def write_counts(path: Path, relationships: Relationships) -> None:
    """``.grm.N.bin`` of GCTA: from how many variants each value is, float32; by one rank."""
    people = relationships.bounds[-1]
    path.write_bytes(np.full(people * (people + 1) // 2, relationships.variants, np.float32).tobytes())


def ids(samples: Samples, *, header: bool) -> str:
    """``.rel.id`` of plink2, with its header, or ``.grm.id`` of GCTA, without: family and individual."""
    rows = [f"{fid}\t{iid}" for fid, iid in zip(samples.fid, samples.iid, strict=True)]
    return "\n".join([*(["#FID\tIID"] if header else []), *rows]) + "\n"


def _create(comm: Communicator, path: Path, size: int) -> None:
    if comm.rank == 0:
        with path.open("wb") as file:
            file.truncate(size)
    comm.Barrier()  # the file is there
