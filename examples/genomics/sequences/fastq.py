"""Bytes of FASTQ to reads. A record is four lines: ``@`` and a name, the read, ``+`` and anything, as many qualities as bases."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from examples.genomics.sequences.fasta import not_ascii
from examples.genomics.sequences.inputs import Input
from examples.genomics.sequences.lines import AT, LAST_ASCII, NEWLINE, PLUS, RETURN, Places, newlines
from examples.genomics.sequences.place import malformed
from examples.genomics.sequences.tally import Tally, Text
from examples.genomics.sequences.windows import Buffer, Window
from examples.workload.errors import Malformed

_LINES = 4  # of a record
_WASTE = 1.25  # reads are laid out in rows of equal length if these are at most so much longer than the reads


def read_chunk(item: Input, window: Window, tally: Tally, *, is_first: bool) -> Text:
    """The reads of the records that begin in a chunk, each with a separator behind it.

    Raises:
        Malformed: with record and line.
    """
    start = 0 if is_first else record_start(window, 0)
    stop = record_start(window, window.inside)
    if start >= stop:
        return np.full(1, NEWLINE, np.uint8)
    is_last = stop == window.buffer.size and not window.more()
    if is_last:
        _end_last_line(window.buffer)
        stop = window.buffer.size
    used, text = _records(item, window.buffer, (start, stop), window.offset, tally)
    if used < stop and not (is_last and _is_blank(window.buffer.text[used:])):
        # What is left is no whole record; with the lines after it one sees what is wrong with it.
        while _lines_in(window.buffer.text[used:]) < _LINES and window.more():
            pass
        raise _what_is_wrong(item, window.buffer.text[used:], window.offset() + used)
    return text


def read_on(item: Input, buffer: Buffer, offset: int, tally: Tally, *, is_last: bool) -> tuple[int, Text]:
    """The whole records at the start of what was read of a stream: their bytes, and their reads.

    Raises:
        Malformed: with record and line.
    """
    if is_last:
        _end_last_line(buffer)
    used, text = _records(item, buffer, (0, buffer.size), lambda: offset, tally)
    if is_last and not _is_blank(buffer.text[used:]):
        raise _what_is_wrong(item, buffer.text[used:], offset + used)
    return used, text


def record_start(window: Window, offset: int) -> int:
    """The first place after ``offset`` where a record begins; the end of the text if none does.

    A quality may begin with ``@`` as a header does; but two lines after a quality comes a read, which never begins with
    ``+``. So a line is a header exactly if it begins with ``@`` and the next but one with ``+``.
    """
    begins: list[int] = []
    place = offset
    while True:
        line_end = _line_end(window, place)
        if line_end is None or (line_end + 1 == window.buffer.size and not window.more()):
            return window.buffer.size
        place = line_end + 1
        begins = [*begins[-2:], place]
        text = window.buffer.text
        if len(begins) == 3 and text[begins[0]] == AT and text[place] == PLUS:
            return begins[0]


def _line_end(window: Window, place: int) -> int | None:
    """Where the line ends that ``place`` is in; None if the file ends before."""
    looked = place
    while True:
        text = window.buffer.text
        for start in range(looked, len(text), 1 << 12):
            found = np.flatnonzero(text[start : start + (1 << 12)] == NEWLINE)
            if len(found):
                return start + int(found[0])
        looked = len(text)
        if not window.more():
            return None


def _records(item: Input, buffer: Buffer, span: tuple[int, int], offset: Callable[[], int], tally: Tally) -> tuple[int, Text]:
    """The whole records at the start of a part of a buffer: where they end, and their reads.

    Blank lines at the end are no record yet: they may be the end of the file.

    Args:
        item: the file.
        buffer: its text.
        span: the part, which begins with a record.
        offset: gives the bytes of the file's text before the buffer; asked if something is wrong.
        tally: raised by what was read.

    Raises:
        Malformed: for the first record that is wrong.
    """
    first, last = span
    data = buffer.text[first:last]
    ends = newlines(data)
    begun = len(ends) // _LINES
    starts = np.concatenate(([0], ends + 1))[: _LINES * begun]
    if begun and data[starts[-_LINES]] != AT:  # perhaps blank lines at the end
        begun = int(np.count_nonzero(starts[::_LINES] < len(data.tobytes().rstrip())))
    starts, ends = starts[: _LINES * begun], ends[: _LINES * begun]
    if not begun:
        return first, np.empty(0, np.uint8)
    lengths = ends - starts
    if (data[ends - 1] == RETURN).any():  # a line end may be two characters
        lengths -= (data[ends - 1] == RETURN) & (ends > starts)
    reads, qualities = lengths[1::4], lengths[3::4]
    wrong = (data[starts[0::4]] != AT) | (data[starts[1::4]] == PLUS) | (data[starts[2::4]] != PLUS) | (reads != qualities)
    whole = int(ends[-1]) + 1
    if data[:whole].max() > LAST_ASCII:
        line = np.searchsorted(starts, np.flatnonzero(data[:whole] > LAST_ASCII), side="right") - 1
        wrong[line[line % 2 == 1] // _LINES] = True  # names may be any text
    if wrong.any():
        at = int(starts[_LINES * int(np.argmax(wrong))])
        raise _what_is_wrong(item, data[at:], offset() + first + at)
    text = _gather(buffer, first, starts[1::4], reads, data[:whole])
    tally.add(text, begun, int(reads.sum()))
    return first + whole, text


def _what_is_wrong(item: Input, text: Text, offset: int) -> Malformed:
    """The error about the record that a text begins with.

    Args:
        item: the file.
        text: four lines if the file has as many.
        offset: bytes of the file's text before it.
    """
    ends = newlines(text)[:_LINES]
    if len(ends) < _LINES:
        held = len(ends) - text[-2:].tobytes().endswith(b"\n\n")  # without the one that `_end_last_line` added
        return malformed(item, f"the file ends within this record, after {held} of its 4 lines", offset)
    starts = [0, *(ends[:-1] + 1).tolist()]
    lines = [text[start:end].tobytes().removesuffix(b"\r") for start, end in zip(starts, ends.tolist(), strict=True)]
    shown = [line[:20].decode(errors="backslashreplace") for line in lines]
    name, read, plus, quality = lines
    if not name.startswith(b"@"):
        line, what = 0, f"a record must begin with '@', but here is {shown[0]!r}"
    elif read.startswith(b"+"):
        line, what = 1, f"here is {shown[1]!r}, but a read must not begin with '+'"
    elif not plus.startswith(b"+"):
        line, what = 2, f"the line after the read must begin with '+', but here is {shown[2]!r} (a read must be one line)"
    elif len(read) != len(quality):
        line, what = 3, f"the quality has {len(quality)} characters, its read has {len(read)}"
    else:
        at = next(at for line in (1, 3) for at in range(starts[line], int(ends[line])) if text[at] > LAST_ASCII)
        return not_ascii(item, offset + at, text[at])
    return malformed(item, what, offset + starts[line])


def _gather(buffer: Buffer, first: int, starts: Places, reads: Places, data: Text) -> Text:
    """The reads, each with a separator behind it."""
    width = int(reads.max()) + 1
    if width * len(reads) > _WASTE * (int(reads.sum()) + len(reads)):
        return _gather_ragged(data, starts, reads)
    # One index into overlapping windows of the buffer: 0.2 ns a base, where cutting and joining takes 3.
    memory = buffer.padded(width)
    windows = np.ndarray((len(memory) - width + 1,), f"V{width}", memory, strides=(1,))
    text: Text = windows[starts + first].view(np.uint8)
    if int(reads.min()) != width - 1 or (text[width - 1 :: width] != NEWLINE).any():
        np.putmask(text.reshape(-1, width), np.arange(width) >= reads[:, None], NEWLINE)
    return text


def _gather_ragged(data: Text, starts: Places, reads: Places) -> Text:
    """Reads of very different lengths: letter by letter, so linear in what there is, not in the longest."""
    change = np.zeros(len(data) + 1, np.int8)
    change[starts] += 1
    change[starts + reads + 1] -= 1  # with the line end, of which there is one even after an empty read
    text: Text = data[np.cumsum(change[:-1], dtype=np.int8).view(bool)]
    return text


def _lines_in(text: Text) -> int:
    return int(np.count_nonzero(text == NEWLINE))


def _is_blank(rest: Text) -> bool:
    return rest.tobytes().isspace() or not len(rest)


def _end_last_line(buffer: Buffer) -> None:
    """The last line of a file may lack its end, even the empty quality of an empty read; else this is a blank line."""
    buffer.append(b"\n")
