from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.genomics.kmers.kernel import canonical_kmers
from examples.genomics.kmers.malformed import Malformed
from examples.genomics.kmers.reads import Tally, read_pieces
from examples.genomics.kmers.shares import Format, inspect, shares_of
from tests.unit.genomics.by_hand import count_by_hand, sequences

K = 5
SMALLEST_CHUNK = 1
FASTQ = b"@r1\nACGTA\n+\nIIIII\n@r2\nTTGCA\n+r2\n@@@@@\n@r3\nGGGAC\n+\n+IIII\n"


def read(paths: list[Path], ranks: int = 1, chunk: int = 1 << 20, k: int = K) -> tuple[Counter[int], Tally]:
    """The k-mers in all pieces of all ranks, and all ranks' tallies added up."""
    inputs = [inspect(str(path)) for path in paths]
    words: Counter[int] = Counter()
    whole = Tally()
    for rank in range(ranks):
        tally = Tally()
        for piece in read_pieces(shares_of(inputs, rank, ranks), k, chunk, tally):
            words.update(canonical_kmers(piece, k).tolist())
        whole.sequences += tally.sequences
        whole.bases += tally.bases
        whole.invalid += tally.invalid
        whole.consumed += tally.consumed
    return words, whole


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


def agrees_with_the_textbook(paths: list[Path], ranks: int, chunk: int, k: int = K) -> None:
    found = texts_of(paths)
    words, tally = read(paths, ranks, chunk, k)
    assert sorted(words.values()) == sorted(count_by_hand(found, k).values())
    letters = [letter for text in found for letter in text]
    assert (tally.sequences, tally.bases) == (len(found), len(letters))
    assert tally.invalid == sum(letter not in "ACGTacgt" for letter in letters)
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


@given(data=st.one_of(fasta(), fastq()), ranks=st.integers(1, 5), chunk=st.integers(SMALLEST_CHUNK, 200))
def test_any_cut_of_a_plain_file_gives_every_kmer_once(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, ranks: int, chunk: int
) -> None:
    """However a plain file is cut into shares and blocks, each k-mer, sequence and base is counted exactly once."""
    path = tmp_path_factory.mktemp("plain") / "x"
    path.write_bytes(data)
    agrees_with_the_textbook([path], ranks, chunk)


@given(files=st.lists(st.tuples(st.one_of(fasta(), fastq()), st.booleans()), min_size=1, max_size=4), ranks=st.integers(1, 5))
def test_several_files_plain_and_gzipped_are_shared_without_rest(
    tmp_path_factory: pytest.TempPathFactory, files: list[tuple[bytes, bool]], ranks: int
) -> None:
    """Any mixture of files and formats is read exactly once by any number of ranks."""
    folder = tmp_path_factory.mktemp("mixed")
    paths = []
    for number, (data, gzipped) in enumerate(files):
        paths.append(folder / str(number))
        paths[-1].write_bytes(gzip.compress(data) if gzipped else data)
    agrees_with_the_textbook(paths, ranks, chunk=50)


@pytest.mark.parametrize("k", [1, 2, 31])
@pytest.mark.parametrize("ranks", [1, 2, 3, 4])
def test_a_sequence_longer_than_a_piece_has_no_seam(tmp_path: Path, k: int, ranks: int) -> None:
    """A chromosome in short lines, read in pieces far shorter than it, loses and doubles no k-mer."""
    path = tmp_path / "long.fa"
    sequence = ("ACGGTTANCCATG" * 37 + "TTTTT") * 3
    path.write_text(">long\n" + "\n".join(sequence[start : start + 7] for start in range(0, len(sequence), 7)))
    agrees_with_the_textbook([path], ranks, chunk=64, k=k)


def test_file_that_shrinks_is_not_taken_for_whole(tmp_path: Path) -> None:
    """A plain file that is cut while the job runs is an error, never a smaller count."""
    path = tmp_path / "x.fa"
    path.write_text(">a\nACGTACGT\n")
    shares = shares_of([inspect(str(path))], 0, 1)
    path.write_text(">a\nACGT")
    with pytest.raises(Malformed, match=r"x\.fa: had 12 bytes when the run began, and now ends at byte 7"):
        list(read_pieces(shares, K, 100, Tally()))


def test_gzip_of_several_members_is_read_to_its_end(tmp_path: Path) -> None:
    """Gzip files laid end to end, as bgzip and sequencers write them, are one file."""
    path = tmp_path / "members.fq.gz"
    path.write_bytes(gzip.compress(FASTQ) + gzip.compress(FASTQ))
    assert read([path])[1].sequences == 6


def test_format_is_told_by_content_not_by_name(tmp_path: Path) -> None:
    """A gzipped FASTQ called ``x.fasta`` is read as what it is."""
    path = tmp_path / "x.fasta"
    path.write_bytes(gzip.compress(FASTQ))
    assert (inspect(str(path)).format, inspect(str(path)).gzipped) == (Format.FASTQ, True)


@pytest.mark.parametrize("ranks", [1, 3])
@pytest.mark.parametrize("chunk", [SMALLEST_CHUNK, 7, 1 << 20])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("blank", [0, 2, 3, 4, 5, 8, 21])
@pytest.mark.parametrize(("text", "held"), [(FASTQ, 3), (FASTQ + b"@empty\n\n+\n\n", 4)])
def test_blank_lines_at_the_end_of_a_fastq_file_are_no_record(
    tmp_path: Path, *, text: bytes, held: int, blank: int, end: bytes, chunk: int, ranks: int
) -> None:
    """Any number of blank lines may stand at the end, even behind a read of no bases; they are not malformed."""
    path = tmp_path / "x.fq"
    path.write_bytes(text.replace(b"\n", end) + blank * end)
    assert read([path], ranks, chunk)[1].sequences == held


@pytest.mark.parametrize("ranks", [1, 2, 5])
@pytest.mark.parametrize("chunk", [SMALLEST_CHUNK, 7, 1 << 20])
@pytest.mark.parametrize(
    "text",
    [
        ">a é\nACGTA\nCC\n>Müller, 日本\nGGGACT\n".encode(),
        "@a é\nACGTACC\n+a é\nIIIIIII\n@日本\nGGGACT\n+\n@@@@@@\n".encode(),
        b">\xe9\nACGTACC\n>\xff>\xfe\r\nGGGACT\n",
    ],
)
def test_headers_hold_any_text(tmp_path: Path, text: bytes, chunk: int, ranks: int) -> None:
    """A header may hold any bytes, UTF-8 or not; they change nothing."""
    path = tmp_path / "x"
    path.write_bytes(text)
    words, tally = read([path], ranks, chunk)
    assert sorted(words.values()) == sorted(count_by_hand(["ACGTACC", "GGGACT"], K).values())
    assert (tally.sequences, tally.bases, tally.invalid) == (2, 13, 0)


@pytest.mark.parametrize("size", [2, 3, 5])
def test_gzip_files_go_to_different_ranks(tmp_path: Path, size: int) -> None:
    """Several gzip files are read by several ranks at once, as evenly as their number allows."""
    paths = [tmp_path / f"{number}.gz" for number in range(4)]
    for path in paths:
        path.write_bytes(gzip.compress(FASTQ))
    inputs = [inspect(str(path)) for path in paths]
    held = [len(shares_of(inputs, rank, size)) for rank in range(size)]
    assert sum(held) == 4
    assert max(held) - min(held) <= 1


GZIPPED = gzip.compress(FASTQ * 2000, mtime=0)

MALFORMED = {
    "empty file": (b"", "the file is empty"),
    "empty gzip": (gzip.compress(b""), "the file is empty"),
    "not FASTA or FASTQ": (b"BZh91AY", "neither FASTA nor FASTQ: it begins with b'BZh9', not with '>' or '@'"),
    "gzip of one byte too few": (
        GZIPPED[:-1],
        "record 6001, line 24001: the gzip stream ends here, before its end mark: the file was cut off",
    ),
    "gzip of its header only": (GZIPPED[:12], "the gzip stream ends within its first bytes: the file was cut off"),
    "gzip with damage at the start": (
        GZIPPED[:10] + b"\xff" * 20,
        "the gzip stream is damaged at its start: Error -3 while decompressing data: invalid block type",
    ),
    "gzip with junk behind": (
        gzip.compress(FASTQ) + b"junk",
        "record 4, line 13: the gzip stream is damaged after this line: Not a gzipped file (b'ju')",
    ),
    "quality too short": (
        FASTQ.replace(b"@@@@@", b"@@@@"),
        "record 2, line 8: the quality has 4 characters, its read has 5",
    ),
    "quality too long": (
        FASTQ.replace(b"+IIII", b"+IIIII"),
        "record 3, line 12: the quality has 6 characters, its read has 5",
    ),
    "no plus": (
        FASTQ.replace(b"+r2\n", b""),
        "record 2, line 7: the line after the read must begin with '+', but here is '@@@@@' (a read must be one line)",
    ),
    "read over two lines": (
        FASTQ.replace(b"TTGCA", b"TTG\nCA"),
        "record 2, line 7: the line after the read must begin with '+', but here is 'CA' (a read must be one line)",
    ),
    "read that begins with plus": (
        FASTQ.replace(b"TTGCA", b"+TGCA"),
        "record 2, line 6: here is '+TGCA', but a read must not begin with '+'",
    ),
    "four blank lines between records": (
        FASTQ.replace(b"@r2", b"\n\n\n\n@r2"),
        "record 2, line 5: a record must begin with '@', but here is ''",
    ),
    "line between records": (
        FASTQ.replace(b"@r2", b"\n@r2"),
        "record 2, line 5: a record must begin with '@', but here is ''",
    ),
    "FASTA within FASTQ": (
        FASTQ + b">s\nACGT\nACGT\nACGT\n",
        "record 4, line 13: a record must begin with '@', but here is '>s'",
    ),
    "record cut off": (
        FASTQ[:-8],
        "record 3, line 9: the file ends within this record, after 3 of its 4 lines",
    ),
    "not ASCII in FASTQ": (FASTQ.replace(b"TTGCA", b"TTG\xc3A"), "record 2, line 6: byte 0xc3 is not ASCII"),
    "not ASCII in FASTA": (b">a\nACG\n>b\nACG\nA\xe9G\n", "record 2, line 5: byte 0xe9 is not ASCII"),
    "not ASCII in a quality": (
        FASTQ.replace(b"@r2", b"@\xe9").replace(b"@@@@@", b"@@@@\xff"),
        "record 2, line 8: byte 0xff is not ASCII",
    ),
    "not ASCII behind headers that are not, either": (
        b">\xe9\nACG\n>b \xe9\nACG\nA\xe9G\n",
        "record 2, line 5: byte 0xe9 is not ASCII",
    ),
    "no header, and not ASCII": (
        FASTQ.replace(b"@r2", b"r\xc3\xa9").replace(b"TTGCA", b"TTG\xc3A"),
        "record 2, line 5: a record must begin with '@', but here is 'ré'",
    ),
}


@pytest.mark.parametrize("chunk", [SMALLEST_CHUNK, 17, 1 << 20])
@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_input_is_named_with_file_record_and_line(tmp_path: Path, name: str, chunk: int) -> None:
    """Each way a file can be malformed has its message, the same for any size of blocks."""
    data, message = MALFORMED[name]
    path = tmp_path / "bad"
    path.write_bytes(data)
    if len(data) > 100 and chunk == SMALLEST_CHUNK:
        chunk = 1000  # a long file, byte by byte, shows nothing more
    with pytest.raises(Malformed) as caught:
        read([path], chunk=chunk)
    assert str(caught.value) == f"{path}: {message}"


@pytest.mark.parametrize("ranks", [2, 3, 7])
@pytest.mark.parametrize("name", [name for name, (data, _) in MALFORMED.items() if not data.startswith(b"\x1f\x8b")])
def test_message_names_the_line_of_the_file_not_of_the_share(tmp_path: Path, name: str, ranks: int) -> None:
    """A rank that reads from the middle of a file still counts lines and records from the file's start."""
    data, message = MALFORMED[name]
    path = tmp_path / "bad"
    path.write_bytes(data)
    with pytest.raises(Malformed) as caught:
        read([path], ranks=ranks)
    assert str(caught.value) == f"{path}: {message}"
