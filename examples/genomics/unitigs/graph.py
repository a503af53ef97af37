"""From the k-mers of all bins to the segments of all ranks, with every end joined. Takes ``comm``; nothing here imports MPI.

An end whose junction belongs to another bin is *away* from its k-mer's rank and a *guest* at the junction's. Three messages
settle it:

    1. away -> junction: its key (8 bytes); then every bin is compacted on its own, guests among its ends
    2. away -> junction: the segment's end that it has become
    3. junction -> away: the end that it is joined to

One end in 20 is away at k = 31: about 2.4 bytes a k-mer in all. No rank waits for another one but in these three.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from examples.genomics.kmers.minimizers import Scheme
from examples.genomics.kmers.words import Counts, Kmers
from examples.genomics.unitigs.chains import NOBODY
from examples.genomics.unitigs.exchange import Numbers, exchange, first_numbers
from examples.genomics.unitigs.homes import away_ends
from examples.genomics.unitigs.joins import Ends, end_keys
from examples.genomics.unitigs.segments import GUEST, Segments, compact
from examples.genomics.unitigs.strands import reverse_complement
from examples.workload.communicator import Communicator

_NO_KMERS, _NO_ENDS = np.empty(0, np.uint64), np.empty(0, np.int64)


@dataclass(slots=True)
class Bin:
    """The k-mers of one bin that occur often enough."""

    number: int
    kmers: Kmers
    counts: Counts


@dataclass(frozen=True, slots=True)
class _Away:
    """This rank's ends that are away: bin after bin, and which order they are sent in.

    Attributes:
        ends: of k-mers, numbered within their bin.
        starts: (bins + 1,) where those of each of this rank's bins begin.
        order: which is sent first, second, ...
        counts: (ranks,) how many are sent to each.
    """

    ends: Ends
    starts: Ends
    order: Ends
    counts: Numbers


@dataclass(frozen=True, slots=True)
class _Guests:
    """Other bins' ends that came to this rank's.

    Attributes:
        keys: bin after bin, by rising number of the bin.
        order: where each of these stood in the message.
        starts: (all bins + 1,) where those of each bin begin.
        counts: (ranks,) how many came from each.
    """

    keys: Kmers
    order: Ends
    starts: Ends
    counts: Numbers


def segments_of(
    comm: Communicator,
    bins: Sequence[Bin],
    scheme: Scheme,
    owner: Numbers,
    after_bin: Callable[[int], None] = lambda _: None,
) -> Segments:
    """Join the k-mers of all bins; collective.

    Args:
        comm: the ranks.
        bins: this rank's; each is emptied when it is done.
        scheme: by which k-mers were dealt out.
        owner: (bins,) the rank of each bin.
        after_bin: told after each bin how many k-mers of this rank are joined.

    Returns:
        This rank's segments. Their mates are ends of segments that are numbered through over all ranks.
    """
    away, guests = _bring_guests(comm, bins, scheme, owner)
    done: list[Segments] = []
    of_away, of_guests = [_NO_ENDS], np.full(len(guests.keys), NOBODY)
    segments = kmers = 0
    for index, item in enumerate([*bins, *_only_guests(bins, guests)]):
        first, last = guests.starts[item.number : item.number + 2]
        ends = away.ends[slice(*away.starts[index : index + 2])] if index < len(bins) else _NO_ENDS
        result = compact(
            item.kmers, item.counts, scheme.k, ends, guests.keys[first:last], first_segment=segments, first_guest=int(first)
        )
        item.kmers, item.counts = _NO_KMERS, _NO_ENDS
        done.append(result.segments)
        of_away.append(result.away)
        of_guests[first:last] = result.guests
        segments += len(result.segments.sizes)
        kmers += len(result.segments.bases)
        after_bin(kmers)
    whole = Segments.concatenated(done)
    return replace(whole, mates=_settle(comm, whole.mates, np.concatenate(of_away), of_guests, (away, guests)))


def _only_guests(bins: Sequence[Bin], guests: _Guests) -> list[Bin]:
    """Bins that have guests, and no k-mers that occur often enough."""
    with_guests = np.flatnonzero(np.diff(guests.starts))
    return [Bin(number, _NO_KMERS, _NO_ENDS) for number in np.setdiff1d(with_guests, [item.number for item in bins]).tolist()]


def _find_away(bins: Sequence[Bin], scheme: Scheme, owner: Numbers, ranks: int) -> tuple[_Away, Kmers, Numbers]:
    """The ends that are away; their keys as they are sent; and (all bins,) how many have their junction in each."""
    ends, keys, homes = [_NO_ENDS], [_NO_KMERS], [np.empty(0, np.uint32)]
    for item in bins:
        all_keys = end_keys(item.kmers, reverse_complement(item.kmers, scheme.k), scheme.k)
        away, home = away_ends(item.kmers, all_keys, scheme.k, item.number, scheme)
        ends.append(away)
        keys.append(all_keys[away])
        homes.append(home)
    home = np.concatenate(homes)
    # They go out by rank, and by bin within a rank's: how many there are of each bin then says which is which.
    place = np.empty(len(owner), np.int64)
    place[np.argsort(owner, kind="stable")] = np.arange(len(owner))
    order = _in_order(place[home])
    found = _Away(
        ends=np.concatenate(ends),
        starts=np.cumsum([len(part) for part in ends]),
        order=order,
        counts=np.bincount(owner[home], minlength=ranks),
    )
    return found, np.concatenate(keys)[order], np.bincount(home, minlength=len(owner))


def _bring_guests(comm: Communicator, bins: Sequence[Bin], scheme: Scheme, owner: Numbers) -> tuple[_Away, _Guests]:
    """Message 1."""
    away, keys, per_bin = _find_away(bins, scheme, owner, comm.size)
    incoming, arriving = exchange(comm, keys, away.counts)
    sizes, _ = exchange(comm, per_bin[np.argsort(owner, kind="stable")], np.bincount(owner, minlength=comm.size))
    own = np.flatnonzero(owner == comm.rank)
    numbers = np.repeat(np.tile(own, comm.size), sizes)
    order = _in_order(numbers)
    starts = np.concatenate(([0], np.cumsum(np.bincount(numbers, minlength=len(owner)))))
    return away, _Guests(incoming[order], order, starts, arriving)


def _in_order(numbers: Numbers) -> Ends:
    """The stable order of numbers of bins: numpy sorts 16 bits by radix, at 12 ns each, and 64 bits by merging, at 60."""
    return np.argsort(numbers.astype(np.uint16) if numbers.max(initial=0) < 1 << 16 else numbers, kind="stable")


def _settle(comm: Communicator, mates: Ends, of_away: Ends, of_guests: Ends, moved: tuple[_Away, _Guests]) -> Ends:
    """Messages 2 and 3: ends of segments, numbered on this rank, become those of all ranks."""
    away, guests = moved
    firsts = 2 * first_numbers(comm, len(mates) // 2)
    told, _ = exchange(comm, of_away[away.order] + firsts[comm.rank], away.counts, guests.counts)
    guest_names = told[guests.order]

    def name(joined: Ends) -> Ends:
        named = np.where(joined >= 0, joined + firsts[comm.rank], NOBODY)
        waits = np.flatnonzero(joined <= GUEST)
        named[waits] = guest_names[GUEST - joined[waits]]
        return named

    answers = np.empty_like(of_guests)
    answers[guests.order] = name(of_guests)
    replies, _ = exchange(comm, answers, guests.counts, away.counts)
    settled = name(mates)
    settled[of_away[away.order]] = replies
    return settled
