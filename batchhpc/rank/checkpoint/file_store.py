"""Checkpoints in a directory: of a disk, FSx for Lustre, EFS, or any other file system with hard links."""

from __future__ import annotations

import ctypes
import errno
import itertools
import os
import secrets
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from batchhpc.rank.checkpoint.errors import Missing, StoreFailed

_PIECE: Final = 8 << 20  # bytes given to the kernel at once
_TRIES: Final = 20  # of making a file whose temporary name somebody else cleans away
_LIBC: Final = ctypes.CDLL(None)
_SYNC_FILE_RANGE_WRITE: Final = 2
_TEMPORARY: Final = "tmp"
# Containers may have one host name and one process number, and stores of one process write to one place.
_OWN_NAME: Final = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
_NUMBERS: Final = itertools.count()


class FileStore:
    """Everything is synchronised to the disk, directories too: a host that is reclaimed loses nothing that was promised.

    Args:
        root: absolute; made when something is written.
    """

    streams = 2  # one reads while the other checks and copies

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def name(self) -> str:
        return str(self._root)

    def write(self, key: str, data: memoryview) -> None:
        """Straight to its name, which nobody looks at before the key that describes it is there.

        The disk begins with each piece as soon as it is copied, while the next is: nearly twice as fast as one fsync at the end.
        What is durable then leaves the page cache, so that the program's own files can stay there.
        """
        path = self._root / key
        with self._doing("write", path):
            _make_directory(path.parent)
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            try:
                for start in range(0, len(data), _PIECE):
                    _write_all(file, data[start : start + _PIECE])
                    _begin_write_back(file, start, _PIECE)
                os.fsync(file)
                os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(file)
            _synchronise(path.parent)

    def create(self, key: str, data: bytes) -> bool:
        """Written under a temporary name and linked to its own: a link is made as a whole, and only once."""
        path = self._root / key
        with self._doing("make", path):
            _make_directory(path.parent)
            for last in (*[False] * (_TRIES - 1), True):
                try:
                    return self._link(path, data)
                except FileNotFoundError:  # another run's `sweep` took the temporary name away
                    if last:
                        raise
        raise AssertionError

    def _link(self, path: Path, data: bytes) -> bool:
        temporary = self._root / _TEMPORARY / f"{_OWN_NAME}-{next(_NUMBERS)}"
        _make_directory(temporary.parent)
        file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
        try:
            try:
                _write_all(file, memoryview(data))
                os.fsync(file)
                os.link(temporary, path)
            except FileExistsError:
                if os.fstat(file).st_nlink < 2:
                    return False
                # NFS: the answer to a link that was made got lost, and the client asked again
            finally:
                os.close(file)
            _synchronise(path.parent)
            return True
        finally:
            temporary.unlink(missing_ok=True)

    def read(self, key: str) -> bytes:
        path = self._root / key
        with self._doing("read", path):
            return path.read_bytes()

    def read_into(self, key: str, start: int, into: memoryview) -> int:
        path, end = self._root / key, start
        with self._doing("read", path), path.open("rb", buffering=0) as file:
            while len(into) and (got := os.preadv(file.fileno(), [into], end)):
                into, end = into[got:], end + got
        return end - start

    def list(self, prefix: str) -> list[str]:
        """NFS looks at its server each time a directory is opened by name, so that other nodes' files are seen at once."""
        top = self._root / prefix
        with self._doing("list", top):
            found = [Path(directory, name) for directory, _, names in os.walk(top) for name in names]
        return sorted(path.relative_to(self._root).as_posix() for path in found)

    def delete(self, keys: Iterable[str]) -> None:
        """Files, and the directories that become empty with them."""
        directories = set()
        for path in (self._root / key for key in keys):
            with self._doing("delete", path), suppress(FileNotFoundError):
                path.unlink()
            directories.add(path.parent)
        for directory in directories - {self._root}:
            with suppress(OSError):  # not empty, or somebody else was first
                directory.rmdir()

    def sweep(self, alive: Callable[[str], bool]) -> None:
        """Temporary files (whoever is just making one tries again with another name), and directories that nothing was put into."""
        self.delete(self.list(_TEMPORARY))
        for directory, _, _ in os.walk(self._root, topdown=False):
            path = Path(directory)
            if path.parent not in (self._root, self._root.parent) and not alive(f"{path.relative_to(self._root).as_posix()}/"):
                with suppress(OSError):  # not empty
                    path.rmdir()

    @contextmanager
    def _doing(self, what: str, path: Path) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise Missing(f"{path}: not there") from error
        except OSError as error:
            raise StoreFailed(f"cannot {what} {path}: {error.strerror or error}") from error


def _write_all(file: int, data: memoryview) -> None:
    while len(data):
        data = data[os.write(file, data) :]


def _begin_write_back(file: int, start: int, size: int) -> None:
    """Linux's sync_file_range(2), without waiting. DONTNEED would do it, too, but waits for other processors that are busy."""
    _LIBC.sync_file_range(file, ctypes.c_int64(start), ctypes.c_int64(size), _SYNC_FILE_RANGE_WRITE)


def _make_directory(path: Path) -> None:
    """With those above it; each is durable in the one above before anything is put into it."""
    if path.is_dir():
        return
    _make_directory(path.parent)
    try:
        path.mkdir(exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, f"{path} is no directory") from None
    _synchronise(path.parent)


def _synchronise(directory: Path) -> None:
    file = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
