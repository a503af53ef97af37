from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from batchhpc.rank import Checkpoint
from batchhpc.rank.checkpoint.file_store import FileStore
from examples.genomics.kmers.counting import Counted, Keeping, count_bins
from examples.genomics.kmers.exchange import Received
from examples.genomics.kmers.minimizers import minimizer_bins
from examples.genomics.kmers.model import sent_by_rank
from examples.genomics.kmers.words import decode
from examples.genomics.sequences import Tally, inspect
from tests.unit.genomics.by_hand import count_by_hand
from tests.unit.workload.thread_ranks import ThreadComm, run_ranks

CHUNK = 2_000
READS = 120


@pytest.fixture
def reads(tmp_path: Path) -> tuple[Path, list[str]]:
    """A FASTQ of reads that overlap, with errors, N, lower case, a homopolymer and reads shorter than k."""
    random = np.random.default_rng(5)
    genome = random.choice(list("ACGT"), 1_500)
    sequences = ["A", "acgtn", "A" * 180, "TTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTT"]
    for start in random.integers(0, 1_380, READS):
        read = genome[start : start + 120].copy()
        read[random.integers(0, 120, 2)] = random.choice(list("ACGTN"), 2)
        sequences.append("".join(read).lower() if start % 7 == 0 else "".join(read))
    path = tmp_path / "reads.fq"
    path.write_text("".join(f"@{number}\n{read}\n+\n{'@' * len(read)}\n" for number, read in enumerate(sequences)))
    return path, sequences


def table_of(counted: Counted) -> list[tuple[str, int]]:
    """What a rank counts; it must own it."""
    rows: list[tuple[str, int]] = []
    for number, kmers, counts in counted.bins():
        assert set(minimizer_bins(kmers, counted.scheme).tolist()) == {number}
        letters = [row.tobytes().decode() for row in decode(kmers, counted.scheme.k)]
        rows += zip(letters, counts.tolist(), strict=True)
    return rows


@pytest.mark.parametrize("k", [3, 15, 31, 45, 61])
@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_ranks_together_count_what_the_textbook_does(reads: tuple[Path, list[str]], k: int, ranks: int) -> None:
    """Each k-mer is counted by exactly one rank, the owner of its bin, in as many rounds as the file has."""
    path, sequences = reads

    def program(comm: ThreadComm) -> tuple[list[tuple[str, int]], Tally, list[int]]:
        counted = count_bins(comm, [inspect(str(path))], k, chunk=CHUNK)
        numbers = [number for number, _, _ in counted.bins()]
        assert numbers == sorted(numbers)
        assert (counted.owner[numbers] == comm.rank).all()
        return table_of(counted), counted.tally, counted.owner.tolist()

    found = run_ranks(ranks, program)
    rows = [row for table, _, _ in found for row in table]
    assert len(rows) == len(dict(rows))
    assert dict(sorted(rows)) == count_by_hand(sequences, k)
    assert all(each[1:] == found[0][1:] for each in found)
    letters = "".join(sequences).upper()
    assert found[0][1].sequences == len(sequences)
    assert found[0][1].bases == len(letters)
    assert found[0][1].invalid == letters.count("N")
    assert found[0][1].gc == letters.count("G") + letters.count("C")
    assert found[0][1].consumed == path.stat().st_size


class Killed(Exception):
    """Ends a run where a node would be lost."""


def count_until(where: Path, path: Path, rounds: int) -> Callable[[ThreadComm], list[tuple[str, int]]]:
    """A program that saves after every round, and is killed in the round after the given one, when the last save is whole."""
    store = FileStore(where)  # one for all threads: it names its temporary files by process

    def program(comm: ThreadComm) -> list[tuple[str, int]]:
        item, done = inspect(str(path)), 0
        with Checkpoint(store, comm, inputs={path.name: item.version}, version="1") as checkpoint:

            def after_round(_: int) -> None:
                nonlocal done
                done += 1
                if done > rounds:
                    checkpoint.wait()  # threads of this process go on when a rank is "killed"
                    raise Killed

            counted = count_bins(comm, [item], 31, chunk=CHUNK, keeping=Keeping(checkpoint, 0), after_round=after_round)
        return table_of(counted)

    return program


@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 1), (2, 3), (3, 2), (3, 1)])
def test_run_that_is_killed_goes_on_with_other_ranks(
    reads: tuple[Path, list[str]], tmp_path: Path, before: int, after: int
) -> None:
    """Killed in any round and begun again on another number of ranks, a run counts exactly, and reads on where it was."""
    path, sequences = reads
    expected = count_by_hand(sequences, 31)
    for killed_after in (0, 1, 3):
        where = tmp_path / f"kept-{killed_after}"
        with pytest.raises(Killed):
            run_ranks(before, count_until(where, path, killed_after))
        rows = [row for table in run_ranks(after, count_until(where, path, 1_000)) for row in table]
        assert dict(sorted(rows)) == expected
        assert len(rows) == len(expected)


def test_run_that_is_killed_again_and_again_is_exact(reads: tuple[Path, list[str]], tmp_path: Path) -> None:
    """Each run of one or two rounds, each on another number of ranks: in the end all is counted, and nothing twice."""
    path, sequences = reads
    for ranks in (2, 1, 3, 1, 2, 1):
        with pytest.raises(Killed):
            run_ranks(ranks, count_until(tmp_path / "kept", path, 1))
    rows = [row for table in run_ranks(2, count_until(tmp_path / "kept", path, 1_000)) for row in table]
    assert dict(sorted(rows)) == count_by_hand(sequences, 31)


def test_finished_reading_is_not_done_again(reads: tuple[Path, list[str]], tmp_path: Path) -> None:
    """A run that was killed while it counted has all records in its checkpoint: the next one reads nothing."""
    path, sequences = reads
    run_ranks(2, count_until(tmp_path / "kept", path, 1_000))
    rows = [row for table in run_ranks(3, count_until(tmp_path / "kept", path, 0)) for row in table]
    assert dict(sorted(rows)) == count_by_hand(sequences, 31)


def test_tally_goes_on_where_it_was(reads: tuple[Path, list[str]], tmp_path: Path) -> None:
    """What was read before a checkpoint and after it adds up to the whole file."""
    path, _ = reads
    with pytest.raises(Killed):
        run_ranks(2, count_until(tmp_path / "kept", path, 2))
    told: list[int] = []
    store = FileStore(tmp_path / "kept")

    def program(comm: ThreadComm) -> Tally:
        item = inspect(str(path))
        with Checkpoint(store, comm, inputs={path.name: item.version}, version="1") as checkpoint:
            return count_bins(comm, [item], 31, chunk=CHUNK, keeping=Keeping(checkpoint, 1_000), after_round=told.append).tally

    once = run_ranks(1, lambda comm: count_bins(comm, [inspect(str(path))], 31, chunk=CHUNK).tally)[0]
    assert [dataclasses.asdict(tally) for tally in run_ranks(1, program)] == [dataclasses.asdict(once)]
    assert told == sorted(told)
    assert told[0] > path.stat().st_size / 4


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_bytes_sent_are_those_of_the_model(tmp_path: Path, ranks: int) -> None:
    """On 1, 2 and 4 ranks the bytes of records that go to other ranks are the model's to 5 %."""
    random, length, reads = np.random.default_rng(6), 150, 4_000
    genome = random.choice(np.frombuffer(b"ACGT", np.uint8), 60_000)
    starts = random.integers(0, len(genome) - length, reads)
    path = tmp_path / "reads.fq"
    path.write_bytes(b"".join(b"@r\n%s\n+\n%s\n" % (genome[at : at + length].tobytes(), b"I" * length) for at in starts))
    sent = run_ranks(ranks, lambda comm: count_bins(comm, [inspect(str(path))], 31, chunk=100_000).sent)
    kmers = reads * (length - 30)
    assert sum(sent) == pytest.approx(ranks * sent_by_rank(kmers, 31, ranks, length), rel=0.05)


@pytest.mark.parametrize("text", ["@r\nNNNNNNNNNNNNNNNNNNNN\n+\nIIIIIIIIIIIIIIIIIIII\n", "@r\nACGT\n+\nIIII\n"])
def test_no_kmer_at_all_is_counted_as_none(tmp_path: Path, text: str) -> None:
    """Unknown bases and reads shorter than k are read, and no rank has a bin to count."""
    path = tmp_path / "none.fq"
    path.write_text(text)
    assert run_ranks(3, lambda comm: table_of(count_bins(comm, [inspect(str(path))], 15))) == [[], [], []]


def test_merged_records_are_grouped_by_bin() -> None:
    """Records of several rounds and sources become one array in the order of bins, each bin's with sources in order."""
    received = Received(3, 2)
    sizes = np.array([[2, 0, 1], [1, 1, 0]])
    for start in (0, 10):
        received.add(np.arange(start, start + 5, dtype=np.uint64).repeat(2).reshape(5, 2), sizes)
    assert received.sizes().tolist() == [6, 2, 2]
    before = [np.concatenate(received.parts(place)) for place in range(3)]
    assert received.merged()[:, 0].tolist() == [0, 1, 3, 10, 11, 13, 4, 14, 2, 12]
    for place in range(3):
        np.testing.assert_array_equal(np.concatenate(received.parts(place)), before[place])
