"""Logs of all nodes and attempts, merged in the order of time, without holding more than a page of each stream."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batchhpc.aws.jobs.describe import Stream
from batchhpc.aws.refusals import code_of
from batchhpc.aws.sdk import sdk_errors
from batchhpc.errors import Unavailable
from batchhpc.jobs import LogLine

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

_HELD = 20_000  # events in memory, of all streams together
_PAGE = (50, 10_000)  # events of a page: fewest worth a call, most that AWS gives
_NO_STREAM = "ResourceNotFoundException"  # nothing was written yet, or retention has taken it
_READS = 50  # streams that one look of a follower reads; of a thousand nodes it reads all in twenty looks

Event = tuple[int, LogLine]
"""Milliseconds, and the line."""


def merged(logs: CloudWatchLogsClient, streams: Iterable[Stream], until: float) -> Iterator[LogLine]:
    """Every line of these streams up to ``until`` (Unix seconds), by time. A stream that does not exist yet has none.

    Raises:
        Unavailable: AWS cannot be asked, or refuses.
    """
    wanted = list(streams)
    page = max(_PAGE[0], min(_PAGE[1], _HELD // max(1, len(wanted))))
    each = [_all(Cursor(logs, stream, page, int(until * 1000) + 1)) for stream in wanted]
    return (line for _, line in heapq.merge(*each, key=lambda event: event[0]))


def last_lines(logs: CloudWatchLogsClient, stream: Stream, count: int) -> list[LogLine]:
    """The newest lines of a stream, of at most so many events, in order; none of one that does not exist yet. One call.

    Raises:
        Unavailable: AWS cannot be asked, or refuses.
    """
    try:
        with sdk_errors():
            answer = logs.get_log_events(logGroupName=stream.group, logStreamName=stream.name, startFromHead=False, limit=count)
    except Unavailable as error:
        if error.__cause__ and code_of(error.__cause__) == _NO_STREAM:
            return []
        raise
    texts = (text for event in answer["events"] for text in event["message"].splitlines())
    return [LogLine(stream.node, stream.attempt, text) for text in texts]


def _all(cursor: Cursor) -> Iterator[Event]:
    while not cursor.at_end:
        yield from cursor.read()


@dataclass(slots=True)
class Cursor:
    """Where in one stream a reader is.

    Attributes:
        page: most events of one call.
        until: milliseconds; without it the end of a stream that is being written may never come.
        at_end: whether the last call brought all there was.
    """

    logs: CloudWatchLogsClient
    stream: Stream
    page: int
    until: int | None = None
    at_end: bool = False
    _token: str | None = None
    _newest: int = 0
    _at_newest: int = 0

    def read(self) -> list[Event]:
        """The next page, empty or not: an empty one is not the end, the same token twice is."""
        answer, skip = self._answer()
        if answer is None:
            self.at_end = True
            return []
        token = answer["nextForwardToken"]
        self.at_end = token == self._token
        self._token = token
        found: list[Event] = []
        for event in answer["events"]:
            at = event["timestamp"]
            if at == self._newest:
                self._at_newest += 1
                if skip and self._at_newest <= skip:
                    continue
            elif at > self._newest:
                self._newest, self._at_newest = at, 1
            texts = event["message"].splitlines() or [""]
            found += [(at, LogLine(self.stream.node, self.stream.attempt, text)) for text in texts]
        return found

    def _answer(self) -> tuple[Any, int]:
        """What GetLogEvents says, and how many events of the newest time are known already."""
        try:
            return self._ask({"nextToken": self._token} if self._token else {}), 0
        except Unavailable as error:
            code = code_of(error.__cause__) if error.__cause__ else ""
            if code == _NO_STREAM:
                return None, 0
            if code != "InvalidParameterException" or not self._token:
                raise
        # A token lives 24 hours: begin again at the newest event, whose time others may share.
        self._token, known, self._at_newest = None, self._at_newest, 0
        return self._ask({"startTime": self._newest}), known

    def _ask(self, where: dict[str, Any]) -> Any:
        if self.until is not None:
            where["endTime"] = self.until
        with sdk_errors():
            return self.logs.get_log_events(
                logGroupName=self.stream.group, logStreamName=self.stream.name, startFromHead=True, limit=self.page, **where
            )


class Tail:
    """What is new in a growing set of streams, look by look; each line once, of each look in the order of time."""

    def __init__(self, logs: CloudWatchLogsClient) -> None:
        self._logs = logs
        self._cursors: deque[Cursor] = deque()
        self._known: set[tuple[str, str]] = set()
        self._found: list[Event] = []  # outlives an error, since the cursors have gone on

    def add(self, streams: Iterable[Stream]) -> None:
        """Streams to read from now on; those known already count once."""
        for stream in streams:
            if (stream.group, stream.name) not in self._known:
                self._known.add((stream.group, stream.name))
                self._cursors.appendleft(Cursor(self._logs, stream, _HELD // _READS))

    def new_lines(self, *, all_streams: bool = False) -> list[LogLine]:
        """New lines of those streams whose turn it is, or of all; one page of each at most.

        Raises:
            Unavailable: AWS cannot be asked, or refuses.
        """
        for _ in range(len(self._cursors) if all_streams else min(_READS, len(self._cursors))):
            self._found += self._cursors[0].read()
            self._cursors.rotate(-1)
        found, self._found = self._found, []
        return [line for _, line in sorted(found, key=lambda event: event[0])]
