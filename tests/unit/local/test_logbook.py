"""What the log book makes of a node's output."""

from __future__ import annotations

from pathlib import Path

from batchhpc.local.logbook import LONGEST_LINE, LogBook, LogReader


def test_output_without_line_ends_becomes_lines_before_its_end(tmp_path: Path) -> None:
    """Of output that never ends a line, lines are made where it becomes too long; the node's own file keeps it as it came."""
    book, reader, chunk = LogBook(tmp_path), LogReader(tmp_path), b"x" * (1 << 16)
    chunks = 4 * LONGEST_LINE // len(chunk)
    for _ in range(chunks):
        book.write(1, 0, chunk)
    lines = list(reader.new_lines())
    assert lines
    book.close()
    lines += reader.new_lines()
    assert all(line.text and len(line.text) <= LONGEST_LINE + len(chunk) for line in lines)
    assert sum(len(line.text) for line in lines) == chunks * len(chunk)
    assert (tmp_path / "attempt-1" / "node-0.log").read_bytes() == chunk * chunks
