"""Segments: chains of joined k-mers inside of one bin, about ten k-mers long. After this step k-mers are one byte each. numpy only.

The ends of segments that are joined to k-mers of other bins are settled later, when all bins are done (`graph`). Until then an end
says what it waits for: `GUEST` - n for guest n of this rank, an end of a k-mer of another bin whose junction belongs here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from examples.genomics.kmers.words import Counts, Kmers
from examples.genomics.unitigs.chains import NOBODY, chains_of
from examples.genomics.unitigs.joins import NEVER, Ends, end_keys, joined
from examples.genomics.unitigs.strands import low_bases, reverse_complement

GUEST = -2  # guest 0; guest 1 is -3, ...


@dataclass(frozen=True, slots=True)
class Segments:
    """Chains of k-mers. Segment i has the ends 2 i and 2 i + 1, as a k-mer has.

    Attributes:
        bases: (k-mers,) uint8, segment after segment: 4 times the first base of each k-mer plus its last, read from end 0 to end 1.
        sizes: (segments,) k-mers of each.
        words: (segments, 2) the first k-mer when read from end 0, and from end 1.
        least: (segments,) the smallest canonical k-mer.
        abundance: (segments,) sum of the k-mers' counts.
        mates: (2 segments,) what each end is joined to: a segment's end, `NOBODY`, or a guest.
    """

    bases: npt.NDArray[np.uint8]
    sizes: npt.NDArray[np.int32]
    words: Kmers
    least: Kmers
    abundance: Counts
    mates: Ends

    @classmethod
    def concatenated(cls, parts: Iterable[Segments]) -> Segments:
        """Several in one; their mates must have been numbered so."""
        everything = list(parts) or [cls.none()]
        return cls(*(np.concatenate([getattr(part, field.name) for part in everything]) for field in fields(cls)))

    @classmethod
    def none(cls) -> Segments:
        """No segment."""
        empty = np.empty(0, np.uint64)
        return cls(
            np.empty(0, np.uint8), np.empty(0, np.int32), empty.reshape(0, 2), empty, np.empty(0, np.int64), np.empty(0, np.int64)
        )


@dataclass(frozen=True, slots=True)
class Compacted:
    """What became of a bin.

    Attributes:
        segments: of its k-mers.
        away: for each end that is away, the segment's end that it is.
        guests: for each guest, what it is joined to, as in `Segments.mates`.
    """

    segments: Segments
    away: Ends
    guests: Ends


def compact(
    kmers: Kmers, counts: Counts, k: int, away: Ends, guest_keys: Kmers, *, first_segment: int = 0, first_guest: int = 0
) -> Compacted:
    """Join the k-mers of one bin.

    Args:
        kmers: (n,) canonical, in any order.
        counts: (n,).
        k: odd, up to 31.
        away: ends whose junction belongs to another bin.
        guest_keys: ends of other bins' k-mers whose junction belongs here (`joins.end_keys`).
        first_segment: number of the first segment of this bin on this rank.
        first_guest: number of the first guest of this bin on this rank.
    """
    others = reverse_complement(kmers, k)
    keys = np.concatenate((end_keys(kmers, others, k), guest_keys))
    keys[away] = NEVER
    ends, firsts, seconds = 2 * len(kmers), *joined(keys)
    mates = np.full(len(keys), NOBODY, np.int64)
    mates[firsts], mates[seconds] = seconds, firsts
    of_guests, inside = mates[ends:], mates[:ends]
    chains = chains_of(np.where(inside < ends, inside, NOBODY))

    segment_end = np.empty(len(keys), np.int64)  # of k-mers' ends that are segments' ends; of guests, themselves
    segment_end[chains.end_nodes] = np.arange(2 * len(chains.starts)) + 2 * first_segment
    segment_end[ends:] = GUEST - first_guest - np.arange(len(guest_keys))

    own, turned = chains.entries >> 1, (chains.entries & 1).astype(bool)
    forward, backward = kmers[own], others[own]
    least = np.minimum.reduceat(forward, chains.starts) if len(own) else forward
    abundance = np.add.reduceat(counts[own], chains.starts, dtype=np.int64) if len(own) else np.empty(0, np.int64)
    forward, backward = np.where(turned, backward, forward), np.where(turned, forward, backward)
    last = chains.starts + chains.sizes - 1
    bases = (forward >> np.uint64(2 * k - 4) & np.uint64(12)).astype(np.uint8)
    bases |= low_bases(forward, 1).astype(np.uint8)
    segments = Segments(
        bases=bases,
        sizes=chains.sizes.astype(np.int32),
        words=np.stack((forward[chains.starts], backward[last]), axis=1),
        least=least,
        abundance=abundance,
        mates=_named(inside[chains.end_nodes], segment_end),
    )
    return Compacted(segments, segment_end[away], _named(of_guests, segment_end))


def _named(mates: Ends, names: Ends) -> Ends:
    return np.where(mates >= 0, names[mates], NOBODY)
