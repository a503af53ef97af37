"""Read, scan, exchange, count: from files to the k-mers of each bin, on all ranks. Takes ``comm``; nothing here imports MPI.

counted = count_bins(comm, inputs, k)
for number, kmers, counts in counted.bins():      # those that this rank owns, by rising number
    ...
counted.scheme, counted.owner                     # minimizer_bins(kmers, counted.scheme), and the rank of each bin
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np

from batchhpc.rank import Checkpoint, notice
from examples.genomics.kmers.bins import MOST, Assignment, Numbers, bins_for, spread
from examples.genomics.kmers.count import Counter
from examples.genomics.kmers.exchange import Exchange, Received
from examples.genomics.kmers.minimizers import Scheme
from examples.genomics.kmers.resume import Saved, load, save
from examples.genomics.kmers.superkmers import Grouped, Scanner, words_of_record
from examples.genomics.kmers.words import Counts, Kmers
from examples.genomics.sequences import Format, Input, Packing, Reader, Schedule, Tally
from examples.workload.communicator import Communicator

CHUNK = 8 << 20
_UNPACKED = 4  # a packed file holds about so many times its size of text


@dataclass(frozen=True, slots=True)
class Keeping:
    """How a run saves its state: where, and every how many seconds."""

    checkpoint: Checkpoint
    every: float


@dataclass(frozen=True, slots=True)
class Counted:
    """What was read, ready to be counted bin by bin.

    Attributes:
        scheme: which k-mer is in which bin.
        assignment: which rank counts which bin.
        received: the records of this rank's bins.
        tally: what was read, by all ranks.
        sent: bytes of records that this rank sent to others.
    """

    scheme: Scheme
    assignment: Assignment
    received: Received
    tally: Tally
    sent: int
    _rank: int
    _counter: Counter

    @property
    def owner(self) -> Numbers:
        """(bins,) the rank that counts each bin."""
        return self.assignment.owner

    def bins(self, start: int = 0, stop: int = MOST) -> Iterator[tuple[int, Kmers, Counts]]:
        """This rank's bins of a range by rising number: number, k-mers in order, how often each occurs. Empty ones are left out."""
        first, last = self.assignment.first[self._rank : self._rank + 2]
        own = self.assignment.order[first:last]
        for place in np.argsort(own).tolist():
            if start <= own[place] < stop and (parts := self.received.parts(place)):
                yield int(own[place]), *self._counter.count(parts)


def scheme_for(inputs: Sequence[Input], k: int) -> Scheme:
    """As many bins as suit the size of the input."""
    text = (
        item.size * (1 if item.packing is Packing.PLAIN else _UNPACKED) // (2 if item.format is Format.FASTQ else 1)
        for item in inputs
    )
    return Scheme(k, bins_for(sum(text)))  # half of a FASTQ file is qualities


def identity(inputs: Sequence[Input], k: int) -> dict[str, str]:
    """What a checkpoint of reading is of: other files, in another order, or another k cannot go on from it."""
    files = {f"input {number}": f"{item.address}, {item.version}" for number, item in enumerate(inputs, 1)}
    return {**files, "k": str(k)}


def count_bins(
    comm: Communicator,
    inputs: Sequence[Input],
    k: int,
    *,
    chunk: int = CHUNK,
    keeping: Keeping | None = None,
    after_round: Callable[[int], None] = lambda _: None,
) -> Counted:
    """Read all inputs and bring each super-k-mer to the rank that counts its bin; collective.

    Args:
        comm: the ranks.
        inputs: from `sequences.inspect`, the same on all ranks.
        k: 1 to `MAX_K`.
        chunk: bytes of text that a rank reads in one round.
        keeping: where to save, and to go on from.
        after_round: told after each round, on all ranks, the bytes of the files that all of them have read so far.
    """
    scheme = scheme_for(inputs, k)
    saved = load(comm, keeping.checkpoint, scheme) if keeping else None
    if saved and comm.rank == 0:
        read, total = saved.state["tally"]["consumed"], sum(item.size for item in inputs)
        print(f"goes on from a checkpoint: {read:,} of {total:,} bytes are read", flush=True)
    schedule = Schedule(inputs, chunk, saved.state["schedule"] if saved else None)
    reader = Reader(comm, schedule, k)
    before = Tally(**saved.state["tally"]) if saved else Tally()
    exchange = Exchange(comm, saved.assignment, saved.received) if saved else None
    assignment = saved.assignment if saved else None
    rounds, scanner = saved.step if saved else 0, Scanner(scheme)

    def keep(*, wait: bool) -> None:
        assert keeping
        assert exchange
        assert assignment
        exchange.finish()
        state = {"schedule": schedule.state(), "tally": asdict(_sum(comm, before, reader.tally))}
        save(comm, keeping.checkpoint, Saved(rounds, assignment, exchange.received, state), wait=wait)

    warned, kept = False, rounds
    while (text := reader.next_round()) is not None:
        if exchange is None or assignment is None:
            grouped = scanner.scan(text)
            assignment = spread(_sum_sizes(comm, grouped), comm.size)
            exchange = Exchange(comm, assignment, Received(_places(assignment, comm.rank), words_of_record(k)))
            grouped = grouped.reordered(assignment.order) if comm.size > 1 else grouped
        else:
            place_of = assignment.place_of if comm.size > 1 or saved else None
            grouped = scanner.scan(text, place_of, exchange.room, exchange.proceed)
        exchange.send(grouped)
        rounds += 1
        after_round(_sum(comm, before, reader.tally).consumed)
        if keeping:
            told = notice(comm) is not None
            if keeping.checkpoint.due(keeping.every, now=told and not warned):
                keep(wait=told)
                kept = rounds
            warned = told
    if exchange is None or assignment is None:  # no rank had any text
        assignment = spread(np.zeros(scheme.bins, np.int64), comm.size)
        exchange = Exchange(comm, assignment, Received(_places(assignment, comm.rank), words_of_record(k)))
    exchange.finish()
    if keeping and kept != rounds:
        keep(wait=True)
    return Counted(scheme, assignment, exchange.received, _sum(comm, before, reader.tally), exchange.sent, comm.rank, Counter(k))


def _places(assignment: Assignment, rank: int) -> int:
    return int(assignment.first[rank + 1] - assignment.first[rank])


def _sum_sizes(comm: Communicator, grouped: Grouped) -> Numbers:
    total = np.empty(len(grouped.offsets) - 1, np.int64)
    comm.Allreduce(grouped.sizes(), total)
    return total


def _sum(comm: Communicator, before: Tally, mine: Tally) -> Tally:
    """What all ranks have read, with what was read before the checkpoint."""
    figures = np.array([getattr(mine, field.name) for field in fields(Tally)], np.int64)
    total = np.empty_like(figures)
    comm.Allreduce(figures, total)
    return Tally(*[int(figure) + getattr(before, field.name) for figure, field in zip(total, fields(Tally), strict=True)])
