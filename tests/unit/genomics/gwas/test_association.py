from __future__ import annotations

from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import pytest

from examples.genomics.gwas.association import Associations, Saving, associate
from examples.genomics.gwas.bed import Fileset
from examples.genomics.gwas.blocks import BLOCK, Blocks
from examples.genomics.gwas.design import make_designs, make_traits
from examples.genomics.gwas.estimates import Estimates
from examples.genomics.gwas.genotypes import Block
from examples.genomics.gwas.linear import LinearScan
from examples.workload.arguments import CheckpointPlan
from examples.workload.communicator import Communicator
from tests.unit.genomics.gwas.plink_files import random_genotypes, write_fileset
from tests.unit.workload.thread_ranks import run_ranks

BLOCKS = 61
VARIANTS = (BLOCKS - 1) * BLOCK + 17


class Interrupted(Exception):
    """The rank is gone."""


class Mortal:
    """A scan that counts its blocks, and ends its rank at a given one."""

    def __init__(self, inner: LinearScan, last: int | None = None) -> None:
        self.inner, self.last, self.blocks = inner, last, 0
        self.traits = inner.traits

    def scan(self, block: Block) -> list[Estimates]:
        self.blocks += 1
        if self.blocks == self.last:
            raise Interrupted
        return self.inner.scan(block)


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_fileset(tmp_path_factory.mktemp("study") / "x", random_genotypes(VARIANTS, 21))


def run(comm: Communicator, prefix: str, where: Path | None, last: int | None = None) -> tuple[Associations, int]:
    """One rank's results, and of how many blocks they are."""
    fileset = Fileset.open(prefix)
    values = np.random.default_rng(1).standard_normal(21)
    (design,) = make_designs(make_traits({"y": values}, {}), {})
    scan = Mortal(LinearScan(design, fileset.width), last)
    plan = CheckpointPlan(None if where is None else str(where), 0)
    return associate(comm, fileset, [scan], Saving(plan, fileset.versions)), scan.blocks


def rows(found: list[tuple[Associations, int]]) -> bytes:
    """All ranks' results, in their order."""
    parts = [each for each, _ in found]
    assert [part.first for part in parts[1:]] == [part.last for part in parts[:-1]]
    columns = [np.concatenate([column(part) for part in parts]) for column in (lambda p: p.estimates[0].beta, lambda p: p.flipped)]
    return b"".join(column.tobytes() for column in columns)


@pytest.mark.parametrize(("before", "after"), [(1, 1), (2, 3), (3, 2), (3, 1), (1, 3)])
def test_an_interrupted_scan_goes_on_with_any_number_of_ranks(tmp_path: Path, prefix: str, before: int, after: int) -> None:
    """What is saved is not computed again, the rest is dealt out anew, and the results have the bits of an unbroken run."""
    whole = rows(run_ranks(1, lambda comm: run(comm, prefix, None)))
    with pytest.raises(Interrupted):
        run_ranks(before, lambda comm: run(comm, prefix, tmp_path, last=18 if comm.rank == 0 else None))
    resumed = run_ranks(after, lambda comm: run(comm, prefix, tmp_path))
    assert rows(resumed) == whole
    done = [blocks for _, blocks in resumed]
    assert sum(done) in {BLOCKS - 8 * before, BLOCKS - 16 * before}  # the second save may not have been whole when a rank went
    assert max(done) - min(done) <= 1


@pytest.mark.parametrize("ranks", [1, 2, 5, 50])
def test_blocks_are_dealt_out_evenly_and_each_once(ranks: int) -> None:
    """Whatever is done already, each other block has one rank, shares differ by one, and ranges follow one another."""
    done = [(0, 3), (7, 8), (20, 33)]
    blocks = Blocks(VARIANTS, ranks, done)
    shares = [blocks.todo(rank) for rank in range(ranks)]
    assert [*chain(*shares)] == [at for at in range(BLOCKS) if not any(first <= at < last for first, last in done)]
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    ranges = [blocks.range_of(rank) for rank in range(ranks)]
    assert (ranges[0][0], ranges[-1][1]) == (0, VARIANTS)
    assert all(left[1] == right[0] for left, right in pairwise(ranges))
    assert blocks.state(0) == done
    assert blocks.state(blocks.rounds) == [(0, BLOCKS)]
    assert blocks.done_after(blocks.rounds).all()
    assert blocks.variants_of(60) == (60 * BLOCK, VARIANTS)


def test_nothing_to_do_is_dealt_out_too() -> None:
    """When all is done already, ranges still cover all variants."""
    blocks = Blocks(VARIANTS, 3, [(0, BLOCKS)])
    assert blocks.rounds == 0
    assert [blocks.range_of(rank) for rank in range(3)] == [(0, 20 * BLOCK), (20 * BLOCK, 40 * BLOCK), (40 * BLOCK, VARIANTS)]
