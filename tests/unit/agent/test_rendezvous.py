"""The main node's state machine, fed by hand and by a hostile network."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchhpc.agent.events import (
    End,
    Joined,
    KillRanks,
    Launch,
    LauncherExited,
    Left,
    Log,
    Member,
    Notify,
    RanksReported,
    Refused,
    StartTimer,
    StopRequested,
    Timer,
    TimerFired,
    TurnAway,
)  # fmt: skip
from batchhpc.agent.outcome import Outcome, RankExit
from batchhpc.agent.rendezvous import FAILURE_GRACE, Leader, Phase

ME = Member(0, "10.0.0.1", "n0", 2)


def member(node):
    return Member(node, f"10.0.0.{node + 1}", f"n{node}", 2)


def leader(nodes=3, **given):
    machine = Leader(ME, nodes, **{"join_timeout": 60, "lost_after": 2.5, **given})
    machine.start()
    return machine


def running(nodes=3):
    machine = leader(nodes)
    for node in range(1, nodes):
        machine.receive(Joined(member(node)))
    assert machine.phase is Phase.RUNNING
    return machine


def ended(actions):
    return next((action.outcome for action in actions if isinstance(action, End)), None)


def kinds(actions):
    return [type(action) for action in actions if not isinstance(action, Log)]


def test_one_node_launches_at_once():
    """A job of one node waits for nobody."""
    machine = Leader(ME, 1, 60, 2.5)
    assert machine.start() == [Launch((ME,))]


def test_ranks_follow_node_order_whoever_comes_first():
    """However the nodes arrive, the hosts are in node order."""
    machine = leader(4)
    for node in (3, 1):
        assert kinds(machine.receive(Joined(member(node)))) == []
    actions = machine.receive(Joined(member(2)))
    assert [action.members for action in actions if isinstance(action, Launch)] == [(ME, member(1), member(2), member(3))]


@pytest.mark.parametrize(
    ("node", "why"),
    [(0, "node 0 is the main node"), (1, "node 1 has already joined"), (9, "node 9 is not of this job")],
)
def test_a_second_or_foreign_node_is_turned_away(node, why):
    """Nobody takes another node's place."""
    machine = leader()
    machine.receive(Joined(member(1)))
    assert machine.receive(Joined(member(node))) == [TurnAway(node, why)]


def test_missing_nodes_are_named_and_the_job_may_be_tried_again():
    """At the deadline the missing nodes are named, with the code that AWS Batch retries."""
    machine = leader(5)
    machine.receive(Joined(member(2)))
    outcome = ended(machine.receive(TimerFired(Timer.JOIN)))
    assert outcome == Outcome(75, "nodes 1, 3, 4 did not join within 60 s")


def test_nodes_with_a_wrong_secret_are_named_and_not_tried_again():
    """If all that is missing was refused, trying again cannot help."""
    machine = leader(3)
    machine.receive(Joined(member(2)))
    machine.receive(Refused(1, "does not know"))
    outcome = ended(machine.receive(TimerFired(Timer.JOIN)))
    assert outcome == Outcome(78, "node 1 did not join within 60 s; node 1 did not know the job's secret")


def test_a_node_that_is_lost_while_others_join_ends_the_waiting():
    """AWS Batch starts no child a second time, so the others need not wait for the deadline."""
    machine = leader(3)
    machine.receive(Joined(member(1)))
    assert ended(machine.receive(Left(1, "link closed"))) == Outcome(75, "lost node 1 while others were joining (link closed)")


def test_success_is_every_rank_reporting_zero():
    """Mpirun's 0 is believed only once every rank has said 0 itself."""
    machine = running(2)
    machine.receive(RanksReported(0, 2, 2, ()))
    assert kinds(machine.receive(LauncherExited(0))) == [StartTimer]
    assert machine.phase is Phase.COLLECTING
    assert ended(machine.receive(RanksReported(1, 2, 2, ()))) == Outcome(0, "all 4 ranks ended with 0")


def test_ranks_that_stay_mute_are_a_failure_though_mpirun_says_success():
    """Open MPI 5 exits 0 after losing a node; the job does not."""
    machine = running(2)
    machine.receive(RanksReported(0, 2, 2, ()))
    machine.receive(LauncherExited(0))
    outcome = ended(machine.receive(TimerFired(Timer.COLLECT)))
    assert outcome is not None
    assert outcome.code == 75


@pytest.mark.parametrize("before", [[], [LauncherExited(0)], [RanksReported(2, 2, 1, (RankExit(2, 4, 1),)), LauncherExited(255)]])
def test_a_lost_node_is_infrastructure_even_if_ranks_failed_of_it(before):
    """Ranks that fail because their peer is gone do not hide the lost node."""
    machine = running()
    for event in before:
        machine.receive(event)
    actions = machine.receive(Left(1, "silent for 2.5 s"))
    assert KillRanks in kinds(actions)
    assert ended(machine.receive(TimerFired(Timer.KILL))) == Outcome(75, "lost node 1 (silent for 2.5 s)")


def test_two_lost_nodes_are_both_named():
    """The message names every node that was lost."""
    machine = running(4)
    machine.receive(Left(3, "link closed"))
    machine.receive(Left(1, "link closed"))
    assert ended(machine.receive(LauncherExited(255))) == Outcome(75, "lost nodes 1, 3 (link closed)")


def test_a_failed_rank_that_mpirun_does_not_mind_still_ends_the_job():
    """If mpirun goes on after a rank failed, the job is stopped with that rank's code."""
    machine = running(2)
    actions = machine.receive(RanksReported(1, 2, 1, (RankExit(1, 3, 3),)))
    assert StartTimer(Timer.FAILURE, FAILURE_GRACE) in actions
    assert KillRanks in kinds(machine.receive(TimerFired(Timer.FAILURE)))
    assert ended(machine.receive(TimerFired(Timer.KILL))) == Outcome(3, "rank 3 on node 1 ended with 3")


def test_a_stop_reaches_the_ranks_once_and_then_has_an_end():
    """AWS Batch stops every node; the ranks hear it once, what is left after the grace is killed, and 143 stays 143."""
    machine = running(3)
    first = machine.receive(StopRequested(1, "SIGTERM", 25, final=True))
    assert kinds(first) == [Notify, StartTimer]
    assert machine.receive(StopRequested(0, "SIGTERM", 25, final=True)) == []
    assert KillRanks in kinds(machine.receive(TimerFired(Timer.STOP)))
    machine.receive(Left(2, "link closed"))  # a node that was told to stop, and did
    assert ended(machine.receive(LauncherExited(143))) == Outcome(143, "stopped: SIGTERM")


@pytest.mark.parametrize("code", [0, 143])
def test_a_child_that_is_stopped_alone_is_a_host_that_goes(code):
    """A program that saved its work because one host shuts down has not finished it: the job is tried again."""
    machine = running(2)
    machine.receive(StopRequested(1, "SIGTERM", 25, final=True))
    for node in range(2):
        machine.receive(RanksReported(node, 2, 2, (RankExit(node, 2 * node, code),) if code else ()))
    assert ended(machine.receive(LauncherExited(code))) == Outcome(75, "node 1 alone was told to stop (SIGTERM)")


def test_an_mpirun_that_outlives_its_ranks_does_not_keep_the_job():
    """Once every rank has ended, mpirun has a deadline, too; the ranks' own codes decide."""
    machine = running(2)
    machine.receive(RanksReported(0, 2, 2, ()))
    assert StartTimer(Timer.FAILURE, FAILURE_GRACE) in machine.receive(RanksReported(1, 2, 2, ()))
    machine.receive(TimerFired(Timer.FAILURE))
    assert ended(machine.receive(TimerFired(Timer.KILL))) == Outcome(0, "all 4 ranks ended with 0")


def test_a_patient_job_waits_for_a_silent_node_before_it_blames_a_rank():
    """With a long lost_after a rank that fails of a node's silence does not hide the node."""
    machine = Leader(ME, 2, 60, 10.0)
    machine.start()
    machine.receive(Joined(member(1)))
    assert StartTimer(Timer.FAILURE, 11.0) in machine.receive(RanksReported(0, 2, 1, (RankExit(0, 0, 1),)))


def test_a_program_that_ends_by_itself_after_a_stop_keeps_its_code():
    """A rank that checkpoints and exits 0 after the notice makes the agent exit 0."""
    machine = leader(1)
    machine.receive(StopRequested(0, "SIGTERM", 25, final=True))
    machine.receive(RanksReported(0, 2, 2, ()))
    assert ended(machine.receive(LauncherExited(0))) == Outcome(0, "all 2 ranks ended with 0")


def test_a_spot_notice_is_passed_on_and_ends_nothing():
    """Two minutes may be enough: the notice alone does not end the job."""
    machine = running(2)
    assert kinds(machine.receive(StopRequested(1, "spot-reclaim", 118, final=False))) == [Notify, StartTimer]
    assert machine.receive(StopRequested(0, "spot-reclaim", 118, final=False)) == []  # one of many at once
    machine.receive(TimerFired(Timer.NOTICE))
    assert Notify in kinds(machine.receive(StopRequested(0, "spot-reclaim", 118, final=False)))
    assert machine.phase is Phase.RUNNING


def test_a_stop_while_nodes_join_ends_at_once():
    """Nothing runs yet, so there is nothing to wait for."""
    outcome = ended(leader().receive(StopRequested(0, "SIGTERM", 25, final=True)))
    assert outcome == Outcome(143, "stopped while waiting for nodes 1, 2: SIGTERM")


def test_every_transition_of_the_table_leads_where_it_says():
    """The table from which the diagram is drawn names every phase that a transition really leads to."""
    events = [
        Joined(member(1)), Refused(1, "x"), Left(1, "x"), RanksReported(0, 2, 2, ()), RanksReported(1, 2, 2, ()),
        RanksReported(1, 2, 1, (RankExit(1, 3, 3),)), LauncherExited(0), StopRequested(0, "x", 5, final=True),
        StopRequested(0, "x", 5, final=False), *(TimerFired(timer) for timer in Timer),
    ]  # fmt: skip
    seen: dict[tuple[Phase, str], set[Phase]] = {}

    def explore(history, depth):
        for event in events:
            machine = leader(2)
            for earlier in history:
                machine.receive(earlier)
            before = machine.phase
            if before is Phase.ENDED:
                return
            machine.receive(event)
            kind = f"TimerFired:{event.timer}" if isinstance(event, TimerFired) else type(event).__name__
            if (before, kind) in Leader.TRANSITIONS:
                seen.setdefault((before, kind), set()).add(machine.phase)
            else:
                assert machine.phase is before
            if depth:
                explore([*history, event], depth - 1)

    explore([], 3)
    for key, (_, leads_to) in Leader.TRANSITIONS.items():
        assert seen.get(key, set()) <= set(leads_to), key
    assert set(Leader.TRANSITIONS) == set(seen)


# --- any order, duplicates, losses, delays ---------------------------------------------------------------------------


def happenings(nodes):
    node = st.integers(0, nodes)  # one more than there are
    counts = st.integers(0, 2)
    return st.one_of(
        st.builds(lambda n: Joined(member(n)), node),
        st.builds(Refused, node, st.just("x")),
        st.builds(Left, st.integers(1, nodes - 1), st.sampled_from(["link closed", "silent for 2.5 s"])),
        st.builds(
            lambda n, s, e, c: RanksReported(n, s, e, (RankExit(n, 2 * n, c),) if c else ()),
            node,
            counts,
            counts,
            st.sampled_from([0, 0, 3, 137]),
        ),
        st.builds(LauncherExited, st.sampled_from([0, 1, 255])),
        st.builds(StopRequested, node, st.just("SIGTERM"), st.just(5.0), final=st.booleans()),
    )


class World:
    """Carries out what the machine asks for: keeps its timers, remembers its decisions."""

    def __init__(self, machine):
        self.machine = machine
        self.timers: dict[Timer, float] = {}
        self.outcomes: list[Outcome] = []
        self.launches: list[Launch] = []
        self._perform(machine.start())

    def feed(self, event):
        self._perform(self.machine.receive(event))

    def let_timers_fire(self):
        while self.timers and not self.outcomes:
            timer = min(self.timers, key=lambda timer: self.timers[timer])
            del self.timers[timer]
            self.feed(TimerFired(timer))

    def _perform(self, actions):
        for action in actions:
            if isinstance(action, StartTimer):
                self.timers[action.timer] = action.seconds
            elif isinstance(action, Launch):
                self.launches.append(action)
            elif isinstance(action, End):
                self.outcomes.append(action.outcome)


@settings(max_examples=400, deadline=None)
@given(st.integers(2, 5), st.data())
def test_whatever_happens_the_job_ends_and_says_why(nodes, data):
    """Any events in any order, doubled, lost or late: once the timers fire the job has ended, exactly once.

    The job is launched only with every node in, 0 needs every rank's own report, and nodes that never joined are named.
    """
    world = World(Leader(ME, nodes, 60, 2.5))
    for event in data.draw(st.lists(happenings(nodes), max_size=25)):
        world.feed(event)
    machine = world.machine
    missing = machine.missing if machine.phase is Phase.ASSEMBLING else []
    if machine.phase is Phase.RUNNING:  # an MPI job runs as long as it likes: this one is over now
        world.feed(LauncherExited(0))
    world.let_timers_fire()
    (outcome,) = world.outcomes
    assert machine.phase is Phase.ENDED
    assert machine.receive(Joined(member(1))) == []
    assert len(world.launches) <= 1
    assert all([m.node for m in launch.members] == list(range(nodes)) for launch in world.launches)
    assert outcome.code != 0 or machine.tally.ended >= 2 * nodes
    assert all(str(node) in outcome.why for node in missing) or outcome.code == 143
