"""Log events as text and back."""

import pytest

from batchhpc.agent.contract import event_line, parse_event_line


@pytest.mark.parametrize("value", ["plain", "two words", 'a "quote"', "back\\slash", "a=b", "tab\tand\nline end", "", "é", "\\134"])
def test_fields_come_back_as_they_went(value: str) -> None:
    """Whatever text a field holds, it is one line, and reading the line gives it back."""
    line = event_line(0, 3, "finished", reason=value, code=0)
    assert "\n" not in line
    assert parse_event_line(line) == {"node": "3", "event": "finished", "reason": value, "code": "0"}


@pytest.mark.parametrize("field", [r'a="\134q"', 'a="raw\ttab"', 'a="unterminated', 'a="\\', r'a="\u12"'])
def test_line_that_only_looks_like_an_event(field: str) -> None:
    """A line with a quoted value that `event_line` would not write is the program's own, not an error."""
    assert parse_event_line(f"{event_line(0, 0, 'progress')} {field}") is None
