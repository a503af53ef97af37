"""A share of the input as pieces of text: bases, with a break wherever no k-mer may pass. Memory is bounded.

The lines of a FASTA sequence are joined; a header leaves its ``>`` behind, which breaks. A FASTQ read keeps its line end,
which breaks. A sequence may be longer than a piece, and a share may end within a sequence. In both cases a piece is
followed by the k - 1 characters that come next: each window is then in exactly one piece, the one its first base is in.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from examples.genomics.kmers.kernel import Text, count_bases
from examples.genomics.kmers.malformed import Malformed, open_text, place_of
from examples.genomics.kmers.shares import Format, Input, Share

_NEWLINE, _RETURN, _HEADER, _AT, _PLUS = b"\n\r>@+"
_LAST_ASCII = 127
_EMPTY = np.empty(0, np.uint8)
_LOOK_AHEAD = 1 << 14  # bytes read at a time to find the k - 1 characters after a share


@dataclass(slots=True)
class Tally:
    """What was read so far.

    Attributes:
        sequences: FASTA sequences or FASTQ reads.
        bases: characters of sequence, whatever they are.
        invalid: those that are not A, C, G or T.
        consumed: bytes of the files as they are stored.
    """

    sequences: int = 0
    bases: int = 0
    invalid: int = 0
    consumed: int = 0


def read_pieces(shares: Iterable[Share], k: int, chunk: int, tally: Tally) -> Iterator[Text]:
    """The text of the shares, in pieces made of about ``chunk`` bytes of file each.

    Args:
        shares: what to read.
        k: length of a k-mer.
        chunk: bytes of unpacked text to read at a time.
        tally: raised as the text is read.

    Raises:
        Malformed: with file, record and line.
    """
    for share in shares:
        blocks = _blocks(share, chunk, tally)
        texts = _fasta(share, blocks, k, tally) if share.input.format is Format.FASTA else _fastq(share, blocks, tally)
        tail = _EMPTY
        for text in texts:
            piece = np.concatenate((tail, text))
            yield piece
            tail = piece[max(0, len(piece) - k + 1) :]


def _blocks(share: Share, chunk: int, tally: Tally) -> Iterator[tuple[int, Text]]:
    """The share's bytes as they are, each block with its offset in the (unpacked) file."""
    item, offset = share.input, share.start
    with Path(item.path).open("rb") as stored:
        file = gzip.GzipFile(fileobj=stored) if item.gzipped else stored
        if not item.gzipped:
            file.seek(offset)
        consumed = stored.tell()
        while share.stop is None or offset < share.stop:
            want = chunk if share.stop is None else min(chunk, share.stop - offset)
            try:
                block = np.frombuffer(file.read(want), np.uint8)
            except EOFError:
                raise _malformed(item, None, "the gzip stream ends here, before its end mark: the file was cut off") from None
            except (zlib.error, gzip.BadGzipFile) as error:
                raise _malformed(item, None, f"the gzip stream is damaged after this line: {error}") from None
            consumed, before = stored.tell(), consumed
            tally.consumed += consumed - before
            if not len(block):
                if share.stop is not None:
                    raise Malformed(item.path, f"had {item.size} bytes when the run began, and now ends at byte {offset}")
                return
            yield offset, block
            offset += len(block)


def _fasta(share: Share, blocks: Iterable[tuple[int, Text]], k: int, tally: Tally) -> Iterator[Text]:
    within_header, at_line_start = False, True
    for offset, block in blocks:
        keep, headers, within_header = _join_lines(block, at_line_start=at_line_start, within_header=within_header)
        at_line_start = bool(block[-1] == _NEWLINE)
        text = block[keep]
        if text.max(initial=0) > _LAST_ASCII:
            at = int(np.argmax(keep & (block > _LAST_ASCII)))
            raise _not_ascii(share.input, offset + at, block[at])
        tally.sequences += headers
        tally.bases += len(text) - headers
        tally.invalid += len(text) - headers - count_bases(text)
        if offset + len(block) == share.stop:
            text = np.concatenate((text, _following(share.input, share.stop, k - 1)))
        yield text


def _join_lines(block: Text, *, at_line_start: bool, within_header: bool) -> tuple[npt.NDArray[np.bool_], int, bool]:
    """What of a block of FASTA is sequence: lines without their ends, of each header only its ``>``.

    Returns:
        Whether each byte is to be kept, the number of headers that begin in the block, and whether the block ends within a header.
    """
    starts = np.concatenate(([0], np.flatnonzero(block == _NEWLINE) + 1))  # of lines; the first may be a line's rest
    lengths = np.diff(starts, append=len(block))
    header = np.zeros(len(starts), bool)
    filled = lengths > 0
    header[filled] = block[starts[filled]] == _HEADER
    if not at_line_start:
        header[0] = within_header
    keep = ~np.repeat(header, lengths)  # each line's verdict, once for each of its bytes
    keep &= (block != _NEWLINE) & (block != _RETURN)
    begins = starts[header] if at_line_start or not within_header else starts[header][1:]
    keep[begins] = True
    return keep, len(begins), bool(header[-1]) if filled[-1] else False


def _following(item: Input, offset: int, wanted: int) -> Text:
    """The ``wanted`` characters of text after byte ``offset`` of a FASTA file, which is the start of a line; fewer at its end."""
    text, within_header, at_line_start = _EMPTY, False, True
    with open_text(item.path, gzipped=False) as file:
        file.seek(offset)
        while len(text) < wanted and (data := file.read(_LOOK_AHEAD)):
            block = np.frombuffer(data, np.uint8)
            keep, _, within_header = _join_lines(block, at_line_start=at_line_start, within_header=within_header)
            at_line_start = bool(block[-1] == _NEWLINE)
            text = np.concatenate((text, block[keep]))
    return text[:wanted]


def _fastq(share: Share, blocks: Iterable[tuple[int, Text]], tally: Tally) -> Iterator[Text]:
    """The reads of whole records, each with its line end; what is left of a block goes before the next."""
    rest, after = _EMPTY, share.start
    for offset, block in blocks:
        after = offset + len(block)
        data = np.concatenate((rest, block))
        whole, text = _records(share.input, data, after - len(data), tally)
        rest = data[whole:]
        yield text
    # A file may end in blank lines, and its last line may lack its end. A share in the middle of a file ends with a whole
    # record, unless one is malformed.
    cut = share.stop is not None and share.stop < share.input.size
    if not len(rest) or (rest.tobytes().isspace() and not cut):
        return
    data = np.concatenate((rest, _lines_from(share.input, after, 4) if cut else np.frombuffer(b"\n", np.uint8)))
    whole, text = _records(share.input, data, after - len(rest), tally)
    if not whole:
        held = int(np.count_nonzero(data == _NEWLINE))
        raise _malformed(share.input, after - len(rest), f"the file ends within this record, after {held} of its 4 lines")
    assert not cut, f"byte {after} of {share.input.path} is not the start of a record"
    yield text


def _lines_from(item: Input, offset: int, lines: int) -> Text:
    """Some whole lines of a plain file, to tell what is wrong with the record they end."""
    with open_text(item.path, gzipped=False) as file:
        file.seek(offset)
        return np.frombuffer(b"".join(file.readline() for _ in range(lines)), np.uint8)


def _records(item: Input, data: Text, offset: int, tally: Tally) -> tuple[int, Text]:
    """The whole records at the start of ``data``, which is at byte ``offset`` of the file: their bytes, and their reads.

    Blank lines at the end of ``data`` are no record yet: they may be the end of the file.

    Raises:
        Malformed: for the first record that is wrong.
    """
    ends = np.flatnonzero(data == _NEWLINE)
    ends = ends[: len(ends) // 4 * 4]
    starts = np.concatenate(([0], ends + 1))[: len(ends)]
    begun = int(np.count_nonzero(starts[0::4] < len(data.tobytes().rstrip())))  # records before the blank lines at the end
    starts, ends = starts[: 4 * begun], ends[: 4 * begun]
    if not begun:
        return 0, _EMPTY
    lengths = ends - starts - (data[ends - 1] == _RETURN) * (ends > starts)  # without the line end, of either kind
    read, quality = lengths[1::4], lengths[3::4]
    first = data[starts]  # character of each line
    wrong = np.stack((first[0::4] != _AT, first[1::4] == _PLUS, first[2::4] != _PLUS, read != quality))
    record = int(np.argmax(wrong.any(axis=0))) if wrong.any() else begun
    _require_ascii(item, data[: starts[4 * record] if record < begun else ends[-1]], offset, starts)
    if record < begun:
        check = int(np.argmax(wrong[:, record]))
        line = 4 * record + check
        found = data[starts[line] : starts[line] + min(int(lengths[line]), 20)].tobytes().decode(errors="backslashreplace")
        what = (
            f"a record must begin with '@', but here is {found!r}",
            f"here is {found!r}, but a read must not begin with '+'",
            f"the line after the read must begin with '+', but here is {found!r} (a read must be one line)",
            f"the quality has {quality[record]} characters, its read has {read[record]}",
        )
        raise _malformed(item, offset + int(starts[line]), what[check])
    whole = int(ends[-1]) + 1
    of_read = np.tile([False, True, False, False], len(read))  # the second line of each record
    text = data[:whole][np.repeat(of_read, np.diff(starts, append=whole))]
    tally.sequences += len(read)
    tally.bases += int(read.sum())
    tally.invalid += int(read.sum()) - count_bases(text)
    return whole, text


def _require_ascii(item: Input, data: Text, offset: int, starts: npt.NDArray[np.intp]) -> None:
    """Reads and qualities must be ASCII; headers need not.

    Args:
        item: the file.
        data: whole records.
        offset: where in the file they are.
        starts: of the lines, four a record.

    Raises:
        Malformed: names the first byte that is not ASCII.
    """
    if data.max(initial=0) <= _LAST_ASCII:
        return
    beyond = np.flatnonzero(data > _LAST_ASCII)
    line = np.searchsorted(starts, beyond, side="right") - 1
    beyond = beyond[line % 2 == 1]
    if len(beyond):
        raise _not_ascii(item, offset + int(beyond[0]), data[beyond[0]])


def _not_ascii(item: Input, offset: int, byte: np.uint8) -> Malformed:
    return _malformed(item, offset, f"byte 0x{byte:02x} is not ASCII")


def _malformed(item: Input, offset: int | None, what: str) -> Malformed:
    fastq = item.format is Format.FASTQ
    return Malformed(item.path, what, place_of(item.path, offset, fastq=fastq, gzipped=item.gzipped))
