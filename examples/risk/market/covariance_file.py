"""A covariance that somebody else has estimated, as CSV: of daily changes of logarithms, with the names in header and first column.

name,AAPL,XOM,VOLATILITY
AAPL,0.000412,0.000121,-0.000311
XOM,0.000121,0.000389,-0.000205
VOLATILITY,-0.000311,-0.000205,0.0041
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from examples.workload.text import lines_of, malformed, number_of

Reals = npt.NDArray[np.float64]
_SYMMETRIC = 1e-6  # relative difference of two elements that should be one


def read_covariance(address: str, names: Sequence[str]) -> Reals:
    """The rows and columns of some factors, (factors, factors).

    Raises:
        OSError: it cannot be read.
        Malformed: with everything that is wrong with it, by line and column.
    """
    problems: list[str] = []
    lines = lines_of(address, problems)
    header = [cell.strip() for cell in next(lines, (1, []))[1]][1:]
    problems += [f"line 1: {name} is there twice" for name in sorted({name for name in header if header.count(name) > 1})]
    problems += [f"line 1: no column is called {name}, which the portfolio depends on" for name in names if name not in header]
    found: dict[str, list[float]] = {}
    for line, cells in lines:
        row = [cell.strip() for cell in cells]
        if any(row):
            _read_row(line, header, row, found, problems)
    problems += [f"no line is called {name}, which the portfolio depends on" for name in names if name not in found]
    if problems:
        raise malformed(address, problems)
    columns = [header.index(name) for name in names]
    covariance = np.array([[found[name][column] for column in columns] for name in names])
    gaps = np.abs(covariance - covariance.T) > _SYMMETRIC * np.sqrt(np.abs(np.outer(np.diag(covariance), np.diag(covariance))))
    problems = [
        f"is not symmetric: {names[i]}, {names[j]} is {covariance[i, j]:g}, but {names[j]}, {names[i]} is {covariance[j, i]:g}"
        for i, j in np.argwhere(np.triu(gaps)).tolist()
    ]
    if problems:
        raise malformed(address, problems)
    return np.asarray((covariance + covariance.T) / 2)


def _read_row(line: int, header: Sequence[str], row: Sequence[str], found: dict[str, list[float]], problems: list[str]) -> None:
    name, cells = row[0], row[1:]
    if name in found:
        problems.append(f"line {line}: {name} is there twice")
    if len(cells) != len(header):
        problems.append(f"line {line}: has {len(cells)} numbers, but the header names {len(header)} columns")
        return
    found[name] = [number_of(cell) for cell in cells]
    problems += [
        f"line {line}, column {column}: is {cell or 'missing'}, but must be {'above 0' if column == name else 'a number'}"
        for column, cell, value in zip(header, cells, found[name], strict=True)
        if not math.isfinite(value) or (column == name and value <= 0)
    ]
