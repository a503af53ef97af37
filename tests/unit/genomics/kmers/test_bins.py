from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.genomics.kmers.bins import FEWEST, KMERS_IN_A_BIN, MOST, Assignment, bins_for, cut, spread

sizes_of_bins = st.lists(st.integers(0, 10**6), min_size=1, max_size=64).map(lambda sizes: np.array(sizes, np.int64))


def loads(assignment: Assignment, sizes: np.ndarray, ranks: int) -> list[int]:
    return [int(sizes[assignment.owner == rank].sum()) for rank in range(ranks)]


@given(sizes=sizes_of_bins, ranks=st.integers(1, 9))
def test_each_bin_has_one_rank_and_one_place(sizes: np.ndarray, ranks: int) -> None:
    """However bins are dealt out, each has exactly one place, and each rank's places are neighbours."""
    for assignment in (spread(sizes, ranks), cut(np.argsort(sizes), np.sort(sizes), ranks)):
        assert sorted(assignment.order.tolist()) == list(range(len(sizes)))
        assert assignment.order[assignment.place_of].tolist() == list(range(len(sizes)))
        assert assignment.first[0] == 0
        assert assignment.first[-1] == len(sizes)
        assert assignment.owner[assignment.order].tolist() == sorted(assignment.owner.tolist())


@given(sizes=sizes_of_bins, ranks=st.integers(1, 9))
def test_no_rank_has_more_than_its_part_and_one_bin(sizes: np.ndarray, ranks: int) -> None:
    """Spread or cut, no rank is further above the mean than the largest bin."""
    allowed = sizes.sum() / ranks + sizes.max() + len(sizes)
    assert max(loads(spread(sizes, ranks), sizes, ranks)) <= allowed
    order = np.random.default_rng(1).permutation(len(sizes))
    assert max(loads(cut(order, sizes[order], ranks), sizes, ranks)) <= allowed


def test_one_giant_bin_leaves_the_others_to_the_other_ranks() -> None:
    """A bin that is as large as all others together has a rank to itself."""
    sizes = np.array([5, 5, 100, 5, 5, 80], np.int64)
    assignment = spread(sizes, 3)
    assert sorted(loads(assignment, sizes, 3)) == [20, 80, 100]


@pytest.mark.parametrize(
    ("bases", "bins"), [(0, FEWEST), (10**6, FEWEST), (100 * KMERS_IN_A_BIN, 128), (10**9, 4096), (10**13, MOST)]
)
def test_number_of_bins_follows_the_input(bases: int, bins: int) -> None:
    """Bins are a power of two that suits the size of the input, between a smallest and a largest number."""
    assert bins_for(bases) == bins
