from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.genomics.kmers import dump, kernel
from tests.unit.genomics.by_hand import count_by_hand, reverse_complement, sequences


def as_text(sequence: str) -> kernel.Text:
    return np.frombuffer(sequence.encode(), np.uint8)


def count(sequence: str, k: int) -> dict[str, int]:
    kmers, counts = kernel.run_lengths(np.sort(kernel.canonical_kmers(as_text(sequence), k)))
    letters = ["".join(map(chr, row)) for row in kernel.decode(kmers, k)]
    return dict(zip(letters, counts.tolist(), strict=True))


@given(sequence=sequences, k=st.integers(1, kernel.MAX_K))
def test_counts_are_those_of_the_textbook(sequence: str, k: int) -> None:
    """For any sequence and every k, the table equals counting one window at a time, in alphabetical order."""
    assert list(count(sequence, k).items()) == list(count_by_hand([sequence], k).items())


@given(sequence=sequences, k=st.integers(1, kernel.MAX_K), block=st.integers(1, 40))
def test_blocks_leave_no_seam(sequence: str, k: int, block: int) -> None:
    """The size of the blocks that are scanned at a time changes nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernel, "BLOCK", block)
        in_blocks = kernel.canonical_kmers(as_text(sequence), k)
    assert in_blocks.tolist() == kernel.canonical_kmers(as_text(sequence), k).tolist()


@pytest.mark.parametrize("k", range(1, kernel.MAX_K + 1))
def test_both_strands_give_the_same_table(k: int) -> None:
    """A sequence and its reverse complement have the same canonical k-mers, for even k, too."""
    sequence = "ACGTTGCAAATTTGGGCCCATATATGCGCGCAACCGGTTACGTACGTAGCTAGCTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTACGGA"
    assert count(sequence, k) == count(reverse_complement(sequence), k)


def test_word_of_31_bases_uses_all_62_bits() -> None:
    """The largest canonical 31-mer survives the way to a word and back: no bit is lost at the top."""
    kmer = "T" * 15 + "C" + "A" * 15
    assert count(kmer, 31) == {kmer: 1} == count_by_hand([kmer], 31)
    assert kernel.encode("T" * 31) == 4**31 - 1


@given(kmer=st.text("ACGT", min_size=1, max_size=kernel.MAX_K))
def test_encode_and_decode_are_inverse(kmer: str) -> None:
    """A k-mer written as a word and read back is the same k-mer."""
    word = np.array([kernel.encode(kmer)], np.uint64)
    assert kernel.decode(word, len(kmer)).tobytes().decode() == kmer


@given(pair=st.integers(1, kernel.MAX_K).flatmap(lambda k: st.tuples(*[st.text("ACGT", min_size=k, max_size=k)] * 2)))
def test_words_are_in_the_order_of_the_letters(pair: tuple[str, str]) -> None:
    """Words compare as the k-mers do alphabetically."""
    one, other = pair
    assert (kernel.encode(one) < kernel.encode(other)) == (one < other)


@pytest.mark.parametrize("text", ["", "ACGN", "A" * 32])
def test_encode_refuses_what_is_no_kmer(text: str) -> None:
    """An empty, foreign or overlong k-mer is refused by name."""
    with pytest.raises(ValueError, match=f"'{text}' is not a k-mer of 1 to 31 bases"):
        kernel.encode(text)


@given(sequence=sequences)
def test_bases_are_counted_in_either_case(sequence: str) -> None:
    """Of any text, exactly the letters A, C, G, T in either case are bases."""
    assert kernel.count_bases(as_text(sequence)) == sum(letter in "ACGTacgt" for letter in sequence)


@given(counts=st.lists(st.integers(1, 10**12), max_size=20), k=st.integers(1, kernel.MAX_K))
def test_dump_writes_each_count_without_padding(counts: list[int], k: int) -> None:
    """Each line is the k-mer, a tab and the plain decimal count; the size told beforehand is the size written."""
    kmers = np.arange(len(counts), dtype=np.uint64) % np.uint64(4**k)
    written = b"".join(part.tobytes() for part in dump.lines(kmers, np.array(counts, np.int64), k)).decode()
    letters = [row.tobytes().decode() for row in kernel.decode(kmers, k)]
    assert written == "".join(f"{kmer}\t{count}\n" for kmer, count in zip(letters, counts, strict=True))
    assert dump.lines_size(np.array(counts, np.int64), k) == len(written)
