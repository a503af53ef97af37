"""Links: which ends of unitigs meet at a junction. Takes ``comm``; nothing here imports MPI.

All ends at one junction go to one rank, and each is linked to those that come from its other side; at a palindrome to all, itself
among them. End 2 u is the start of unitig u, 2 u + 1 its end.
"""

from __future__ import annotations

import numpy as np

from examples.genomics.kmers.words import Kmers, Text
from examples.genomics.unitigs.assembly import Unitigs
from examples.genomics.unitigs.chains import ragged
from examples.genomics.unitigs.exchange import Numbers, exchange, first_numbers
from examples.genomics.unitigs.joins import Ends
from examples.genomics.unitigs.strands import reverse_complement
from examples.workload.communicator import Communicator

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


def links_of(comm: Communicator, unitigs: Unitigs) -> Numbers:
    """(links, 2): an end of this rank's unitigs, and one that it meets; in order. Every link is there from both its ends."""
    k, firsts = unitigs.k, first_numbers(comm, len(unitigs.sizes))
    starts = unitigs.starts
    ends = np.arange(2 * len(unitigs.sizes)) + 2 * firsts[comm.rank]
    outward = np.empty(len(ends), np.uint64)  # as they are read by one who comes out of the unitig
    outward[0::2] = reverse_complement(_words(unitigs.text, starts[:-1], k - 1), k - 1)
    outward[1::2] = _words(unitigs.text, starts[1:] - (k - 1), k - 1)
    inward = reverse_complement(outward, k - 1)
    junctions, sides = np.minimum(inward, outward), (outward < inward).astype(np.int64) + 2 * (inward == outward)
    rows = np.stack((junctions.view(np.int64), sides, ends), axis=1)
    target = (junctions * _MULTIPLIER >> np.uint64(32)).astype(np.int64) % comm.size
    rows, _ = exchange(comm, rows[np.argsort(target, kind="stable")], np.bincount(target, minlength=comm.size))
    found = _meetings(rows)
    owner = np.searchsorted(firsts, found[:, 0] >> 1, side="right") - 1
    found, _ = exchange(comm, found[np.argsort(owner, kind="stable")], np.bincount(owner, minlength=comm.size))
    return found[np.lexsort((found[:, 1], found[:, 0]))]


def _words(text: Text, starts: Ends, length: int) -> Kmers:
    words = np.zeros(len(starts), np.uint64)
    for place in range(length):
        letters = text[starts + place]
        words = words << np.uint64(2) | (letters >> np.uint8(1) ^ letters >> np.uint8(2)) & np.uint8(3)
    return words


def _meetings(rows: Numbers) -> Numbers:
    """(links, 2) ends, from rows of junction, side (2: both) and end."""
    rows = rows[np.lexsort((rows[:, 2], rows[:, 1], rows[:, 0]))]
    junction, side, end = rows.T
    # Whom an end meets is one range of the sorted rows: those of its junction that come from the other side.
    other = np.where(side == 2, 2, 1 - side)
    wanted = np.stack((junction * 3 + side, junction * 3 + other))
    first = np.searchsorted(wanted[0], wanted[1], side="left")
    size = np.searchsorted(wanted[0], wanted[1], side="right") - first
    return np.stack((np.repeat(end, size), end[ragged(first, size)]), axis=1)
