"""Daily prices: a CSV whose first column is the date, and every other one a name.

    Date,AAPL,AMD
    1990-01-02,0.264,4.125

It may be compressed (``.gz``) and may lie in S3. Prices are adjusted for splits and dividends, as their changes are what counts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import numpy.typing as npt

from examples.workload.text import lines_of, malformed, number_of

Reals = npt.NDArray[np.float64]
MOST_MONEY = 1e15  # of a price, or of a position: beyond that the arithmetic of sums and screens is not what it is proved to be
LEAST_ROWS = 60  # of dates: from fewer no covariance is worth anything


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices of all names on all dates.

    Attributes:
        names: of the columns.
        dates: ascending, (days,).
        values: (days, names).
    """

    names: tuple[str, ...]
    dates: npt.NDArray[np.datetime64]
    values: Reals

    def of(self, names: Sequence[str]) -> Prices:
        """Some of the names, in this order."""
        return replace(self, names=tuple(names), values=self.values[:, [self.names.index(name) for name in names]])

    def until(self, last: date | None) -> Prices:
        """Without what is after a date."""
        kept = len(self.dates) if last is None else int(np.searchsorted(self.dates, np.datetime64(last), side="right"))
        return replace(self, dates=self.dates[:kept], values=self.values[:kept])

    def changes(self) -> Reals:
        """Daily log-returns, (days - 1, names)."""
        return np.asarray(np.diff(np.log(self.values), axis=0))


def read_prices(address: str) -> Prices:
    """Read a file of prices.

    Raises:
        OSError: it cannot be read.
        Malformed: with everything that is wrong with it, by line and column.
    """
    problems: list[str] = []
    lines = lines_of(address, problems)
    header = [cell.strip() for cell in next(lines, (1, []))[1]]
    problems += _of_header(header)
    dates: list[date] = []
    rows: list[list[float]] = []
    for line, cells in lines:
        if any(cell.strip() for cell in cells):
            _read_row(line, header, cells, dates, rows, problems)
    if len(rows) < LEAST_ROWS and not problems:
        problems.append(f"has {len(rows)} dates, but at least {LEAST_ROWS} are needed; give a longer history")
    if problems:
        raise malformed(address, problems)
    return Prices(tuple(header[1:]), np.array(dates, "datetime64[D]"), np.array(rows))


def _of_header(header: Sequence[str]) -> list[str]:
    if len(header) < 2:
        return [f"line 1: is {','.join(header)!r}, but must be 'Date,NAME,...', with a column a name"]
    problems = [] if header[0].lower() == "date" else [f"line 1: begins with {header[0]!r}, but the first column must be Date"]
    for column, name in enumerate(header[1:], 2):
        if not name:
            problems.append(f"line 1: column {column} has no name")
        elif name in header[1 : column - 1]:
            problems.append(f"line 1: {name} is the name of columns {header.index(name) + 1} and {column}; leave out one")
    return problems


def _read_row(
    line: int, header: Sequence[str], cells: Sequence[str], dates: list[date], rows: list[list[float]], problems: list[str]
) -> None:
    if len(cells) != len(header):
        problems.append(f"line {line}: has {len(cells)} columns, but the header has {len(header)}")
        return
    try:
        day = day_of(cells[0].strip()[:10])
    except ValueError:
        problems.append(f"line {line}: the date is {cells[0]!r}, but must be as in 2022-12-28")
        return
    if dates and day <= dates[-1]:
        twice = "is there twice" if day == dates[-1] else f"comes after {dates[-1]}; dates must ascend"
        problems.append(f"line {line}: {day} {twice}")
    dates.append(day)
    values = [number_of(cell) for cell in cells[1:]]
    problems += [
        f"line {line}, column {name}: the price on {day} is {cell.strip() or 'missing'}, but must be a number above 0"
        f"{f' and below {MOST_MONEY:g}' if value >= MOST_MONEY else ''}; leave out the date or the name, or fill it in"
        for name, cell, value in zip(header[1:], cells[1:], values, strict=True)
        if not 0 < value < MOST_MONEY
    ]
    rows.append(values)


def day_of(text: str) -> date:
    """As in 2022-12-28 and not otherwise: 20221228 may be a number that is in the wrong place.

    Raises:
        ValueError: it is none.
    """
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        raise ValueError(text)
    return date.fromisoformat(text)
