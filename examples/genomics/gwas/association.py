"""All variants against all traits, on all ranks: the loop over blocks of variants, resumable on another number of ranks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from batchhpc.rank import Checkpoint, Progress, notice
from examples.genomics.gwas.bed import Fileset
from examples.genomics.gwas.blocks import BLOCK, Blocks
from examples.genomics.gwas.design import Trait
from examples.genomics.gwas.estimates import Estimates
from examples.genomics.gwas.genotypes import Block, count, decode, mask
from examples.workload.arguments import CheckpointPlan
from examples.workload.communicator import Communicator

_ROUNDS = 8  # of blocks, between two looks at clock and notice: 20 ms or more of work
_VERSION = "1"  # of what a checkpoint holds
_FIELDS = 4  # of each trait: people, beta, se, code and whether Firth
_FIRTH = 16  # added to the code


@dataclass(frozen=True, slots=True)
class Saving:
    """Where and how often to save, and what results depend on: digests or versions by name."""

    plan: CheckpointPlan
    inputs: Mapping[str, str]


class Scan(Protocol):
    """Regression of some traits on any variants."""

    @property
    def traits(self) -> Sequence[Trait]:
        """Those it has `Estimates` for, in their order."""

    def scan(self, block: Block) -> list[Estimates]:
        """One `Estimates` for each of them."""


@dataclass(frozen=True)
class Associations:
    """This rank's results.

    Attributes:
        first, last: the variants of this rank, the last one not included.
        flipped: (variants,): whether A1 of the fileset is the more frequent allele, so that reports are about the other one.
        traits: in the order of ``estimates``.
        estimates: about A1 of the fileset.
    """

    first: int
    last: int
    flipped: npt.NDArray[np.bool_]
    traits: list[Trait]
    estimates: list[Estimates]


def associate(comm: Communicator, fileset: Fileset, scans: Sequence[Scan], saving: Saving) -> Associations:
    """Scan all variants; collective.

    Args:
        comm: the ranks.
        fileset: the genotypes.
        scans: what to do with them.
        saving: where and how often to save.
    """
    traits = [trait for scan in scans for trait in scan.traits]
    founders = None if fileset.samples.founder.all() else mask(fileset.samples.founder, fileset.width)
    dosages = np.zeros((BLOCK, fileset.width), np.float32)

    def rows_of(first: int, last: int) -> npt.NDArray[np.float64]:
        packed = fileset.packed(first, last)
        block = Block(packed, decode(packed, dosages), count(packed, len(fileset.samples)))
        counts = block.counts if founders is None else count(packed | founders, int(fileset.samples.founder.sum()))
        found = [each for scan in scans for each in scan.scan(block)]
        columns: list[npt.NDArray[Any]] = [counts.a1, counts.called]
        for each in found:
            columns += [each.people, each.beta, each.se, each.code + _FIRTH * each.firth]
        return np.column_stack(columns).astype(np.float64)

    first, last, rows = _all_rows(comm, len(fileset.variants), 2 + _FIELDS * len(traits), rows_of, saving)
    called = 2 * rows[:, 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        flipped = (called - rows[:, 0]) * (1 / called) < 0.5  # this product, not the quotient: plink2's rule at a tie
    estimates = []
    for at in range(2, rows.shape[1], _FIELDS):
        code = rows[:, at + 3].astype(np.int64)
        estimates.append(Estimates(rows[:, at].astype(np.int64), rows[:, at + 1], rows[:, at + 2], code % _FIRTH, code >= _FIRTH))
    return Associations(first, last, flipped, traits, estimates)


def _all_rows(
    comm: Communicator,
    variants: int,
    columns: int,
    rows_of: Callable[[int, int], npt.NDArray[np.float64]],
    saving: Saving,
) -> tuple[int, int, npt.NDArray[np.float64]]:
    """First and last variant of this rank, and a row of numbers for each."""
    with ExitStack() as stack:
        checkpoint, found = None, None
        blocks = Blocks(variants, comm.size)
        if saving.plan.where is not None:
            where = saving.plan.where
            checkpoint = stack.enter_context(Checkpoint(where, comm, inputs=dict(saving.inputs), version=_VERSION))
            peek = checkpoint.load(without=("rows",))
            if peek is not None:
                blocks = Blocks(variants, comm.size, [(run[0], run[1]) for run in (peek.state or {})["done"]])
                done = blocks.done_after(0)
                first, last = blocks.range_of(comm.rank)
                found = checkpoint.load(bounds={"rows": (int(done[:first].sum()), int(done[:last].sum()))})
        first, last = blocks.range_of(comm.rank)
        rows = np.zeros((last - first, columns))
        done = blocks.done_after(0)
        if found is not None:
            rows[done[first:last]] = found.arrays["rows"]
        todo, told = blocks.todo(comm.rank), False
        progress = stack.enter_context(Progress(variants, "variants", comm, start=int(done.sum())))
        for turn in range(blocks.rounds):
            if turn < len(todo):
                start, end = blocks.variants_of(todo[turn])
                rows[start - first : end - first] = rows_of(start, end)
            if (turn + 1) % _ROUNDS == 0:
                done = blocks.done_after(turn + 1)
                progress.reach(int(done.sum()))
                if checkpoint is not None:
                    warned, told = told, notice(comm) is not None  # collective: all ranks hear it in the same round
                    if checkpoint.due(saving.plan.every, now=told and not warned):
                        own = rows[done[first:last]]
                        checkpoint.save(int(done.sum()), {"rows": own}, state={"done": blocks.state(turn + 1)}, wait=told)
        progress.reach(variants)
    return first, last, rows
