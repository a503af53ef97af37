from __future__ import annotations

import numpy as np
import pytest

from examples.genomics.kmers import count
from examples.genomics.kmers.count import Counter, merge, order_of
from examples.genomics.kmers.minimizers import Scheme
from examples.genomics.kmers.superkmers import Records, Scanner
from examples.genomics.kmers.words import MAX_K, Kmers, no_kmers


def records_of(length: int, k: int, seed: int) -> Records:
    """Of a random sequence that holds each stretch twice."""
    text = np.random.default_rng(seed).choice(np.frombuffer(b"ACGT", np.uint8), length)
    return Scanner(Scheme(k, 64)).scan(np.concatenate((text, text))).records


@pytest.mark.parametrize("k", [5, 31, 32, 45, 61])
def test_large_bins_are_counted_in_slices(k: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bin of more k-mers than are sorted at a time gives what it gives in one piece."""
    records = records_of(3_000, k, 1)
    kmers, counts = Counter(k).count([records])
    monkeypatch.setattr(count, "AT_ONCE", 700)
    in_slices = Counter(k).count([records[:20], records[20:]])
    np.testing.assert_array_equal(in_slices[0], kmers)
    np.testing.assert_array_equal(in_slices[1], counts)


@pytest.mark.parametrize("k", [31, 61])
def test_pieces_of_a_run_longer_than_the_flags(k: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where one k-mer's run reaches over the pieces in which equal neighbours are looked for, it is still one k-mer."""
    monkeypatch.setattr(count, "_FLAGS", 16)
    text = np.frombuffer(b"A" * 500 + b"C" * 300, np.uint8)
    kmers, counts = Counter(k).count([Scanner(Scheme(k, 64)).scan(text).records])
    assert counts[0] == 500 - k + 1
    assert counts.sum() == 800 - k + 1
    assert len(kmers) == k + 1


def test_equal_fingerprints_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """If all k-mers of two words had the same fingerprint, the counts would be the same."""
    records = records_of(2_000, 45, 2)
    kmers, counts = Counter(45).count([records])
    monkeypatch.setattr(count, "_MIX", (np.uint64(0), np.uint64(0)))
    collided = Counter(45).count([records])
    np.testing.assert_array_equal(collided[0], kmers)
    np.testing.assert_array_equal(collided[1], counts)


@pytest.mark.parametrize("k", [32, 33, 46, 47, 61])
def test_two_words_are_sorted_as_one_number(k: int) -> None:
    """The order of k-mers of two words is that of 128-bit numbers, equal ones in the order they came."""
    rng = np.random.default_rng(k)
    words: Kmers = rng.integers(0, 3, (2, 5_000), dtype=np.uint64)
    words[0] <<= np.uint64(max(0, 2 * k - 64 - 2)) if k > 32 else np.uint64(64)
    words[1] <<= rng.integers(0, 62, 5_000, dtype=np.uint64)
    np.testing.assert_array_equal(order_of(words, k), np.lexsort((words[1], words[0])))


@pytest.mark.parametrize("k", [31, MAX_K])
def test_nothing_is_counted_as_nothing(k: int) -> None:
    """A bin without records has no k-mers, and merging nothing gives nothing."""
    for kmers, counts in (Counter(k).count([]), merge([], k)):
        assert kmers.shape == no_kmers(k).shape
        assert counts.tolist() == []


def test_results_are_arrays_of_their_own() -> None:
    """The next bin does not change what was counted before."""
    counter, records = Counter(31), [records_of(1_000, 31, seed) for seed in (3, 4)]
    first = counter.count([records[0]])
    copies = [each.copy() for each in first]
    counter.count([records[1]])
    np.testing.assert_array_equal(first[0], copies[0])
    np.testing.assert_array_equal(first[1], copies[1])
