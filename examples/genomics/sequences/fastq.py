"""Bytes of FASTQ to reads. A record is four lines: ``@`` and a name, the read, ``+`` and anything, as many qualities as bases."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

import numpy as np

from examples.genomics.sequences.fasta import not_ascii
from examples.genomics.sequences.inputs import Input
from examples.genomics.sequences.lines import AT, LAST_ASCII, NEWLINE, PLUS, RETURN, Places, newlines
from examples.genomics.sequences.place import malformed
from examples.genomics.sequences.tally import Tally, Text
from examples.genomics.sequences.windows import Buffer, Window
from examples.workload.errors import Malformed

_LINES = 4  # of a record
_LONG = 1 << 12  # bases from which on a read is copied on its own
_SPREAD = 16  # reads go together if the longest is a 16th longer than the shortest, and 8 bases
_MOST_LINES = 2 * _LINES  # that are looked at for the start of a record, blank ones aside: there is one in four


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
        _find_fault(item, window, used)
    return text


def _find_fault(item: Input, window: Window, used: int) -> NoReturn:
    """Where the next chunk seems to begin no record ends: one after ``used`` is malformed."""
    while True:
        there_is_more = window.more()
        used, _ = _records(item, window.buffer, (used, window.buffer.size), window.offset, Tally())
        if not there_is_more:
            raise _what_is_wrong(item, window.buffer.text[used:], window.offset() + used)


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

    A quality may begin with ``@`` as a name does, but the line after it is a name; a read begins neither with ``@`` nor with ``+``.
    So a line is a name exactly if it begins with ``@``, the next one with neither, and the next but one with ``+``. Where there is
    none such within a few lines, the file is malformed, and it is left to the chunk before this place to find out.
    """
    lines: list[tuple[int, int]] = []  # place and first letter
    place, looked_at = offset, 0
    while looked_at < _MOST_LINES:
        line_end = _line_end(window, place)
        if line_end is None or (line_end + 1 == window.buffer.size and not window.more()):
            return window.buffer.size
        place = line_end + 1
        lines = [*lines[-2:], (place, int(window.buffer.text[place]))]
        looked_at += lines[-1][1] not in (NEWLINE, RETURN)
        letters = [letter for _, letter in lines]
        if len(lines) == 3 and letters[0] == AT and letters[1] not in (AT, PLUS) and letters[2] == PLUS:
            return lines[0][0]
    return place


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
    begins = data[starts[1::4]]
    wrong = (data[starts[0::4]] != AT) | (begins == AT) | (begins == PLUS) | (data[starts[2::4]] != PLUS) | (reads != qualities)
    whole = int(ends[-1]) + 1
    if data[:whole].max() > LAST_ASCII:
        line = np.searchsorted(starts, np.flatnonzero(data[:whole] > LAST_ASCII), side="right") - 1
        wrong[line[line % 2 == 1] // _LINES] = True  # names may be any text
    if wrong.any():
        at = int(starts[_LINES * int(np.argmax(wrong))])
        raise _what_is_wrong(item, data[at:], offset() + first + at)
    text = _gather(buffer, first, starts[1::4], reads)
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
    elif read.startswith((b"@", b"+")):
        line, what = 1, f"here is {shown[1]!r}, but a read must not begin with '{shown[1][0]}'"
    elif not plus.startswith(b"+"):
        line, what = 2, f"the line after the read must begin with '+', but here is {shown[2]!r} (a read must be one line)"
    elif len(read) != len(quality):
        line, what = 3, f"the quality has {len(quality)} characters, its read has {len(read)}"
    else:
        at = next(at for line in (1, 3) for at in range(starts[line], int(ends[line])) if text[at] > LAST_ASCII)
        return not_ascii(item, offset + at, text[at])
    return malformed(item, what, offset + starts[line])


def _gather(buffer: Buffer, first: int, starts: Places, reads: Places) -> Text:
    """The reads, each with a separator behind it, in order of their lengths.

    Reads of nearly one length are the rows of a table: one index into overlapping windows of the buffer takes 0.2 ns a base, and
    0.9 where lengths differ much; letter by letter it is 5.
    """
    order = np.argsort(reads, kind="stable") if int(reads.max()) != int(reads.min()) else slice(None)
    starts, reads = starts[order] + first, reads[order]
    memory = buffer.padded(_LONG + _LONG // _SPREAD + 16)
    gathered = np.empty(int(reads.sum()) * (_SPREAD + 1) // _SPREAD + 10 * len(reads), np.uint8)
    done = filled = 0
    while done < len(reads) and reads[done] <= _LONG:
        shortest = int(reads[done])
        last = int(np.searchsorted(reads, shortest + shortest // _SPREAD + 8, side="right"))
        width = int(reads[last - 1]) + 1
        windows = np.ndarray((len(memory) - width + 1,), f"V{width}", memory, strides=(1,))
        rows = gathered[filled : filled + (last - done) * width]
        rows[:] = windows[starts[done:last]].view(np.uint8)
        tails = rows.reshape(-1, width)[:, shortest:]
        np.putmask(tails, np.arange(shortest, width) >= reads[done:last, None], NEWLINE)
        filled += len(rows)
        done = last
    for start, length in zip(starts[done:].tolist(), reads[done:].tolist(), strict=True):  # long ones, one by one
        gathered[filled : filled + length] = memory[start : start + length]
        gathered[filled + length] = NEWLINE
        filled += length + 1
    return gathered[:filled]


def _is_blank(rest: Text) -> bool:
    return rest.tobytes().isspace() or not len(rest)


def _end_last_line(buffer: Buffer) -> None:
    """The last line of a file may lack its end, even the empty quality of an empty read; else this is a blank line."""
    buffer.append(b"\n")
