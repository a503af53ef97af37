"""A child of a gang that does not lead: finds its leader in the record, again whenever it was lost."""

from __future__ import annotations

import asyncio
import random
import socket
from functools import partial
from pathlib import Path

from batchhpc.agent import contract
from batchhpc.agent.child_node import ChildNode
from batchhpc.agent.events import (
    Action,
    Connect,
    Connected,
    Disconnected,
    End,
    EndTold,
    Event,
    KillRanks,
    KillTold,
    Log,
    Look,
    RanksGone,
    StartTimer,
    TellRanksGone,
    Timer,
    TimerFired,
)  # fmt: skip
from batchhpc.agent.follower import Follower
from batchhpc.agent.gang import gone
from batchhpc.agent.outcome import Outcome
from batchhpc.agent.record_keeper import RecordKeeper
from batchhpc.agent.record_store import open_store
from batchhpc.agent.session import Message, SessionError
from batchhpc.agent.settings import Settings
from batchhpc.agent.stop import Stop
from batchhpc.agent.transport import Link, how_closed

_CONNECT_TIME = 3.0  # seconds for a leader to let this node in; one that is gone may not even refuse


class GangChildNode(ChildNode):
    """A node that follows whoever leads its gang."""

    def __init__(self, settings: Settings, environ: dict[str, str], directory: Path) -> None:
        super().__init__(settings, environ, directory)
        assert settings.gang
        records, job = settings.gang.records, settings.job_id
        self._follower = Follower(settings.node, settings.join_timeout, settings.gang.reform_timeout)
        self._keeper = RecordKeeper(lambda: open_store(records, job), settings.attempt, self._feed)
        self._stop = Stop(settings.node, settings.gang.time_limit)
        self._last_word: Outcome | None = None  # how this node ends, once it was told to stop
        self._welcomed: asyncio.Future[None] | None = None
        self._answers |= {
            "welcome": self._welcome,
            "kill": lambda message: self._feed(KillTold(message["why"], message["generation"])),
            "end": lambda message: self._feed(EndTold(Outcome(message["code"], message["why"]))),
        }

    async def start(self) -> None:
        self.spawn(self._heartbeat.run())
        self.spawn(self._keeper.run())
        self._perform(self._follower.start())

    @property
    def generation(self) -> int:
        """That the ranks of this node belong to."""
        return self._follower.generation

    def _feed(self, event: Event) -> None:
        self._perform(self._follower.receive(event))

    def _perform(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Log(event, fields):
                    self.log(event, **fields)
                case StartTimer(timer, seconds):
                    spread = random.uniform(0.5, 1.5) if timer is Timer.LOOK else 1.0  # noqa: S311 - children that lost one leader at once
                    self.start_timer(timer, seconds * spread, partial(self._feed, TimerFired(timer, self._follower.search)))
                case Look():
                    self._keeper.look()
                case Connect(address):
                    self.spawn(self._ask_in(address))
                case KillRanks(why):
                    self.log("stopping", reason=why)
                    self.spawn(self._clear(self.generation))
                case TellRanksGone(generation) if self._link:
                    self._link.send({"type": "ranks_gone", "generation": generation})
                case End(outcome):
                    self.end(outcome)

    # --- the leader

    async def _ask_in(self, address: str) -> None:
        """Connects to a leader, once, and waits to be let in."""
        of = self.settings
        loop = asyncio.get_running_loop()
        about = {"hostname": socket.gethostname(), "ranks": self.ranks.expected, "attempt": of.attempt, "address": of.address}
        self._welcomed = loop.create_future()
        link: Link | None = None
        try:
            async with asyncio.timeout(_CONNECT_TIME):
                link = self._link = await self._connect(address, about, self._link_lost)
                await self._welcomed
        except TimeoutError:
            self._unlink(link)
            self._feed(Disconnected(f"did not let this node in within {_CONNECT_TIME:g} s"))
        except (OSError, SessionError) as error:
            self._feed(Disconnected(str(error)))

    def _told(self, link: Link, message: Message) -> None:
        if link is self._link:  # an older link has nothing to say any more
            super()._told(link, message)

    def _welcome(self, message: Message) -> None:
        """This node is in, from here on and not a turn of the loop later: what it is to run may stand right behind."""
        if self._link and self._welcomed and not self._welcomed.done():
            self._welcomed.set_result(None)
            self._heartbeat.links.add(self._link)
            self.begin_generation(message["generation"])
            self._feed(Connected(message["generation"]))

    def _link_lost(self, link: Link, error: Exception | None) -> None:
        if link is not self._link:
            return
        self._unlink(link)
        if self._welcomed and not self._welcomed.done():
            self._welcomed.set_exception(ConnectionError(how_closed(error)))
        else:
            self._feed(Disconnected(how_closed(error)))

    def _silent(self, link: Link) -> None:
        if link is self._link:
            self._unlink(link)
            self._feed(Disconnected(f"silent for {self.settings.lost_after:g} s"))

    def _unlink(self, link: Link | None) -> None:
        if link:
            self._heartbeat.links.discard(link)
            link.abort()
        self._link = None

    # --- ranks

    async def _clear(self, generation: int) -> None:
        await self.end_processes()
        self._running.clear()
        self.log("ranks_gone", generation=generation)
        if self._last_word:
            self._go()
        if generation == self.generation:
            self.begin_generation(generation)
        self._feed(RanksGone(self.settings.node, generation))

    def stop_requested(self, reason: str, seconds: float, *, final: bool) -> None:
        request = self._stop.request(reason, seconds, final=final)
        if self._link:
            told = {"reason": request.reason, "seconds": seconds, "final": request.final, "leaving": request.leaving}
            self._link.send({"type": "stop", **told})
        if final:  # whether the host goes or the job ends, this node must
            self._last_word = gone(reason) if request.leaving else Outcome(contract.EXIT_STOPPED, f"stopped: {request.reason}")
            asyncio.get_running_loop().call_later(seconds if self.ranks.pids else 0.0, self._go)

    def _go(self) -> None:
        """Leaves the gang; first its link, so that what its ranks say as they are ended is not taken for the job's end."""
        if self._link:
            link, self._link = self._link, None
            self._heartbeat.links.discard(link)
            link.close()
        if self._last_word:
            self.end(self._last_word)
