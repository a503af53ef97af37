"""The main node: gathers the others, starts mpirun over them, and decides how the job ended."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import os
import shlex
import shutil
import socket
import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

from batchhpc.agent import contract, launch, node_socket
from batchhpc.agent.events import (
    Action,
    End,
    Event,
    Joined,
    KillRanks,
    Launch,
    LauncherExited,
    Left,
    Log,
    Member,
    Notify,
    RanksGone,
    RanksReported,
    Refused,
    StartTimer,
    StopRequested,
    TimerFired,
    TurnAway,
)  # fmt: skip
from batchhpc.agent.network import interface_of
from batchhpc.agent.node import Node, settle
from batchhpc.agent.outcome import Outcome, RankExit
from batchhpc.agent.rendezvous import FAILURE_GRACE, Leader
from batchhpc.agent.session import LeaderSession, Message, WrongSecret
from batchhpc.agent.settings import Settings
from batchhpc.agent.transport import Heartbeat, Link, how_closed, listen
from batchhpc.errors import InfrastructureFailure, Misconfigured

_VERSION_TIME = 30.0  # seconds for `mpirun --version`, on a file system that may be cold
_FAREWELL_TIME = 1.0  # seconds in which the children hear that it is over, and leave


class MainNode(Node):
    """The node that AWS Batch calls the main node."""

    def __init__(self, settings: Settings, environ: dict[str, str], directory: Path) -> None:
        super().__init__(settings, environ, directory)
        me = Member(settings.node, settings.address or "", socket.gethostname(), self.ranks.expected, settings.attempt)
        self._leader = self._new_leader(me, 0.0 if settings.launcher == "none" else FAILURE_GRACE)
        self._links: dict[int, Link] = {}
        self._heartbeat = Heartbeat(settings.lost_after, self._silent)
        self._server: asyncio.Server | None = None
        self._hosts: dict[str, int] = {}  # address -> node
        self._commands: dict[int, tuple[int, node_socket.Peer, asyncio.Future[int]]] = {}
        self._all_gone = asyncio.Event()
        self._numbers = itertools.count(1)
        self._mpi: asyncio.Task[tuple[launch.Mpi, str]] | None = None

    def _new_leader(self, me: Member, failure_grace: float) -> Leader:
        of = self.settings
        return Leader(me, of.nodes, of.join_timeout, of.lost_after, failure_grace)

    async def start(self) -> None:
        if self.settings.launcher != "none":
            self._mpi = asyncio.get_running_loop().create_task(self._find_mpi())
            self.spawn(_watch(self._mpi))  # a missing mpirun ends the job before the nodes are waited for
        if self.settings.nodes > 1:
            await self._listen()
        self._perform(self._leader.start())

    async def _listen(self) -> None:
        of = self.settings
        try:
            self._server = await listen(of.address or "0.0.0.0", contract.PORT, of.key, self._told, self._closed)  # noqa: S104 - the container's own
        except OSError as error:
            raise InfrastructureFailure(f"cannot listen on port {contract.PORT}: {error.strerror}") from error
        self.spawn(self._heartbeat.run())

    async def _find_mpi(self) -> tuple[launch.Mpi, str]:
        """Which MPI this image has, and the absolute path of its mpirun."""
        path = shutil.which("mpirun", path=self.environ.get("PATH")) or shutil.which("mpiexec", path=self.environ.get("PATH"))
        if not path:
            raise Misconfigured("this image has no mpirun on its PATH; install an MPI, or write launcher: none")
        said = bytearray()

        async def output(_: int, data: bytes) -> None:
            said.extend(data)

        try:
            async with asyncio.timeout(_VERSION_TIME):
                await self.run_here(f'"{path}" --version', output, lambda _: None)
        except TimeoutError as error:
            raise InfrastructureFailure(
                f"{path} --version gave no answer within {_VERSION_TIME:g} s on node {self.settings.node}"
            ) from error
        return launch.recognise(said.decode(errors="replace"), self.settings.launcher), path

    # --- events in

    def _feed(self, event: Event) -> None:
        self._perform(self._leader.receive(event))

    def _told(self, link: Link, message: Message) -> None:
        session = link.session
        assert isinstance(session, LeaderSession)
        node = session.node
        assert node is not None
        if message["type"] == "hello":
            self._admit(link, _member(node, link, message), message)
        elif message["type"] == "ranks":
            self._count(node, message["started"], message["ended"], message["failed"], message["generation"])
        elif message["type"] == "stop":
            told = message["reason"], message["seconds"], message["final"]
            self._feed(StopRequested(node, *told, leaving=message.get("leaving", False)))
        elif message["type"] == "ranks_gone":
            self._feed(RanksGone(node, message["generation"]))
        elif message["id"] in self._commands:
            _, peer, exited = self._commands[message["id"]]
            if message["type"] == "exit":
                settle(exited, message["code"])
            else:
                self.spawn(peer.send("output", str(message["fd"]), message["data"].encode("latin-1")))

    def _admit(self, link: Link, member: Member, _: Message) -> None:
        actions = self._leader.receive(Joined(member))
        if any(isinstance(action, TurnAway) for action in actions):
            self._turn_away(link, actions)
            return
        self._links[member.node] = link
        self._heartbeat.links.add(link)
        self._perform(actions)

    def _turn_away(self, link: Link, actions: list[Action]) -> None:
        why = "; ".join(action.why for action in actions if isinstance(action, TurnAway))
        link.send({"type": "end", "code": contract.EXIT_MISCONFIGURED, "why": why})
        link.close()
        self._perform(actions)

    def _closed(self, link: Link, error: Exception | None) -> None:
        self._heartbeat.links.discard(link)
        session = link.session
        assert isinstance(session, LeaderSession)
        if isinstance(error, WrongSecret) and session.node is not None:
            self._feed(Refused(session.node, f"{error}, from {link.remote_address}"))
        elif session.node is not None and self._links.get(session.node) is link:
            self._left(session.node, how_closed(error))
        elif error:
            self.log("join_refused", address=link.remote_address, reason=error)

    def _silent(self, link: Link) -> None:
        session = link.session
        assert isinstance(session, LeaderSession)
        link.abort()
        if session.node is not None and self._links.get(session.node) is link:
            self._left(session.node, f"silent for {self.settings.lost_after:g} s")

    def _left(self, node: int, how: str) -> None:
        del self._links[node]
        if not self._links:
            self._all_gone.set()
        self._give_up_commands(node)
        self._feed(Left(node, how))

    def _give_up_commands(self, node: int) -> None:
        for number, (on, _, exited) in list(self._commands.items()):
            if on == node:
                del self._commands[number]
                settle(exited, 255)  # as ssh says it

    def report_ranks(self) -> None:
        ranks = self.ranks
        self._count(self.settings.node, ranks.started, ranks.ended, ranks.take_failed(), self._leader.generation)

    def stop_requested(self, reason: str, seconds: float, *, final: bool) -> None:
        self._feed(StopRequested(self.settings.node, reason, seconds, final))

    # --- actions out

    def _perform(self, actions: list[Action]) -> None:
        for action in actions:
            self._carry_out(action)

    def _carry_out(self, action: Action) -> None:
        match action:
            case Log(event, fields):
                self.log(event, **fields)
            case StartTimer(timer, seconds):
                self.start_timer(timer, seconds, partial(self._feed, TimerFired(timer, self._leader.generation)))
            case Launch(members):
                self.spawn(self._launch(members))
            case TurnAway(node, why):
                self.log("join_refused", child=node, reason=why)
            case Notify(reason, seconds, final):
                self._broadcast({"type": "notice", "reason": reason, "seconds": seconds, "final": final})
                self.notify_ranks(reason, seconds, final=final)
            case KillRanks(why):
                self._broadcast({"type": "kill", "why": why, "generation": self._leader.generation})
                self.spawn(self._kill())
            case End(outcome):
                self.end(outcome)

    async def _launch(self, members: tuple[Member, ...]) -> None:
        first = next(iter(self._links.values()), None)
        own = self.settings.address or (first.local_address if first else "127.0.0.1")
        members = tuple(dataclasses.replace(member, address=member.address or own) for member in members)
        self._hosts = {member.address: member.node for member in members}
        generation = self._leader.generation
        if self._mpi is None:
            hosts = [member.address for member in members]
            self.log("launching", launcher="none", ranks=len(members), hosts=_shown(hosts), **self._launched(members))
            self._broadcast({"type": "start", "hosts": hosts})
            self.run_once_per_node(hosts)
            return
        mpi, path = await self._mpi
        if generation != self._leader.generation:  # a node was lost while mpirun was looked for
            return
        plan = self._plan(path, members, own)
        hosts_path = self.directory / "hosts"
        hosts_path.write_text(launch.hosts_file(mpi, plan.hosts))
        argv = launch.arguments(mpi, plan, str(hosts_path))
        fabric = "efa" if plan.efa else f"tcp over {plan.subnet}"
        told = {"hosts": _shown(list(self._hosts)), "fabric": fabric, **self._launched(members), "command": shlex.join(argv)}
        self.log("launching", launcher=mpi, ranks=plan.ranks, **told)
        env = {**self.environ, **launch.variables(mpi, plan, self.environ), contract.MAIN_VARIABLES: ":".join(self.environ)}
        self.processes.start(argv, env, lambda code: self._feed(LauncherExited(code, generation)))

    def _launched(self, _: tuple[Member, ...]) -> dict[str, object]:
        """What else is to be said of a launch."""
        return {}

    def _plan(self, path: str, members: tuple[Member, ...], own: str) -> launch.Plan:
        try:
            interface, subnet = interface_of(own)
        except OSError as error:
            raise Misconfigured(str(error)) from error
        return launch.Plan(
            mpirun=path,
            hosts=tuple(launch.Host(member.address, member.hostname, member.ranks) for member in members),
            shim=str(self._write_shim()),
            command=self.wrapped(self.settings.command),
            cpus_per_rank=self.settings.cpus_per_rank,
            cpus=len(os.sched_getaffinity(0)),
            efa=self.settings.fabric == "efa" and Path("/dev/infiniband/uverbs0").exists(),
            subnet=subnet,
            interface=interface,
            root=os.geteuid() == 0,
        )

    def _write_shim(self) -> Path:
        """A program file that mpirun can start: the script itself is not executable once installed from a wheel."""
        if os.statvfs(self.directory).f_flag & os.ST_NOEXEC:
            raise Misconfigured(f"programs cannot be started from {self.directory} (noexec), as mpirun must; set TMPDIR")
        shim = self.directory / "shim"
        script = Path(launch.__file__).with_name("shim.py")
        shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -ISu "{script}" "$@"\n')
        shim.chmod(0o700)
        return shim

    async def run_elsewhere(self, host: str, command: str, peer: node_socket.Peer) -> int:
        node = self._hosts.get(host)
        if node == self.settings.node:
            return await self._run_on_this_node(command, peer)
        if node is None or node not in self._links:
            return 255
        number, exited = next(self._numbers), asyncio.get_running_loop().create_future()
        self._commands[number] = (node, peer, exited)
        link = self._links[node]
        link.send({"type": "run", "id": number, "command": command})
        try:
            code = await _unless_gone(exited, peer)
        finally:
            self._commands.pop(number, None)
        if code is None:
            link.send({"type": "hangup", "id": number})
        return 255 if code is None else code

    async def _run_on_this_node(self, command: str, peer: node_socket.Peer) -> int:
        async def output(fd: int, data: bytes) -> None:
            await peer.send("output", str(fd), data)

        return await self.run_here(command, output, lambda _: None)

    def _count(self, node: int, started: int, ended: int, failed: Iterable[tuple[int, int]], generation: int) -> None:
        failures = tuple(RankExit(node, rank, code) for rank, code in failed)
        self._feed(RanksReported(node, started, ended, failures, generation))
        if self._mpi is None and self._leader.tally.all_ended:
            self._feed(LauncherExited(0, generation))  # without a launcher, the last rank's end is the launcher's

    async def _kill(self) -> None:
        if self._mpi:
            self._mpi.cancel()  # its mpirun --version is about to be killed
        await self.processes.kill_all()
        if self._mpi is None:
            self._feed(LauncherExited(0, self._leader.generation))

    def _broadcast(self, message: Message) -> None:
        for link in self._links.values():
            link.send(message)

    async def farewell(self, outcome: Outcome) -> None:
        if not self._links:
            self._all_gone.set()
        self._broadcast({"type": "end", "code": outcome.code, "why": outcome.why})
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FAREWELL_TIME):
                await self._all_gone.wait()
        for link in self._links.values():
            link.close()
        if self._server:
            self._server.close()


def _member(node: int, link: Link, hello: Message) -> Member:
    return Member(node, link.remote_address, str(hello["hostname"]), int(hello["ranks"]), int(hello.get("attempt", 1)))


def _shown(hosts: list[str]) -> str:
    """The hosts of a log line: all of a few, the first of many."""
    more = f" and {len(hosts) - 8} more" if len(hosts) > 8 else ""
    return ",".join(hosts[:8]) + more


async def _unless_gone(exited: asyncio.Future[int], peer: node_socket.Peer) -> int | None:
    """The exit code of a command; None if the shim that asked for it is gone first."""
    gone = asyncio.get_running_loop().create_task(peer.receive())
    try:
        waiting: tuple[asyncio.Future[Any], ...] = (exited, gone)
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        return exited.result() if exited.done() else None
    finally:
        gone.cancel()


async def _watch(task: asyncio.Task[Any]) -> None:
    await task
