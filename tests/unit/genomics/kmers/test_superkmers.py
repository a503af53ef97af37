from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.genomics.kmers.count import Counter
from examples.genomics.kmers.minimizers import BLOCK, Scheme, minimizer_bins
from examples.genomics.kmers.superkmers import LENGTH_MASK, Grouped, Scanner, most_kmers, words_of_record
from examples.genomics.kmers.words import MAX_K, Text, decode, encode
from tests.unit.genomics.by_hand import count_by_hand, reverse_complement, sequences

BINS = 8
HARD = (
    "ACGTTGCAAATTTGGGCCCATATATGCGCGCAACCGGTTACGTACGTAGCTAGC"
    + "T" * 150
    + "N"
    + "acgRtgca" * 20
    + "\n"
    + "AC" * 90
    + "ACGTACGATCGACTAGCTTGATCGATCGATTCGATCGTAGGCTAGATATTCGCGATATAGGCTCTCGGAATTCG" * 2
)


def as_text(sequence: str) -> Text:
    return np.frombuffer(sequence.encode(), np.uint8)


def count(grouped: Grouped, k: int) -> dict[str, int]:
    """All bins counted; each k-mer must be in the bin of its minimizer, and each bin in order."""
    scheme, counter = Scheme(k, len(grouped.offsets) - 1), Counter(k)
    table: dict[str, int] = {}
    for number, (start, stop) in enumerate(zip(grouped.offsets[:-1], grouped.offsets[1:], strict=True)):
        kmers, counts = counter.count([grouped.records[start:stop]])
        assert (minimizer_bins(kmers, scheme) == number).all()
        letters = [row.tobytes().decode() for row in decode(kmers, k)]
        assert letters == sorted(set(letters))
        table.update(zip(letters, counts.tolist(), strict=True))
    return dict(sorted(table.items()))


@pytest.mark.parametrize("k", range(1, MAX_K + 1))
def test_every_length_is_counted_as_the_textbook_does(k: int) -> None:
    """For each k from 1 to 61, a sequence with runs, repeats, N, IUPAC letters and lower case gives the textbook's counts."""
    assert count(Scanner(Scheme(k, BINS)).scan(as_text(HARD)), k) == count_by_hand(HARD.split("\n"), k)


@given(sequence=sequences, k=st.integers(1, MAX_K))
def test_counts_are_those_of_the_textbook(sequence: str, k: int) -> None:
    """For any sequence and every k, the tables of all bins together equal counting one window at a time."""
    assert count(Scanner(Scheme(k, BINS)).scan(as_text(sequence)), k) == count_by_hand([sequence], k)


@pytest.mark.parametrize("k", [1, 4, 11, 31, 32, 61])
def test_both_strands_give_the_same_tables(k: int) -> None:
    """A sequence and its reverse complement have the same canonical k-mers, in the same bins."""
    sequence = HARD.split("N", maxsplit=1)[0]
    tables = [count(Scanner(Scheme(k, BINS)).scan(as_text(each)), k) for each in (sequence, reverse_complement(sequence))]
    assert tables[0] == tables[1]


def random_text(length: int, seed: int) -> Text:
    return np.random.default_rng(seed).choice(np.frombuffer(b"ACGT", np.uint8), length)


def words_by_hand(text: Text, k: int) -> npt.NDArray[np.uint64]:
    """All canonical k-mers (k up to 31) in order, each base shifted in by itself."""
    codes = np.searchsorted(np.frombuffer(b"ACGT", np.uint8), text).astype(np.uint64)
    windows = len(text) - k + 1
    forward, reverse = np.zeros(windows, np.uint64), np.zeros(windows, np.uint64)
    for at in range(k):
        base = codes[at : at + windows]
        forward = forward << np.uint64(2) | base
        reverse |= (np.uint64(3) - base) << np.uint64(2 * at)
    return np.sort(np.minimum(forward, reverse))


@pytest.mark.parametrize("length", [BLOCK - 1, BLOCK, BLOCK + 30, 2 * BLOCK + 17])
def test_blocks_leave_no_seam(length: int) -> None:
    """A text of several blocks, of whatever length, gives exactly the k-mers of all its windows."""
    text = random_text(length, 7)
    grouped = Scanner(Scheme(31, BINS)).scan(text)
    kmers, counts = Counter(31).count([grouped.records])
    np.testing.assert_array_equal(np.repeat(kmers, counts), words_by_hand(text, 31))


def test_text_may_begin_anywhere_in_memory() -> None:
    """A text that is a part of another one, at an odd address, is scanned as a copy of it."""
    text = random_text(BLOCK + 500, 8)
    scanner = Scanner(Scheme(21, BINS))
    for start in (1, 2, 5):
        part = scanner.scan(text[start:])
        np.testing.assert_array_equal(part.records, Scanner(Scheme(21, BINS)).scan(text[start:].copy()).records)


@pytest.mark.parametrize(("k", "share"), [(21, 2.9), (31, 1.47), (33, 1.6), (61, 1.4)])
def test_records_take_few_bytes_a_kmer(k: int, share: float) -> None:
    """In long random sequence a super-k-mer costs far less than the 8 or 16 bytes of each of its k-mers."""
    text = random_text(60_000, 9)
    grouped = Scanner(Scheme(k, BINS)).scan(text)
    assert grouped.records.nbytes / (len(text) - k + 1) < share


def test_bins_are_even_in_random_sequence() -> None:
    """No bin of 64 has more than twice the mean, nor less than half of it."""
    grouped = Scanner(Scheme(31, 64)).scan(random_text(400_000, 10))
    sizes = grouped.sizes()
    assert sizes.min() > sizes.mean() / 2
    assert sizes.max() < sizes.mean() * 2


@pytest.mark.parametrize("k", [1, 31, 50, 51, 61])
def test_long_runs_are_cut_into_records(k: int) -> None:
    """A homopolymer, one super-k-mer without end, fills records to the last but one."""
    grouped = Scanner(Scheme(k, BINS)).scan(as_text("A" * 1000))
    lengths = (grouped.records[:, -1] & LENGTH_MASK).tolist()
    assert sum(lengths) == 1000 - k + 1
    assert len(lengths) == -(-(1000 - k + 1) // most_kmers(k))


def test_groups_come_in_the_order_of_places() -> None:
    """With places given, bins come in their order, as they do if the groups are put in order afterwards."""
    scheme, text = Scheme(31, BINS), random_text(5_000, 11)
    order = np.random.default_rng(1).permutation(BINS)
    places = np.empty(BINS, np.uint32)
    places[order] = np.arange(BINS)
    by_number = Scanner(scheme).scan(text)
    placed, reordered = Scanner(scheme).scan(text, places), by_number.reordered(order)
    np.testing.assert_array_equal(placed.records, reordered.records)
    np.testing.assert_array_equal(placed.offsets, reordered.offsets)


def test_many_bins_and_records_need_wider_numbers() -> None:
    """If bin and index do not fit into 32 bits together, records are grouped all the same."""
    text = random_text(400_000, 12)
    grouped = Scanner(Scheme(3, 1 << 14)).scan(text)
    assert len(grouped.records) > 1 << 18
    kmers, counts = Counter(3).count([grouped.records])
    np.testing.assert_array_equal(np.repeat(kmers, counts), words_by_hand(text, 3))


def test_nothing_but_breaks_is_no_record() -> None:
    """Reads shorter than k and unknown bases give no super-k-mer at all."""
    grouped = Scanner(Scheme(7, BINS)).scan(as_text("ACG\nNNNNNNNNNNNN\nACGTAC\n"))
    assert grouped.records.shape == (0, words_of_record(7))
    assert grouped.sizes().tolist() == [0] * BINS
    assert Scanner(Scheme(7, BINS)).scan(as_text("ACG")).sizes().sum() == 0


def test_bins_of_kmers_do_not_depend_on_strand() -> None:
    """`minimizer_bins` gives the bin of a k-mer, or of its reverse complement: the one that its super-k-mer is in."""
    kmers = [HARD[at : at + 31] for at in range(20, 24)]
    others = [reverse_complement(kmer) for kmer in kmers]
    scheme = Scheme(31, 1024)
    np.testing.assert_array_equal(minimizer_bins(encode(kmers, 31), scheme), minimizer_bins(encode(others, 31), scheme))
