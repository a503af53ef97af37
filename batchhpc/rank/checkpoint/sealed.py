"""JSON documents that tell by themselves whether they are whole: ``{"crc32":"89abcdef","body":{...}}``."""

from __future__ import annotations

import json
import zlib
from typing import Any, Final

from batchhpc.rank.checkpoint.errors import CheckpointDamaged

_HEAD: Final = '{{"crc32":"{:08x}","body":'
_HEAD_SIZE: Final = len(_HEAD.format(0))


def seal(body: dict[str, Any]) -> bytes:
    """The document of a body; the checksum is that of the body's own text."""
    text = json.dumps(body, separators=(",", ":"))
    return f"{_HEAD.format(zlib.crc32(text.encode()))}{text}}}\n".encode()


def unseal(data: bytes, name: str) -> dict[str, Any]:
    """The body of a document.

    Raises:
        CheckpointDamaged: it is not what was written; ``name`` says which.
    """
    text = data[_HEAD_SIZE:-2]
    expected, found = data[:_HEAD_SIZE].decode(errors="replace"), _HEAD.format(zlib.crc32(text))
    if expected != found or data[-2:] != b"}\n":
        raise CheckpointDamaged(f"{name}: damaged: {len(data):,} bytes that begin {expected!r}, expected {found!r}")
    body: dict[str, Any] = json.loads(text)
    return body
