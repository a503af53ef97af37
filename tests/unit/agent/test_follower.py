"""The machine of a gang's child, event by event."""

import pytest

from batchhpc.agent import contract
from batchhpc.agent.events import (
    Connect,
    Connected,
    Disconnected,
    End,
    EndTold,
    KillRanks,
    KillTold,
    Log,
    Look,
    Looked,
    RanksGone,
    StartTimer,
    TellRanksGone,
    Timer,
    TimerFired,
    Unread,
)  # fmt: skip
from batchhpc.agent.follower import FIRST_PAUSE, LONGEST_PAUSE, Follower, Stage
from batchhpc.agent.outcome import Outcome
from batchhpc.agent.record import GangState, Record

RECORD = Record(1, GangState.ASSEMBLING, 1, "10.0.0.1")
DONE = Outcome(0, "all 3 ranks ended with 0")


def follower(*events):
    machine = Follower(2, join_timeout=300, reform_timeout=900)
    machine.start()
    for event in events:
        machine.receive(event)
    return machine


def following(*events):
    return follower(Looked(RECORD), Connected(1), *events)


def test_it_looks_until_there_is_a_leader_and_then_asks_to_be_let_in():
    """The pauses grow, so that a thousand children do not read the record all the time."""
    machine = Follower(2, 300, 900)
    assert machine.start() == [StartTimer(Timer.JOIN, 300), Look()]
    pauses = []
    for _ in range(8):
        pauses += [action.seconds for action in machine.receive(Looked(None)) if isinstance(action, StartTimer)]
        assert machine.receive(TimerFired(Timer.LOOK, 1)) == [Look()]
    assert pauses[0] == FIRST_PAUSE
    assert pauses[-2:] == [LONGEST_PAUSE] * 2
    found = Log("leader_found", {"generation": 1, "address": "10.0.0.1"})
    assert machine.receive(Looked(RECORD)) == [found, Connect("10.0.0.1")]


def test_a_leader_that_does_not_answer_is_looked_for_again():
    """The record may be of a leader that is gone; the next one will write it anew."""
    machine = follower(Looked(RECORD))
    assert machine.receive(Disconnected("refused")) == [StartTimer(Timer.LOOK, FIRST_PAUSE)]
    assert machine.receive(Looked(RECORD)) == [Connect("10.0.0.1")]


def test_a_record_of_an_older_generation_is_not_followed():
    """A store that answers late must not send a node back."""
    machine = following(KillTold("lost node 1", 4), RanksGone(2, 4), Disconnected("closed"), RanksGone(2, 4))
    assert machine.receive(Looked(RECORD)) == [StartTimer(Timer.LOOK, FIRST_PAUSE)]


def test_a_kill_is_answered_once_the_ranks_are_gone():
    """The leader waits for that before it starts the next generation."""
    machine = following()
    assert machine.receive(KillTold("lost node 1", 2)) == [KillRanks("lost node 1")]
    assert machine.generation == 2
    assert machine.receive(RanksGone(2, 2)) == [TellRanksGone(2)]


@pytest.mark.parametrize("generation", [0, 1])
def test_a_kill_for_ranks_that_this_node_never_had_is_refused(generation):
    """It would end those that the node is given next."""
    assert following().receive(KillTold("late", generation)) == []


def test_a_lost_leader_s_ranks_are_ended_before_another_is_looked_for():
    """No node ever asks to be let in while it has ranks."""
    machine = following()
    log, kill = machine.receive(Disconnected("silent for 2 s"))
    assert (log, kill) == (Log("leader_lost", {"how": "silent for 2 s"}), KillRanks("lost the leader (silent for 2 s)"))
    assert machine.receive(RanksGone(2, 1)) == [StartTimer(Timer.JOIN, 900), Look()]


def test_of_two_kills_the_last_counts():
    """A kill that is still going on would end what is started meanwhile."""
    machine = following(KillTold("lost node 1", 2), Disconnected("closed"))
    assert machine.receive(RanksGone(2, 2)) == []
    assert machine.receive(RanksGone(2, 2)) == [StartTimer(Timer.JOIN, 900), Look()]


def test_the_end_is_heard_or_read():
    """From the leader, or in the record by a node that comes too late."""
    assert following().receive(EndTold(DONE)) == [End(DONE)]
    over = Record(3, GangState.FINISHED, 1, "10.0.0.1", (0, 1, 2), 0, DONE.why)
    assert follower().receive(Looked(over)) == [End(DONE)]


def test_a_leader_that_never_comes_is_given_up():
    """With the code that AWS Batch does not retry, the deadline, and what was last seen of the leader."""
    (end,) = follower(Looked(RECORD), Disconnected("refused")).receive(TimerFired(Timer.JOIN, 1))
    why = "node 2 found no leader within 300 s: the leader at 10.0.0.1, generation 1, did not answer (refused)"
    assert end == End(Outcome(contract.EXIT_GAVE_UP, why))


def test_a_deadline_that_was_met_is_over():
    """The timer of an earlier search ends nothing."""
    machine = following()
    assert machine.receive(TimerFired(Timer.JOIN, 1)) == []
    assert machine.stage is Stage.FOLLOWING


def test_a_record_that_cannot_be_read_is_read_again():
    """Until the deadline, which then says what was wrong."""
    machine = follower(Unread("503, for 120 s"))
    assert machine.stage is Stage.SEEKING
    (end,) = machine.receive(TimerFired(Timer.JOIN, 1))
    why = "node 2 found no leader within 300 s: the gang's record could not be read: 503, for 120 s"
    assert end == End(Outcome(contract.EXIT_GAVE_UP, why))


def test_every_row_of_the_table_leads_where_it_says():
    """The stages named in the table are those of a child."""
    for (stage, _), (_, leads_to) in Follower.TRANSITIONS.items():
        assert {stage, *leads_to} <= set(Stage)
