"""Who reads what, in rounds.

Plain and BGZF files are cut into *chunks*, numbered over all files; where they are cut does not depend on the number of ranks. A
gzip file that is not BGZF is a *stream*: one rank reads it from its start to its end, a chunk's worth a round. In each round every
rank that has no stream takes the next chunk. So what has been read after a round is always the chunks up to some number and a part
of each stream, whatever the number of ranks, and any number of ranks can go on from there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from examples.genomics.sequences.inputs import Input, Packing

PACKED = 4  # a packed chunk holds about so many times its size of text


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes ``start`` to ``stop`` of a file as it is stored: what begins there is read."""

    input: Input
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Stream:
    """A gzip file that is read on.

    Attributes:
        number: among the streams.
        progress: how far it has been read, as the one who reads it says; {} at its start.
    """

    input: Input
    number: int
    progress: dict[str, Any]


class Schedule:
    """What is to be read, and how far it has been; the same on all ranks.

    Args:
        inputs: the same on all ranks.
        chunk: bytes of text that a rank reads in a round, about.
        state: from an earlier schedule of the same inputs, whose size of chunks goes on; None: from the start.
    """

    def __init__(self, inputs: Sequence[Input], chunk: int, state: dict[str, Any] | None = None) -> None:
        self.chunk = chunk = state["chunk"] if state else chunk
        self._streams = [item for item in inputs if item.packing is Packing.GZIP]
        self._files = [item for item in inputs if item.packing is not Packing.GZIP]
        self._sizes = [chunk if item.packing is Packing.PLAIN else max(1, chunk // PACKED) for item in self._files]
        self._first = [0]  # number of each file's first chunk, and of all
        for item, size in zip(self._files, self._sizes, strict=True):
            self._first.append(self._first[-1] - (-item.size // size))
        self._next: int = state["next"] if state else 0
        self._progress: list[dict[str, Any] | None] = list(state["streams"]) if state else [{} for _ in self._streams]
        self._holders: dict[int, int] = {}  # rank -> its stream

    @property
    def has_streams(self) -> bool:
        """Whether any stream is not at its end; then ranks must tell each other how far they are."""
        return any(progress is not None for progress in self._progress)

    def round_of(self, rank: int, size: int) -> tuple[Chunk | Stream | None, int]:
        """What a rank reads in the next round, and how many ranks read anything."""
        self._hold(size)
        chunks = min(size - len(self._holders), self._first[-1] - self._next)
        number = self._next + sum(other not in self._holders for other in range(rank))
        readers = len(self._holders) + chunks
        if rank in self._holders:
            stream = self._holders[rank]
            return Stream(self._streams[stream], stream, self._progress[stream] or {}), readers
        return (self._chunk(number) if number < self._first[-1] else None), readers

    def advance(self, size: int, streams: dict[int, dict[str, Any] | None]) -> None:
        """A round is over.

        Args:
            size: number of ranks.
            streams: how far each stream of the round is now; None: at its end.
        """
        self._next = min(self._first[-1], self._next + size - len(self._holders))
        for number, progress in streams.items():
            self._progress[number] = progress
        self._holders = {rank: stream for rank, stream in self._holders.items() if self._progress[stream] is not None}

    def state(self) -> dict[str, Any]:
        """What all ranks have read so far, for JSON."""
        return {"chunk": self.chunk, "next": self._next, "streams": list(self._progress)}

    def _hold(self, size: int) -> None:
        """Give streams that nobody reads to ranks that read none."""
        waiting = [number for number, progress in enumerate(self._progress) if progress is not None]
        waiting = [number for number in waiting if number not in self._holders.values()]
        for rank, stream in zip((rank for rank in range(size) if rank not in self._holders), waiting, strict=False):
            self._holders[rank] = stream

    def _chunk(self, number: int) -> Chunk:
        file = next(index for index, first in enumerate(self._first[1:]) if number < first)
        size = self._sizes[file]
        start = (number - self._first[file]) * size
        return Chunk(self._files[file], start, min(start + size, self._files[file].size))
