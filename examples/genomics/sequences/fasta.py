"""Bytes of FASTA to sequences: lines joined, and of each header only its ``>``, which separates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from examples.genomics.sequences.inputs import Input
from examples.genomics.sequences.lines import HEADER, LAST_ASCII, NEWLINE, RETURN, Places, newlines
from examples.genomics.sequences.place import malformed
from examples.genomics.sequences.tally import Tally, Text
from examples.genomics.sequences.windows import LONGEST_HEADER, GzipStream, Window, begins_in_header
from examples.workload.errors import Malformed

_FEW = 1 << 12  # bytes to a header at least, for headers to be taken out one by one


@dataclass(frozen=True, slots=True)
class Spot:
    """Where in a line a text begins."""

    at_line_start: bool = True
    within_header: bool = False


def read_chunk(item: Input, window: Window, k: int, tally: Tally) -> Text:
    """The sequences of a chunk, and the k - 1 letters after it, without which windows at its end would be in no text.

    Raises:
        Malformed: with record and line.
    """
    own = window.buffer.text[: window.inside]
    spot = Spot(*begins_in_header(window)) if len(own) else Spot()
    text, headers, end = join_lines(own, spot)
    _require_ascii(item, own, text, spot, window.offset)
    tally.add(text, headers, len(text) - headers)
    following: Text = np.empty(0, np.uint8)
    if end.within_header:
        _require_end_of_header(item, window)
    while len(own) and len(following) < k - 1:
        if window.buffer.size == window.inside and not window.more():
            break
        following, _, _ = join_lines(window.buffer.text[window.inside :], end)
        if len(following) < k - 1 and not window.more():
            break
    return np.concatenate((text, following[: k - 1], [np.uint8(NEWLINE)]))


def _require_end_of_header(item: Input, window: Window) -> None:
    """A header that goes on behind a chunk must end soon, since other chunks look back for its start only so far."""
    while not (window.buffer.text[window.inside :] == NEWLINE).any() and window.more():
        if window.buffer.size - window.inside > LONGEST_HEADER:
            raise malformed(item, f"a header is longer than {LONGEST_HEADER:,} characters", window.offset() + window.inside)


def read_on(item: Input, stream: GzipStream, spot: Spot, tally: Tally) -> tuple[Text, Spot]:
    """The sequences of what was read of a stream, and where in a line it ends.

    Raises:
        Malformed: with record and line.
    """
    own = stream.buffer.text
    text, headers, end = join_lines(own, spot)
    _require_ascii(item, own, text, spot, lambda: stream.offset)
    tally.add(text, headers, len(text) - headers)
    return text, end


def join_lines(block: Text, spot: Spot) -> tuple[Text, int, Spot]:
    """What of a block is sequence.

    Returns:
        The letters, with a ``>`` for each header that begins in the block; how many do; and where the block ends.
    """
    if not len(block):
        return block, 0, spot
    ends = newlines(block)
    marks = np.flatnonzero(block == HEADER)  # some of these are within headers
    starts = marks[(block[marks - 1] == NEWLINE) | ((marks == 0) & spot.at_line_start)]
    starts = starts[starts > 0] if not spot.at_line_start else starts
    begun = np.concatenate(([0], starts)) if spot.within_header and not spot.at_line_start else starts
    stops = np.append(ends, len(block))[np.searchsorted(ends, begun)]  # the end of each header's line
    end = Spot(bool(block[-1] == NEWLINE), len(begun) > 0 and int(stops[-1]) == len(block))
    if len(begun) * _FEW > len(block):
        return _by_mask(block, starts, begun, stops), len(starts), end
    parts, place = [], 0
    mark = block[:0] if len(begun) > len(starts) else np.array([HEADER], np.uint8)  # one that goes on from before has had its own
    for start, stop in zip(begun.tolist(), stops.tolist(), strict=True):
        parts += [_join(block[place:start]), mark]
        mark, place = np.array([HEADER], np.uint8), stop
    return np.concatenate([*parts, _join(block[place:])]), len(starts), end


def _by_mask(block: Text, starts: Places, begun: Places, stops: Places) -> Text:
    """All headers at once, for files of short sequences."""
    change = np.zeros(len(block) + 1, np.int8)
    change[begun] += 1
    change[stops] -= 1
    keep = np.cumsum(change[:-1], dtype=np.int8) == 0
    keep &= (block != NEWLINE) & (block != RETURN)
    keep[starts] = True
    text: Text = block[keep]
    return text


def _join(block: Text) -> Text:
    """Lines without headers, joined: those of one length by one copy (0.1 ns a byte), others as text (0.3 to 1.3)."""
    ends = newlines(block)
    if len(ends) > 2 and not (block == RETURN).any():
        width = int(ends[1] - ends[0])
        if (np.diff(ends) == width).all():
            rows = block[ends[0] + 1 : ends[-1] + 1].reshape(-1, width)[:, :-1]
            return np.concatenate((block[: ends[0]], rows.reshape(-1), block[ends[-1] + 1 :]))
    return np.frombuffer(block.tobytes().replace(b"\n", b"").replace(b"\r", b""), np.uint8)


def _require_ascii(item: Input, own: Text, text: Text, spot: Spot, offset: Callable[[], int]) -> None:
    """Sequences must be ASCII; headers need not."""
    if text.max(initial=0) <= LAST_ASCII:
        return
    beyond, ends = np.flatnonzero(own > LAST_ASCII), newlines(own)
    line = np.searchsorted(ends, beyond)
    starts = np.concatenate(([0], ends + 1))[line]
    in_header = (own[starts] == HEADER) & ((starts > 0) | spot.at_line_start) | (line == 0) & spot.within_header
    at = int(beyond[~in_header][0])
    raise not_ascii(item, offset() + at, own[at])


def not_ascii(item: Input, offset: int, byte: np.uint8) -> Malformed:
    """The error about a byte that is no letter."""
    return malformed(item, f"byte 0x{byte:02x} is not ASCII", offset)
