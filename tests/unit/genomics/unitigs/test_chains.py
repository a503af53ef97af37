from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from examples.genomics.unitigs.chains import NOBODY, chains_of, ragged


@given(nodes=st.integers(0, 300), part=st.floats(0, 1), seed=st.integers(0, 1000))
def test_every_join_is_inside_of_a_chain_or_between_ends_of_chains(nodes: int, part: float, seed: int) -> None:
    """Whoever is joined to whom, every node is in one chain, neighbours in a chain are joined, and no other join is inside."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(2 * nodes)
    mates = np.full(2 * nodes, NOBODY, np.int64)
    for one, other in order[: 2 * int(part * nodes)].reshape(-1, 2):
        mates[one], mates[other] = other, one
    chains = chains_of(mates)
    assert sorted((chains.entries >> 1).tolist()) == list(range(nodes))
    assert chains.sizes.sum() == nodes
    inside = np.setdiff1d(np.arange(1, nodes), chains.starts)
    assert np.array_equal(mates[chains.entries[inside - 1] ^ 1], chains.entries[inside])
    ends = set(chains.end_nodes.tolist())
    assert len(ends) == 2 * len(chains.starts)
    joined = np.flatnonzero(mates >= 0)
    assert sum(end not in ends for end in joined.tolist()) == 2 * len(inside)


def test_few_joins_of_a_long_chain_are_left_out() -> None:
    """A chain of 10,000 nodes in random order becomes about one in 64 chains: its walks are bounded, and little is left to join."""
    order = np.random.default_rng(1).permutation(10_000)
    mates = np.full(20_000, NOBODY, np.int64)
    mates[2 * order[:-1] + 1], mates[2 * order[1:]] = 2 * order[1:], 2 * order[:-1] + 1
    chains = chains_of(mates)
    assert 10_000 // 64 <= len(chains.starts) <= 10_000 // 64 + 2
    assert chains.sizes.max() < 1_000


def test_ranges_one_after_the_other() -> None:
    """Each range counts up from its own start; empty ones leave nothing."""
    assert ragged(np.array([5, 0, 9]), np.array([2, 0, 3])).tolist() == [5, 6, 9, 10, 11]
    assert ragged(np.empty(0, np.int64), np.empty(0, np.int64)).tolist() == []
