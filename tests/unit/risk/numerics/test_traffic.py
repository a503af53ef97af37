from __future__ import annotations

import numpy as np

from examples.risk.numerics.traffic import Counted, Traffic
from tests.unit.workload.thread_ranks import ThreadComm, run_ranks


def test_what_a_rank_sends_is_counted() -> None:
    """Sums count their buffers, objects their pickles, a broadcast only on the rank that sends; results are unchanged."""

    def program(comm: ThreadComm) -> tuple[Traffic, float, list[int]]:
        counted = Counted(comm)
        total = np.empty(10)
        counted.Allreduce(np.full(10, comm.rank + 1.0), total)
        counted.bcast("x" * 1000 if comm.rank == 0 else None)
        gathered = counted.allgather(comm.rank)
        counted.Barrier()
        return counted.traffic, float(total[0]), gathered

    (first, sum_first, all_first), (second, sum_second, all_second) = run_ranks(2, program)
    assert (sum_first, sum_second, all_first, all_second) == (3.0, 3.0, [0, 1], [0, 1])
    assert first.collectives == second.collectives == 4
    assert second.bytes < 110
    assert 1000 < first.bytes - second.bytes < 1050
