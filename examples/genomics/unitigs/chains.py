"""Chains of nodes: order from a list of who is joined to whom. numpy only; nodes may be k-mers, or chains of k-mers.

A node i has the ends 2 i and 2 i + 1. A chain is written as the ends by which a walk enters its nodes, one after the other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from examples.genomics.unitigs.joins import Ends

_CUT_EVERY = 64  # nodes


@dataclass(frozen=True, slots=True)
class Chains:
    """Every node once, in chains.

    Attributes:
        entries: (nodes,) the end by which each node is entered, chain after chain.
        starts: (chains,) where each begins.
    """

    entries: Ends
    starts: Ends

    @property
    def sizes(self) -> Ends:
        """(chains,) nodes of each."""
        return np.diff(self.starts, append=len(self.entries))

    @property
    def lasts(self) -> Ends:
        """(chains,) the entry of each one's last node."""
        return self.entries[self.starts + self.sizes - 1]

    @property
    def end_nodes(self) -> Ends:
        """(2 chains,) the node's end that is end 0 of chain 0, end 1 of chain 0, end 0 of chain 1, ..."""
        return np.stack((self.entries[self.starts], self.lasts ^ 1), axis=1).reshape(-1)


def chains_of(mates: npt.NDArray[np.signedinteger]) -> Chains:
    """Join what is joined: each join is inside of a chain, or (few) between the ends of two chains, or of one.

    All chains are walked at once, a node a step. To bound the steps of a long chain, and to have an end to begin at in most
    cycles, one join in 64 is left out. A cycle that this misses is left in single nodes.

    Args:
        mates: (2 nodes,) the end that each end is joined to; negative: none.
    """
    walk = np.array(mates, np.int32 if len(mates) < 1 << 31 else np.int64)
    cut = np.arange(0, len(walk), 2 * _CUT_EVERY)
    other = walk[cut]
    walk[other[other >= 0]] = -1
    walk[cut] = -1
    begin = np.flatnonzero(walk < 0).astype(walk.dtype)  # each chain is begun at both its ends; one walk is kept
    walker, current = np.arange(len(begin), dtype=np.int32), begin
    last, size = begin.copy(), np.ones(len(begin), np.int64)
    steps = []
    while len(current):
        steps.append((walker, current))
        last[walker] = current
        following = walk[current ^ 1]
        goes_on = following >= 0
        current, walker = following[goes_on], walker[goes_on]
        size[walker] += 1
    kept = begin < last ^ 1
    starts = np.cumsum(size * kept) - size * kept
    entries = np.full(len(walk) // 2, -1, walk.dtype)
    for step, (walker, current) in enumerate(steps):
        stays = kept[walker]
        entries[starts[walker[stays]] + step] = current[stays]
    starts = starts[kept]
    total = int(size[kept].sum())
    if total < len(entries):
        missed = np.ones(len(entries), bool)
        missed[entries[:total] >> 1] = False
        entries[total:] = 2 * np.flatnonzero(missed)
        starts = np.concatenate((starts, np.arange(total, len(entries))))
    return Chains(entries, starts)


def ragged(starts: Ends, sizes: Ends) -> Ends:
    """start, start + 1, ... of each range, one range after the other."""
    ends = np.cumsum(sizes)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - (ends - sizes), sizes)
