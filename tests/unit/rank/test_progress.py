from __future__ import annotations

import io
from dataclasses import dataclass, field

import pytest

from batchhpc.agent.contract import AGENT_SOCKET, ARRAY_INDEX, NODE_INDEX, parse_event_line
from batchhpc.rank import Progress
from batchhpc.rank.progress import Loop


@dataclass
class Rank:
    """All that Progress asks of a communicator."""

    rank: int


class Stream(io.StringIO):
    """Remembers each write; a terminal if told so."""

    def __init__(self, *, terminal: bool = False) -> None:
        super().__init__()
        self.terminal = terminal
        self.writes: list[str] = []

    def isatty(self) -> bool:
        return self.terminal

    def write(self, text: str, /) -> int:
        self.writes.append(text)
        return super().write(text)


@dataclass
class Setting:
    """One program's surroundings: its streams, and a clock that stands still until it is moved."""

    environ: dict[str, str] = field(default_factory=dict)
    terminal: bool = False
    now: float = 100.0

    def __post_init__(self) -> None:
        self.stdout = Stream()
        self.stderr = Stream(terminal=self.terminal)

    def progress(self, total: int = 1000, comm: Rank | None = None) -> Progress:
        return Progress(
            total,
            "bytes",
            comm,
            environ=self.environ,
            clock=lambda: self.now,
            stdout=self.stdout,
            stderr=self.stderr,
        )

    def run(self, progress: Progress, steps: int, seconds: float, amount: int = 10) -> None:
        for _ in range(steps):
            self.now += seconds
            progress.advance(amount)

    def events(self) -> list[tuple[str, int, int]]:
        """Node, done and total of each event line on stdout."""
        fields = [parse_event_line(line) for line in self.stdout.getvalue().splitlines()]
        found = [item for item in fields if item]
        assert len(found) == len(fields)
        assert all((item["event"], item["rank"], item["unit"]) == ("progress", "0", "bytes") for item in found)
        return [(item["node"], int(item["done"]), int(item["total"])) for item in found]


def under_agent(**more: str) -> Setting:
    return Setting({AGENT_SOCKET: "/run/agent.sock", **more})


def test_agent_gets_event_lines_of_the_contract() -> None:
    """Under the agent each report is one event line on stdout with rank, done, total and unit; stderr stays empty."""
    setting = under_agent(**{NODE_INDEX: "3"})
    with setting.progress() as progress:
        setting.run(progress, steps=2, seconds=0.5)
    assert setting.events() == [("3", 10, 1000), ("3", 20, 1000), ("3", 20, 1000)]
    assert setting.stderr.getvalue() == ""


def test_node_is_0_where_nobody_says_otherwise() -> None:
    """Without AWS_BATCH_JOB_NODE_INDEX, as in a job of one node, the node is 0."""
    setting = under_agent()
    setting.progress().done()
    assert setting.events() == [("0", 0, 1000)]


def test_each_line_is_one_write() -> None:
    """A line is written whole, so that lines of several ranks on one pipe do not mix."""
    setting = under_agent()
    setting.run(setting.progress(), steps=5, seconds=1)
    assert len(setting.stdout.writes) == 5
    assert all(text.count("\n") == 1 and text.endswith("\n") for text in setting.stdout.writes)


@pytest.mark.parametrize(("terminal", "agent"), [(False, True), (True, False)])
def test_at_most_two_lines_a_second(terminal: bool, agent: bool) -> None:
    """However often it is called, it speaks at most twice a second, and once more at the end."""
    setting = Setting({AGENT_SOCKET: "x"} if agent else {}, terminal=terminal)
    with setting.progress() as progress:
        setting.run(progress, steps=1000, seconds=1 / 128)
        writes = (setting.stdout.writes, setting.stderr.writes)[terminal]
        assert 10 <= len(writes) <= 2 * 1000 / 128
    assert 11 <= len(writes) <= 2 * 1000 / 128 + 1


@pytest.mark.parametrize("setting", [under_agent(), Setting(terminal=True), Setting()])
def test_only_rank_0_speaks(setting: Setting) -> None:
    """Other ranks are silent, wherever they run."""
    with setting.progress(comm=Rank(1)) as progress:
        setting.run(progress, steps=100, seconds=1)
    assert (setting.stdout.writes, setting.stderr.writes) == ([], [])
    with setting.progress(comm=Rank(0)) as progress:
        setting.run(progress, steps=100, seconds=1)
    assert setting.stdout.writes or setting.stderr.writes


def test_terminal_shows_one_line_renewed_in_place() -> None:
    """On a terminal the line is overwritten, and ended once at the end."""
    setting = Setting(terminal=True)
    with setting.progress(total=2000) as progress:
        setting.run(progress, steps=2, seconds=1, amount=1000)
    assert setting.stderr.writes == [
        "\r1,000 of 2,000 bytes (50%)\x1b[K",
        "\r2,000 of 2,000 bytes (100%)\x1b[K",
        "\r2,000 of 2,000 bytes (100%)\n",
    ]
    assert setting.stdout.writes == []


def test_log_gets_a_line_every_ten_seconds_and_none_of_a_short_run() -> None:
    """Where stderr is a file, a line comes at most every ten seconds, so that short runs print nothing."""
    setting = Setting()
    with setting.progress() as progress:
        setting.run(progress, steps=9, seconds=1)
        assert setting.stderr.writes == []
        setting.run(progress, steps=16, seconds=1)
    assert setting.stderr.writes == ["100 of 1,000 bytes (10%)\n", "200 of 1,000 bytes (20%)\n"]


def test_unknown_total_is_not_made_up() -> None:
    """Without a total there is no share of it."""
    setting = Setting()
    setting.run(setting.progress(total=0), steps=1, seconds=10)
    assert setting.stderr.writes == ["10 bytes\n"]


def test_failed_program_is_not_called_done() -> None:
    """An exception that goes through the block ends it without a last line."""
    setting = under_agent()
    with pytest.raises(ZeroDivisionError), setting.progress() as progress:
        progress.advance(1 // 0)
    assert setting.stdout.writes == []


def test_end_is_told_once() -> None:
    """After ``done`` nothing more is said."""
    setting = under_agent()
    with setting.progress() as progress:
        progress.done()
        setting.run(progress, steps=3, seconds=1)
    assert setting.events() == [("0", 0, 1000)]


# --- in one call ----------------------------------------------------------------------------------------------------------


def figures(setting: Setting) -> list[tuple[str, str, str]]:
    """Done, unit and rate of each event line."""
    fields = [parse_event_line(line) or {} for line in setting.stdout.getvalue().splitlines()]
    return [(each["done"], each["unit"], each.get("rate", "")) for each in fields]


def loop(setting: Setting) -> Loop:
    def make(total: int, unit: str, comm: Rank | None, *, start: int) -> Progress:
        streams = {"stdout": setting.stdout, "stderr": setting.stderr}
        return Progress(total, unit, comm, start=start, environ=setting.environ, clock=lambda: setting.now, **streams)

    return Loop(make)


def test_rate_is_of_what_this_run_has_done() -> None:
    """A program that resumes at 900 of 1000 and does 10 a second is as quick as one that began at 0."""
    setting = under_agent()
    tell = loop(setting).tell
    for done in (900, 910, 930):
        tell(done, 1000, "paths")
        setting.now += 1
    assert figures(setting) == [("900", "paths", ""), ("910", "paths", "10"), ("930", "paths", "15")]


def test_one_call_is_rate_limited_and_ends_by_itself() -> None:
    """Thousands of calls a second become two lines, and one at the end; what comes after the end is not told."""
    setting = under_agent()
    tell = loop(setting).tell
    for done in range(1001):
        tell(done, 1000, "paths")
        setting.now += 1 / 1024
    tell(1000, 1000, "paths")
    assert [each[0] for each in figures(setting)] == ["0", "512", "1000"]


def test_one_call_begins_anew_with_other_figures() -> None:
    """Another unit or total, or less than before, is another piece of work with a rate of its own."""
    setting = under_agent()
    tell = loop(setting).tell
    for done, total, unit in ((5, 10, "dates"), (0, 10, "dates"), (0, 20, "dates"), (7, 20, "paths")):
        tell(done, total, unit)
    assert figures(setting) == [("5", "dates", ""), ("0", "dates", ""), ("0", "dates", ""), ("7", "paths", "")]


def test_one_call_says_nothing_in_the_log_of_a_short_run() -> None:
    """In a file of plain text the first call is silent, too; ranks other than 0 always are."""
    setting = Setting()
    tell = loop(setting).tell
    for done in range(5):
        tell(done, 4, "paths")
    assert setting.stderr.writes == []
    setting = under_agent()
    loop(setting).tell(1, 4, "paths", Rank(1))
    assert setting.stdout.writes == []


def test_node_of_a_gang_is_the_childs_index() -> None:
    """In a gang AWS Batch tells the child's place in the array instead of a node index."""
    setting = under_agent(**{ARRAY_INDEX: "4"})
    setting.progress().done()
    assert setting.events() == [("4", 0, 1000)]
