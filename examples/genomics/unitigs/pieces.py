"""Pieces: chains of one rank's segments, so that what is left to be settled between ranks is as little as may be.

Segments and pieces are the same thing, and so are their tables; a piece is longer. On one rank nearly every piece is a whole
unitig.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from examples.genomics.unitigs.chains import NOBODY, chains_of
from examples.genomics.unitigs.exchange import first_numbers, look_up
from examples.genomics.unitigs.joins import Ends
from examples.genomics.unitigs.segments import Segments
from examples.workload.communicator import Communicator

Bytes = npt.NDArray[np.uint8]
Flags = npt.NDArray[np.bool_]

BLOCK = 1 << 18  # k-mers gathered at a time: their places (8 bytes each) stay in the second-level cache
# First and last base of a k-mer on the other strand: they change places and are complemented.
_TURNED = np.array([(3 - last) * 4 + 3 - first for first in range(4) for last in range(4)], np.uint8)
_AS_ASKED = np.concatenate((np.arange(16, dtype=np.uint8), _TURNED))


def pieces_of(comm: Communicator, segments: Segments) -> Segments:
    """Join what is joined on this rank; collective.

    Args:
        comm: the ranks.
        segments: of this rank, with mates numbered through over all ranks (`graph.segments_of`).

    Returns:
        The pieces, with mates numbered so too.
    """
    firsts = 2 * first_numbers(comm, len(segments.sizes))
    first, last = firsts[comm.rank : comm.rank + 2]
    mates = segments.mates
    here = (mates >= first) & (mates < last)
    chains = chains_of(np.where(here, mates - first, NOBODY))

    own, turned = chains.entries >> 1, (chains.entries & 1).astype(bool)
    exits = chains.lasts ^ 1
    words = segments.words.reshape(-1)
    ends = chains.end_nodes
    piece_firsts = 2 * first_numbers(comm, len(chains.starts))
    names = np.full(len(mates), NOBODY, np.int64)  # the piece's end that each segment's end is, where it is one
    names[ends] = np.arange(len(ends)) + piece_firsts[comm.rank]
    joined = mates[ends].astype(np.int64)
    at = np.flatnonzero(joined >= 0)
    joined[at] = look_up(comm, names, firsts, joined[at])

    starts = np.cumsum(segments.sizes, dtype=np.int64) - segments.sizes
    if not len(own):
        return Segments.none()
    return Segments(
        bases=np.concatenate(list(gather(segments.bases, starts[own], segments.sizes[own], turned))),
        sizes=np.add.reduceat(segments.sizes[own], chains.starts, dtype=np.int64),
        words=np.stack((words[chains.entries[chains.starts]], words[exits]), axis=1),
        least=np.minimum.reduceat(segments.least[own], chains.starts),
        abundance=np.add.reduceat(segments.abundance[own], chains.starts),
        mates=joined,
    )


def gather(bases: Bytes, starts: Ends, sizes: Ends, turned: Flags) -> Iterator[Bytes]:
    """Ranges of k-mers one after the other, each as it stands or turned round; in blocks."""
    ends = np.cumsum(sizes, dtype=np.int64)
    ranges = 0
    while ranges < len(sizes):
        done = int(ends[ranges - 1]) if ranges else 0
        until = max(ranges + 1, int(np.searchsorted(ends, done + BLOCK, side="right")))
        chosen = slice(ranges, until)
        yield _gather(bases, starts[chosen], sizes[chosen], turned[chosen])
        ranges = until


def _gather(bases: Bytes, starts: Ends, sizes: Ends, turned: Flags) -> Bytes:
    if len(sizes) == 1:
        range_of = bases[starts[0] : starts[0] + sizes[0]]
        return np.asarray(_TURNED[range_of[::-1]] if turned[0] else range_of)
    firsts = np.where(turned, starts + sizes - 1, starts)
    lasts = np.where(turned, starts, starts + sizes - 1)
    # Places are the running sum of steps of 1 or -1, and of the leaps between ranges.
    places = np.repeat(np.where(turned, -1, 1), sizes)
    leaps = np.cumsum(sizes[:-1], dtype=np.int64)
    places[0] = firsts[0]
    places[leaps] = firsts[1:] - lasts[:-1]
    np.cumsum(places, out=places)
    found = bases[places]
    found |= np.repeat(turned.astype(np.uint8) * np.uint8(16), sizes)
    return np.asarray(_AS_ASKED[found])
