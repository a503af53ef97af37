"""The grammar of faults, and what is refused before anything starts."""

from __future__ import annotations

import pytest

from batchhpc.errors import InvalidSpec
from batchhpc.local.faults import Fault, FaultKind, fault_problems


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("kill:2@10s", Fault(FaultKind.KILL, 2, 10.0)),
        ("kill:0@1.5s/3", Fault(FaultKind.KILL, 0, 1.5, 3)),
        ("reclaim:2@10s", Fault(FaultKind.RECLAIM, 2, 10.0)),
        ("reclaim:0@1.5s/2", Fault(FaultKind.RECLAIM, 0, 1.5, 2)),
        ("notice:1@2m", Fault(FaultKind.NOTICE, 1, 120.0)),
        ("late:3@8s", Fault(FaultKind.LATE, 3, 8.0)),
        ("never:1", Fault(FaultKind.NEVER, 1)),
        ("never:1/2", Fault(FaultKind.NEVER, 1, attempt=2)),
        ("partition:1@0s", Fault(FaultKind.PARTITION, 1)),
        ("delay:1@50ms", Fault(FaultKind.DELAY, 1, 0.05)),
    ],
)
def test_a_fault_is_read_as_written(text: str, fault: Fault) -> None:
    """Every form of the grammar is understood, and written back in a form that is understood as the same fault."""
    assert Fault.parse(text) == fault
    assert Fault.parse(str(fault)) == fault


@pytest.mark.parametrize(
    "text",
    [
        "",
        "kill",
        "kill:2",
        "kill:@3s",
        "kill:-1@3s",
        "kill:2@3",
        "burn:1@3s",
        "never:1@3s",
        "kill:1@3s/0",
        "kill:1@3s extra",
        pytest.param(f"kill:{'9' * 5000}@1s", id="long node"),
        pytest.param(f"kill:1@{'9' * 5000}s", id="long time"),
        pytest.param(f"kill:1@1s/{'9' * 5000}", id="long attempt"),
    ],
)
def test_bad_grammar_is_an_error_with_a_remedy(text: str) -> None:
    """What is not a fault is refused, quoting it and showing how to write one."""
    with pytest.raises(InvalidSpec, match="hint: ") as caught:
        Fault.parse(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    ("fault", "isolated", "message"),
    [
        ("kill:4@1s", False, "names node 4, but the job has nodes 0 to 3"),
        ("kill:1@1s/3", False, "names attempt 3, but the job has 2 at most"),
        ("never:0", False, "concerns the main node"),
        ("late:0@1s", False, "concerns the main node"),
        ("partition:1@1s", False, "network of their own"),
        ("delay:1@1ms", False, "network of their own"),
    ],
)
def test_a_fault_that_cannot_strike_is_refused(fault: str, isolated: bool, message: str) -> None:
    """A fault outside the job, or one that the kind of nodes rules out, is a problem that says why."""
    (problem,) = fault_problems([Fault.parse(fault)], nodes=4, main=0, attempts=2, isolated=isolated)
    assert message in problem.message
    assert problem.hint


def test_faults_that_can_strike_are_no_problem() -> None:
    """Nodes and attempts within the job pass, and so do partitions of isolated nodes."""
    faults = [Fault.parse(text) for text in ("kill:3@1s/2", "never:1", "partition:0@1s", "delay:2@1ms")]
    assert not fault_problems(faults, nodes=4, main=0, attempts=2, isolated=True)


def test_every_child_of_an_array_may_be_late() -> None:
    """Where no node waits for another, any may start late or never, the first one too."""
    faults = [Fault.parse(text) for text in ("late:0@1s", "never:0/2")]
    assert not fault_problems(faults, nodes=4, main=None, attempts=2, isolated=False)
