from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from examples.genomics.sequences import Reader, Schedule, inspect
from examples.workload.communicator import Alone
from examples.workload.errors import Malformed
from tests.unit.genomics.sequences.bgzip import END, bgzip
from tests.unit.genomics.sequences.test_reader import FASTQ, SMALLEST_CHUNK, K

GZIPPED = gzip.compress(FASTQ * 2000, mtime=0)

BGZIPPED = bgzip(FASTQ, 40)
LAST_BLOCK = BGZIPPED[: -len(END)].rindex(b"\x1f\x8b")

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
    "BGZF without its end": (bgzip(FASTQ)[: -len(END)], "the BGZF file has no end mark: it was cut off"),
    "BGZF with a damaged block": (
        BGZIPPED[: -len(END) - 8] + b"\0" * 4 + BGZIPPED[-len(END) - 4 :],
        f"record 3, line 9: the block at byte {LAST_BLOCK} is damaged: its checksum differs",
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
    "read that begins with @": (
        FASTQ.replace(b"TTGCA", b"@TGCA").replace(b"@@@@@", b"+@@@@"),
        "record 2, line 6: here is '@TGCA', but a read must not begin with '@'",
    ),
    "name left out": (
        b"@r\nT\n+\n@\n@r\ncG\n+\n@+\n+A\n+\n+I\n",
        "record 3, line 9: a record must begin with '@', but here is '+A'",
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
        "record 3, line 9: the file ends within this record, after 2 of its 4 lines",
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


def test_endless_header_is_refused(tmp_path: Path) -> None:
    """A header that is longer than chunks look back is an error instead of a sequence."""
    path = tmp_path / "bad"
    path.write_bytes(b">a\nACGT\n>" + b"x" * 200_000 + b"\nACGT\n")
    with pytest.raises(Malformed, match="a header is longer than 65,536 characters"):
        read_all(path, 1000)


def read_all(path: Path, chunk: int) -> None:
    reader = Reader(Alone(), Schedule([inspect(str(path))], chunk), K)
    while reader.next_round() is not None:
        pass


@pytest.mark.parametrize("chunk", [SMALLEST_CHUNK, 17, 1 << 20])
@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_input_is_named_with_file_record_and_line(tmp_path: Path, name: str, chunk: int) -> None:
    """Each way a file can be malformed has its message, the same wherever it is cut into chunks."""
    data, message = MALFORMED[name]
    path = tmp_path / "bad"
    path.write_bytes(data)
    if len(data) > 200 and chunk == SMALLEST_CHUNK:
        chunk = 1000  # a long file, byte by byte, shows nothing more
    with pytest.raises(Malformed) as caught:
        read_all(path, chunk)
    assert str(caught.value) == f"{path}: {message}"


@pytest.mark.parametrize("name", [name for name, (data, _) in MALFORMED.items() if data[:1] in (b">", b"@")])
@pytest.mark.parametrize("chunk", [30, 1 << 20])
def test_message_names_the_line_of_the_text_however_it_is_stored(tmp_path: Path, name: str, chunk: int) -> None:
    """In a gzip stream and in BGZF, lines and records are counted from the start of the text, too."""
    data, message = MALFORMED[name]
    path = tmp_path / "bad"
    for pack in (gzip.compress, lambda text: bgzip(text, 11)):
        path.write_bytes(pack(data))
        with pytest.raises(Malformed) as caught:
            read_all(path, chunk)
        assert str(caught.value) == f"{path}: {message}"
