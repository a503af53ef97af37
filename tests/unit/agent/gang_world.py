"""A small world for a gang's state machines: nodes that crash and come back, links that break, messages that are late or lost.

Everything that could happen next is a *move*; whoever explores the world chooses one. What a node does between its machine
and the world (`gang_leader_node`, `gang_child_node`, `record_keeper`) is repeated here as plainly as it can be said.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field
from typing import Any

from batchhpc.agent.events import (
    Action,
    Checkpointed,
    Connect,
    Connected,
    Disconnected,
    End,
    EndTold,
    Event,
    Joined,
    KillRanks,
    KillTold,
    Launch,
    LauncherExited,
    Left,
    Look,
    Looked,
    Member,
    RanksGone,
    RanksReported,
    StartTimer,
    StopRequested,
    TellRanksGone,
    Timer,
    TimerFired,
    TurnAway,
    Write,
    Written,
)  # fmt: skip
from batchhpc.agent.follower import Follower
from batchhpc.agent.gang import GangLeader, Waits
from batchhpc.agent.outcome import Outcome, RankExit
from batchhpc.agent.record import Record
from batchhpc.agent.rendezvous import Phase

WAITS = Waits(join=300, reform=900, enough=120)
WAITED_FOR = (Timer.LOOK, Timer.ENOUGH)  # timers that end nothing
BROKEN = ("broken",)
Move = tuple[Any, ...]


@dataclass
class Link:
    """One connection between a child and a leader, by their nodes and attempts; messages under way in both directions."""

    child: tuple[int, int]
    leader: tuple[int, int]
    up: list[tuple[Any, ...]] = field(default_factory=list)
    down: list[tuple[Any, ...]] = field(default_factory=list)
    open: list[bool] = field(default_factory=lambda: [True, True])  # as the child, as the leader sees it


@dataclass
class Process:
    """One attempt of one child of the array."""

    node: int
    attempt: int
    machine: GangLeader | Follower
    alive: bool = True
    ended: Outcome | None = None
    quiet: bool = False
    ranks: int = 0  # generation of the ranks that run here; 0: none
    clearing: list[int] = field(default_factory=list)  # kills under way, by the generation they were ordered in
    timers: dict[Timer, TimerFired] = field(default_factory=dict)
    orders: list[Record | None] = field(default_factory=list)  # of the record's keeper; None is a look
    version: int = 0
    leaving: bool = False  # it got SIGTERM
    link: Link | None = None  # of a child
    links: dict[int, Link] = field(default_factory=dict)  # of a leader

    @property
    def name(self) -> tuple[int, int]:
        return self.node, self.attempt


class World:
    """All nodes of a gang, their record, and what is under way between them.

    Args:
        nodes: of the gang.
        min_nodes: on how many it may run.
        attempts: how often AWS Batch starts each child.
        faults: how many crashes, broken links, hosts that shut down and hosts that are only believed to be gone there may be.
        failures: how often the program may fail.
        same_address: whether a replacement runs on the instance of its predecessor.
    """

    def __init__(
        self, nodes: int, min_nodes: int, attempts: int, faults: int, failures: int = 0, *, same_address: bool = False
    ) -> None:
        self.nodes, self.min_nodes, self.attempts = nodes, min_nodes, attempts
        self.faults, self.failures, self.same_address = faults, failures, same_address
        self.code = 0
        self.ending = 0  # generation whose ranks are ending one by one
        self.record: Record | None = None
        self.version = 0
        self.ends = 0  # how often an end was recorded
        self.launched: dict[int, tuple[int, ...]] = {}  # generation -> its nodes
        self.links: list[Link] = []
        self.processes: list[Process] = []
        for node in range(nodes):
            self._start(node, 1)

    def address(self, node: int, attempt: int) -> str:
        return f"10.0.{1 if self.same_address else attempt}.{node}"

    def copy(self) -> World:
        made: World = pickle.loads(pickle.dumps(self))  # noqa: S301 - our own
        return made

    def key(self) -> int:
        """Tells states apart in which something else could happen; what is over, and texts, do not count."""
        there = [link for link in self.links if self._open(link) != (False, False)]
        links = {id(link): i for i, link in enumerate(there)}
        seen = []
        for link in there:
            down, up = self._open(link)
            seen.append((link.child, link.leader, down, up, link.up if up else (), link.down if down else ()))
        facts = [self._key_of(process, links) for process in self.processes if process.alive or process is self.of(process.node)]
        launched = [each for each in self.launched.items() if any(p.alive and p.ranks == each[0] for p in self.processes)]
        return hash(repr((facts, seen, self.record, launched, self.faults, self.failures, self.ending)))

    def _open(self, link: Link) -> tuple[bool, bool]:
        """Whether the child, and the leader, can hear of it still."""
        return link.open[0] and self._named(link.child).alive, link.open[1] and self._named(link.leader).alive

    def _key_of(self, process: Process, links: dict[int, int]) -> tuple[Any, ...]:
        if not process.alive:
            return (*process.name, process.ended and process.ended.code)
        machine = process.machine
        state = {name: value for name, value in machine.__dict__.items() if name not in ("_pause", "_last", "_verdict", "tally")}
        plain = {name: sorted(value) if isinstance(value, (set, dict)) else value for name, value in state.items()}
        tally = (machine.tally.started, machine.tally.ended, len(machine.tally.failed)) if isinstance(machine, GangLeader) else None
        age = machine.generation if isinstance(machine, GangLeader) else machine.search
        timers = sorted(timer for timer, fired in process.timers.items() if fired.generation == age)
        mine = sorted((node, links.get(id(link), -1)) for node, link in process.links.items())
        own = links.get(id(process.link), -1) if process.link else -1
        known = (process.ranks, process.clearing, timers, process.orders, process.version == self.version, process.leaving)
        return (*process.name, plain, tally, mine, own, known)

    def of(self, node: int) -> Process:
        """The newest attempt of a node."""
        return max((process for process in self.processes if process.node == node), key=lambda process: process.attempt)

    def _named(self, name: tuple[int, int]) -> Process:
        return next(process for process in self.processes if process.name == name)

    def _start(self, node: int, attempt: int) -> None:
        me = Member(node, self.address(node, attempt), f"n{node}", 1, attempt)
        machine: GangLeader | Follower = (
            Follower(node, WAITS.join, WAITS.reform) if node else GangLeader(me, self.nodes, self.min_nodes, WAITS, lost_after=2.0)
        )
        process = Process(node, attempt, machine)
        self.processes.append(process)
        self._perform(process, machine.start())

    # --- what can happen next

    def moves(self) -> list[Move]:
        """Everything that could happen now, faults as far as they are allowed; deadlines apart (`deadlines`)."""
        found = [move for process in self.processes if process.alive for move in self._moves_of(process)]
        found += [move for i in range(len(self.links)) for move in self._messages(i)]
        found += [("restart", node) for node in range(self.nodes) if self._can_restart(node)]
        if (generation := self.complete()) and not self.ending:
            found += [("finish", generation), ("checkpoint", generation)]
            found += [("fail", generation)] if self.failures else []
        return found

    def _moves_of(self, process: Process) -> list[Move]:
        found: list[Move] = [("record", *process.name)] if process.orders else []
        found += [("clear", *process.name)] if process.clearing else []
        found += [("timer", *process.name, timer) for timer in process.timers if timer in WAITED_FOR]
        found += [("go", *process.name)] if process.leaving else []
        found += [("exit", *process.name)] if self.ending and process.ranks == self.ending else []
        newest = process is self.of(process.node)
        if self.faults and newest:
            found += [("crash", *process.name), *([] if process.leaving else [("shutdown", *process.name)])]
            # Two of one node. If there were as many of others, or fewer nodes were enough, two gangs could run, for as long as
            # the older leader does not look at the record; it could write no end into it.
            alone = self.min_nodes == self.nodes and all(each is self.of(each.node) for each in self.processes if each.alive)
            found += [("replace", *process.name)] if alone and process.attempt < self.attempts else []
        return found

    def _messages(self, i: int) -> list[Move]:
        link = self.links[i]
        found: list[Move] = [("break", i)] if self.faults and all(link.open) else []
        for side, queue in (("up", link.up), ("down", link.down)):
            receiver = self._named(link.leader if side == "up" else link.child)
            gone = not link.open[side != "up"]
            if receiver.alive and link.open[side == "up"] and (queue or gone):
                found.append((side, i))
                found += [("lose", side, i)] if queue and gone else []
        return found

    def deadlines(self) -> list[Move]:
        """Deadlines that could pass now."""
        alive = [process for process in self.processes if process.alive]
        return [
            ("timer", *process.name, timer)
            for process in alive
            for timer in process.timers
            if timer not in (Timer.LOOK, Timer.ENOUGH)
        ]

    def complete(self) -> int:
        """The generation whose ranks run on all its nodes; 0 if there is none.

        Raises:
            AssertionError: there are two.
        """
        running = [
            generation
            for generation, nodes in self.launched.items()
            if all(any(p.alive and p.node == node and p.ranks == generation for p in self.processes) for node in nodes)
        ]
        assert len(running) <= 1, f"generations {running} run at once"
        return running[0] if running else 0

    @property
    def over(self) -> bool:
        """Whether no node runs, or will run again."""
        return not any(process.alive for process in self.processes) and not any(map(self._can_restart, range(self.nodes)))

    def _can_restart(self, node: int) -> bool:
        last = self.of(node)
        if last.alive or last.attempt >= self.attempts:
            return False
        return last.ended is None or last.ended.code == 75  # its host was lost, or it asks for another

    # --- what happens

    def do(self, move: Move) -> None:
        """Makes a move, and looks whether everything still is as it must be."""
        getattr(self, f"_move_{move[0]}")(*move[1:])
        if not any(process.alive and process.ranks == self.ending for process in self.processes):
            self.ending = 0  # those whose ranks were ending have crashed
        self.complete()
        outcome = self.record.outcome if self.record else None
        for process in self.processes:
            if process.ended and not process.quiet and process.ended.code not in (72, 75, 78):
                assert process.ended == outcome, f"{process.name} ended with {process.ended}, recorded is {outcome}"

    def _move_record(self, node: int, attempt: int) -> None:
        process = self._named((node, attempt))
        order = process.orders.pop(0)
        found = self.record
        own = found is None or found.leader_attempt <= process.attempt
        if order is not None and (process.version == self.version or (found and found.leader_attempt == process.attempt)):
            self._write(order)
            process.version = self.version
            self._feed(process, Written(order))
            return
        if own:
            process.version = self.version
        self._feed(process, Looked(found))

    def _write(self, record: Record) -> None:
        before = self.record
        assert before is None or before.outcome is None, "a record that has ended was written again"
        assert before is None or record.generation >= before.generation, "the generation went back"
        self.ends += record.outcome is not None
        assert self.ends <= 1
        self.record = record
        self.version += 1

    def _move_clear(self, node: int, attempt: int) -> None:
        process = self._named((node, attempt))
        generation = process.clearing.pop(0)
        process.ranks = 0
        self._feed(process, RanksGone(node, generation))
        if isinstance(process.machine, GangLeader):
            self._feed(process, LauncherExited(0, generation))

    def _move_timer(self, node: int, attempt: int, timer: Timer) -> None:
        process = self._named((node, attempt))
        self._feed(process, process.timers.pop(timer))

    def _move_crash(self, node: int, attempt: int) -> None:
        self.faults -= 1
        self._die(self._named((node, attempt)))

    def _move_break(self, i: int) -> None:
        """Both sides will notice, each in its time; what is under way arrives before, or is dropped."""
        self.faults -= 1
        self.links[i].open = [True, True]
        self.links[i].up.append(BROKEN)
        self.links[i].down.append(BROKEN)

    def _move_restart(self, node: int) -> None:
        self._start(node, self.of(node).attempt + 1)

    def _move_up(self, i: int) -> None:
        link = self.links[i]
        leader = self._named(link.leader)
        machine = leader.machine
        message = link.up.pop(0) if link.up else BROKEN
        node = link.child[0]
        if message == BROKEN:
            link.open[1] = False
            if leader.links.get(node) is link:
                del leader.links[node]
                self._feed(leader, Left(node, "link closed"))
            return
        if message[0] == "hello":
            assert isinstance(machine, GangLeader)
            if machine.phase is Phase.CLAIMING:
                link.down.append(BROKEN)
                link.open[1] = False
                return
            actions = machine.receive(Joined(message[1]))
            if any(isinstance(action, TurnAway) for action in actions):
                link.down += [("end", Outcome(78, "turned away")), BROKEN]
                link.open[1] = False
            else:
                if old := leader.links.pop(node, None):
                    old.open[1] = False
                leader.links[node] = link
                link.down.append(("welcome", machine.generation))
            self._perform(leader, actions)
        elif leader.links.get(node) is link:
            self._feed(leader, message[1])

    def _move_down(self, i: int) -> None:
        link = self.links[i]
        child = self._named(link.child)
        message = link.down.pop(0) if link.down else BROKEN
        if child.link is not link:
            return
        if message == BROKEN:
            link.open[0] = False
            child.link = None
            self._feed(child, Disconnected("link closed"))
        elif message[0] == "welcome":
            self._feed(child, Connected(message[1]))
        elif message[0] == "kill":
            self._feed(child, KillTold("", message[1]))
        elif message[0] == "end":
            self._feed(child, EndTold(message[1]))
        elif message[0] == "run":
            assert child.ranks == 0, f"{child.name} starts ranks of generation {message[1]} beside {child.ranks}"
            child.ranks = message[1]

    def _move_lose(self, side: str, i: int) -> None:
        """What was under way when the other side went is never read."""
        getattr(self.links[i], side).clear()
        getattr(self, f"_move_{side}")(i)

    def _move_finish(self, generation: int) -> None:
        self.ending, self.code = generation, 0

    def _move_fail(self, generation: int) -> None:
        self.failures -= 1
        self.ending, self.code = generation, 3

    def _move_exit(self, node: int, attempt: int) -> None:
        """The ranks of one node end; once it was the last, mpirun does."""
        process, generation = self._named((node, attempt)), self.ending
        process.ranks = 0
        failed = (RankExit(node, node, self.code),) if self.code else ()
        report = RanksReported(node, 1, 1, failed, generation)
        if process.links or node == 0:
            self._feed(process, report)
        elif process.link:
            process.link.up.append(("report", report))
        if not any(each.alive and each.ranks == generation for each in self.processes):
            self.ending = 0
            if leader := self._leader_of(generation):
                self._feed(leader, LauncherExited(self.code, generation))

    def _move_shutdown(self, node: int, attempt: int) -> None:
        """Its host shuts down: SIGTERM, and the ranks of all nodes hear of it."""
        self.faults -= 1
        process = self._named((node, attempt))
        process.leaving = True
        told = StopRequested(node, "SIGTERM", 25, final=False, leaving=True)
        if node == 0:
            self._feed(process, told)
        elif process.link:
            process.link.up.append(("report", told))

    def _move_go(self, node: int, attempt: int) -> None:
        """Its time is over: the link first, then the ranks, and another instance."""
        process = self._named((node, attempt))
        process.ended, process.quiet = Outcome(75, "gone"), True
        self._die(process)

    def _move_replace(self, node: int, attempt: int) -> None:
        """AWS Batch believes that the host is gone, and starts another attempt; this one lives on."""
        self.faults -= 1
        self._start(node, attempt + 1)

    def _move_checkpoint(self, generation: int) -> None:
        if leader := self._leader_of(generation):
            self._feed(leader, Checkpointed(1, generation))

    def _leader_of(self, generation: int) -> Process | None:
        return next((p for p in self.processes if p.alive and p.node == 0 and p.machine.generation == generation), None)

    # --- between machine and world

    def _feed(self, process: Process, event: Event) -> None:
        if process.alive:
            self._perform(process, process.machine.receive(event))

    def _perform(self, process: Process, actions: list[Action]) -> None:  # noqa: C901 - a table of actions
        for action in actions:
            match action:
                case Look():
                    process.orders.append(None)
                case Write(record):
                    process.orders.append(record)
                case StartTimer(timer, _):
                    machine = process.machine
                    age = machine.generation if isinstance(machine, GangLeader) else machine.search
                    process.timers[timer] = TimerFired(timer, age)
                case KillRanks():
                    process.clearing.append(process.machine.generation)
                    for link in process.links.values():
                        link.down.append(("kill", process.machine.generation))
                case Launch(members):
                    self._launch(process, [member.node for member in members])
                case TellRanksGone(generation) if process.link:
                    process.link.up.append(("report", RanksGone(process.node, generation)))
                case Connect(address):
                    self._connect(process, address)
                case End(outcome, quiet):
                    process.ended, process.quiet = outcome, quiet
                    for link in process.links.values():
                        link.down += [] if quiet else [("end", outcome)]
                    self._die(process)

    def _launch(self, leader: Process, nodes: list[int]) -> None:
        generation = leader.machine.generation
        assert generation not in self.launched, f"generation {generation} is launched twice"
        self.launched[generation] = tuple(nodes)
        leader.ranks = generation
        for node in nodes:
            if node != leader.node:
                leader.links[node].down.append(("run", generation))

    def _connect(self, process: Process, address: str) -> None:
        leader = next((p for p in self.processes if p.alive and not p.node and self.address(0, p.attempt) == address), None)
        if leader is None:
            self._feed(process, Disconnected("nobody there"))
            return
        member = Member(process.node, self.address(process.node, process.attempt), "", 1, process.attempt)
        link = Link(process.name, leader.name, up=[("hello", member)])
        process.link = link
        self.links.append(link)

    def _die(self, process: Process) -> None:
        process.alive = False
        process.ranks = 0
        for link in self.links:
            for side, name in enumerate((link.child, link.leader)):
                if name == process.name:
                    link.open[side] = False
