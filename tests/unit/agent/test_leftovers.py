"""Which segments of shared memory, and which files of MPI daemons, are left-overs."""

from __future__ import annotations

import ctypes
import mmap
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from batchhpc.agent.leftovers import DIRECTORY, PREFIXES, TOPOLOGIES, remove_segments, remove_topologies

LIBC = ctypes.CDLL(None)
LIBC.mmap.restype = ctypes.c_void_p
LIBC.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
LIBC.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]


@pytest.fixture(params=PREFIXES)
def segment(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A segment of this test's own, which nobody uses."""
    path = DIRECTORY / f"{request.param}{uuid.uuid4()}"
    path.write_bytes(b"x" * mmap.PAGESIZE)
    yield path
    path.unlink(missing_ok=True)


def test_a_segment_that_nobody_uses_is_removed(segment: Path) -> None:
    """An MPI segment that came after the moment and that no process has open or mapped is removed; an older one stays."""
    remove_segments(time.time() + 60)
    assert segment.exists()
    remove_segments(time.time() - 60)
    assert not segment.exists()


def test_a_segment_in_use_stays(segment: Path) -> None:
    """A segment stays while a process has it open, also before it is mapped, and while it is mapped only."""
    with segment.open("r+b") as file:
        remove_segments(time.time() - 60)
        assert segment.exists()
        # Not by Python's own mmap, which keeps the file open.
        address = LIBC.mmap(None, mmap.PAGESIZE, mmap.PROT_READ, mmap.MAP_SHARED, file.fileno(), 0)
    remove_segments(time.time() - 60)
    assert segment.exists()
    LIBC.munmap(address, mmap.PAGESIZE)


def test_a_topology_that_came_after_the_moment_is_removed() -> None:
    """A killed daemon's file goes, an older one stays."""
    directory, pattern = TOPOLOGIES
    path = directory / pattern.replace("*", str(uuid.uuid4()))
    path.touch()
    try:
        remove_topologies(time.time() + 60)
        assert path.exists()
        remove_topologies(time.time() - 60)
        assert not path.exists()
    finally:
        path.unlink(missing_ok=True)
