"""What became of a gang's time, from event lines alone."""

import pytest

from batchhpc.agent.contract import event_line
from batchhpc.cli.time_line import report_text
from batchhpc.jobs import LogLine
from batchhpc.report import RunReport

START = 1_000_000.0


def lines(*told):
    """Lines of (seconds, node, attempt, event, fields)."""
    return [LogLine(node, attempt, event_line(START + at, node, event, **fields)) for at, node, attempt, event, fields in told]


def launch(at, generation, nodes="0,1"):
    return (at, 0, 1, "launching", {"generation": generation, "nodes": nodes, "ranks": 2})


LOST = lines(
    (0, 0, 1, "agent_started", {}),
    (2, 1, 1, "agent_started", {}),
    launch(2, 1),
    (4, 0, 1, "ranks_running", {"ranks": 2}),
    (10, 0, 1, "checkpoint", {"step": 5, "bytes": 2_000_000, "seconds": 0.5}),
    (14, 0, 1, "node_lost", {"lost": 1, "how": "link closed"}),
    (14, 0, 1, "reforming", {"generation": 2, "reason": "lost node 1 (link closed)"}),
    (20, 1, 2, "agent_started", {}),
    launch(20, 2),
    (21, 0, 1, "ranks_running", {"ranks": 2}),
    (31, 0, 1, "recorded", {"state": "finished", "code": 0}),
    (31, 0, 1, "finished", {"code": 0, "reason": "x"}),
    (31, 1, 2, "finished", {"code": 0, "reason": "x"}),
)


def test_node_seconds_are_useful_lost_or_idle():
    """What was computed up to a checkpoint or the end counts; what came after the checkpoint was lost; the rest was waiting."""
    report = RunReport.of(LOST)
    assert report is not None
    spent = report.spent()
    assert (spent.useful, spent.lost) == (2 * 6 + 2 * 10, 2 * 4)
    assert spent.total == 31 + (14 - 2) + (31 - 20)


def test_the_text_draws_what_happened():
    """A bar per node, a line per generation with what was saved before it ended, and the checkpoints' time."""
    report = RunReport.of(LOST)
    assert report is not None
    text = report_text(report)
    assert "2 generations in 31.0 s; node-seconds: 32.0 useful (59%), 8.0 lost (15%), 14.0 idle (26%)" in text
    assert "1 node lost in 0.015 node-hours" in text
    assert "generation 1 on nodes 0-1: 2.0 s to 14.0 s, lost node 1 (link closed); step 5 was saved 4.0 s before" in text
    assert "generation 2 on nodes 0-1: 20.0 s to 31.0 s, finished" in text
    assert "1 checkpoint, 2.0 MB at most, 0.5 s each" in text
    bars = [line.partition("|")[2].rstrip("|") for line in text.splitlines() if "|" in line]
    assert {len(bar) for bar in bars} == {60}
    assert set(bars[0]) == {"·", "█", "▒"}
    assert " " in bars[1]


def test_a_lost_leader_ends_its_generation_and_its_stay():
    """It cannot say so itself: the survivors do."""
    report = RunReport.of(
        lines(
            (0, 0, 1, "agent_started", {}),
            (0, 1, 1, "agent_started", {}),
            launch(1, 1),
            (1, 0, 1, "ranks_running", {"ranks": 2}),
            (5, 1, 1, "leader_lost", {"how": "link closed"}),
            (8, 0, 2, "agent_started", {}),
        )
    )
    assert report is not None
    (generation,) = report.generations
    assert (generation.ended, generation.why) == (START + 5, "lost the leader, node 0 (link closed)")
    assert [(stay.attempt, stay.ended) for stay in report.stays if stay.node == 0] == [(1, START + 5), (2, START + 8)]
    assert report.spent().lost == 8
    assert "4.0 s were not saved" in report_text(report)


def test_a_gang_that_gives_up_while_it_waits_has_lost_no_more_than_it_computed():
    """The end is recorded long after its last ranks ended: the time between is waiting."""
    report = RunReport.of([*LOST[:7], *lines((44, 0, 1, "recorded", {"state": "failed", "code": 72}))])
    assert report is not None
    assert (report.generations[-1].ended, report.generations[-1].why) == (START + 14, "lost node 1 (link closed)")
    assert report.spent().lost == 8


@pytest.mark.parametrize("told", [[], lines((0, 0, 1, "agent_started", {})), lines((0, 0, 1, "launching", {"ranks": 2}))])
def test_what_is_no_gang_has_no_report(told):
    """Nor has a gang that never came to a launch."""
    assert RunReport.of([*told, LogLine(0, 1, "the program's own line")]) is None


def test_programs_take_the_same_facts_as_json():
    """Times count from the first agent's start."""
    report = RunReport.of(LOST)
    assert report is not None
    data = report.to_data()
    assert data["node_seconds"] == {"useful": 32.0, "lost": 8.0, "idle": 14.0}
    assert data["generations"][0]["checkpoints"] == [{"at": 10.0, "step": 5, "bytes": 2_000_000, "seconds": 0.5}]
    assert [each["ended"] for each in data["nodes"]] == [31.0, 14.0, 31.0]
