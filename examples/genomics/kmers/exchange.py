"""Super-k-mers to the ranks that count them, while the next text is scanned. Takes ``comm``; nothing here imports MPI.

In each round every rank sends what it found, grouped by owner, with one `Ialltoallv` that proceeds in the background. A rank holds
two rounds of records to send (one being sent, one being made) and all that it received: about 1.6 bytes a k-mer at k = 31.
"""

from __future__ import annotations

import numpy as np

from examples.genomics.kmers.bins import Assignment, Numbers
from examples.genomics.kmers.superkmers import Grouped, Records
from examples.workload.communicator import Communicator, Request, wait_idly


class Received:
    """The records of a rank's own bins, round by round.

    Attributes:
        places: how many bins the rank has.
        words: of a record.
    """

    def __init__(self, places: int, words: int) -> None:
        self.places, self.words = places, words
        self._rounds: list[tuple[Records, list[list[int]]]] = []  # offsets of the places, and the end, for each source
        self._sizes = np.zeros(places, np.int64)

    def add(self, records: Records, sizes: Numbers) -> None:
        """Takes over an array of records: those of source 0, grouped by place, then those of source 1, ...

        Args:
            records: (n, words).
            sizes: (sources, places) how many there are of each.
        """
        offsets = np.zeros((len(sizes), self.places + 1), np.int64)
        np.cumsum(sizes, axis=1, out=offsets[:, 1:])
        totals = offsets[:, -1]
        self._rounds.append((records, (offsets + (np.cumsum(totals) - totals)[:, None]).tolist()))
        self._sizes += sizes.sum(axis=0)

    def parts(self, place: int) -> list[Records]:
        """The records of one bin, in pieces."""
        return [
            records[offsets[place] : offsets[place + 1]]
            for records, sources in self._rounds
            for offsets in sources
            if offsets[place] < offsets[place + 1]
        ]

    def sizes(self) -> Numbers:
        """(places,) how many records each bin has."""
        return self._sizes.copy()

    def merged(self) -> Records:
        """All records in one array, by place; what was held in rounds before is let go."""
        sizes = self.sizes()
        nothing = np.empty((0, self.words), np.uint64)
        records = np.concatenate([nothing, *[part for place in range(self.places) for part in self.parts(place)]])
        self._rounds.clear()
        self._sizes[:] = 0
        self.add(records, sizes[None, :])
        return records


class Exchange:
    """Sends each round's records to the owners of their bins.

    Attributes:
        received: what came in; whole after `finish`.
        sent: bytes of records that this rank sent to others.
    """

    def __init__(self, comm: Communicator, assignment: Assignment, received: Received) -> None:
        self.received, self.sent = received, 0
        self._comm, self._first = comm, assignment.first
        self._pending: tuple[Request, Grouped, Records, Numbers] | None = None
        self._rooms = [np.empty((0, received.words), np.uint64)] * 2

    def room(self, count: int) -> Records:
        """An array for the records of the next round: not the one that is being sent. A single rank keeps what it scans."""
        if self._comm.size == 1:
            return np.empty((count, self.received.words), np.uint64)
        self._rooms.reverse()
        if len(self._rooms[0]) < count:
            self._rooms[0] = np.empty((count + count // 8, self.received.words), np.uint64)
        return self._rooms[0][:count]

    def send(self, grouped: Grouped) -> None:
        """Begin to send a round's records, in the order of places; collective. What was sent before has arrived."""
        if self._comm.size == 1:
            self.received.add(grouped.records, grouped.sizes()[None, :])
            return
        comm, words, places = self._comm, self.received.words, self.received.places
        wait_idly(comm.Ibarrier())  # others may still scan
        incoming = np.empty(comm.size * places, np.int64)
        comm.Alltoallv([grouped.sizes(), np.diff(self._first).tolist()], [incoming, [places] * comm.size])
        self.finish()
        sizes = incoming.reshape(comm.size, places)
        arriving = sizes.sum(axis=1)
        leaving = np.diff(grouped.offsets[self._first])
        self.sent += 8 * words * int(leaving.sum() - leaving[comm.rank])
        records = np.empty((int(arriving.sum()), words), np.uint64)
        request = comm.Ialltoallv(
            [grouped.records.reshape(-1), (leaving * words).tolist()], [records.reshape(-1), (arriving * words).tolist()]
        )
        self._pending = request, grouped, records, sizes

    def proceed(self) -> None:
        """Lets MPI move what is under way: most libraries do so only when they are called."""
        if self._pending:
            self._pending[0].Test()

    def finish(self) -> None:
        """Wait until what is under way has arrived; collective."""
        if self._pending:
            request, _, records, sizes = self._pending
            wait_idly(request)
            self._pending = None
            self.received.add(records, sizes)
