"""Reclaims at random: how rates are written, and what is drawn."""

from __future__ import annotations

import pytest

from batchhpc.errors import InvalidSpec
from batchhpc.local.chaos import Chaos
from batchhpc.local.faults import Fault, FaultKind


@pytest.mark.parametrize(("text", "rate"), [("0.1/s", 0.1), ("3/m", 0.05), ("36/h", 0.01), ("0/s", 0.0), (" 2/s ", 2.0)])
def test_a_rate_is_read_as_written(text: str, rate: float) -> None:
    """A rate is a number of reclaims per second, minute or hour."""
    assert Chaos.parse_rate(text) == pytest.approx(rate)


@pytest.mark.parametrize("text", ["", "1", "1/d", "-1/s", "x/s", "1 /s", "1e3/s", f"{'9' * 5000}/s"])
def test_what_is_no_rate_is_an_error_with_a_remedy(text: str) -> None:
    """What is not a rate is refused, quoting it and showing how to write one."""
    with pytest.raises(InvalidSpec, match=r"is not a rate\n  hint: .*0\.1/s") as caught:
        Chaos.parse_rate(text)
    assert repr(text) in str(caught.value)


def strikes(seed: int = 7, *, job: int = 0, attempt: int = 1, nodes: range = range(4)) -> list[Fault]:
    return Chaos(rate=0.5, seed=seed).strikes(job, nodes, attempt, of=4)


def test_the_seed_repeats_the_reclaims() -> None:
    """The same seed gives each node and attempt the same moment, whichever nodes are asked for with it; others give others."""
    assert strikes() == strikes()
    assert [strikes(nodes=range(node, node + 1))[0] for node in range(4)] == strikes()
    moments = [fault.seconds for faults in (strikes(), strikes(8), strikes(job=1), strikes(attempt=2)) for fault in faults]
    assert len(set(moments)) == 16


def test_every_node_may_be_reclaimed_in_every_attempt() -> None:
    """Each node is drawn a reclaim of its own, the leader too, in the attempt that is asked for."""
    drawn = strikes(attempt=3)
    assert [(fault.kind, fault.node, fault.attempt) for fault in drawn] == [(FaultKind.RECLAIM, node, 3) for node in range(4)]
    assert all(fault.seconds > 0 for fault in drawn)


@pytest.mark.parametrize("nodes", [1, 4, 100])
def test_the_rate_is_over_all_nodes(nodes: int) -> None:
    """However many nodes run, the first of them is reclaimed after 1 / rate seconds on average."""
    firsts = [
        min(fault.seconds for fault in Chaos(rate=0.5, seed=seed).strikes(0, range(nodes), 1, of=nodes)) for seed in range(400)
    ]
    assert sum(firsts) / len(firsts) == pytest.approx(2.0, rel=0.15)  # three standard errors


def test_without_a_rate_nothing_is_drawn() -> None:
    """A rate of 0 reclaims no node."""
    assert not Chaos(notice=1.0).strikes(0, range(4), 1, of=4)


def test_numbers_that_make_no_sense_are_problems() -> None:
    """Negative and endless numbers are problems, all of them at once."""
    problems = Chaos(rate=-1.0, notice=float("inf"), shutdown=-2.0, replacement=float("nan")).problems()
    assert [problem.path for problem in problems] == ["chaos.rate", "chaos.notice", "chaos.shutdown", "chaos.replacement"]
    assert not Chaos(rate=1.0, notice=0.0, shutdown=0.0, replacement=2.0).problems()
