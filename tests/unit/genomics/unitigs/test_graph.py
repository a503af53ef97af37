from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examples.genomics.kmers.bins import spread
from examples.genomics.kmers.minimizers import Scheme, minimizer_bins
from examples.genomics.kmers.words import encode
from examples.genomics.unitigs.assembly import Unitigs, assemble
from examples.genomics.unitigs.graph import Bin, segments_of
from examples.genomics.unitigs.links import links_of
from examples.genomics.unitigs.pieces import pieces_of
from examples.genomics.unitigs.ranking import rank_pieces
from tests.unit.genomics.by_hand import count_by_hand, reverse_complement, sequences
from tests.unit.genomics.unitigs.compacted_by_hand import Unitig, links_by_hand, unitigs_by_hand
from tests.unit.workload.thread_ranks import ThreadComm, run_ranks

Compacted = tuple[list[Unitig], set[tuple[int, int]]]


def compacted(counts: dict[str, int], k: int, ranks: int, bins: int = 64) -> Compacted:
    """What the ranks make of k-mers, one rank after the other."""
    scheme = Scheme(k, bins)
    kmers = encode(list(counts), k)
    number = minimizer_bins(kmers, scheme) if len(kmers) else np.empty(0, np.uint32)
    assignment = spread(np.bincount(number, minlength=bins), ranks)
    times = np.array(list(counts.values()), np.int64)

    def program(comm: ThreadComm) -> tuple[Unitigs, list[tuple[int, int]]]:
        own = np.flatnonzero(assignment.owner == comm.rank).tolist()
        mine = [Bin(each, kmers[number == each], times[number == each]) for each in own if (number == each).any()]
        pieces = pieces_of(comm, segments_of(comm, mine, scheme, assignment.owner))
        unitigs = assemble(comm, pieces, rank_pieces(comm, pieces), k)
        return unitigs, [(one, other) for one, other in links_of(comm, unitigs).tolist()]

    found, links = [], []
    for unitigs, meetings in run_ranks(ranks, program):
        for start, end, abundance, circular in zip(
            unitigs.starts, unitigs.starts[1:], unitigs.abundance.tolist(), unitigs.circular.tolist(), strict=False
        ):
            found.append(Unitig(unitigs.text[start:end].tobytes().decode(), abundance, circular))
        links += meetings
    assert links == sorted(links)
    return found, set(links)


def by_hand(counts: dict[str, int], k: int) -> Compacted:
    unitigs = unitigs_by_hand(counts, k)
    return unitigs, links_by_hand(unitigs, k)


@settings(max_examples=60, deadline=None)
@given(
    texts=st.lists(sequences, min_size=1, max_size=6),
    k=st.sampled_from([3, 5, 7, 9, 11, 15, 17, 19, 21, 23, 31]),
    ranks=st.integers(1, 3),
)
def test_hard_sequences_give_the_textbooks_unitigs_and_links(texts: list[str], k: int, ranks: int) -> None:
    """Runs, repeats, hairpins and odd letters: unitigs, sums of counts and links are the textbook's, for any number of ranks."""
    counts = count_by_hand(texts, k)
    assert compacted(counts, k, ranks) == by_hand(counts, k)


@pytest.mark.parametrize("ranks", [1, 2, 3])
@pytest.mark.parametrize("k", [5, 7, 9, 13, 21, 31])
def test_branching_graph(k: int, ranks: int) -> None:
    """A random genome with copied stretches, on both strands: a graph with many branches and long unitigs."""
    rng = np.random.default_rng(k)
    letters = "".join(rng.choice(list("ACGT"), 4000))
    copies = [letters[at : at + 200] for at in rng.integers(0, 3800, 10)]
    counts = count_by_hand([letters, *(reverse_complement(copy) + letters[:50] for copy in copies)], k)
    assert compacted(counts, k, ranks) == by_hand(counts, k)


@pytest.mark.parametrize("ranks", [1, 2, 3])
@pytest.mark.parametrize("length", [1, 2, 3, 7, 20, 31, 64, 65, 400, 3000])
def test_rings(length: int, ranks: int) -> None:
    """Rings shorter than k and longer than a walk are found, cut at their smallest k-mer, and said to be circular."""
    k = 21
    rng = np.random.default_rng(length)
    rings = ["".join(rng.choice(list("ACGT"), length)) for _ in range(5)] if length > 3 else ["A" * length, "AC" * length]
    counts = count_by_hand([ring * (2 + 2 * k // len(ring)) for ring in rings], k)
    found = compacted(counts, k, ranks)
    assert found == by_hand(counts, k)
    assert any(unitig.circular for unitig in found[0])
