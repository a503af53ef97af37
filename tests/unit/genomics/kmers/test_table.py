from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from examples.genomics.kmers import table, writing
from examples.genomics.kmers.program import main
from examples.genomics.kmers.table import INDEX, MOST_COUNTED, CountTable
from examples.workload.communicator import Alone
from tests.unit.genomics.by_hand import count_by_hand, reverse_complement

SEQUENCE = "".join(np.random.default_rng(2).choice(list("ACGT"), 3_000)) + "A" * 200


@pytest.fixture
def fasta(tmp_path: Path) -> Path:
    path = tmp_path / "x.fa"
    path.write_text(f">x\n{SEQUENCE}\n")
    return path


def counted(fasta: Path, k: int, *words: str) -> Path:
    out = fasta.parent / "out"
    assert main(Alone(), [str(fasta), "-k", str(k), "--out", str(out), *words]) == 0
    return out


@pytest.mark.parametrize("k", [5, 31, 33, 61])
def test_every_kmer_is_found_on_either_strand(fasta: Path, k: int) -> None:
    """The table gives the textbook's count for each k-mer and its reverse complement, in either case, and 0 for any other."""
    found = CountTable.open(counted(fasta, k))
    expected = count_by_hand([SEQUENCE], k)
    some = list(expected)[:: max(1, len(expected) // 300)]
    assert (found.k, len(found)) == (k, len(expected))
    assert found.counts(some).tolist() == [expected[kmer] for kmer in some]
    assert found.counts([reverse_complement(kmer).lower() for kmer in some]).tolist() == [expected[kmer] for kmer in some]
    others = [kmer[:-1] + letter for kmer in some for letter in "ACGT"]
    assert found.counts(others).tolist() == [expected.get(min(each, reverse_complement(each)), 0) for each in others]
    assert found.count("A" * k) == expected["A" * k]
    assert found.counts([]).tolist() == []


@pytest.mark.parametrize("k", [21, 45])
def test_items_are_all_kmers_once(fasta: Path, k: int) -> None:
    """Iterating gives each k-mer of the table once, with its count, in the order of ``dump.tsv``."""
    out = counted(fasta, k, "--tsv")
    items = list(CountTable.open(out).items())
    assert dict(items) == count_by_hand([SEQUENCE], k)
    assert "".join(f"{kmer}\t{count}\n" for kmer, count in items) == (out / "dump.tsv").read_text()


def test_rare_kmers_are_left_out(fasta: Path) -> None:
    """With ``--min`` the table holds what occurs that often, and the summary still counts all."""
    out = counted(fasta, 6, "--min", "3")
    expected = count_by_hand([SEQUENCE], 6)
    assert dict(CountTable.open(out).items()) == {kmer: count for kmer, count in expected.items() if count >= 3}
    assert json.loads((out / "summary.json").read_text())["distinct"] == len(expected)
    assert CountTable.open(out).index.min == 3


def test_files_are_what_they_are_said_to_be(fasta: Path) -> None:
    """Offsets, k-mers and counts of all parts are plain arrays that fit together."""
    out = counted(fasta, 31)
    offsets = np.load(out / table.BINS)
    parts = [
        (np.load(out / f"table/kmers-{part:02}.npy"), np.load(out / f"table/counts-{part:02}.npy")) for part in range(table.PARTS)
    ]
    assert {(kmers.dtype.name, counts.dtype.name) for kmers, counts in parts} == {("uint64", "uint32")}
    assert [len(kmers) for kmers, _ in parts] == [len(counts) for _, counts in parts]
    assert sum(len(kmers) for kmers, _ in parts) == offsets[-1] == json.loads((out / INDEX).read_text())["kmers"]
    assert len(offsets) == json.loads((out / INDEX).read_text())["bins"] + 1


@pytest.mark.parametrize("held", [1, 40_000, 1 << 30])
def test_table_does_not_depend_on_how_much_is_held(fasta: Path, held: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Written part by part, or all at once: the same files, the text among them."""
    whole = {path.name: path.read_bytes() for path in counted(fasta, 31, "--tsv").rglob("*") if path.is_file()}
    monkeypatch.setattr(writing, "_HELD", held)
    assert {path.name: path.read_bytes() for path in counted(fasta, 31, "--tsv").rglob("*") if path.is_file()} == whole


def test_unfinished_table_is_not_opened(fasta: Path) -> None:
    """Without the files that are written last there is no table, and the message says so."""
    out = counted(fasta, 31)
    (out / "summary.json").unlink()
    with pytest.raises(
        FileNotFoundError, match=r"holds no finished count table: table/index\.json and summary\.json are written last"
    ):
        CountTable.open(out)
    with pytest.raises(FileNotFoundError):
        CountTable.open(out / "elsewhere")


def test_other_format_is_refused(fasta: Path) -> None:
    """A table of another version is refused, for its bins may mean something else."""
    out = counted(fasta, 31)
    (out / INDEX).write_text((out / INDEX).read_text().replace("k-mers 1", "k-mers 0"))
    with pytest.raises(ValueError, match="is not of the format 'batchhpc k-mers 1'; count again with this version"):
        CountTable.open(out)


def test_what_is_no_kmer_of_the_table_is_refused(fasta: Path) -> None:
    """A k-mer of another length, or with an N, is refused by name."""
    found = CountTable.open(counted(fasta, 31))
    for kmer in ("ACGT", "N" * 31):
        with pytest.raises(ValueError, match=f"'{kmer}' is not a k-mer of 31 letters A, C, G, T"):
            found.count(kmer)


def test_counts_beyond_32_bits_are_cut() -> None:
    """A count that 32 bits cannot hold is written as the most they can."""
    rows = np.zeros(64, np.int64)
    rows[0] = 2
    held = {0: (np.array([1, 2], np.uint64), np.array([2**32 + 5, 7], np.int64))}
    _, counts = writing._files_of_part(0, 4, rows, held, 31)
    [(start, written)] = counts.pieces
    assert (start, written.tolist()) == (0, [MOST_COUNTED, 7])
