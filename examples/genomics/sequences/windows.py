"""The bytes of a chunk, and those around it, in one buffer that the next chunk uses again."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from typing import Protocol

import numpy as np

from examples.genomics.sequences import bgzf
from examples.genomics.sequences.inputs import Input
from examples.genomics.sequences.lines import HEADER
from examples.genomics.sequences.place import malformed
from examples.genomics.sequences.tally import Text
from examples.workload.errors import Malformed
from examples.workload.files import Source, source

_FURTHER = 1 << 16  # bytes read at first beyond a chunk, or before it
LONGEST_HEADER = 1 << 16  # bytes


class Buffer:
    """Bytes that grow at their end.

    Attributes:
        size: how many there are.
    """

    def __init__(self) -> None:
        self.size = 0
        self._bytes = np.empty(0, np.uint8)

    @property
    def text(self) -> Text:
        """All of them: a view."""
        return self._bytes[: self.size]

    def room(self, more: int) -> Text:
        """Where ``more`` bytes can be written behind the last one; they count once `size` says so."""
        if self.size + more > len(self._bytes):
            larger = np.empty(self.size + more + (self.size + more) // 8, np.uint8)
            larger[: self.size] = self.text
            self._bytes = larger
        return self._bytes[self.size : self.size + more]

    def append(self, data: bytes) -> None:
        """More bytes."""
        self.room(len(data))[:] = np.frombuffer(data, np.uint8)
        self.size += len(data)

    def padded(self, more: int) -> Text:
        """All bytes and ``more`` that may be anything, for windows that reach beyond the end."""
        self.room(more)
        return self._bytes[: self.size + more]


class Window(Protocol):
    """The text of a chunk, and as much of what follows as is wanted.

    Attributes:
        buffer: text of the chunk and, from ``inside`` on, what follows it in the file.
        inside: bytes of the chunk's own text.
    """

    @property
    def buffer(self) -> Buffer: ...
    @property
    def inside(self) -> int: ...

    def more(self) -> bool:
        """Append some of what follows; False at the end of the file."""

    def before(self) -> Iterator[bytes]:
        """What is before the chunk in the file: pieces of text, the nearest first, each as long as all nearer ones."""

    def offset(self) -> int:
        """How many bytes of text the file has before the chunk."""


def _unchanged(item: Input) -> Source:
    """The file, if it is still the one that was inspected."""
    file = source(item.address)
    if file.size != item.size:
        raise Malformed(item.address, f"had {item.size} bytes when the run began, and now has {file.size}")
    if file.version != item.version:
        raise Malformed(item.address, "was written anew after the run began")
    return file


class PlainWindow:
    """A chunk of a file that is stored as it is."""

    def __init__(self, item: Input, buffer: Buffer, start: int, stop: int) -> None:
        self.item, self.buffer, self.inside = item, buffer, stop - start
        self._file, self._start, self._end, self._step = _unchanged(item), start, start, _FURTHER
        buffer.size = 0
        self._read(stop - start)

    def more(self) -> bool:
        wanted = min(self._step, self.item.size - self._end)
        self._read(wanted)
        self._step *= 2
        return wanted > 0

    def before(self) -> Iterator[bytes]:
        end, step = self._start, _FURTHER
        while end:
            start = max(0, end - step)
            yield self._file.read(start, end - start)
            end, step = start, 2 * step

    def offset(self) -> int:
        return self._start

    def _read(self, wanted: int) -> None:
        got = self._file.read_into(self._end, self.buffer.room(wanted).data)
        self.buffer.size += got
        self._end += got
        if got < wanted:
            raise Malformed(self.item.address, f"had {self.item.size} bytes when the run began, and now ends at byte {self._end}")


class BgzfWindow:
    """A chunk of a BGZF file: the members that begin in it."""

    def __init__(self, item: Input, buffer: Buffer, start: int, stop: int) -> None:
        self.item, self.buffer = item, buffer
        self._file = _unchanged(item)
        self._start = bgzf.first_member(self._file, start)
        buffer.size = 0
        for text in self._texts(self._start, stop):
            buffer.append(text)
        self.inside = buffer.size
        self._following = self._texts(bgzf.first_member(self._file, stop), item.size)

    def more(self) -> bool:
        text = next((text for text in self._following if text), b"")  # members may be empty
        self.buffer.append(text)
        return bool(text)

    def before(self) -> Iterator[bytes]:
        end, step = self._start, _FURTHER
        while end:
            start = bgzf.first_member(self._file, max(0, end - step))
            if start < end:
                yield b"".join(self._texts(start, end))
                end = start
            step *= 2

    def offset(self) -> int:
        return bgzf.unpacked_size(self._file, self._start)

    def _texts(self, start: int, stop: int) -> Iterator[bytes]:
        try:
            for _, text in bgzf.members(self._file, start, stop):
                yield text
        except bgzf.Damaged as error:
            raise malformed(self.item, str(error), bgzf.unpacked_size(self._file, error.start)) from None


class GzipStream:
    """A gzip file that is read on; its text comes in pieces.

    Attributes:
        buffer: what was read and is not used up.
        offset: where in the file's text the buffer begins.
    """

    def __init__(self, item: Input, offset: int) -> None:
        self.item, self.buffer, self.offset, self.at_end = item, Buffer(), offset, False
        self._stored = _unchanged(item).stream()
        self._file = gzip.GzipFile(fileobj=self._stored)
        self._consumed = 0
        left = offset
        while left and (part := self._read(min(left, 1 << 20))):
            left -= len(part)
        self._consumed = self._stored.tell() if offset else 0

    def fill(self, wanted: int) -> int:
        """Read so many bytes more, fewer at the end; gives the bytes of the file that this took."""
        while wanted > 0 and not self.at_end:
            part = self._read(wanted)
            self.at_end = not part
            self.buffer.append(part)
            wanted -= len(part)
        before, self._consumed = self._consumed, self.item.size if self.at_end else self._stored.tell()
        return self._consumed - before

    def drop(self, used: int) -> None:
        """The first bytes of the buffer are used up."""
        rest = self.buffer.text[used:].tobytes()
        self.buffer.size = 0
        self.buffer.append(rest)
        self.offset += used

    def close(self) -> None:
        self._file.close()
        self._stored.close()

    def _read(self, wanted: int) -> bytes:
        try:
            return self._file.read(wanted)
        except EOFError:
            self.close()
            raise malformed(self.item, "the gzip stream ends here, before its end mark: the file was cut off") from None
        except (zlib.error, gzip.BadGzipFile) as error:
            self.close()
            raise malformed(self.item, f"the gzip stream is damaged after this line: {error}") from None


def begins_in_header(window: Window) -> tuple[bool, bool]:
    """Of a chunk of FASTA: whether it begins at the start of a line, and whether in the middle of a header."""
    line = b""
    for part in window.before():
        line = part[part.rfind(b"\n") + 1 :] + line
        if b"\n" in part:
            return not line, line.startswith(bytes([HEADER]))
        if len(line) > LONGEST_HEADER:
            return False, False  # the middle of a sequence in one line
    return not line, line.startswith(bytes([HEADER]))
