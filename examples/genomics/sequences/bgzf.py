"""BGZF: gzip in members of at most 64 KiB, each of which says how long it is, so that a file can be entered in the middle.

Source: the SAM format specification, section 4.1 (github.com/samtools/hts-specs).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from examples.workload.files import Source

LONGEST_HEADER = 12 + 0x10000  # a gzip header with the longest extra field
END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")  # an empty member, at the end of each file
_MAGIC = b"\x1f\x8b\x08\x04"  # gzip, deflate, with an extra field
_FIXED, _FOOTER = 12, 8  # bytes of the header before the extra field, and after the data: CRC-32 and length
_LONGEST = 1 << 16  # bytes of a member
_CHAIN = 3  # so many members in a row are no chance: one in the middle of data is found by its magic only


class Damaged(Exception):
    """The member that begins at a byte cannot be unpacked; says why."""

    def __init__(self, start: int, what: str) -> None:
        self.start = start
        super().__init__(what)


def size_of_member(data: bytes, at: int = 0) -> int:
    """Bytes of the member that begins there; 0 if none does."""
    if data[at : at + 4] != _MAGIC or len(data) < at + _FIXED:
        return 0
    extra = struct.unpack_from("<H", data, at + 10)[0]
    place, end = at + _FIXED, at + _FIXED + extra
    while place + 4 <= min(end, len(data)):
        name, length = data[place : place + 2], struct.unpack_from("<H", data, place + 2)[0]
        if name == b"BC" and length == 2 and place + 6 <= len(data):
            return int(struct.unpack_from("<H", data, place + 4)[0]) + 1
        place += 4 + length
    return 0


def first_member(file: Source, offset: int) -> int:
    """Where the first member at or after a byte begins; the file's size if there is none."""
    if offset == 0 or offset >= file.size:
        return min(offset, file.size)
    data = file.read(offset, (_CHAIN + 1) * _LONGEST)
    at = data.find(_MAGIC)
    while 0 <= at < _LONGEST:
        if _is_chain(data, at, offset + len(data) == file.size):
            return offset + at
        at = data.find(_MAGIC, at + 1)
    return file.size


def _is_chain(data: bytes, at: int, is_end: bool) -> bool:
    for _ in range(_CHAIN):
        size = size_of_member(data, at)
        if not size:
            return False
        at += size
        if at >= len(data):
            return at == len(data) or not is_end
    return True


def members(file: Source, start: int, stop: int) -> Iterator[tuple[int, bytes]]:
    """The members that begin from ``start``, where one does, and before ``stop``: where, and their text.

    Raises:
        Damaged: one cannot be unpacked.
    """
    data, at = b"", 0
    while start < stop:
        if len(data) - at < _LONGEST:
            data, at = data[at:] + file.read(start + len(data) - at, max(_LONGEST, min(stop - start, 64 * _LONGEST))), 0
        size = size_of_member(data, at)
        if not size:
            raise Damaged(start, f"no BGZF block begins at byte {start}")
        yield start, _unpack(data[at : at + size], start, size)
        start, at = start + size, at + size


def unpacked_size(file: Source, stop: int) -> int:
    """Bytes of text in the members before a byte; each says it at its end."""
    at = total = 0
    while at < stop:
        size = size_of_member(file.read(at, LONGEST_HEADER))
        if not size:
            break
        total += struct.unpack("<I", file.read(at + size - 4, 4))[0]
        at += size
    return total


def _unpack(member: bytes, start: int, size: int) -> bytes:
    if len(member) < size:
        raise Damaged(start, f"the block at byte {start} has {size} bytes, and the file ends after {len(member)}")
    begin = _FIXED + struct.unpack_from("<H", member, 10)[0]
    try:
        text = zlib.decompress(member[begin:-_FOOTER], wbits=-15)
    except zlib.error as error:
        raise Damaged(start, f"the block at byte {start} is damaged: {error}") from None
    checksum, length = struct.unpack("<II", member[-_FOOTER:])
    if len(text) != length or zlib.crc32(text) != checksum:
        raise Damaged(start, f"the block at byte {start} is damaged: its checksum differs")
    return text
