"""GetLogEvents of CloudWatch Logs, by its documentation: pages, tokens that stay the same at the end, streams not yet there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.unit.aws.fake_jobs import Refusal


@dataclass
class FakeLogs:
    """Streams by group and name; ``page`` is the most events that an answer holds, whatever is asked for."""

    streams: dict[tuple[str, str], list[tuple[int, str]]] = field(default_factory=dict)
    page: int = 10_000
    expired: set[str] = field(default_factory=set)

    def put(self, name: str, *events: tuple[float, str], group: str = "/aws/batch/job") -> None:
        """Appends events, each with its time in Unix seconds; makes the stream if it is not there."""
        self.streams.setdefault((group, name), []).extend((int(at * 1000), text) for at, text in events)

    def get_log_events(self, request: Any) -> dict[str, Any]:
        """One page."""
        key = (request["logGroupName"], request["logStreamName"])
        if key not in self.streams:
            raise Refusal("The specified log stream does not exist.", "ResourceNotFoundException")
        token = request.get("nextToken", "")
        if token in self.expired:
            raise Refusal("The specified nextToken is invalid.", "InvalidParameterException")
        first, last = request.get("startTime", 0), request.get("endTime", 1 << 62)
        events = [event for event in self.streams[key] if first <= event[0] < last]
        size = min(request.get("limit", 10_000), self.page)
        begin = int(token.partition("/")[2] or (0 if request.get("startFromHead") else max(0, len(events) - size)))
        end = min(len(events), begin + size)
        shown = [{"timestamp": at, "message": text, "ingestionTime": at} for at, text in events[begin:end]]
        return {"events": shown, "nextForwardToken": f"f/{end}", "nextBackwardToken": f"b/{begin}"}
