from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.genomics.kmers.kernel import encode
from examples.genomics.kmers.parallel import _rounds, count_kmers
from tests.unit.genomics.by_hand import count_by_hand, sequences
from tests.unit.workload.thread_ranks import ThreadComm, run_ranks


def table_of(pieces_of_ranks: list[list[str]], k: int) -> tuple[list[tuple[int, int]], list[int]]:
    """The whole table, rank after rank, and how many k-mers each rank owns."""

    def program(comm: ThreadComm) -> list[tuple[int, int]]:
        texts = iter([np.frombuffer(piece.encode(), np.uint8) for piece in pieces_of_ranks[comm.rank]])
        kmers, counts = count_kmers(comm, texts, k)
        return list(zip(kmers.tolist(), counts.tolist(), strict=True))

    tables = run_ranks(len(pieces_of_ranks), program)
    return [row for table in tables for row in table], [len(table) for table in tables]


def expected(pieces_of_ranks: list[list[str]], k: int) -> list[tuple[int, int]]:
    counted = count_by_hand([piece for pieces in pieces_of_ranks for piece in pieces], k)
    return [(encode(kmer), count) for kmer, count in counted.items()]


@given(pieces=st.lists(st.lists(sequences, max_size=4), min_size=1, max_size=4), k=st.sampled_from([1, 2, 5, 16, 31]))
def test_ranks_tables_in_order_are_the_whole_table(pieces: list[list[str]], k: int) -> None:
    """Whatever each rank reads and however often, the tables laid end to end are the textbook's, in order."""
    assert table_of(pieces, k)[0] == expected(pieces, k)


def test_text_of_one_rank_is_counted_by_all() -> None:
    """If one rank alone has text, as with a single gzip file, every rank still counts about its part."""
    rng = np.random.default_rng(7)
    text = rng.choice(np.frombuffer(b"ACGT", np.uint8), 40_000).tobytes().decode()
    table, owned = table_of([[], [], [text[:20_000], text[20_000:]], []], 21)
    assert table == expected([[text[:20_000], text[20_000:]]], 21)
    assert min(owned) > 0.8 * sum(owned) / 4


@pytest.mark.parametrize("reader", [0, 2])
def test_round_that_one_rank_reads_is_scanned_by_all(reader: int) -> None:
    """The text that one rank alone reads is dealt out: every rank scans its part, followed by k - 1 characters and a break."""

    def program(comm: ThreadComm) -> list[bytes]:
        text = np.frombuffer(b"AAAACCCCGGGGTTTT", np.uint8)
        return [part.tobytes() for part in _rounds(comm, iter([text] if comm.rank == reader else []), 3)]

    parts = [[part.replace(b"\n", b"") for part in rounds] for rounds in run_ranks(4, program)]
    assert parts == [[b"AAAACC"], [b"CCCCGG"], [b"GGGGTT"], [b"TTTT"]]


def test_round_that_all_ranks_read_stays_where_it_is() -> None:
    """Where the ranks read about the same, no text is sent."""

    def program(comm: ThreadComm) -> list[bytes]:
        text = np.full(10 + comm.rank, ord("ACGT"[comm.rank]), np.uint8)
        return [part.tobytes() for part in _rounds(comm, iter([text]), 3)]

    assert run_ranks(4, program) == [[b"A" * 10], [b"C" * 11], [b"G" * 12], [b"T" * 13]]


def test_one_kmer_repeated_without_end_belongs_to_one_rank() -> None:
    """A homopolymer, where all ranges fall together, is still counted exactly."""
    pieces = [["A" * 5000], ["T" * 3000], ["ACGT"]]
    assert table_of(pieces, 31)[0] == [(0, 5000 - 30 + 3000 - 30)]


@pytest.mark.parametrize("size", [1, 2, 4])
def test_no_kmer_at_all_is_an_empty_table(size: int) -> None:
    """Reads shorter than k, unknown bases, and ranks without any text give an empty table."""
    assert table_of([["ACG", "NNNNNNNNNNNN"], *[[] for _ in range(size - 1)]], 7)[0] == []


def test_kmers_that_come_late_find_their_ranges() -> None:
    """Rounds without a single k-mer before the first with one do not disturb the cutting of ranges."""
    pieces = [["NNNN", "", "ACGTTGCATT"], ["N"]]
    assert table_of(pieces, 3)[0] == expected(pieces, 3)


def test_every_rank_is_told_after_every_round() -> None:
    """``after_round`` is called equally often on all ranks, so that it may be collective."""

    def program(comm: ThreadComm) -> int:
        calls = 0

        def after_round() -> None:
            nonlocal calls
            calls += 1
            comm.Barrier()

        texts = [np.frombuffer(b"ACGTACGT", np.uint8)] * (3 if comm.rank == 1 else 1)
        count_kmers(comm, iter(texts), 4, after_round)
        return calls

    assert run_ranks(3, program) == [3, 3, 3]
