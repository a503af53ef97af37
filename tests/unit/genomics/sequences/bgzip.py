"""BGZF as bgzip writes it, but with members as short as wanted."""

from __future__ import annotations

import struct
import zlib

END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")


def bgzip(data: bytes, length: int = 0xFF00) -> bytes:
    """The file, with ``length`` bytes of text in each member."""
    return b"".join(member(data[start : start + length]) for start in range(0, len(data), length)) + END


def member(text: bytes) -> bytes:
    compressor = zlib.compressobj(6, zlib.DEFLATED, -15)
    body = compressor.compress(text) + compressor.flush()
    header = b"\x1f\x8b\x08\x04\0\0\0\0\0\xff" + struct.pack("<HccHH", 6, b"B", b"C", 2, 18 + len(body) + 8 - 1)
    return header + body + struct.pack("<II", zlib.crc32(text), len(text))
