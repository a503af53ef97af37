"""Child 0 of a gang: what `main_node` does, as often as nodes are lost, and with a record that says how the gang stands."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from batchhpc.agent import contract, node_socket
from batchhpc.agent.events import (
    Action,
    Broken,
    Checkpointed,
    End,
    Event,
    Joined,
    KillRanks,
    Launch,
    LauncherExited,
    Look,
    Member,
    RanksGone,
    TurnAway,
    Write,
)  # fmt: skip
from batchhpc.agent.gang import GangLeader, Waits, gone
from batchhpc.agent.main_node import MainNode
from batchhpc.agent.outcome import Outcome
from batchhpc.agent.record_keeper import RecordKeeper
from batchhpc.agent.record_store import open_store
from batchhpc.agent.rendezvous import Phase
from batchhpc.agent.session import Message
from batchhpc.agent.settings import Settings
from batchhpc.agent.stop import Stop
from batchhpc.agent.transport import Link
from batchhpc.errors import AgentError, InfrastructureFailure


class GangLeaderNode(MainNode):
    """The node that leads a gang."""

    _leader: GangLeader

    def __init__(self, settings: Settings, environ: dict[str, str], directory: Path) -> None:
        super().__init__(settings, environ, directory)
        assert settings.gang
        records, job = settings.gang.records, settings.job_id
        self._keeper = RecordKeeper(lambda: open_store(records, job), settings.attempt, self._feed)
        self._stop = Stop(settings.node, settings.gang.time_limit)
        self._quiet = False
        self._leaving_for = ""  # why this node was told to stop, if it was

    def _new_leader(self, me: Member, failure_grace: float) -> GangLeader:
        of = self.settings
        assert of.gang
        waits = Waits(of.join_timeout, of.gang.reform_timeout, of.gang.min_nodes_after)
        return GangLeader(me, of.nodes, of.gang.min_nodes, waits, of.lost_after, failure_grace)

    async def start(self) -> None:
        super().spawn(self._keeper.run())  # whatever is wrong with the record cannot be recorded
        self.spawn(self._keeper.watch())
        await super().start()

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        super().spawn(self._or_broken(work))

    async def _or_broken(self, work: Coroutine[Any, Any, Any]) -> None:
        """What cannot be helped is recorded, so that no other node waits for it: a wrong image, or a bug of ours."""
        try:
            await work
        except InfrastructureFailure:
            raise
        except AgentError as error:
            self._feed(Broken(Outcome(error.exit_code, str(error))))
        except Exception as error:  # noqa: BLE001 - nobody above could record it
            traceback.print_exc()
            self._feed(Broken(Outcome(contract.EXIT_INTERNAL, f"a bug in the agent: {type(error).__name__}: {error}")))

    # --- events in

    def _feed(self, event: Event) -> None:
        if not self.done.done():  # what ranks say while they are being ended at this node's end decides nothing
            super()._feed(event)

    def _admit(self, link: Link, member: Member, hello: Message) -> None:
        if self._leader.phase is Phase.CLAIMING or self.done.done():
            link.close()  # it does not lead yet, or any more: the record will tell who does
            return
        if hello["address"] != member.address:
            why = (
                f"node {member.node} says its address is {hello['address']}, but connects from {member.address}: its container has"
                " a network of its own, in which the other nodes cannot reach it (R62); it must run with the host's network"
            )
            self._feed(Broken(Outcome(contract.EXIT_MISCONFIGURED, why)))
        actions = self._leader.receive(Joined(member))
        if any(isinstance(action, TurnAway) for action in actions):
            self._turn_away(link, actions)
            return
        if old := self._links.pop(member.node, None):
            self._heartbeat.links.discard(old)
            old.abort()
            self._give_up_commands(member.node)
        self._links[member.node] = link
        self._heartbeat.links.add(link)
        link.send({"type": "welcome", "generation": self._leader.generation})
        self._perform(actions)

    def checkpointed(self, step: int) -> None:
        self._feed(Checkpointed(step, self._leader.generation))

    def stop_requested(self, reason: str, seconds: float, *, final: bool) -> None:
        request = self._stop.request(reason, seconds, final=final)
        self._feed(request)
        if request.leaving:
            self._leaving_for = reason
            asyncio.get_running_loop().call_later(seconds if self.ranks.pids else 0.0, self._go)

    def _go(self) -> None:
        """Leaves the gang to whoever replaces this node."""
        self._quiet = True
        self.end(gone(self._leaving_for))

    # --- actions out

    def _carry_out(self, action: Action) -> None:
        match action:
            case Look():
                self._keeper.look()
            case Write(record):
                self._keeper.write(record)
            case Launch():
                self.begin_generation(self._leader.generation)
                super()._carry_out(action)
            case KillRanks(why):
                self._broadcast({"type": "kill", "why": why, "generation": self._leader.generation})
                self.spawn(self._clear(self._leader.generation))
            case End(_, quiet):
                self._quiet = quiet
                super()._carry_out(action)
            case _:
                super()._carry_out(action)

    async def _clear(self, generation: int) -> None:
        if self._mpi and not self._mpi.done():
            await asyncio.wait([self._mpi])  # what it starts must not be killed: the next generation needs its answer
        await self.end_processes()
        if self._mpi is None:
            self._feed(LauncherExited(0, generation))
        self.log("ranks_gone", generation=generation)
        if self._leaving_for:
            self._go()
        self._feed(RanksGone(self.settings.node, generation))

    def _launched(self, members: tuple[Member, ...]) -> dict[str, object]:
        return {"generation": self._leader.generation, "nodes": ",".join(str(member.node) for member in members)}

    async def run_elsewhere(self, host: str, command: str, peer: node_socket.Peer) -> int:
        if self._leader.phase is not Phase.RUNNING:
            return 255
        return await super().run_elsewhere(host, command, peer)

    async def farewell(self, outcome: Outcome) -> None:
        if self._quiet or self._leader.phase is not Phase.ENDED:  # not recorded: the others go on with the next leader
            for link in self._links.values():
                link.close()
            self._links.clear()
        await super().farewell(outcome)
