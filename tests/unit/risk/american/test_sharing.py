from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from examples.risk.american.sharing import Summed, add_blocks
from examples.workload.arguments import CheckpointPlan
from examples.workload.restart import Restart
from tests.unit.workload.thread_ranks import ThreadComm, run_ranks


class _Stopped(Exception):
    """As by a node that is taken away."""


def _run(place: Path, ranks: int, blocks: int, stop_after: int | None) -> list[tuple[list[int], float]]:
    """Which blocks each rank added, and the sum over all of block + 1."""

    def program(comm: ThreadComm) -> tuple[list[int], float]:
        total, seen = np.zeros(1), list[int]()

        def add(block: int) -> None:
            if len(seen) == stop_after:
                raise _Stopped
            seen.append(block)
            total[0] += block + 1

        def take(states: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> None:
            total[:] = states.sum(axis=0)

        with Restart(comm, CheckpointPlan(str(place), 0.0), "phase", {}, "1") as restart:
            add_blocks(comm, blocks, Summed(add, lambda: total[None], take), restart, lambda _: None)
        result = np.empty(1)
        comm.Allreduce(total, result)
        return seen, float(result[0])

    return run_ranks(ranks, program)


@pytest.mark.parametrize(("before", "after"), [(2, 3), (3, 1), (1, 2)])
def test_a_stopped_run_goes_on_with_other_ranks(tmp_path: Path, before: int, after: int) -> None:
    """Blocks that are in a checkpoint are not added again, and all others are, once."""
    with pytest.raises(_Stopped):
        _run(tmp_path, before, 20, stop_after=4)
    found = _run(tmp_path, after, 20, stop_after=None)
    seen = [block for blocks, _ in found for block in blocks]
    assert len(seen) == len(set(seen)) < 20
    assert {total for _, total in found} == {sum(range(1, 21))}


def test_ranks_share_blocks_in_order(tmp_path: Path) -> None:
    """Each has as many as others, up to one, and ranks beyond the number of blocks have none."""
    assert [blocks for blocks, _ in _run(tmp_path, 3, 7, stop_after=None)] == [[0, 1], [2, 3], [4, 5, 6]]
    assert [blocks for blocks, _ in _run(tmp_path / "few", 3, 2, stop_after=None)] == [[], [0], [1]]
