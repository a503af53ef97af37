from __future__ import annotations

import errno
import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from examples.genomics.kmers.program import main
from examples.genomics.kmers.table import NAMES as TABLE
from examples.genomics.kmers.table import CountTable
from tests.unit.genomics.by_hand import count_by_hand
from tests.unit.workload.thread_ranks import Aborted, ThreadComm, run_ranks

NAMES = sorted([*TABLE, "dump.tsv", "histogram.svg", "histogram.tsv", "summary.json"])


def sequence(length: int) -> str:
    letters = np.frombuffer(b"ACGTacgtN", np.uint8)
    return np.random.default_rng(11).choice(letters, length, p=[0.23] * 4 + [0.01] * 4 + [0.04]).tobytes().decode()


@pytest.fixture
def inputs(tmp_path: Path) -> list[str]:
    """A FASTA file of two sequences and the gzipped reads of one."""
    text = sequence(3000)
    fasta, fastq = tmp_path / "x.fa", tmp_path / "x.fq.gz"
    fasta.write_text(f">a\n{text[:1700]}\n>b\n{text[1700:]}\n")
    reads = [text[start : start + 100] for start in range(0, 2900, 50)]
    fastq.write_bytes(gzip.compress("".join(f"@{n}\n{read}\n+\n{'I' * 100}\n" for n, read in enumerate(reads)).encode()))
    return [str(fasta), str(fastq)]


def run(words: list[str], ranks: int = 1) -> int:
    """The exit code that all ranks agree on."""
    codes = set(run_ranks(ranks, lambda comm: main(comm, words)))
    assert len(codes) == 1
    return codes.pop()


def results(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


def test_results_are_the_same_bytes_for_one_to_four_ranks(tmp_path: Path, inputs: list[str]) -> None:
    """Every file of the results is equal, byte for byte, whatever the number of ranks and the size of rounds."""
    all_results = []
    for ranks, chunk in [(1, "4 MiB"), (1, "100"), (2, "300"), (3, "1 KiB"), (4, "200")]:
        out = tmp_path / f"{ranks}-{chunk}"
        assert run([*inputs, "-k", "21", "--tsv", "--chunk", chunk, "--out", str(out)], ranks) == 0
        all_results.append(results(out))
    assert list(all_results[0]) == NAMES
    assert all(found == all_results[0] for found in all_results)


def test_results_are_those_of_the_textbook(tmp_path: Path, inputs: list[str]) -> None:
    """Table, dump, histogram and summary say what counting by hand says."""
    out = tmp_path / "out"
    assert run([*inputs, "-k", "12", "--tsv", "--out", str(out)], ranks=3) == 0
    text = sequence(3000)
    reads = [text[start : start + 100] for start in range(0, 2900, 50)]
    expected = count_by_hand([text[:1700], text[1700:], *reads], 12)
    assert dict(sorted(CountTable.open(out).items())) == expected
    assert sorted((out / "dump.tsv").read_text().splitlines()) == [f"{kmer}\t{count}" for kmer, count in expected.items()]
    times = list(expected.values())
    histogram = "".join(f"{frequency} {times.count(frequency)}\n" for frequency in sorted(set(times)))
    assert (out / "histogram.tsv").read_text() == histogram
    bases, peak = "".join([text, *reads]), max(range(2, 9), key=times.count)
    assert json.loads((out / "summary.json").read_text()) == {
        "k": 12,
        "min": 1,
        "inputs": [{"path": path, "bytes": Path(path).stat().st_size} for path in inputs],
        "sequences": 2 + len(reads),
        "bases": len(bases),
        "invalid": bases.count("N"),
        "gc": round(sum(map(bases.upper().count, "GC")) / (len(bases) - bases.count("N")), 6),
        "total": sum(times),
        "distinct": len(times),
        "kept": len(times),
        "peak": peak,
        "genome_size": round(sum(times) / peak),
    }


def test_min_thins_the_table_but_not_the_histogram(tmp_path: Path, inputs: list[str]) -> None:
    """With ``--min 3`` the table holds the k-mers that occur three times or more; histogram and totals hold all."""
    whole, thin = tmp_path / "whole", tmp_path / "thin"
    assert run([*inputs, "--out", str(whole)]) == 0
    assert run([*inputs, "--min", "3", "--out", str(thin)], ranks=2) == 0
    everything = dict(CountTable.open(whole).items())
    often = {kmer: count for kmer, count in everything.items() if count >= 3}
    assert list(CountTable.open(thin).items()) == list(often.items())
    assert (thin / "histogram.tsv").read_bytes() == (whole / "histogram.tsv").read_bytes()
    summary = json.loads((thin / "summary.json").read_text())
    assert (summary["distinct"], summary["kept"]) == (len(everything), len(often))


def test_second_run_leaves_nothing_of_the_first(tmp_path: Path, inputs: list[str]) -> None:
    """Results of an earlier run in the same directory are replaced; a dump that was not asked for this time is removed."""
    out = tmp_path / "out"
    assert run([*inputs, "--tsv", "--out", str(out)]) == 0
    assert run([inputs[0], "-k", "9", "--out", str(out)], ranks=2) == 0
    assert list(results(out)) == [name for name in NAMES if name != "dump.tsv"]
    assert json.loads((out / "summary.json").read_text())["k"] == 9


def test_results_of_a_failed_run_are_not_visible(tmp_path: Path, inputs: list[str]) -> None:
    """A run that fails while it writes leaves the earlier results whole and none of its own in their place."""
    out = tmp_path / "out"
    assert run([*inputs, "--out", str(out)]) == 0
    before = results(out)

    class DiskFull(ThreadComm):
        def Barrier(self) -> None:  # noqa: N802 - MPI's name
            super().Barrier()
            if self.rank == 1 and list(out.glob("table/counts-15.npy.*.partial")):
                raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(Aborted) as caught:
        run_ranks(2, lambda comm: main(DiskFull(comm._board, comm.rank), [*inputs, "-k", "9", "--out", str(out)]))
    assert caught.value.code == 74
    left = {name: data for name, data in results(out).items() if not name.endswith(".partial")}
    assert left == before
    assert run([*inputs, "--out", str(out)], ranks=2) == 0
    assert results(out) == before  # and the next run clears what was left


def test_files_of_others_stay(tmp_path: Path, inputs: list[str]) -> None:
    """Of what is in the directory only files with names of our own are removed."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "table").mkdir()
    theirs = ["table/kmers-00.npy.download.partial", "table/kmers-00.npy.partial", "thesis.partial", "reads.01234567.partial"]
    for name in [*theirs, "table/kmers-00.npy.0123abcd.partial", "shared.01234567.partial"]:
        (out / name).touch()
    assert run([inputs[0], "--out", str(out)], ranks=2) == 0
    assert {name for name in results(out) if name.endswith(".partial")} == set(theirs)


def test_look_up_of_the_readme(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The README's look-up prints the count of a k-mer in the table and 0 for any other."""
    path, out = tmp_path / "x.fa", tmp_path / "out"
    path.write_text(">a\nAAAACAAAAC\n")
    assert run([str(path), "-k", "5", "--out", str(out)]) == 0
    readme = (Path(__file__).parents[4] / "examples/genomics/kmers/README.md").read_text()
    code = readme.partition("```python\n")[2].partition("```")[0].replace("results/kmers", str(out))
    capsys.readouterr()
    for wanted in ("AAAAC", "GTTTT", "CCCCC"):
        exec(code.replace("AGCTTTTCATTCTGACTGCAACGGGCAATAT", wanted), {})  # noqa: S102 - what the README tells its readers to run
    assert capsys.readouterr().out.split() == ["2", "2", "0"]


def test_table_of_the_run_is_printed_once(tmp_path: Path, inputs: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Rank 0 alone ends the run with a table of what was counted and where it is."""
    assert run([inputs[0], "-k", "12", "--out", str(tmp_path / "out")], ranks=3) == 0
    assert capsys.readouterr().out.splitlines()[0] == "inputs     1 file, 3,008 bytes"
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert run([inputs[0], "-k", "12", "--out", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out == (
        "inputs     1 file, 3,008 bytes\n"
        f"sequences  2, of 3,000 bases ({summary['invalid']} not A, C, G, T; GC {summary['gc']:.2%})\n"
        "k          12\n"
        f"k-mers     {summary['total']:,}\n"
        f"distinct   {summary['distinct']:,} ({summary['kept']:,} in the table)\n"
        "peak       1 time\n"
        f"genome     about {summary['total']:,} bases\n"
        f"results    {tmp_path / 'out'}\n"
    )


def test_all_argument_problems_are_told_at_once_by_rank_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Wrong arguments end every rank with 2, and the problems stand once on stderr, all of them."""
    words = [f"{tmp_path}/no.fa", str(tmp_path), "-k", "62", "--min", "x", "--chunk", "1 EiB", "--fast"]
    assert run(words, ranks=3) == 2
    assert capsys.readouterr().err.split("  hint:")[0] == (
        "kmers: --fast: is not an argument of this program\n"
        "kmers: -k: is '62', but must be a whole number from 1 to 61\n"
        "kmers: --min: is 'x', but must be a whole number from 1 on\n"
        f"kmers: INPUT: {tmp_path}/no.fa does not exist\n"
        f"kmers: INPUT: {tmp_path} is not a file\n"
        "kmers: --out: is missing; name a directory for the results\n"
        "kmers: --chunk: is '1 EiB', but must be a size from 64 bytes to 256 MiB, as in '512 KiB'\n"
    )


def test_more_argument_problems(tmp_path: Path, inputs: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A file named twice, results where a file is, and no input at all are refused."""
    assert run([inputs[0], inputs[0], "--out", inputs[0]]) == 2
    assert capsys.readouterr().err.split("  hint:")[0] == (
        f"kmers: INPUT: {inputs[0]} is named twice\nkmers: --out: {inputs[0]} is there and is not a directory\n"
    )
    assert run(["--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("kmers: INPUT: is missing; name at least one FASTA or FASTQ file\n")
    assert run([inputs[0], "--out"]) == 2
    assert capsys.readouterr().err.startswith("kmers: argument --out: expected one argument\n")


def test_help_is_printed_once_and_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    """``--help`` shows every argument with its unit and default on stdout, once, and ends with 0."""
    assert run(["--help"], ranks=3) == 0
    shown = capsys.readouterr()
    assert shown.out.count("usage: kmers") == 1
    assert "length of a k-mer in bases, 1 to 61 (default: 31)" in shown.out
    assert shown.err == ""


def test_malformed_input_of_one_rank_ends_all_with_65(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """If only the last rank's share is malformed, all ranks end with 65, the place is named, and there are no results."""
    path = tmp_path / "bad.fq"
    path.write_text("@r\nACGTACGT\n+\nIIIIIIII\n" * 50 + "@last\nACGT\n+\nIII\n")
    with pytest.raises(Aborted) as caught:
        run([str(path), "-k", "3", "--out", str(tmp_path / "out")], ranks=4)
    assert caught.value.code == 65
    expected = f"kmers: {path}: record 51, line 204: the quality has 3 characters, its read has 4\n"
    assert capsys.readouterr().err == expected
    assert not (tmp_path / "out" / "summary.json").exists()


def test_bug_on_one_rank_ends_all_with_1(
    tmp_path: Path, inputs: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An exception that nobody foresaw ends all ranks, too, and says on which rank and where it happened."""

    class Faulty(ThreadComm):
        def alltoall(self, sendobj: object, /) -> list[object]:
            if self.rank == 2:
                raise ZeroDivisionError("fault for the test")
            return super().alltoall(sendobj)

    def program(comm: ThreadComm) -> int:
        return main(Faulty(comm._board, comm.rank), [inputs[0], "--out", str(tmp_path / "out")])

    with pytest.raises(Aborted) as caught:
        run_ranks(3, program)
    assert caught.value.code == 1
    shown = capsys.readouterr().err
    assert shown.startswith("kmers: rank 2 failed\nTraceback")
    assert shown.endswith("ZeroDivisionError: fault for the test\n\n")


@pytest.mark.parametrize("change", ["order of the files", "k"])
def test_checkpoint_of_other_work_is_refused(
    tmp_path: Path, inputs: list[str], capsys: pytest.CaptureFixture[str], change: str
) -> None:
    """What was read of files in one order, or for one k, is no beginning of another count."""
    words = ["--out", str(tmp_path / "out"), "--checkpoint", str(tmp_path / "saved")]
    assert run([*inputs, *words, "-k", "21"]) == 0
    assert run([*inputs, *words, "-k", "21", "--tsv", "--chunk", "100"]) == 0
    assert run([*inputs[::-1], *words, "-k", "21"] if change != "k" else [*inputs, *words, "-k", "31"]) == 2
    shown = capsys.readouterr().err
    assert "Traceback" not in shown
    assert ("input 1" if change != "k" else "k") in shown


def test_one_rank_alone_fails_without_abort(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As a plain program it ends with the same code and message, by returning."""
    path = tmp_path / "empty.fa"
    path.touch()
    assert run([str(path), "--out", str(tmp_path / "out")]) == 65
    assert capsys.readouterr().err == f"kmers: {path}: the file is empty\n"
