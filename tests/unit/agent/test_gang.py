"""The leader's machine of a gang, event by event."""

import pytest

from batchhpc.agent import contract
from batchhpc.agent.events import (
    Broken,
    Checkpointed,
    End,
    Joined,
    KillRanks,
    Launch,
    LauncherExited,
    Left,
    Log,
    Look,
    Looked,
    Member,
    Notify,
    RanksGone,
    RanksReported,
    StartTimer,
    StopRequested,
    Timer,
    TimerFired,
    TurnAway,
    Unread,
    Unwritten,
    Write,
    Written,
)  # fmt: skip
from batchhpc.agent.gang import MOST_RESTARTS, GangLeader, Waits
from batchhpc.agent.outcome import Outcome, RankExit
from batchhpc.agent.record import GangState, Record
from batchhpc.agent.rendezvous import Phase, kind_of

WAITS = Waits(join=300, reform=900, enough=120)
ME = Member(0, "10.0.0.1", "n0", 1, attempt=1)


def member(node, attempt=1):
    return Member(node, f"10.0.{attempt}.{node}", f"n{node}", 1, attempt)


class Gang:
    """A leader whose record is always written at once."""

    def __init__(self, nodes=3, min_nodes=None, record=None, attempt=1):
        self.machine = GangLeader(Member(0, "10.0.0.1", "n0", 1, attempt), nodes, min_nodes or nodes, WAITS, 2.0)
        self.record = record
        self.done = []
        self.take(self.machine.start())

    def feed(self, event):
        return self.take(self.machine.receive(event))

    def take(self, actions):
        taken = list(actions)
        self.done += actions
        for action in actions:
            if isinstance(action, Look):
                taken += self.feed(Looked(self.record))
            elif isinstance(action, Write):
                self.record = action.record
                taken += self.feed(Written(action.record))
        return taken

    def gather(self, *nodes):
        for node in nodes or range(1, self.machine._nodes):
            self.feed(Joined(member(node)))
        return self

    def all_gone(self):
        for node in list(self.machine.members):
            self.feed(RanksGone(node, self.machine.generation))

    def finish(self, code=0):
        generation = self.machine.generation
        for node in self.machine.running:
            failed = (RankExit(node, node, code),) if code else ()
            self.feed(RanksReported(node, 1, 1, failed, generation))
        return self.feed(LauncherExited(code, generation))


def of_kind(actions, kind):
    return [action for action in actions if isinstance(action, kind)]


def launches(gang):
    return [tuple(each.node for each in action.members) for action in of_kind(gang.done, Launch)]


def ended(gang):
    return next((action for action in gang.done if isinstance(action, End)), None)


def test_a_gang_runs_once_all_are_in_and_records_its_end_before_it_tells_it():
    """Claimed, gathered, run, recorded, told: in this order."""
    gang = Gang()
    assert (gang.record.generation, gang.record.state) == (1, GangState.ASSEMBLING)
    gang.gather()
    assert launches(gang) == [(0, 1, 2)]
    assert gang.record.state is GangState.RUNNING
    gang.finish()
    assert gang.record == Record(1, GangState.FINISHED, 1, "10.0.0.1", (0, 1, 2), 0, "all 3 ranks ended with 0")
    assert ended(gang) == End(gang.record.outcome)
    assert gang.done.index(ended(gang)) > gang.done.index(Write(gang.record))


def test_nobody_is_told_how_it_ended_before_it_is_written():
    """Between the end of the ranks and the record's answer, the machine waits."""
    gang = Gang().gather()
    for node in range(3):
        gang.machine.receive(RanksReported(node, 1, 1, (), 1))
    actions = gang.machine.receive(LauncherExited(0, 1))
    assert gang.machine.phase is Phase.RECORDING
    assert not of_kind(actions, End)


def test_a_lost_node_ends_the_ranks_and_starts_a_generation():
    """Survivors stay; the launch waits for their ranks to be gone, and for the replacement."""
    gang = Gang().gather()
    actions = gang.feed(Left(2, "link closed"))
    assert of_kind(actions, KillRanks)
    assert gang.record.generation == 2
    assert StartTimer(Timer.JOIN, 900) in actions
    gang.feed(Joined(member(2, attempt=2)))
    assert launches(gang) == [(0, 1, 2)]
    gang.all_gone()
    assert launches(gang) == [(0, 1, 2)] * 2


def test_several_nodes_lost_at_once_are_one_loss_after_the_other():
    """Each raises no launch; the gang waits for all of them."""
    gang = Gang(4).gather()
    for node in (1, 3):
        gang.feed(Left(node, "link closed"))
    assert gang.machine.missing == [1, 3]
    assert gang.record.generation == 2
    gang.all_gone()
    gang.gather(1)
    assert len(launches(gang)) == 1
    gang.gather(3)
    assert len(launches(gang)) == 2


@pytest.mark.parametrize(
    "late",
    [
        RanksReported(1, 1, 1, (RankExit(1, 1, 3),), 1),
        LauncherExited(1, 1),
        RanksGone(0, 1),
        Checkpointed(7, 1),
        TimerFired(Timer.JOIN, 1),
        TimerFired(Timer.FAILURE, 1),
    ],
    ids=kind_of,
)
def test_what_belongs_to_an_older_generation_changes_nothing(late):
    """Reports, exits, timers and checkpoints that are late are refused."""
    gang = Gang().gather()
    gang.feed(Left(2, "link closed"))
    before = dict(gang.machine.__dict__)
    assert gang.feed(late) == []
    assert gang.machine.__dict__ == before


def test_too_few_nodes_for_too_long_give_the_instances_back():
    """After the deadline the end is recorded as failed, with a code that AWS Batch does not retry, naming the nodes."""
    gang = Gang(4).gather(1, 2)
    gang.feed(TimerFired(Timer.JOIN, 1))
    assert gang.record.code == contract.EXIT_GAVE_UP
    assert gang.record.why == "node 3 did not come within 300 s; 3 of 4 nodes were here, at least 4 are needed"


def test_fewer_nodes_are_enough_after_a_while():
    """With min_nodes the gang goes on without the others, once they have been waited for."""
    gang = Gang(4, min_nodes=2)
    assert StartTimer(Timer.ENOUGH, 120) in gang.done
    gang.gather(1)
    assert launches(gang) == []
    gang.feed(TimerFired(Timer.ENOUGH, 1))
    assert launches(gang) == [(0, 1)]


def test_a_late_node_is_let_in_at_the_next_checkpoint():
    """It waits without disturbing the ranks; the checkpoint raises the generation, and all take part."""
    gang = Gang(3, min_nodes=2).gather(1)
    gang.feed(TimerFired(Timer.ENOUGH, 1))
    gang.feed(Joined(member(2)))
    assert gang.machine.phase is Phase.RUNNING
    assert gang.feed(Checkpointed(12, 1))
    gang.all_gone()
    assert launches(gang) == [(0, 1), (0, 1, 2)]


def test_a_checkpoint_with_nobody_waiting_changes_nothing():
    """Ranks that save their work go on."""
    gang = Gang().gather()
    assert gang.feed(Checkpointed(3, 1)) == []


def test_a_new_leader_takes_the_next_generation():
    """A leader that was lost is followed by the next attempt of child 0, whose waits are those for lost nodes."""
    gang = Gang(record=Record(5, GangState.RUNNING, 1, "10.9.9.9", (0, 1, 2)), attempt=2)
    assert (gang.record.generation, gang.record.leader_attempt, gang.record.address) == (6, 2, "10.0.0.1")
    assert StartTimer(Timer.JOIN, 900) in gang.done


def test_a_leader_started_after_the_end_ends_with_the_job_s_code():
    """A child that AWS Batch tries again although the job is over runs nothing."""
    over = Record(5, GangState.FAILED, 1, "10.9.9.9", (0, 1), 3, "rank 1 on node 1 ended with 3")
    gang = Gang(record=over, attempt=2)
    assert ended(gang).outcome == Outcome(3, "rank 1 on node 1 ended with 3")
    assert gang.record is over


def test_a_job_that_ended_with_the_code_for_retries_is_not_tried_again():
    """75 would make AWS Batch start children of a gang that is over, again and again."""
    assert Record(1, GangState.FAILED, 1, "", (), contract.EXIT_INFRASTRUCTURE, "x").outcome == Outcome(contract.EXIT_GAVE_UP, "x")


def test_an_older_leader_finds_itself_overtaken_and_ends_quietly():
    """It records nothing and tells nobody: those who still hear it belong to the newer one."""
    gang = Gang().gather()
    gang.feed(Looked(Record(2, GangState.ASSEMBLING, 2, "10.9.9.9")))
    assert ended(gang).quiet
    assert ended(gang).outcome.code == contract.EXIT_INFRASTRUCTURE


def test_an_older_leader_does_not_claim_after_a_newer_one():
    """Of two attempts of child 0 the newer leads, whichever comes first."""
    gang = Gang(record=Record(2, GangState.ASSEMBLING, 3, "10.9.9.9"), attempt=2)
    assert ended(gang).quiet
    assert gang.record.leader_attempt == 3


def test_a_result_that_somebody_else_recorded_is_the_result():
    """A leader that finds the end recorded ends with that."""
    gang = Gang().gather()
    gang.feed(Looked(Record(2, GangState.FINISHED, 2, "10.9.9.9", (0, 1, 2), 0, "done")))
    assert ended(gang) == End(Outcome(0, "done"))


@pytest.mark.parametrize(("node", "attempt"), [(0, 2), (3, 1), (1, 1)])
def test_strangers_and_older_attempts_are_turned_away(node, attempt):
    """Nobody takes another node's place, nor that of its own replacement."""
    gang = Gang(3).gather(2)
    gang.feed(Joined(member(1, attempt=2)))
    assert of_kind(gang.feed(Joined(member(node, attempt))), TurnAway)


def test_a_node_that_joins_anew_was_lost():
    """A link that broke on the child's side only is noticed by the child's coming again."""
    gang = Gang().gather()
    gang.feed(Joined(member(1)))
    assert gang.machine.phase is Phase.ASSEMBLING
    assert gang.machine.missing == []
    gang.feed(RanksGone(0, 2))
    gang.feed(RanksGone(2, 2))
    assert len(launches(gang)) == 2


def test_a_program_s_failure_is_the_job_s_and_costs_no_generation():
    """Its code is recorded, and all nodes end with it."""
    gang = Gang().gather()
    gang.finish(code=3)
    assert (gang.record.state, gang.record.code, gang.record.generation) == (GangState.FAILED, 3, 1)


def test_a_failure_beside_a_lost_node_is_that_loss():
    """Ranks fail of a peer that is gone; the gang starts again instead."""
    gang = Gang().gather()
    gang.feed(RanksReported(1, 1, 1, (RankExit(1, 1, 15),), 1))
    gang.feed(Left(2, "silent for 2 s"))
    assert gang.record.generation == 2
    assert ended(gang) is None


def test_ranks_that_vanish_without_a_reason_are_not_started_for_ever():
    """Mpirun that ends with 0 though ranks never said how they ended is tried again a few times."""
    gang = Gang(2).gather()
    for _ in range(MOST_RESTARTS + 1):
        assert ended(gang) is None
        gang.feed(LauncherExited(0, gang.machine.generation))
        gang.feed(TimerFired(Timer.COLLECT, gang.machine.generation))
        gang.all_gone()
    assert gang.record.code == contract.EXIT_GAVE_UP
    assert "4 times in a row" in gang.record.why


def test_a_node_that_is_told_to_stop_does_not_end_the_job():
    """The ranks of all nodes hear of it; the host may be going, and its replacement will come."""
    gang = Gang().gather()
    assert of_kind(gang.feed(StopRequested(1, "SIGTERM", 25, final=False)), Notify) == [Notify("SIGTERM", 25, final=False)]
    assert gang.machine.phase is Phase.RUNNING


def test_if_all_nodes_leave_nothing_is_recorded():
    """AWS Batch ended the job, or took all instances at once: it says itself what that means, and may try each again."""
    gang = Gang(2).gather()
    gang.feed(StopRequested(1, "SIGTERM", 25, final=False, leaving=True))
    assert Notify("SIGTERM", 25, final=True) in gang.feed(StopRequested(0, "SIGTERM", 25, final=False, leaving=True))
    gang.finish()
    assert ended(gang).quiet
    assert ended(gang).outcome.code == contract.EXIT_INFRASTRUCTURE
    assert gang.record.state is GangState.RUNNING


def test_notices_to_all_nodes_end_nothing():
    """Every instance may be about to go: the ranks go on until they do, and a job that is done by then is done."""
    gang = Gang(2).gather()
    for node in (0, 1):
        gang.feed(StopRequested(node, "spot-reclaim", 120, final=False))
    gang.finish()
    assert gang.record.code == 0


def test_the_time_limit_ends_the_job():
    """It is recorded, so that no node is waited for that AWS Batch will not start again (R40)."""
    gang = Gang(2).gather()
    gang.feed(StopRequested(1, "time limit", 25, final=True))
    gang.finish()
    assert (gang.record.code, gang.record.why) == (contract.EXIT_STOPPED, "stopped: time limit")


@pytest.mark.parametrize("before", [False, True])
def test_what_cannot_be_helped_is_recorded(before):
    """An image without mpirun, or nodes that cannot reach each other: no other node need wait for it."""
    machine = GangLeader(ME, 2, 2, WAITS, 2.0)
    machine.start()
    (claim,) = of_kind(machine.receive(Looked(None)), Write)
    broken = Broken(Outcome(contract.EXIT_MISCONFIGURED, "no mpirun"))
    early = machine.receive(broken) if before else []
    actions = [*machine.receive(Written(claim.record)), *([] if before else machine.receive(broken))]
    assert not early
    assert of_kind(actions, Write)[-1].record.outcome == broken.outcome


def test_a_record_that_cannot_be_written_sends_the_leader_away():
    """Its replacement may have more luck; nothing is decided."""
    gang = Gang().gather()
    gang.feed(Unwritten("503"))
    assert ended(gang).quiet
    assert ended(gang).outcome.code == contract.EXIT_INFRASTRUCTURE


def test_a_look_that_fails_disturbs_nobody():
    """A leader that leads needs no look at the record to go on; one that has yet to claim it does."""
    gang = Gang().gather()
    assert gang.feed(Unread("503")) == []
    machine = GangLeader(ME, 2, 2, WAITS, 2.0)
    machine.start()
    assert of_kind(machine.receive(Unread("503")), End)[0].quiet


@pytest.mark.parametrize("code", [0, 143])
def test_ranks_that_end_while_a_node_leaves_have_not_finished(code):
    """Saved and ended, or ended by the host's shutdown: they start again, however often nodes leave."""
    gang = Gang(2).gather()
    for _ in range(MOST_RESTARTS + 2):
        gang.feed(StopRequested(1, "SIGTERM", 25, final=False, leaving=True))
        gang.finish(code)
        assert ended(gang) is None
        gang.feed(Left(1, "link closed"))
        gang.feed(Joined(member(1, attempt=2)))
        gang.all_gone()
    assert gang.record.generation > 1


def test_a_program_that_ends_with_the_code_for_retries_has_ended():
    """Its own failure never costs a second start."""
    gang = Gang(2).gather()
    gang.finish(contract.EXIT_INFRASTRUCTURE)
    assert gang.record.state is GangState.FAILED


def test_a_node_that_is_taken_in_does_not_make_all_wait_for_the_next():
    """Two of four run, one comes back: after the checkpoint three run at once."""
    gang = Gang(4, min_nodes=2).gather(1)
    gang.feed(TimerFired(Timer.ENOUGH, 1))
    gang.feed(Joined(member(2)))
    gang.feed(Checkpointed(12, 1))
    gang.all_gone()
    assert launches(gang) == [(0, 1), (0, 1, 2)]


def test_every_row_of_the_table_leads_where_it_says():
    """The phases named in the table are those of a leader."""
    for (phase, _), (_, leads_to) in GangLeader.TRANSITIONS.items():
        assert {phase, *leads_to} <= set(Phase)


def test_logs_are_events_of_the_contract():
    """Whatever the machine logs is a documented event."""
    gang = Gang(3, min_nodes=2).gather(1)
    gang.feed(TimerFired(Timer.ENOUGH, 1))
    gang.feed(Joined(member(2)))
    gang.feed(Checkpointed(1, 1))
    gang.all_gone()
    gang.finish()
    assert {action.event for action in of_kind(gang.done, Log)} <= set(contract.EVENTS)
