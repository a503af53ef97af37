from __future__ import annotations

import gzip
import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examples.genomics.sequences import Format, Packing, Reader, Schedule, Tally, inspect
from examples.workload.errors import Malformed
from tests.unit.genomics.by_hand import count_by_hand, sequences
from tests.unit.genomics.sequences.bgzip import bgzip
from tests.unit.workload.thread_ranks import ThreadComm, run_ranks

K = 5
SMALLEST_CHUNK = 1
FASTQ = b"@r1\nACGTA\n+\nIIIII\n@r2\nTTGCA\n+r2\n@@@@@\n@r3\nGGGAC\n+\n+IIII\n"


def read(
    paths: list[Path], ranks: int = 1, chunk: int = 1 << 20, k: int = K, *, stops: tuple[int, ...] = ()
) -> tuple[Counter[str], Tally]:
    """The canonical k-mers in all texts of all ranks, and all ranks' tallies added up.

    Args:
        paths: the files.
        ranks: how many read them.
        chunk: bytes a round.
        k: length of a k-mer.
        stops: after each of these numbers of rounds all ranks are replaced, by one more or one fewer.
    """
    inputs = [inspect(str(path)) for path in paths]
    kmers: Counter[str] = Counter()
    whole = Tally()
    state, left, after = None, list(stops), ranks

    def program(comm: ThreadComm) -> tuple[list[str], Tally, str | None]:
        schedule = Schedule(inputs, chunk + comm.size if state else chunk, json.loads(state) if state else None)
        reader = Reader(comm, schedule, k)
        texts, rounds = [], 0
        while (text := reader.next_round()) is not None:
            assert text[-1] not in b"ACGTacgt"
            texts.append(text.tobytes().decode("latin-1"))
            rounds += 1
            if left and rounds == left[0]:
                reader.close()
                return texts, reader.tally, json.dumps(schedule.state())
        return texts, reader.tally, None

    while True:
        found = run_ranks(after, program)
        for texts, tally, _ in found:
            kmers.update(count_by_hand(texts, k))
            for name in Tally.__slots__:
                setattr(whole, name, getattr(whole, name) + getattr(tally, name))
        assert len({saved for _, _, saved in found}) == 1
        state = found[0][2]
        if state is None:
            return kmers, whole
        left.pop(0)
        after = after + 1 if after < 3 else after - 1


def texts_of(paths: list[Path]) -> list[str]:
    """The sequences of files, read in the plainest way."""
    found: list[str] = []
    for path in paths:
        data = path.read_bytes()
        lines = (gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data).decode().replace("\r", "").split("\n")
        if lines[0].startswith("@"):
            found += lines[1::4][: len(lines) // 4]
        else:
            found += ["".join(record.split("\n")[1:]) for record in ("\n" + "\n".join(lines)).split("\n>")[1:]]
    return found


def agrees_with_the_textbook(paths: list[Path], ranks: int, chunk: int, k: int = K, *, stops: tuple[int, ...] = ()) -> None:
    found = texts_of(paths)
    kmers, tally = read(paths, ranks, chunk, k, stops=stops)
    assert kmers == count_by_hand(found, k)
    letters = [letter for text in found for letter in text]
    assert (tally.sequences, tally.bases) == (len(found), len(letters))
    assert tally.invalid == sum(letter not in "ACGTacgt" for letter in letters)
    assert tally.gc == sum(letter in "CGcg" for letter in letters)
    assert tally.consumed == sum(path.stat().st_size for path in paths)


@st.composite
def fasta(draw: st.DrawFn) -> bytes:
    """FASTA with lines of any length, blank lines, empty records, both line ends, with or without a last one."""
    end = draw(st.sampled_from(["\n", "\r\n"]))
    lines = []
    for number, sequence in enumerate(draw(st.lists(sequences, min_size=1, max_size=4))):
        width = draw(st.integers(1, 80))
        lines.append(f">s{number} >@+ACGT" if number else ">")
        lines += [sequence[start : start + width] for start in range(0, len(sequence), width)]
        lines += [""] * draw(st.integers(0, 1))
    return end.join(lines).encode() + (end.encode() if draw(st.booleans()) else b"")


@st.composite
def fastq(draw: st.DrawFn) -> bytes:
    """FASTQ whose qualities look like headers and separators; reads may be empty."""
    end = draw(st.sampled_from(["\n", "\r\n"]))
    lines = []
    for number, sequence in enumerate(draw(st.lists(sequences, min_size=1, max_size=6))):
        quality = draw(st.sampled_from("@+I>")) * len(sequence)
        lines += [f"@r{number}", sequence, draw(st.sampled_from(["+", "+@r", "+ACGT"])), quality]
    return end.join(lines).encode() + (end.encode() if draw(st.booleans()) else b"")


PACKINGS: dict[str, Callable[[bytes], bytes]] = {"plain": bytes, "gzip": gzip.compress, "BGZF": lambda data: bgzip(data, 37)}


@settings(max_examples=60, deadline=None)
@given(
    data=st.one_of(fasta(), fastq()),
    packing=st.sampled_from(sorted(PACKINGS)),
    ranks=st.integers(1, 3),
    chunk=st.integers(9, 200),
    stops=st.lists(st.integers(1, 3), max_size=2),
)
def test_any_cut_of_a_file_gives_every_kmer_once(
    tmp_path_factory: pytest.TempPathFactory, *, data: bytes, packing: str, ranks: int, chunk: int, stops: list[int]
) -> None:
    """However a file is stored, cut into chunks and gone on with by other ranks, each k-mer and base is counted exactly once."""
    path = tmp_path_factory.mktemp("cut") / "x"
    path.write_bytes(PACKINGS[packing](data))
    agrees_with_the_textbook([path], ranks, chunk, stops=tuple(stops))


@settings(max_examples=40, deadline=None)
@given(
    files=st.lists(st.tuples(st.one_of(fasta(), fastq()), st.sampled_from(sorted(PACKINGS))), min_size=1, max_size=4),
    ranks=st.integers(1, 4),
    stops=st.lists(st.integers(1, 3), max_size=2),
)
def test_several_files_of_any_kind_are_shared_without_rest(
    tmp_path_factory: pytest.TempPathFactory, files: list[tuple[bytes, str]], ranks: int, stops: list[int]
) -> None:
    """Any mixture of files is read exactly once by any number of ranks, also if these change while gzip files are half read."""
    folder = tmp_path_factory.mktemp("mixed")
    paths = []
    for number, (data, packing) in enumerate(files):
        paths.append(folder / str(number))
        paths[-1].write_bytes(PACKINGS[packing](data))
    agrees_with_the_textbook(paths, ranks, chunk=50, stops=tuple(stops))


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("k", [1, 2, 61])
@pytest.mark.parametrize("width", [7, 10_000])
def test_a_sequence_longer_than_a_chunk_has_no_seam(tmp_path: Path, packing: str, k: int, width: int) -> None:
    """A chromosome in short lines or in one, read in chunks far shorter than it, loses and doubles no k-mer."""
    path = tmp_path / "long.fa"
    sequence = ("ACGGTTANCCATG" * 37 + "TTTTT") * 3
    text = ">long\n" + "\n".join(sequence[start : start + width] for start in range(0, len(sequence), width))
    path.write_bytes(PACKINGS[packing](text.encode()))
    for ranks in (1, 3):
        agrees_with_the_textbook([path], ranks, chunk=64, k=k)


@pytest.mark.parametrize("length", [150, 70_000])
def test_reads_may_be_longer_than_a_chunk(tmp_path: Path, length: int) -> None:
    """Reads of very different lengths, some far longer than a chunk, are whole and in one text."""
    path = tmp_path / "long.fq"
    reads = ["ACGTTGCATTAC" * (length // 12), "ACG", "", "GATTACA" * 9]
    path.write_text("".join(f"@r\n{read}\n+\n{'@' * len(read)}\n" for read in reads))
    agrees_with_the_textbook([path], 2, chunk=100)


@pytest.mark.parametrize("packing", ["plain", "BGZF"])
def test_file_that_shrinks_is_not_taken_for_whole(tmp_path: Path, packing: str) -> None:
    """A file that is cut while the job runs is an error, never a smaller count."""
    path = tmp_path / "x.fa"
    path.write_bytes(PACKINGS[packing](b">a\nACGTACGT\n"))
    size = path.stat().st_size
    schedule = Schedule([inspect(str(path))], 100)
    path.write_bytes(path.read_bytes()[:7])
    with pytest.raises(Malformed, match=rf"x\.fa: had {size} bytes when the run began, and now has 7"):
        run_ranks(1, lambda comm: Reader(comm, schedule, K).next_round())


def test_file_that_is_replaced_is_noticed(tmp_path: Path) -> None:
    """Another file of the same size at the same place is an error, too."""
    path = tmp_path / "x.fa"
    path.write_bytes(b">a\nACGTACGT\n")
    schedule = Schedule([inspect(str(path))], 100)
    path.write_bytes(b">b\nACGTACGT\n")
    os.utime(path, ns=(0, 0))
    with pytest.raises(Malformed, match=r"x\.fa: was written anew after the run began"):
        run_ranks(1, lambda comm: Reader(comm, schedule, K).next_round())


@pytest.mark.parametrize("packing", ["gzip", "BGZF"])
def test_packed_files_laid_end_to_end_are_one(tmp_path: Path, packing: str) -> None:
    """What sequencers write in several goes is read to its end."""
    path = tmp_path / "members.fq.gz"
    path.write_bytes(PACKINGS[packing](FASTQ) * 2)
    assert read([path])[1].sequences == 6


def test_kind_is_told_by_content_not_by_name(tmp_path: Path) -> None:
    """Format and packing are found in the file itself."""
    path = tmp_path / "x.fasta"
    for packing, pack in PACKINGS.items():
        path.write_bytes(pack(FASTQ))
        found = inspect(str(path))
        assert (found.format, found.packing) == (Format.FASTQ, Packing(packing))


@pytest.mark.parametrize("chunk", [SMALLEST_CHUNK, 7, 1 << 20])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("blank", [0, 2, 3, 4, 5, 8, 21])
@pytest.mark.parametrize(("text", "held"), [(FASTQ, 3), (FASTQ + b"@empty\n\n+\n\n", 4)])
def test_blank_lines_at_the_end_of_a_fastq_file_are_no_record(
    tmp_path: Path, *, text: bytes, held: int, blank: int, end: bytes, chunk: int
) -> None:
    """Any number of blank lines may stand at the end, even behind a read of no bases; they are not malformed."""
    path = tmp_path / "x.fq"
    for pack in PACKINGS.values():
        path.write_bytes(pack(text.replace(b"\n", end) + blank * end))
        assert read([path], 2, chunk)[1].sequences == held


@pytest.mark.parametrize("chunk", [SMALLEST_CHUNK, 7, 1 << 20])
@pytest.mark.parametrize(
    "text",
    [
        ">a é\nACGTA\nCC\n>Müller, 日本\nGGGACT\n".encode(),
        "@a é\nACGTACC\n+a é\nIIIIIII\n@日本\nGGGACT\n+\n@@@@@@\n".encode(),
        b">\xe9\nACGTACC\n>\xff>\xfe\r\nGGGACT\n",
    ],
)
def test_headers_hold_any_text(tmp_path: Path, text: bytes, chunk: int) -> None:
    """A header may hold any bytes, UTF-8 or not; they change nothing."""
    path = tmp_path / "x"
    for pack in PACKINGS.values():
        path.write_bytes(pack(text))
        kmers, tally = read([path], 2, chunk)
        assert kmers == count_by_hand(["ACGTACC", "GGGACT"], K)
        assert (tally.sequences, tally.bases, tally.invalid) == (2, 13, 0)


def test_gzip_files_go_to_different_ranks_and_chunks_to_the_others() -> None:
    """Each rank without a stream takes the next chunk, and a stream that ends makes room for the next."""
    from examples.genomics.sequences.inputs import Input
    from examples.genomics.sequences.schedule import Chunk, Stream

    def item(name: str, packing: Packing) -> Input:
        return Input(name, 100, Format.FASTQ, packing, "")

    schedule = Schedule([item("a", Packing.GZIP), item("p", Packing.PLAIN), item("b", Packing.GZIP), item("c", Packing.GZIP)], 40)

    def told(size: int) -> list[str]:
        works = [schedule.round_of(rank, size)[0] for rank in range(size)]
        return [
            f"{work.input.address}{work.start}"
            if isinstance(work, Chunk)
            else work.input.address
            if isinstance(work, Stream)
            else "-"
            for work in works
        ]

    assert told(4) == ["a", "b", "c", "p0"]
    schedule.advance(4, {0: {"offset": 9}, 1: None, 2: {"offset": 8}})
    assert told(4) == ["a", "p40", "c", "p80"]
    schedule.advance(4, {0: None, 2: {"offset": 9}})
    assert told(4) == ["-", "-", "c", "-"]
    assert schedule.state() == {"chunk": 40, "next": 3, "streams": [None, None, {"offset": 9}]}


def test_text_of_few_gzip_files_is_dealt_out(tmp_path: Path) -> None:
    """One gzip file keeps all ranks busy: each gets an equal part of every round's text."""
    path = tmp_path / "x.fq.gz"
    path.write_bytes(gzip.compress(FASTQ * 50))

    def program(comm: ThreadComm) -> int:
        reader = Reader(comm, Schedule([inspect(str(path))], 1 << 20), K)
        text = reader.next_round()
        reader.close()
        assert text is not None
        return len(text)

    lengths = run_ranks(3, program)
    assert max(lengths) - min(lengths) <= K
