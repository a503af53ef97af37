from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.genomics.kmers import dump
from examples.genomics.kmers.words import MAX_K, decode, encode, words_of
from tests.unit.genomics.by_hand import reverse_complement

kmers_of_one_length = st.integers(1, MAX_K).flatmap(
    lambda k: st.lists(st.text("ACGT", min_size=k, max_size=k), min_size=1, max_size=8)
)


@given(kmers=kmers_of_one_length)
def test_encode_and_decode_are_inverse(kmers: list[str]) -> None:
    """K-mers written as words and read back are the same k-mers, in one word up to 31 bases and in two beyond."""
    k = len(kmers[0])
    words = encode(kmers, k)
    assert words.shape == ((len(kmers),) if k <= 31 else (len(kmers), 2))
    assert [row.tobytes().decode() for row in decode(words, k)] == kmers


@given(kmers=kmers_of_one_length)
def test_words_are_in_the_order_of_the_letters(kmers: list[str]) -> None:
    """Words, or pairs of them, compare as the k-mers do alphabetically."""
    words = [tuple(np.atleast_1d(word).tolist()) for word in encode(kmers, len(kmers[0]))]
    assert [words.index(word) for word in sorted(words)] == [kmers.index(kmer) for kmer in sorted(kmers)]


@given(kmers=kmers_of_one_length)
def test_canonical_form_is_the_smaller_of_both_strands(kmers: list[str]) -> None:
    """A k-mer and its reverse complement have one canonical form: the alphabetically smaller."""
    k = len(kmers[0])
    expected = encode([min(kmer, reverse_complement(kmer)) for kmer in kmers], k)
    for strand in (kmers, [reverse_complement(kmer).lower() for kmer in kmers]):
        np.testing.assert_array_equal(encode(strand, k, canonical=True), expected)


@pytest.mark.parametrize("kmer", ["", "ACGN", "ACG", "ACGTA", "ACGÜ"])
def test_encode_refuses_what_is_no_kmer(kmer: str) -> None:
    """A k-mer of another length or with a foreign letter is refused by name."""
    with pytest.raises(ValueError, match=f"'{kmer}' is not a k-mer of 4 letters A, C, G, T"):
        encode(["ACGT", kmer], 4)


@given(counts=st.lists(st.integers(1, 10**12), max_size=20), k=st.integers(1, MAX_K))
def test_dump_writes_each_count_without_padding(counts: list[int], k: int) -> None:
    """Each line is the k-mer, a tab and the plain decimal count; the size told beforehand is the size written."""
    rows = np.arange(len(counts), dtype=np.uint64)
    kmers = (
        rows % np.uint64(4 ** min(k, 3))
        if words_of(k) == 1
        else np.stack([rows % np.uint64(2), rows], axis=1) % np.uint64(4 ** min(k - 32, 31) or 1)
    )
    written = b"".join(part.tobytes() for part in dump.lines(kmers, np.array(counts, np.int64), k)).decode()
    letters = [row.tobytes().decode() for row in decode(kmers, k)]
    assert written == "".join(f"{kmer}\t{count}\n" for kmer, count in zip(letters, counts, strict=True))
    assert dump.lines_size(np.array(counts, np.int64), k) == len(written)
