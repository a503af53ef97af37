"""A child node: joins the main node, runs what mpirun needs there, and ends when the main node says so, or is gone."""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Callable
from pathlib import Path

from batchhpc.agent import contract, node_socket
from batchhpc.agent.node import Node, hang_up
from batchhpc.agent.outcome import Outcome
from batchhpc.agent.session import ChildSession, Message, WrongSecret
from batchhpc.agent.settings import Settings
from batchhpc.agent.transport import Heartbeat, Link, connect, connect_in_time, how_closed

_PATIENCE = 1.0  # seconds that the main node may take beyond a stop's time, for its word is the job's


class ChildNode(Node):
    """A node that is not the main node."""

    def __init__(self, settings: Settings, environ: dict[str, str], directory: Path) -> None:
        super().__init__(settings, environ, directory)
        self._link: Link | None = None
        self._running: dict[int, int] = {}  # the main node's number of a command -> its process
        self._heartbeat = Heartbeat(settings.lost_after, self._silent)
        self._answers: dict[str, Callable[[Message], None]] = {
            "run": self._run,
            "hangup": self._hangup,
            "start": self._start,
            "notice": lambda message: self.notify_ranks(message["reason"], message["seconds"], final=message["final"]),
            "kill": self._kill,
            "end": lambda message: self.end(Outcome(message["code"], message["why"])),
        }

    async def start(self) -> None:
        self.spawn(self._heartbeat.run())
        self.spawn(self._join())

    async def _join(self) -> None:
        of = self.settings
        assert of.main_address
        about = {"hostname": socket.gethostname(), "ranks": self.ranks.expected}
        self.log("connecting", main=of.main_address, timeout=f"{of.join_timeout:g}s")
        try:
            async with asyncio.timeout(of.join_timeout):
                self._link = await connect_in_time(lambda: self._connect(of.main_address or "", about, self._closed))
        except TimeoutError:
            why = f"the main node, node {of.main_node} at {of.main_address}, did not answer within {of.join_timeout:g} s"
            self.end(Outcome(contract.EXIT_INFRASTRUCTURE, why))
        except WrongSecret as error:
            self.end(Outcome(contract.EXIT_MISCONFIGURED, f"{error} (node {of.main_node} at {of.main_address})"))
        else:
            self._heartbeat.links.add(self._link)
            self.log("joined", main=of.main_address)

    async def _connect(self, address: str, about: Message, on_lost: Callable[[Link, Exception | None], None]) -> Link:
        of = self.settings
        session = ChildSession(of.key, secrets.token_hex(16), of.node, about)
        return await connect(address, contract.PORT, of.address, session, self._told, on_lost)

    def _closed(self, _: Link, error: Exception | None) -> None:
        self._lost(how_closed(error))

    @property
    def generation(self) -> int:
        """That the ranks of this node belong to; there is one only, but in gangs."""
        return 1

    def report_ranks(self) -> None:
        if self._link:
            ranks = self.ranks
            counts = {"started": ranks.started, "ended": ranks.ended, "failed": ranks.take_failed()}
            self._link.send({"type": "ranks", **counts, "generation": self.generation})

    def stop_requested(self, reason: str, seconds: float, *, final: bool) -> None:
        if self._link:
            self._link.send({"type": "stop", "reason": reason, "seconds": seconds, "final": final})
        if final:  # in case the main node does not answer any more
            outcome = Outcome(contract.EXIT_STOPPED, f"stopped: {reason}")
            asyncio.get_running_loop().call_later(seconds + _PATIENCE if self._link else 0, self.end, outcome)

    async def run_elsewhere(self, host: str, command: str, peer: node_socket.Peer) -> int:
        raise NotImplementedError(f"mpirun runs on the main node, but asked node {self.settings.node} for {host}")

    async def farewell(self, outcome: Outcome) -> None:  # noqa: ARG002 - the main node alone announces it
        if self._link:
            self._link.close()

    def _told(self, _: Link, message: Message) -> None:
        self._answers[message["type"]](message)

    def _silent(self, link: Link) -> None:
        link.abort()
        self._lost(f"silent for {self.settings.lost_after:g} s")

    def _lost(self, how: str) -> None:
        if not self.done.done():
            main = self.settings.main_node
            self.log("node_lost", lost=main, how=how)
            self.end(Outcome(contract.EXIT_INFRASTRUCTURE, f"lost the main node, node {main} ({how})"))

    def _run(self, message: Message) -> None:
        self.spawn(self._run_command(message["id"], message["command"]))

    async def _run_command(self, number: int, command: str) -> None:
        assert self._link
        link = self._link

        async def output(fd: int, data: bytes) -> None:
            link.send({"type": "output", "id": number, "fd": fd, "data": data.decode("latin-1")})

        code = await self.run_here(command, output, lambda pid: self._running.update({number: pid}))
        self._running.pop(number, None)
        link.send({"type": "exit", "id": number, "code": code})

    def _hangup(self, message: Message) -> None:
        if pid := self._running.get(message["id"]):
            hang_up(pid)

    def _start(self, message: Message) -> None:
        self.run_once_per_node(message["hosts"])

    def _kill(self, message: Message) -> None:
        self.log("stopping", reason=message["why"])
        self.spawn(self.processes.kill_all())
