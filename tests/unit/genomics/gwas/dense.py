"""What the programs find without forming any matrix, by numpy on whole matrices."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tests.unit.genomics.gwas.plink_files import Called
from tests.unit.workload.thread_ranks import ThreadComm

Matrix = npt.NDArray[np.float64]


def centred(called: Called) -> Matrix:
    """A1 alleles less their mean, missing calls as the mean: (people, variants)."""
    dosages = np.where(called < 0, np.nan, called.astype(np.float64)).T
    found: Matrix = np.nan_to_num(dosages - np.nanmean(dosages, axis=0))
    return found


def standardized(called: Called) -> Matrix:
    """By sqrt(2f(1-f)): (people, variants)."""
    f = np.nanmean(np.where(called < 0, np.nan, called.astype(np.float64)), axis=1) / 2
    found: Matrix = centred(called) / np.sqrt(2 * f * (1 - f))
    return found


def projected(called: Called, basis: Matrix) -> Matrix:
    """Off the covariates, each variant of squared length people - covariates: (people, variants)."""
    x = centred(called)
    x -= basis @ (basis.T @ x)
    x *= np.sqrt(len(x) - basis.shape[1]) / np.linalg.norm(x, axis=0)
    return x


class Ended(Exception):
    """The node was taken away."""


class EndingComm(ThreadComm):
    """Ranks that are ended at the same sum over ranks."""

    def __init__(self, comm: ThreadComm, sums: int) -> None:
        super().__init__(comm._board, comm.rank)
        self._left = sums

    def Allreduce(self, sendbuf: object, recvbuf: object, /) -> None:  # noqa: N802 - MPI's name
        array = np.asarray(sendbuf)
        if array.dtype == np.float64 and array.ndim == 2:  # vectors, not what batchhpc.rank agrees on
            self._left -= 1
            if self._left < 0:
                raise Ended
        super().Allreduce(sendbuf, recvbuf)
