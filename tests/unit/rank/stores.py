"""Stores for tests: one in memory, and one around another that dies, fails, counts, or lets something happen in between."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from batchhpc.rank.checkpoint.errors import Missing, StoreFailed
from batchhpc.rank.checkpoint.store import Store


class Memory:
    """Bytes by key; what `Store` promises, and nothing that is slow."""

    streams = 2

    def __init__(self, name: str = "memory") -> None:
        self._name, self._lock = name, threading.Lock()
        self.files: dict[str, bytes] = {}

    @property
    def name(self) -> str:
        return self._name

    def write(self, key: str, data: memoryview) -> None:
        with self._lock:
            self.files[key] = bytes(data)

    def create(self, key: str, data: bytes) -> bool:
        with self._lock:
            return self.files.setdefault(key, data) is data

    def read(self, key: str) -> bytes:
        try:
            return self.files[key]
        except KeyError:
            raise Missing(f"{self._name}/{key}: not there") from None

    def read_into(self, key: str, start: int, into: memoryview) -> int:
        data = self.read(key)[start : start + len(into)]
        into[: len(data)] = data
        return len(data)

    def list(self, prefix: str) -> list[str]:
        with self._lock:
            return sorted(key for key in self.files if key.startswith(prefix))

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            self.files.pop(key, None)

    def sweep(self, alive: Callable[[str], bool]) -> None:
        pass


class Crash(BaseException):
    """What ends a process that is killed; no program catches it."""


@dataclass
class Around:
    """Every verb of a store passes here, for all ranks of a job.

    Attributes:
        inner: the store.
        die_at: the number, from 1, of the change at which the whole job dies; 0 for never.
        how: ``before`` the change, in the middle of it (``half``: of what is not made as a whole), or ``after`` it.
        between: called before each verb, with its name and key.
        changes: how many there were.
        bytes_read: how many of parts.
    """

    inner: Store
    die_at: int = 0
    how: str = "before"
    between: Callable[[str, str], None] = lambda *_: None
    changes: int = 0
    bytes_read: int = 0
    dead: bool = False
    lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def streams(self) -> int:
        return self.inner.streams

    def write(self, key: str, data: memoryview) -> None:
        self._change("write", key, lambda: self.inner.write(key, data), lambda: self.inner.write(key, data[: len(data) // 2]))

    def create(self, key: str, data: bytes) -> bool:
        made: list[bool] = []
        self._change("create", key, lambda: made.append(self.inner.create(key, data)))
        return made[0]

    def read(self, key: str) -> bytes:
        self._look("read", key)
        return self.inner.read(key)

    def read_into(self, key: str, start: int, into: memoryview) -> int:
        self._look("read", key)
        came = self.inner.read_into(key, start, into)
        with self.lock:
            self.bytes_read += came
        return came

    def list(self, prefix: str) -> list[str]:
        self._look("list", prefix)
        return self.inner.list(prefix)

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._change("delete", key, lambda: self.inner.delete([key]))  # noqa: B023 - called at once

    def sweep(self, alive: Callable[[str], bool]) -> None:
        self._change("sweep", "", lambda: self.inner.sweep(alive))

    def _look(self, verb: str, key: str) -> None:
        self.between(verb, key)
        if self.dead:
            raise Crash

    def _change(self, verb: str, key: str, act: Callable[[], None], half: Callable[[], None] = lambda: None) -> None:
        self._look(verb, key)
        with self.lock:
            self.changes += 1
            if self.changes != self.die_at:
                act()
                return
            self.dead = True
            {"before": lambda: None, "half": half, "after": act}[self.how]()
            raise Crash


@dataclass
class Failing(Around):
    """Refuses what ``refuses`` says, as a file system does that is full or not allowed."""

    refuses: Callable[[str, str], bool] = lambda *_: False

    def _look(self, verb: str, key: str) -> None:
        if self.refuses(verb, key):
            raise StoreFailed(f"cannot {verb} {self.name}/{key}: No space left on device")
        super()._look(verb, key)
