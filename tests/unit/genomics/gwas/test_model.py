from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from examples.genomics.gwas import lmm, model, pca
from examples.genomics.gwas.bed import Fileset
from examples.workload.arguments import CheckpointPlan
from tests.unit.genomics.gwas.plink_files import random_genotypes, write_fileset
from tests.unit.genomics.gwas.test_lmm import CALLED, CHROMOSOMES, design
from tests.unit.workload.thread_ranks import ThreadComm, run_ranks

NOWHERE = CheckpointPlan(None, 60.0)


class CountingComm(ThreadComm):
    """Counts the bytes that this rank gives to sums of vectors, and to everything else."""

    def __init__(self, comm: ThreadComm) -> None:
        super().__init__(comm._board, comm.rank)
        self.vectors = self.others = 0

    def Allreduce(self, sendbuf: object, recvbuf: object, /) -> None:  # noqa: N802 - MPI's name
        array = np.asarray(sendbuf)
        if array.dtype.kind == "f" and array.ndim == 2:
            self.vectors += array.nbytes
        else:
            self.others += array.nbytes
        super().Allreduce(sendbuf, recvbuf)


@pytest.mark.parametrize("size", [1, 2, 4])
def test_components_sum_what_the_model_says(tmp_path: Path, size: int) -> None:
    """Each pass gives people x columns doubles to one sum, and half as many bytes to gather rows; the rest is small."""
    fileset = Fileset.open(write_fileset(tmp_path / "x", random_genotypes(300, 200)))

    def program(comm: ThreadComm) -> tuple[CountingComm, int]:
        counting = CountingComm(comm)
        return counting, pca.run(counting, fileset, pca.Plan(passes=5), NOWHERE).passes

    for counted, passes in run_ranks(size, program):
        components = 8 * 200 * 10  # gathered at last
        assert counted.vectors == model.summed_bytes(200, model.pca_columns(passes), gathered=True) + components
        assert counted.others < 100_000 * passes  # inner products, whatever the number of people


@pytest.mark.parametrize("size", [1, 2, 4])
def test_mixed_model_sums_what_the_model_says(tmp_path: Path, size: int) -> None:
    """Passes and columns give the bytes: between no system solved and all of them solved to the end, and little else is sent."""
    fileset = Fileset.open(write_fileset(tmp_path / "x", CALLED, CHROMOSOMES))

    def program(comm: ThreadComm) -> tuple[CountingComm, lmm.Associations]:
        counting = CountingComm(comm)
        return counting, lmm.run(counting, fileset, design(), lmm.Plan(), NOWHERE)[0]

    for counted, found in run_ranks(size, program):
        variances, systems = found.passes
        all_the_time = model.lmm_columns(variances, systems, signs=15, chromosomes=3, probes=21)
        least = model.lmm_columns(variances, 0, signs=15, chromosomes=3, probes=21)
        assert model.summed_bytes(500, least) < counted.vectors <= model.summed_bytes(500, all_the_time)
        assert counted.others < 6000


def test_more_ranks_take_less_time_until_sums_and_vectors_are_what_is_left() -> None:
    """Products are dealt out; sums and vectors are not; a faster network makes sums cheaper."""
    one, many, faster = (
        model.cost(model.Machine(gbps=gbps), ranks, 488_000, 600_000, model.PCA)
        for ranks, gbps in ((1, 100.0), (1000, 100.0), (1000, 300.0))
    )
    assert one.sums == 0
    assert np.isclose(one.products, 1000 * many.products)
    assert many.vectors < one.vectors
    assert faster.sums < many.sums < 0.3 * many.products
    assert many.total < one.total / 100
