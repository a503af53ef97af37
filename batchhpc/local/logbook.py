"""Output of a job's nodes: one file per node and attempt, and all lines in the order in which they came."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from batchhpc.jobs import LogLine

LONGEST_LINE = 1 << 20
"""Bytes of an unfinished line that are kept until its end comes."""


class LogBook:
    """Written by the job's thread only; any thread may read.

    ``attempt-1/node-0.log`` holds a node's bytes as they are. ``output.log`` holds whole lines, each after its attempt and
    node: ``1 0 text``.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._all = (directory / "output.log").open("ab")
        self._nodes: dict[tuple[int, int], _NodeLog] = {}

    def write(self, attempt: int, node: int, data: bytes) -> None:
        """Takes what a node put out; an unfinished last line waits for its rest, for `end`, or until it is too long."""
        key = (attempt, node)
        if key not in self._nodes:
            self._nodes[key] = _NodeLog(self._directory / f"attempt-{attempt}" / f"node-{node}.log")
        for line in self._nodes[key].add(data):
            self._all.write(b"%d %d %s\n" % (attempt, node, line))
        self._all.flush()

    def end(self, attempt: int, node: int) -> None:
        """Nothing more comes from this node in this attempt."""
        log = self._nodes.pop((attempt, node), None)
        if log is not None:
            if log.rest:
                self._all.write(b"%d %d %s\n" % (attempt, node, log.rest))
                self._all.flush()
            log.file.close()

    def close(self) -> None:
        """The job has ended."""
        for attempt, node in list(self._nodes):
            self.end(attempt, node)
        self._all.close()


class _NodeLog:
    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.file = path.open("ab", buffering=0)
        self.rest = b""

    def add(self, data: bytes) -> list[bytes]:
        """The lines that the data completes; of output without line ends a line is made where it becomes too long."""
        self.file.write(data)
        *lines, self.rest = (self.rest + data).split(b"\n")
        if len(self.rest) > LONGEST_LINE:
            lines.append(self.rest)
            self.rest = b""
        return lines


class LogReader:
    """Reads a job's lines as they are written, each once."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "output.log"
        self._position = 0

    def new_lines(self) -> Iterator[LogLine]:
        """Lines written since the last call."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._position)
            for line in file:
                if not line.endswith(b"\n"):
                    return  # still being written
                self._position += len(line)
                attempt, node, text = line[:-1].split(b" ", 2)
                yield LogLine(int(node), int(attempt), text.decode(errors="replace"))
