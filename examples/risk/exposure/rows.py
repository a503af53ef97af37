"""Small CSV tables with named columns, whose problems are all told at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from examples.workload.errors import Malformed
from examples.workload.text import lines_of, malformed, number_of


@dataclass(slots=True)
class Table:
    """One file.

    Attributes:
        address: of it.
        lines: numbers of the lines that hold rows, from 2 on.
    """

    address: str
    lines: list[int]
    _rows: dict[int, dict[str, str]]
    _problems: list[str] = field(default_factory=list)

    def text(self, line: int, column: str) -> str:
        """A field without blanks around it; empty if there is none."""
        return self._rows[line].get(column, "")

    def number(self, line: int, column: str, limits: tuple[float, float], empty: float = math.nan) -> float:
        """A number within the limits, both included; of an empty field ``empty``, if that is given; else nan, and a problem."""
        text = self.text(line, column)
        if not text and not math.isnan(empty):
            return empty
        value = number_of(text)
        if limits[0] <= value <= limits[1]:
            return value
        self.problem(line, column, f"is {text!r}, but must be a number from {limits[0]:g} to {limits[1]:g}")
        return math.nan

    def choice(self, line: int, column: str, choices: Sequence[str]) -> str:
        """One of some words; the first, and a problem, if it is none."""
        text = self.text(line, column)
        if text not in choices:
            self.problem(line, column, f"is {text!r}, but must be {' or '.join(choices)}")
            return choices[0]
        return text

    def problem(self, line: int, column: str, what: str) -> None:
        """Note what is wrong."""
        self._problems.append(f"line {line}, {column}: {what}")

    def raise_problems(self) -> None:
        """Tell all of it, if there is any.

        Raises:
            Malformed: with every problem, up to twenty.
        """
        if self._problems:
            raise malformed(self.address, self._problems)


def read_table(address: str, columns: Sequence[str], optional: Sequence[str] = ()) -> Table:
    """A CSV file, here or at s3://, whose first line names its columns.

    Raises:
        Malformed: it is not text, a column is missing or unknown, or a row has another number of fields.
        OSError: it cannot be read.
    """
    problems: list[str] = []
    rows = lines_of(address, problems)
    head = [name.strip() for name in next(rows, (1, []))[1]]
    twice = sorted({name for name in head if head.count(name) > 1})
    if twice:
        raise Malformed(address, f"has the column {', '.join(twice)} twice")
    missing = [name for name in columns if name not in head]
    unknown = [name for name in head if name not in (*columns, *optional)]
    if missing or unknown:
        told = [f"lacks the column {name}" for name in missing] + [f"has an unknown column {name!r}" for name in unknown]
        raise Malformed(
            address, f"{'; '.join(told)}; the columns are {', '.join(columns)}, and {', '.join(optional) or 'no other'}"
        )
    table = Table(address, [], {}, problems)
    for line, row in rows:
        if not any(map(str.strip, row)):
            continue
        if len(row) != len(head):
            table.problem(line, "row", f"has {len(row)} fields, but the header has {len(head)}")
            continue
        table.lines.append(line)
        table._rows[line] = dict(zip(head, map(str.strip, row), strict=True))  # noqa: SLF001 - it is being made
    table.raise_problems()
    return table
