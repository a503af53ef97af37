"""Where checkpoints are kept, in seven verbs; what a store must promise for the rest to hold.

Keys are relative, with slashes. Whatever a verb has returned from is durable, and seen by every other node.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol, runtime_checkable

from batchhpc.rank.checkpoint.file_store import FileStore
from batchhpc.rank.checkpoint.s3_store import S3Store


@runtime_checkable
class Store(Protocol):
    """A place for bytes. Every verb raises `StoreFailed` where it cannot be done; none waits without end.

    Attributes:
        name: for messages: a path, ``s3://bucket/prefix``.
        streams: how many reads at once are worth it.
    """

    @property
    def name(self) -> str: ...
    @property
    def streams(self) -> int: ...

    def write(self, key: str, data: memoryview) -> None:
        """Many bytes under a key that nobody else writes. If it is interrupted, anything may be there, or nothing."""

    def create(self, key: str, data: bytes) -> bool:
        """Few bytes, whole or not at all; False if the key was there before, whoever made it, and nothing has changed."""

    def read(self, key: str) -> bytes:
        """All bytes, of what `create` made; `Missing` if there is no such key."""

    def read_into(self, key: str, start: int, into: memoryview) -> int:
        """Fills ``into`` with what `write` wrote, from ``start`` on; how much there was. `Missing` if there is no such key."""

    def list(self, prefix: str) -> list[str]:
        """All keys below ``prefix``, which ends in a slash, in order."""

    def delete(self, keys: Iterable[str]) -> None:
        """Removes what is there of these keys."""

    def sweep(self, alive: Callable[[str], bool]) -> None:
        """Removes what a `write` or `create` that was interrupted has left invisibly, but of keys that are ``alive``."""


def open_store(where: str | os.PathLike[str] | Store, deadline: float) -> Store:
    """The store at a path or an ``s3://`` address; ``deadline``: seconds for each call."""
    if isinstance(where, Store):
        return where
    text = os.fspath(where)
    return S3Store(text, deadline) if text.startswith("s3://") else FileStore(Path(text).absolute())
