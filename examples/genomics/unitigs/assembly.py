"""Pieces become unitigs, each on one rank, in alphabetical order over all ranks. Takes ``comm``; nothing here imports MPI.

Each unitig is written in the direction that comes first in the alphabet; no two begin with the same k-mer, so their first k-mers
give the order. A circular one is cut so that it begins with its smallest canonical k-mer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from examples.genomics.kmers.words import LETTERS, Counts, Kmers, Text, decode
from examples.genomics.unitigs.chains import ragged
from examples.genomics.unitigs.exchange import Numbers, exchange
from examples.genomics.unitigs.joins import Ends
from examples.genomics.unitigs.pieces import Flags, gather
from examples.genomics.unitigs.ranking import Ranks
from examples.genomics.unitigs.segments import Segments
from examples.workload.communicator import Communicator

_SAMPLES = 1024  # unitigs looked at per rank to cut the alphabet: shares even to a few per cent
_UNITIG, _OFFSET, _SIZE, _ABUNDANCE, _CIRCULAR = range(5)  # columns of a piece's label
_BASES = np.frombuffer(LETTERS.tobytes() * 4, np.uint8)  # the letter of the last base, by first and last base
_COMPLEMENT = np.zeros(256, np.uint8)
_COMPLEMENT[LETTERS] = LETTERS[::-1]


@dataclass(frozen=True, slots=True)
class Unitigs:
    """A rank's range of all unitigs.

    Attributes:
        k: length of a k-mer.
        text: their letters, one after the other.
        sizes: (unitigs,) k-mers of each; letters: k - 1 more.
        abundance: (unitigs,) sum of the k-mers' counts.
        circular: (unitigs,) whether the last k - 1 letters are the first ones, and the k-mers a ring.
    """

    k: int
    text: Text
    sizes: Numbers
    abundance: Counts
    circular: Flags

    @property
    def starts(self) -> Ends:
        """(unitigs + 1,) where each one's letters begin, and the number of letters."""
        return np.concatenate(([0], np.cumsum(self.sizes + self.k - 1)))


def assemble(comm: Communicator, pieces: Segments, ranks: Ranks, k: int) -> Unitigs:
    """Bring the pieces of each unitig together and write it; collective."""
    labels = np.stack(
        (
            ranks.unitig.view(np.int64),
            ranks.offset,
            pieces.sizes.astype(np.int64),
            pieces.abundance,
            ranks.circular.astype(np.int64),
        ),
        axis=1,
    )
    labels = labels.reshape(-1, 5)
    cuts = _cut_alphabet(comm, labels)
    target = np.searchsorted(cuts, labels[:, _UNITIG], side="right")
    order = np.argsort(target, kind="stable")
    starts = np.cumsum(labels[:, _SIZE]) - labels[:, _SIZE]
    nothing = np.empty(0, np.uint8)
    blocks = gather(pieces.bases, starts[order], labels[order, _SIZE], ranks.turned[order])
    letters = np.concatenate([nothing, *(_BASES[block] for block in blocks)])
    per_target = np.bincount(target, minlength=comm.size)
    letters_per_target = np.bincount(target, weights=labels[:, _SIZE], minlength=comm.size).astype(np.int64)
    incoming, _ = exchange(comm, labels[order], per_target)
    letters, _ = exchange(comm, letters, letters_per_target)
    return _write(incoming, letters, k)


def _cut_alphabet(comm: Communicator, labels: Numbers) -> Numbers:
    """The first k-mer of each rank's range but rank 0's, so that they hold about as many k-mers."""
    if comm.size == 1:
        return np.empty(0, np.int64)
    words = labels[np.argsort(labels[:, _UNITIG])]
    ends = np.cumsum(words[:, _SIZE])
    total = int(ends[-1]) if len(ends) else 0
    wanted = np.linspace(0, total, _SAMPLES, endpoint=False)
    sample = words[np.searchsorted(ends, wanted, side="right"), _UNITIG] if total else np.empty(0, np.int64)
    everyone = comm.allgather((sample, total / _SAMPLES))
    firsts = np.concatenate([part for part, _ in everyone])
    weights = np.concatenate([np.full(len(part), weight) for part, weight in everyone])
    order = np.argsort(firsts)
    reached = np.cumsum(weights[order])
    if not len(reached):
        return np.full(comm.size - 1, np.iinfo(np.int64).max)
    at = np.searchsorted(reached, reached[-1] * np.arange(1, comm.size) / comm.size)
    return np.asarray(firsts[order][at])


def _write(labels: Numbers, letters: Text, k: int) -> Unitigs:
    """The unitigs of these pieces.

    Args:
        labels: (pieces, 5), in any order.
        letters: the last letter of each k-mer, piece after piece.
        k: length of a k-mer.
    """
    order = np.lexsort((labels[:, _OFFSET], labels[:, _UNITIG]))
    sources = (np.cumsum(labels[:, _SIZE]) - labels[:, _SIZE])[order]
    labels = labels[order]
    new = np.ones(len(labels), bool)
    new[1:] = labels[1:, _UNITIG] != labels[:-1, _UNITIG]
    first = np.flatnonzero(new)
    words: Kmers = labels[first, _UNITIG].view(np.uint64)
    sizes, abundance = (np.add.reduceat(labels[:, column], first) if len(first) else first for column in (_SIZE, _ABUNDANCE))
    circular = labels[first, _CIRCULAR].astype(bool)
    starts = np.cumsum(sizes + k - 1) - (sizes + k - 1)
    text = np.empty(int((sizes + k - 1).sum()), np.uint8)
    text[(starts[:, None] + np.arange(k - 1)).reshape(-1)] = decode(words, k)[:, :-1].reshape(-1)
    targets = (starts + k - 1)[np.cumsum(new) - 1] + labels[:, _OFFSET]
    _copy(letters, sources, text, targets, labels[:, _SIZE])
    for unitig in np.flatnonzero(circular).tolist():
        whole = text[starts[unitig] : starts[unitig] + sizes[unitig] + k - 1]
        whole[:] = _ring_from(whole[k - 1 :].copy(), decode(words[unitig : unitig + 1], k)[0])
    return Unitigs(k, text, sizes, abundance, circular)


_LONG = 256  # letters from which on a range is copied on its own


def _copy(source: Text, sources: Ends, target: Text, targets: Ends, sizes: Numbers) -> None:
    """Ranges of letters to other places; short ones many at a time."""
    long = sizes >= _LONG
    for start, to, size in zip(sources[long].tolist(), targets[long].tolist(), sizes[long].tolist(), strict=True):
        target[to : to + size] = source[start : start + size]
    short = np.flatnonzero(~long)
    for some in np.array_split(short, len(short) // 4096 + 1):
        target[ragged(targets[some], sizes[some])] = source[ragged(sources[some], sizes[some])]


def _ring_from(ring: Text, first: Text) -> Text:
    """A ring's letters, cut so that they begin with a k-mer, which it or its other strand holds once, and end with its start."""
    for strand in (ring, _COMPLEMENT[ring[::-1]]):
        around = np.resize(strand, len(strand) + len(first) - 1)
        windows = np.lib.stride_tricks.sliding_window_view(around, len(first))
        at = np.flatnonzero(windows[:, 0] == first[0])
        at = at[(windows[at] == first).all(axis=1)]
        if len(at):
            return np.resize(np.roll(strand, -int(at[0])), len(around))
    raise AssertionError("a ring does not hold its smallest k-mer")
