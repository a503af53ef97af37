"""Which rank counts which bin. Knows neither files nor MPI."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from examples.genomics.kmers.minimizers import Bins

KMERS_IN_A_BIN = 1 << 18  # what one bin's sort holds in the cache
FEWEST, MOST = 64, 1 << 14  # the most: 1,000 ranks get bins that are even to 6 %

Numbers = npt.NDArray[np.int64]


def bins_for(bases: int) -> int:
    """How many bins for an input of about so many bases; a power of two that does not depend on the number of ranks."""
    wanted = max(1, bases // KMERS_IN_A_BIN)
    return min(MOST, max(FEWEST, 1 << (wanted - 1).bit_length()))


@dataclass(frozen=True, slots=True)
class Assignment:
    """Bins in an order in which each rank's are neighbours.

    Attributes:
        order: (bins,) the bin at each place.
        first: (ranks + 1,) the first place of each rank's bins, and the number of bins.
    """

    order: Numbers
    first: Numbers

    @property
    def place_of(self) -> Bins:
        """(bins,) the place of each bin."""
        places = np.empty(len(self.order), np.uint32)
        places[self.order] = np.arange(len(self.order), dtype=np.uint32)
        return places

    @property
    def owner(self) -> Numbers:
        """(bins,) the rank of each bin."""
        owners = np.empty(len(self.order), np.int64)
        owners[self.order] = np.repeat(np.arange(len(self.first) - 1), np.diff(self.first))
        return owners


def spread(sizes: Numbers, ranks: int) -> Assignment:
    """The largest bins first, each to the rank that has least (Graham 1969)."""
    owner = np.zeros(len(sizes), np.int64)
    least = [(0, rank) for rank in range(ranks)]
    for bin_number in np.argsort(-sizes, kind="stable").tolist() if ranks > 1 else ():
        load, rank = heapq.heappop(least)
        owner[bin_number] = rank
        heapq.heappush(least, (load + max(1, int(sizes[bin_number])), rank))
    order = np.argsort(owner, kind="stable")
    return Assignment(order, np.searchsorted(owner[order], np.arange(ranks + 1)))


def cut(order: Numbers, sizes: Numbers, ranks: int) -> Assignment:
    """The bins in a given order, cut where each rank has about as much; so data in that order need not be sent again.

    Args:
        order: (bins,) the bin at each place.
        sizes: (bins,) of the bin at each place.
        ranks: how many.
    """
    ends = np.cumsum(sizes)
    middles = ends - sizes / 2
    wanted = ends[-1] * np.arange(1, ranks) / ranks
    return Assignment(order, np.concatenate(([0], np.searchsorted(middles, wanted), [len(order)])))
