"""Chains of nodes: order from a list of who is joined to whom. numpy only; nodes may be k-mers, or chains of k-mers.

A node i has the ends 2 i and 2 i + 1. A chain is written as the ends by which a walk enters its nodes, one after the other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from examples.genomics.unitigs.joins import Ends

NOBODY = -1  # what an end is joined to that is joined to none
CUT_EVERY = 64  # nodes


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
        return np.asarray(self.entries[self.starts + self.sizes - 1])

    @property
    def end_nodes(self) -> Ends:
        """(2 chains,) the node's end that is end 0 of chain 0, end 1 of chain 0, end 0 of chain 1, ..."""
        return np.stack((self.entries[self.starts], self.lasts ^ 1), axis=1).reshape(-1)


def chains_of(mates: Ends) -> Chains:
    """Join what is joined: each join is inside of a chain, or (few) between the ends of two chains, or of one.

    All chains are walked at once, a node a step. To bound the steps of a long chain, and to have an end to begin at in most
    cycles, one join in 64 is left out. A cycle that this misses is left in single nodes.

    Args:
        mates: (2 nodes,) the end that each end is joined to; negative: none.
    """
    number = np.dtype(np.int32 if len(mates) < 1 << 31 else np.int64)  # half the memory, and of the cache
    walk: Ends = mates.astype(number)
    cut = np.arange(0, len(walk), 2 * CUT_EVERY)
    other = walk[cut]
    walk[other[other >= 0]] = NOBODY
    walk[cut] = NOBODY
    begin = np.flatnonzero(walk < 0).astype(number)  # each chain is begun at both its ends; one walk is kept
    following = walk.reshape(-1, 2)[:, ::-1].reshape(-1)  # by entry: one goes in at an end and out at the other
    walker, current = np.arange(len(begin), dtype=number), begin
    steps = []
    while len(current):
        steps.append((walker, current))
        entered = following[current]
        goes_on = entered >= 0
        walker, current = walker[goes_on], entered[goes_on]
    step = np.repeat(np.arange(len(steps)), [len(walker) for walker, _ in steps])
    walker, current = (np.concatenate([begin[:0], *(columns[each] for columns in steps)]) for each in (0, 1))
    steps.clear()
    last = np.empty_like(begin)
    last[walker] = current  # of several values for one place numpy keeps the last one
    sizes = np.bincount(walker, minlength=len(begin))
    kept = begin < last ^ 1
    starts = np.cumsum(sizes * kept) - sizes * kept
    stays = kept[walker]
    walker = walker[stays]
    places = starts[walker]
    places += step[stays]
    entries = np.empty(len(walk) // 2, np.int64)
    entries[places] = current[stays]
    starts, total = starts[kept], len(places)
    if total < len(entries):
        missed = np.ones(len(entries), bool)
        missed[entries[:total] >> 1] = False
        entries[total:] = 2 * np.flatnonzero(missed)
        starts = np.concatenate((starts, np.arange(total, len(entries))))
    return Chains(entries, starts)


def ragged(starts: Ends, sizes: Ends) -> Ends:
    """start, start + 1, ... of each range, one range after the other."""
    ends = np.cumsum(sizes)
    return np.asarray(np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - (ends - sizes), sizes))
