"""All inputs, in rounds: each rank's text of each round."""

from __future__ import annotations

from dataclasses import asdict
from itertools import pairwise
from typing import Any

import numpy as np

from examples.genomics.sequences import fasta, fastq
from examples.genomics.sequences.inputs import Format, Input, Packing
from examples.genomics.sequences.lines import NEWLINE
from examples.genomics.sequences.schedule import Chunk, Schedule, Stream
from examples.genomics.sequences.tally import Tally, Text
from examples.genomics.sequences.windows import BgzfWindow, Buffer, GzipStream, PlainWindow
from examples.workload.communicator import Communicator
from examples.workload.errors import Malformed

_BREAK = np.full(1, NEWLINE, np.uint8)


class Reader:
    """Reads what the schedule says.

    Attributes:
        tally: what this rank has read.

    Args:
        comm: the ranks.
        schedule: the same on all ranks; it goes on with each round.
        k: windows of so many letters are looked at, so text that is cut in the middle of a sequence overlaps by k - 1.
    """

    def __init__(self, comm: Communicator, schedule: Schedule, k: int) -> None:
        self.tally = Tally()
        self._comm, self._schedule, self._k = comm, schedule, k
        self._buffer = Buffer()
        self._stream: GzipStream | None = None

    def next_round(self) -> Text | None:
        """This rank's text of the next round, which is overwritten by the one after; None on all ranks at the end; collective.

        Each window of k letters is in one text of one rank. Whatever is none of A, C, G, T in either case separates.

        Raises:
            Malformed: with file, record and line.
        """
        comm, schedule = self._comm, self._schedule
        work, readers = schedule.round_of(comm.rank, comm.size)
        if not readers:
            return None
        text, progress = _BREAK, dict[int, dict[str, Any] | None]()
        if isinstance(work, Stream):
            try:
                text, progress[work.number] = self._read_on(work)
            except Malformed:
                self.close()
                raise
        elif work:
            text = self._read_chunk(work)
        if schedule.has_streams:
            for other in comm.allgather(progress):
                progress.update(other)
        schedule.advance(comm.size, progress)
        return _deal(comm, text, self._k) if 2 * readers <= comm.size else text

    def close(self) -> None:
        """Reads no further, though there may be more."""
        if self._stream:
            self._stream.close()
            self._stream = None

    def _read_chunk(self, chunk: Chunk) -> Text:
        item = chunk.input
        kind = PlainWindow if item.packing is Packing.PLAIN else BgzfWindow
        window = kind(item, self._buffer, chunk.start, chunk.stop)
        self.tally.consumed += chunk.stop - chunk.start
        if item.format is Format.FASTA:
            return fasta.read_chunk(item, window, self._k, self.tally)
        return fastq.read_chunk(item, window, self.tally, is_first=chunk.start == 0)

    def _read_on(self, work: Stream) -> tuple[Text, dict[str, Any] | None]:
        """The next text of a stream, and how far it has been read then; None: to its end."""
        progress = work.progress or {"offset": 0}
        stream = self._stream = self._stream or GzipStream(work.input, progress["offset"])
        self.tally.consumed += stream.fill(self._schedule.chunk)
        if work.input.format is Format.FASTQ:
            used, text = self._read_records(work.input, stream)
            after: dict[str, Any] = {}
        else:
            used = stream.buffer.size
            spot = fasta.Spot(**progress["spot"]) if "spot" in progress else fasta.Spot()
            text, spot = fasta.read_on(work.input, stream, spot, self.tally)
            tail = np.frombuffer(progress.get("tail", "").encode(), np.uint8)
            text = np.concatenate((tail, text))
            kept = text[max(0, len(text) - self._k + 1) :].tobytes().decode()
            after = {"tail": kept, "spot": asdict(spot)}
            text = np.concatenate((text, _BREAK))
        stream.drop(used)
        if stream.at_end:
            self.close()
            return text, None
        return text, {"offset": stream.offset, **after}

    def _read_records(self, item: Input, stream: GzipStream) -> tuple[int, Text]:
        """At least one record, if the stream is not at its end: one may be longer than what is read in a round."""
        while True:
            used, text = fastq.read_on(item, stream.buffer, stream.offset, self.tally, is_last=stream.at_end)
            if used or stream.at_end:
                return used, text
            self.tally.consumed += stream.fill(self._schedule.chunk)


def _deal(comm: Communicator, text: Text, k: int) -> Text:
    """Where most ranks read nothing (few gzip files): an equal part of every rank's text for each, each part with what overlaps."""
    bounds = [len(text) * rank // comm.size for rank in range(comm.size + 1)]
    parts = [np.concatenate((text[start : stop + k - 1], _BREAK)) for start, stop in pairwise(bounds)]
    arriving = comm.alltoall([len(part) for part in parts])
    incoming = np.empty(sum(arriving), np.uint8)
    comm.Alltoallv([np.concatenate(parts), [len(part) for part in parts]], [incoming, arriving])
    return incoming
