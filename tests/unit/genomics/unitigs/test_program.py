from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from examples.genomics.unitigs.program import main
from tests.unit.genomics.by_hand import count_by_hand
from tests.unit.genomics.unitigs.compacted_by_hand import Unitig, links_by_hand, unitigs_by_hand
from tests.unit.workload.thread_ranks import Aborted, ThreadComm, run_ranks

K = 15
SIGNS = "-+"


def genome() -> str:
    """Two thousand letters with a repeat, and a ring of 100."""
    rng = np.random.default_rng(5)
    letters = "".join(rng.choice(list("ACGT"), 2000))
    ring = "".join(rng.choice(list("ACGT"), 100))
    return f">a\n{letters + letters[300:500] + letters[:300]}\n>b\n{ring * 3}\n>c\n{'A' * 40}\n"


@pytest.fixture
def fasta(tmp_path: Path) -> str:
    path = tmp_path / "x.fa"
    path.write_text(genome())
    return str(path)


def expected(least: int) -> list[Unitig]:
    counted = count_by_hand(genome().split("\n")[1::2], K)
    return unitigs_by_hand({kmer: count for kmer, count in counted.items() if count >= least}, K)


def run(words: list[str], ranks: int = 1) -> int:
    """The exit code that all ranks agree on."""
    codes = set(run_ranks(ranks, lambda comm: main(comm, words)))
    assert len(codes) == 1
    return codes.pop()


def results(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(out.iterdir())}


@pytest.mark.parametrize("least", [1, 2])
def test_files_say_what_the_textbook_says(fasta: str, tmp_path: Path, least: int) -> None:
    """FASTA, GFA and summary hold the textbook's unitigs, sums of counts and links."""
    assert run([fasta, "-k", str(K), "--min", str(least), "--out", str(tmp_path / "out")], 2) == 0
    unitigs = expected(least)
    links = links_by_hand(unitigs, K)
    written = (tmp_path / "out/unitigs.fa").read_text().splitlines()
    assert written[1::2] == [unitig.text for unitig in unitigs]
    for number, unitig in enumerate(unitigs):
        name, *fields = written[2 * number].split()
        letters, kmers = len(unitig.text), len(unitig.text) - K + 1
        assert (name, fields[0], fields[1]) == (f">{number}", f"LN:i:{letters}", f"KC:i:{unitig.abundance}")
        assert fields[2] == f"km:f:{unitig.abundance / kmers:.1f}"
        mine = [(end, other) for end, other in sorted(links) if end >> 1 == number]
        assert fields[3:] == [f"L:{SIGNS[end & 1]}:{other >> 1}:{SIGNS[1 - other & 1]}" for end, other in mine]
    lines = [line.split("\t") for line in (tmp_path / "out/unitigs.gfa").read_text().splitlines()]
    assert [line[0] for line in lines] == ["H", *"S" * len(unitigs), *"L" * sum(end <= other for end, other in links)]
    assert [line[2] for line in lines if line[0] == "S"] == [unitig.text for unitig in unitigs]
    assert {tuple(line[1:]) for line in lines if line[0] == "L"} == {
        (str(end >> 1), SIGNS[end & 1], str(other >> 1), SIGNS[1 - other & 1], f"{K - 1}M") for end, other in links if end <= other
    }
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    lengths = sorted((len(unitig.text) for unitig in unitigs), reverse=True)
    assert (summary["unitigs"], summary["letters"], summary["longest"]) == (len(unitigs), sum(lengths), lengths[0])
    assert summary["n50"] == next(length for at, length in enumerate(lengths) if 2 * sum(lengths[: at + 1]) >= sum(lengths))
    assert summary["circular"] == sum(unitig.circular for unitig in unitigs)
    assert summary["links"] == sum(end <= other for end, other in links)
    assert summary["dead_ends"] == 2 * len(unitigs) - len({end for end, _ in links})
    assert summary["isolated"] == len(unitigs) - len({end >> 1 for end, _ in links})


def test_results_are_the_same_bytes_for_one_to_three_ranks(fasta: str, tmp_path: Path) -> None:
    """Every file is equal, byte for byte, whatever the number of ranks and the size of rounds."""
    found = []
    for ranks, chunk in [(1, "8 MiB"), (1, "200"), (2, "300"), (3, "1 KiB")]:
        assert run([fasta, "-k", str(K), "--min", "1", "--chunk", chunk, "--out", str(tmp_path / chunk)], ranks) == 0
        found.append(results(tmp_path / chunk))
    assert list(found[0]) == ["lengths.svg", "summary.json", "unitigs.fa", "unitigs.gfa"]
    assert all(files == found[0] for files in found)


def test_goes_on_from_counted_kmers_on_another_number_of_ranks(
    fasta: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run that finds what an earlier one counted does not read the input again, and writes the same files."""
    words = [fasta, "-k", str(K), "--min", "1", "--checkpoint", str(tmp_path / "saved")]
    for ranks in (2, 1, 3):
        assert run([*words, "--out", str(tmp_path / str(ranks))], ranks) == 0
        assert ("goes on from the counted k-mers" in capsys.readouterr().out) == (ranks != 2)
    assert results(tmp_path / "2") == results(tmp_path / "1") == results(tmp_path / "3")


def test_another_least_number_goes_on_from_what_was_read(fasta: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With another --min a run counts again from the same checkpoint, and writes what it writes without one."""
    words = [fasta, "-k", str(K), "--checkpoint", str(tmp_path / "saved")]
    assert run([*words, "--min", "1", "--out", str(tmp_path / "first")], 2) == 0
    assert run([*words, "--min", "2", "--out", str(tmp_path / "second")], 1) == 0
    assert run([fasta, "-k", str(K), "--min", "2", "--out", str(tmp_path / "fresh")], 3) == 0
    assert results(tmp_path / "second") == results(tmp_path / "fresh") != results(tmp_path / "first")
    told = capsys.readouterr().out
    assert told.count("goes on from a checkpoint: 2,852 of 2,852 bytes are read") == 1
    assert "counted k-mers" not in told


def test_ranks_without_any_kmer_save_and_load(tmp_path: Path) -> None:
    """A single k-mer, so that all ranks but one have none, is saved, loaded and written as by one rank."""
    (tmp_path / "x.fa").write_text(f">a\n{'A' * 40}\n")
    words = [str(tmp_path / "x.fa"), "-k", str(K), "--checkpoint", str(tmp_path / "saved")]
    for ranks in (3, 2, 1):
        assert run([*words, "--out", str(tmp_path / str(ranks))], ranks) == 0
    assert (tmp_path / "3/unitigs.fa").read_text() == f">0 LN:i:{K} KC:i:26 km:f:26.0   L:-:0:-  L:+:0:+ \n{'A' * K}\n"
    assert results(tmp_path / "3") == results(tmp_path / "2") == results(tmp_path / "1")


def test_checkpoint_of_another_k_is_refused(fasta: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was saved with another k is no start for this run, and the message says so."""
    words = [fasta, "--out", str(tmp_path / "out"), "--checkpoint", str(tmp_path / "saved")]
    assert run([*words, "-k", "15"]) == 0
    assert run([*words, "-k", "17"]) == 2
    assert "inputs['k']: '15' there, '17' here" in capsys.readouterr().err


@pytest.mark.parametrize("text", [">a\nACGT\n", ">a\n" + "ACGTTGCATTGACCATTGACCGT" + "\n"])
def test_no_kmer_that_occurs_often_enough_is_an_empty_graph(text: str, tmp_path: Path) -> None:
    """Input shorter than k, or all k-mers below --min: empty FASTA, a GFA of its header, zeros in the summary."""
    (tmp_path / "x.fa").write_text(text)
    assert run([str(tmp_path / "x.fa"), "-k", "15", "--out", str(tmp_path / "out")], 2) == 0
    assert (tmp_path / "out/unitigs.fa").read_bytes() == b""
    assert (tmp_path / "out/unitigs.gfa").read_text() == "H\tVN:Z:1.0\n"
    assert json.loads((tmp_path / "out/summary.json").read_text())["unitigs"] == 0


@pytest.mark.parametrize(
    ("k", "problem"),
    [
        ("30", "-k: is 30, but must be odd: a k-mer of even length can be its own reverse complement, and has no two ends"),
        ("33", "-k: is '33', but must be a whole number from 3 to 31"),
        ("1", "-k: is '1', but must be a whole number from 3 to 31"),
    ],
)
def test_every_problem_of_the_arguments_is_told(k: str, problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A k that is even or out of range is refused with the reason, beside all other problems, and nothing is written."""
    assert run([str(tmp_path / "none.fa"), "-k", k, "--min", "0", "--out", str(tmp_path / "out")]) == 2
    told = capsys.readouterr().err
    assert f"unitigs: {problem}\n" in told
    assert f"unitigs: INPUT: {tmp_path / 'none.fa'} does not exist\n" in told
    assert "unitigs: --min: is '0', but must be a whole number from 1 on\n" in told
    assert not (tmp_path / "out").exists()


def test_malformed_input_ends_all_ranks_and_leaves_no_results(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A quality line of another length ends all ranks with 65, names record and line, and no result appears."""
    (tmp_path / "x.fq").write_text("@a\nACGT\n+\nIIII\n@b\nACGT\n+\nIII\n")

    def program(comm: ThreadComm) -> int:
        return main(comm, [str(tmp_path / "x.fq"), "-k", "3", "--out", str(tmp_path / "out")])

    with pytest.raises(Aborted) as aborted:
        run_ranks(2, program)
    assert aborted.value.code == 65
    assert "record 2, line 8" in capsys.readouterr().err
    assert not [path for path in (tmp_path / "out").iterdir() if path.suffix != ".partial"]
