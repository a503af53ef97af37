"""Reads and writes a gang's record for a state machine, one thing after the other, beside everything else its node does."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable

from batchhpc.agent.events import Event, Looked, Unread, Unwritten, Written
from batchhpc.agent.record import Record
from batchhpc.agent.record_store import RecordChanged, RecordStore, RecordUnavailable

WATCH = 10.0  # seconds between two looks of a leader at whether it still leads
PATIENCE = 120.0  # seconds that the record may be out of reach
_PAUSE, _LONGEST_PAUSE = 0.2, 5.0  # seconds between two tries


class RecordKeeper:
    """What a node does with its gang's record.

    Args:
        open_store: gives the store; it may block.
        attempt: of this node; a record that this attempt of the leader wrote itself is not somebody else's.
        hear: takes `Looked` or `Unread`, and `Written`, `Looked` or `Unwritten`.
    """

    def __init__(self, open_store: Callable[[], RecordStore], attempt: int, hear: Callable[[Event], None]) -> None:
        self._open, self._attempt, self._hear = open_store, attempt, hear
        self._store: RecordStore | None = None
        self._orders: asyncio.Queue[Record | None] = asyncio.Queue()
        self._version: str | None = None

    def look(self) -> None:
        """Reads the record, after what was ordered before."""
        self._orders.put_nowait(None)

    def write(self, record: Record) -> None:
        """Writes the record, after what was ordered before, unless somebody else has changed it."""
        self._orders.put_nowait(record)

    async def watch(self) -> None:
        """Looks again and again, until cancelled."""
        while True:
            await asyncio.sleep(WATCH)
            self.look()

    async def run(self) -> None:
        """Does what is ordered, until cancelled.

        Raises:
            Misconfigured: the record cannot be reached, and never will be.
        """
        while True:
            record = await self._orders.get()
            self._hear(await self._carry_out(record))

    async def _carry_out(self, record: Record | None) -> Event:
        """What came of one order. A store that cannot be reached is tried again for a while."""
        loop = asyncio.get_running_loop()
        until, pause, mark = loop.time() + PATIENCE, _PAUSE, uuid.uuid4().hex
        while True:
            try:
                return await (self._look() if record is None else self._write(record, mark))
            except RecordUnavailable as error:
                if loop.time() > until:
                    why = f"{error}, for {PATIENCE:g} s"
                    return Unread(why) if record is None else Unwritten(why)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _look(self) -> Looked:
        store = await self._opened()
        record, version = await asyncio.to_thread(store.read)
        self._take(record, version)
        return Looked(record)

    async def _write(self, record: Record, mark: str) -> Event:
        store = await self._opened()
        while True:
            try:
                self._version = await asyncio.to_thread(store.write, record, self._version, mark)
            except RecordChanged:
                found, version = await asyncio.to_thread(store.read)
                self._take(found, version)
                if found and found.leader_attempt != self._attempt:
                    return Looked(found)
                # It is gone, or of our own hand.
            else:
                return Written(record)

    def _take(self, record: Record | None, version: str | None) -> None:
        """What the next write must find. Never a newer leader's record: a write that is ordered already must not hit it."""
        if record is None or record.leader_attempt <= self._attempt:
            self._version = version

    async def _opened(self) -> RecordStore:
        if self._store is None:
            self._store = await asyncio.to_thread(self._open)
        return self._store
