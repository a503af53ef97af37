from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.genomics.kmers.minimizers import Scheme, minimizer_bins
from examples.genomics.kmers.words import Kmers, decode, encode
from examples.genomics.unitigs.homes import away_ends, bins_of
from examples.genomics.unitigs.joins import _MULTIPLIER, NEVER, end_keys, joined
from examples.genomics.unitigs.strands import reverse_complement
from tests.unit.genomics import by_hand


def pairs(keys: Kmers, most: int = 1 << 20) -> set[frozenset[int]]:
    firsts, seconds = joined(keys, most)
    found = {frozenset(pair) for pair in zip(firsts.tolist(), seconds.tolist(), strict=True)}
    assert len(found) == len(firsts)
    return found


def pairs_by_hand(keys: list[int]) -> set[frozenset[int]]:
    at_junction: dict[int, list[int]] = defaultdict(list)
    for place, key in enumerate(keys):
        if key != int(NEVER):
            at_junction[key >> 1].append(place)
    return {frozenset(ends) for ends in at_junction.values() if len(ends) == 2 and keys[ends[0]] != keys[ends[1]]}


@given(st.lists(st.one_of(st.integers(0, 60), st.integers(0, 2**61 - 1), st.just(int(NEVER))), max_size=60), st.integers(2, 70))
def test_ends_are_joined_if_they_alone_meet_from_two_sides(keys: list[int], most: int) -> None:
    """Exactly two ends of different sides at a junction are a pair, however many ends are matched at a time."""
    assert pairs(np.array(keys, np.uint64), most) == pairs_by_hand(keys)


def test_junctions_with_one_fingerprint_are_told_apart() -> None:
    """Two junctions whose fingerprints are equal by construction do not become one, and do not part those that are."""
    inverse, bits = pow(int(_MULTIPLIER), -1, 2**64), 3  # five keys: the fingerprint leaves out the lowest 3 bits
    same = next(
        fits[:2]
        for top in range(1, 10_000)
        if len(fits := [word for low in range(1 << bits) if (word := (top << bits | low) * inverse % 2**64) < 2**60]) > 1
    )
    one, other = same
    keys = [2 * one, 2 * other, 2 * one + 1, 2 * other + 1, 6]
    assert pairs(np.array(keys, np.uint64)) == {frozenset({0, 2}), frozenset({1, 3})}


@given(st.lists(st.text("ACGT", min_size=21, max_size=21), min_size=1, max_size=20))
def test_words_are_turned_as_letters_are(texts: list[str]) -> None:
    """The reverse complement of a word is that of its letters."""
    turned = decode(reverse_complement(encode(texts, 21), 21), 21)
    assert [row.tobytes().decode() for row in turned] == [by_hand.reverse_complement(text) for text in texts]


def test_palindromic_junctions_join_nobody() -> None:
    """An end whose junction is its own reverse complement has no key to be joined by."""
    kmers = encode(["ACGTA", "ACGTT"], 5, canonical=True)
    keys = end_keys(kmers, reverse_complement(kmers, 5), 5)
    assert (keys == NEVER).tolist() == [True, False, False, True]


@pytest.mark.parametrize("k", [5, 9, 13, 17, 21, 31])
def test_bins_of_words_are_those_of_the_counting(k: int) -> None:
    """A whole k-mer hashed here is in the bin that counting puts it into; else most ends would be away from their k-mers."""
    kmers = np.random.default_rng(k).integers(0, 4**k, 500, np.uint64)
    scheme = Scheme(k, 256)
    assert np.array_equal(bins_of(kmers, k, scheme), minimizer_bins(kmers, scheme))


@pytest.mark.parametrize("k", [3, 5, 9, 13, 17, 21, 31])
def test_away_ends_are_those_whose_junction_has_another_bin(k: int) -> None:
    """Looking only at k-mers whose first or last m-mer may be the minimizer misses no end."""
    kmers = np.random.default_rng(k).integers(0, 4**k, 3000, np.uint64)
    kmers = np.unique(np.minimum(kmers, reverse_complement(kmers, k)))
    scheme = Scheme(k, 64)
    own = minimizer_bins(kmers, scheme)
    away = 0
    for number in range(64):
        mine = kmers[own == number]
        keys = end_keys(mine, reverse_complement(mine, k), k)
        ends, bins = away_ends(mine, keys, k, number, scheme)
        homes = bins_of(keys >> np.uint64(1), k - 1, scheme)
        expected = np.flatnonzero((homes != number) & (keys != NEVER))
        assert np.array_equal(ends, expected)
        assert np.array_equal(bins, homes[expected])
        away += len(ends)
    assert k < 31 or 0.03 < away / (2 * len(kmers)) < 0.07
