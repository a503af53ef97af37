"""A running job as plain lines, and as a picture on a terminal."""

import io

import pytest
from rich.console import Console

from batchhpc.agent.contract import event_line
from batchhpc.cli.live import MOST_NODES, LiveView, node_table, progress_bar, shown
from batchhpc.cli.view import PlainView, Progress, newest_progress
from batchhpc.jobs import Attempt, JobState, JobStatus, LogLine, NodeStatus

JOINED = event_line(0, 1, "joined", main="127.0.0.1")


def progress(done: float, total: float) -> str:
    """What a rank says that knows how far it is."""
    return event_line(0, 0, "progress", rank=0, done=done, total=total, unit="reads")


def quick(done: float, total: float, rate: float) -> str:
    """What a rank says that knows how quick it is, too."""
    return event_line(1000.25, 0, "progress", rank=0, done=done, total=total, unit="reads", rate=rate)


def status(state: JobState, *nodes: NodeStatus, attempts: int = 0) -> JobStatus:
    """A job that started long ago."""
    ended = Attempt(75, "", "", 0.0, 0.0)
    return JobStatus("id", "kmers", state, "", 0.0, 0.0, None, (ended,) * attempts, nodes)


def node(index: int, state: JobState = JobState.RUNNING, exit_code: int | None = None) -> NodeStatus:
    """A node; node 0 is the main node."""
    return NodeStatus(index, index == 0, state, exit_code=exit_code)


def drawn(item: object) -> str:
    """What rich makes of something on a wide terminal without colours."""
    console = Console(file=io.StringIO(), width=120, color_system=None)
    with console.capture() as capture:
        console.print(item)
    return capture.get()


def test_plain_lines() -> None:
    """Without a terminal every line stands as it came, its node before it."""
    out = io.StringIO()
    with PlainView(out) as view:
        view.line(LogLine(2, 1, "  text [bold]x[/bold]"))
        view.line(LogLine(1, 1, JOINED))
    assert out.getvalue() == f"[node 2]   text [bold]x[/bold]\n[node 1] {JOINED}\n"


def test_quiet() -> None:
    """Quiet leaves out the agent's own lines, and only those."""
    out = io.StringIO()
    with PlainView(out, quiet=True) as view:
        view.line(LogLine(1, 1, JOINED))
        view.line(LogLine(1, 1, "event=joined, says the program"))
    assert out.getvalue() == "[node 1] event=joined, says the program\n"


def test_states_once() -> None:
    """A change of a node alone does not repeat the job's state."""
    out = io.StringIO()
    with PlainView(out) as view:
        for state in (
            status(JobState.RUNNING, node(0)),
            status(JobState.RUNNING, node(0, exit_code=0)),
            status(JobState.SUCCEEDED),
        ):
            view.state(state)
    assert out.getvalue() == "[job] RUNNING\n[job] SUCCEEDED\n"


def test_live_lines() -> None:
    """On a terminal all lines stream by in order and none is lost, however many come at once."""
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100, height=40, color_system=None)
    with LiveView(console) as view:
        view.state(status(JobState.RUNNING, node(0), node(1)))
        for i in range(500):
            view.line(LogLine(i % 2, 1, f"line {i}."))
        view.note("a note")
    text = out.getvalue()
    places = [text.index(f"[node {i % 2}] line {i}.") for i in range(500)]
    assert places == sorted(places)
    assert text.index("[job] a note") > places[-1]


@pytest.mark.parametrize("quiet", [False, True])
def test_live_agent_lines(quiet: bool) -> None:
    """The agent's lines are shown short, or not at all if quiet; progress is never a line."""
    out = io.StringIO()
    with LiveView(Console(file=out, force_terminal=True, width=100, color_system=None), quiet=quiet) as view:
        view.line(LogLine(1, 1, JOINED))
        view.line(LogLine(0, 1, progress(3, 10)))
    assert ("[node 1] 00:00:00.000 joined main=127.0.0.1" in out.getvalue()) is not quiet
    assert "progress" not in out.getvalue()


def test_live_picture() -> None:
    """Below the lines stand the job's state and attempt, its nodes, and the bar."""
    view = LiveView(Console(file=io.StringIO()))
    view.state(status(JobState.RUNNING, node(0), node(1, JobState.STARTING), attempts=1))
    view.line(LogLine(0, 2, progress(250, 1000)))
    head, _, main, child, bar = [line.rstrip() for line in drawn(view).splitlines()]
    assert head.startswith("kmers RUNNING")
    assert head.endswith("attempt 2")
    assert main.split() == ["0", "main", "RUNNING"]
    assert child.split() == ["1", "STARTING"]
    assert bar.endswith("250 of 1,000 reads")


def test_live_progress_of_an_earlier_attempt() -> None:
    """A new attempt begins without the bar of the one before."""
    view = LiveView(Console(file=io.StringIO()))
    view.line(LogLine(0, 1, progress(900, 1000)))
    view.state(status(JobState.RUNNING, node(0), attempts=1))
    assert "900" not in drawn(view)


def test_unknown_total() -> None:
    """Progress without a known total is a number without a bar."""
    assert drawn(progress_bar(Progress(1234, 0, "paths"))).strip() == "1,234 paths"


def test_bar_with_rate_and_time_left() -> None:
    """Beside the bar stand the rate and the time that is left at that rate."""
    view = LiveView(Console(file=io.StringIO()))
    view.state(status(JobState.RUNNING, node(0)))
    view.line(LogLine(0, 1, quick(250, 10_000, 12.5)))
    assert drawn(view).splitlines()[-1].rstrip().endswith("250 of 10,000 reads, 12/s, 13 min left")


def test_bar_without_a_state() -> None:
    """Where nobody tells the job's state, as in logs --follow, the bar stands alone, and nothing before there is progress."""
    view = LiveView(Console(file=io.StringIO()))
    assert drawn(view).strip() == ""
    view.line(LogLine(0, 2, quick(500, 1000, 100)))
    (bar,) = drawn(view).splitlines()
    assert bar.rstrip().endswith("500 of 1,000 reads, 100/s, 5 s left")


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        (Progress(0, 10, "dates"), "0 of 10 dates"),
        (Progress(10, 10, "dates", rate=2), "10 of 10 dates, 2/s"),
        (Progress(12, 10, "dates", rate=2), "12 of 10 dates, 2/s"),
        (Progress(5, 0, "", rate=0.5), "5, 0.5/s"),
        (Progress(5, 1e9, "bytes", rate=123456.7), "5 of 1,000,000,000 bytes, 123,457/s, 2 h left"),
    ],
)
def test_figures(progress: Progress, text: str) -> None:
    """What is not known is not said: no time left without a rate or a total, or at the end."""
    assert progress.text() == text


def test_newest_progress() -> None:
    """The last line that makes sense counts, with its attempt and time; lines of programs are none."""
    lines = [progress(1, 10), quick(2, 10, 4), "event=progress done=9 total=10", quick(3, 10, float("inf")), JOINED]
    found = newest_progress([LogLine(0, 2, text) for text in lines])
    assert found == Progress(2, 10, "reads", 2, 4, 1000.25)
    assert found.to_data()["seconds_left"] == 2.0
    assert newest_progress([LogLine(0, 2, JOINED)]) is None


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"done": "x", "total": "1"},
        {"done": "1", "total": "1", "rate": "quick"},
        {"done": "1"},
        {"done": "inf", "total": "inf"},
        {"done": "1", "total": "nan"},
    ],
)
def test_senseless_progress(event: dict[str, str]) -> None:
    """A progress line that makes no sense changes nothing."""
    state = Progress(1, 2, "reads", 1)
    state.take(event, 1)
    assert state == Progress(1, 2, "reads", 1)


def test_terminal_controls() -> None:
    """A program's colours are kept, but cursor movements and carriage returns cannot tear the picture."""
    text = shown(LogLine(0, 1, "\x1b[31mred\x1b[0m\x1b[2A \x07bell"), dim=False)
    assert text.plain == "[node 0] red  bell"
    assert shown(LogLine(0, 1, "10%\r50%\r100%\r"), dim=False).plain == "[node 0] 100%"


def test_many_nodes() -> None:
    """Of many nodes those that failed are always shown, and the rest are counted."""
    nodes = (*map(node, range(98)), node(98, JobState.FAILED, 137), node(99, JobState.SUCCEEDED, 0))
    lines = drawn(node_table(nodes)).splitlines()
    assert len(lines) == MOST_NODES + 1
    assert any(line.split() == ["98", "FAILED", "137"] for line in lines)
    assert lines[-1].split(None, 1)[0] == f"+{100 - MOST_NODES + 1}"
    assert "1 SUCCEEDED" in lines[-1]
