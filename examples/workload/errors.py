"""What is wrong with what the user gave."""

from __future__ import annotations

from collections.abc import Sequence


class BadArguments(Exception):
    """The command line cannot be run; ``problems`` are all reasons, each beginning with the argument it is about."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(problems))


class Malformed(Exception):
    """An input file cannot be what it claims to be; the message names file, record and line."""

    def __init__(self, path: str, what: str, place: str = "") -> None:
        self.path, self.what, self.place = path, what, place
        super().__init__(": ".join(part for part in (path, place, what) if part))

    def __reduce__(self) -> tuple[type[Malformed], tuple[str, str, str]]:
        """One rank tells the others."""
        return Malformed, (self.path, self.what, self.place)
