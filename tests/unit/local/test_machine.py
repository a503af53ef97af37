"""What this process may have for many nodes."""

from __future__ import annotations

import resource
from collections.abc import Iterator

import pytest

from batchhpc.errors import Unavailable
from batchhpc.local.machine import allow_files


@pytest.fixture
def limits() -> Iterator[tuple[int, int]]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_the_limit_of_open_files_is_raised_for_many_nodes(limits: tuple[int, int]) -> None:
    """A soft limit that is too low for the nodes is raised, one that is high enough is left alone, and never the hard one."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (600, limits[1]))
    allow_files(100)
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (600, limits[1])
    allow_files(300)
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (1400, limits[1])


def test_more_nodes_than_files_are_unavailable(limits: tuple[int, int]) -> None:
    """Nodes that need more files than the hard limit allows are refused with both numbers."""
    if limits[1] == resource.RLIM_INFINITY:
        pytest.skip("this machine has no hard limit")
    nodes = limits[1] // 4
    with pytest.raises(Unavailable, match=f"{nodes} nodes need {nodes * 4 + 200} open files, .* {limits[1]} at most\n  hint: "):
        allow_files(nodes)
