"""How a job's exit code is decided."""

import pytest

from batchhpc.agent.outcome import RankExit, Tally, judge, some


def tally(nodes=2, ranks=2, started=2, ended=2, failed=()):
    result = Tally(dict.fromkeys(range(nodes), ranks))
    for node in range(nodes):
        result.report(node, started, ended, [exit_ for exit_ in failed if exit_.node == node])
    return result


@pytest.mark.parametrize(
    ("reported", "launcher", "code", "why"),
    [
        (tally(), 0, 0, "all 4 ranks ended with 0"),
        (tally(failed=[RankExit(1, 3, 3)]), 3, 3, "rank 3 on node 1 ended with 3"),
        (tally(failed=[RankExit(0, 0, 137), RankExit(1, 3, 3)]), 255, 3, "rank 3 on node 1 ended with 3"),
        (tally(failed=[RankExit(1, 2, 139), RankExit(0, 0, 137)]), 11, 139, "rank 2 on node 1 ended with 139 (signal 11)"),
        (tally(failed=[RankExit(1, 2, 137)]), 255, 137, "rank 2 on node 1 ended with 137 (signal 9)"),
        (tally(failed=[RankExit(1, 2, 137)]), 9, 137, "rank 2 on node 1 ended with 137 (signal 9)"),  # MPICH: the bare signal
        (tally(failed=[RankExit(1, 2, 137)]), None, 137, "rank 2 on node 1 ended with 137 (signal 9)"),
        (tally(failed=[RankExit(0, 0, 143), RankExit(1, 3, 137)]), 7, 7, "mpirun ended with 7, as after MPI_Abort"),
        (tally(), 1, 1, "mpirun ended with 1, as after MPI_Abort"),
        (tally(started=0, ended=0), 1, 78, "mpirun ended with 1 before any rank had started"),
        (tally(ended=1), 0, 75, "ranks on nodes 0, 1 never said how they ended, though mpirun ended with 0"),
    ],
)
def test_the_rank_that_failed_by_itself_speaks_for_the_job(reported, launcher, code, why):
    """Mpirun's victims and mpirun's uninformative codes never hide the rank that failed first by itself."""
    outcome = judge(reported, launcher)
    assert (outcome.code, outcome.why) == (code, why)


def test_counts_only_grow_and_failures_count_once():
    """Old and repeated reports change nothing."""
    one = Tally({0: 2})
    assert one.report(0, 2, 1, [RankExit(0, 1, 3)]) == [RankExit(0, 1, 3)]
    assert one.report(0, 1, 0, [RankExit(0, 1, 3)]) == []
    assert one.report(7, 1, 1, [RankExit(7, 1, 3)]) == []
    assert (one.started, one.ended, one.failed) == (2, 1, [RankExit(0, 1, 3)])


def test_many_nodes_are_named_by_the_first_ten():
    """A message about a thousand nodes stays readable."""
    assert some("node", [3]) == "node 3"
    assert some("node", list(range(12))) == "nodes 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more"
