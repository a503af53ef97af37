"""What a rank learns of a stop: from the agent's file, at once after SIGUSR1, and by agreement of all ranks."""

from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path

import pytest

from batchhpc.agent.contract import NOTICE_FILE
from batchhpc.agent.processes import listens_to
from batchhpc.rank.notice import INTERVAL, Listener, Notice
from tests.unit.rank.adding_ranks import run_ranks


class Node:
    """A node whose clocks stand still until they are moved: one that counts from 0, and Unix time."""

    def __init__(self, directory: Path) -> None:
        self.file, self.clock, self.now = directory / "notice.json", 0.0, 1000.0

    def listener(self) -> Listener:
        return Listener({NOTICE_FILE: str(self.file)}, lambda: self.clock, lambda: self.now)

    def tell(self, reason: str, deadline: float) -> None:
        """What the agent does."""
        temporary = self.file.with_suffix(".new")
        temporary.write_text(json.dumps({"reason": reason, "deadline": deadline}))
        temporary.replace(self.file)

    def go_on(self, seconds: float) -> None:
        self.clock += seconds
        self.now += seconds


@pytest.fixture
def node(tmp_path):
    return Node(tmp_path)


@pytest.fixture(autouse=True)
def default():
    """SIGUSR1 as a program finds it; afterwards as it was."""
    before = signal.signal(signal.SIGUSR1, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGUSR1, before)


def test_nothing_is_told_until_somebody_does(node):
    """Without a notice the answer is None; with one, its reason and the time that is left now."""
    listener = node.listener()
    assert listener.notice() is None
    node.tell("spot-reclaim", 1120.0)
    node.go_on(20.0)
    assert listener.notice() == Notice("spot-reclaim", 100.0)
    node.go_on(30.0)
    assert listener.notice() == Notice("spot-reclaim", 70.0)
    node.go_on(1000.0)
    assert listener.notice() == Notice("spot-reclaim", 0.0)


def test_a_later_notice_counts(node):
    """SIGTERM after a reclaim notice brings the deadline forward; a notice that is taken back is gone."""
    listener = node.listener()
    node.tell("spot-reclaim", 1120.0)
    assert listener.notice() == Notice("spot-reclaim", 120.0)
    node.tell("SIGTERM", 1010.0)
    node.go_on(INTERVAL)
    assert listener.notice() == Notice("SIGTERM", 1010.0 - node.now)
    node.file.unlink()
    node.go_on(INTERVAL)
    assert listener.notice() is None


def test_the_file_is_looked_at_ten_times_a_second_or_after_a_signal(node):
    """Between two looks nothing is known of a new notice, unless SIGUSR1 has come."""
    listener = node.listener()
    assert listener.notice() is None
    node.tell("SIGTERM", 1010.0)
    assert listener.notice() is None
    os.kill(os.getpid(), signal.SIGUSR1)
    assert listener.notice() == Notice("SIGTERM", 10.0)


def test_the_first_question_makes_a_listener(node):
    """The agent takes the process for one that listens from the first call on, and the signal does not end it."""
    listener = node.listener()
    assert not listens_to(os.getpid(), signal.SIGUSR1)
    listener.notice()
    assert listens_to(os.getpid(), signal.SIGUSR1)
    os.kill(os.getpid(), signal.SIGUSR1)
    assert listener.listen()


def test_a_programs_own_handler_stays(node):
    """Where the program has seen to SIGUSR1, by a handler, by ignoring or by blocking it, nothing is changed."""
    for action in (lambda *_: None, signal.SIG_IGN):
        signal.signal(signal.SIGUSR1, action)
        assert node.listener().listen()
        assert signal.getsignal(signal.SIGUSR1) is action
    signal.signal(signal.SIGUSR1, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    try:
        assert node.listener().listen()
        assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGUSR1])


def test_another_thread_cannot_listen_but_may_ask(node):
    """Outside the main thread no handler can be set, which is said; the file is read all the same."""
    node.tell("SIGTERM", 1010.0)
    listener, found = node.listener(), []
    thread = threading.Thread(target=lambda: found.extend([listener.listen(), listener.notice()]))
    thread.start()
    thread.join(10)
    assert found == [False, Notice("SIGTERM", 10.0)]
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL


def test_without_the_agent_nothing_is_touched():
    """In a plain mpirun the answer is always None, signals are left alone, and ranks may still ask together."""
    listener = Listener({})
    assert (listener.notice(), listener.listen()) == (None, False)
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL
    assert run_ranks(2, Listener({}).notice) == [None, None]


def test_ranks_that_ask_together_get_the_same_answer(tmp_path):
    """If one node is told, all ranks are; of several, the one with the least time left speaks."""
    nodes = [Node(tmp_path / str(i)) for i in range(3)]
    for each in nodes:
        each.file.parent.mkdir()

    def ask():
        listeners = [each.listener() for each in nodes]
        return run_ranks(3, lambda comm: listeners[comm.rank].notice(comm))

    assert ask() == [None] * 3
    nodes[2].tell("spot-reclaim", 1100.0)
    assert ask() == [Notice("spot-reclaim", 100.0)] * 3
    nodes[1].tell("SIGTERM", 1010.0)
    assert ask() == [Notice("SIGTERM", 10.0)] * 3
