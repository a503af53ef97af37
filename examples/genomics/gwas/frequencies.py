"""One pass over packed genotypes: alleles, missing calls of variants and of people, Hardy-Weinberg."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from batchhpc.rank import Progress, block_range
from examples.genomics.gwas.bed import Fileset
from examples.genomics.gwas.blocks import BLOCK
from examples.genomics.gwas.genotypes import Counts, count, mask, missing_positions
from examples.workload.communicator import Communicator

Counted = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Frequencies:
    """This rank's variants, and everybody's missing calls.

    Attributes:
        first, last: the variants of this rank, the last one not included.
        founders: genotypes of people without a known parent, of which plink2 takes frequencies.
        missing: calls, of each variant, among all people.
        missing_of_people: (samples,), in diploid variants, of all ranks.
    """

    first: int
    last: int
    founders: Counts
    missing: Counted
    missing_of_people: Counted


def frequencies(comm: Communicator, fileset: Fileset) -> Frequencies:
    """Count; collective."""
    own_range = block_range(len(fileset.variants), comm.rank, comm.size, BLOCK)
    first, last = own_range.start, own_range.stop
    everybody = bool(fileset.samples.founder.all())
    outside = mask(fileset.samples.founder, fileset.width)
    founders = int(fileset.samples.founder.sum())
    table = np.zeros((5, last - first), np.int64)
    of_people = np.zeros(fileset.width, np.int64)
    with Progress(len(fileset.variants), "variants", comm) as progress:
        for start in range(first, last, BLOCK):
            end = min(last, start + BLOCK)
            packed = fileset.packed(start, end)
            counts = count(packed, len(fileset.samples))
            own = counts if everybody else count(packed | outside, founders)
            table[:, start - first : end - first] = [*own, counts.missing]
            variants, people = missing_positions(packed)
            diploid = fileset.variants.diploid[start:end]
            of_people += np.bincount(people if diploid.all() else people[diploid[variants]], minlength=fileset.width)
            progress.reach(min(len(fileset.variants), (end - first) * comm.size))  # this rank speaks for all
    total = np.zeros_like(of_people)
    comm.Allreduce(of_people, total)
    return Frequencies(first, last, Counts(*table[:4]), table[4], total[: len(fileset.samples)])
