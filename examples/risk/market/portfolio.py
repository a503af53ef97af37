"""A portfolio as a file: CSV, or YAML with the same fields.

    underlying,type,quantity,strike,expiry,volatility
    AAPL,share,120,,,
    AAPL,put,-300,125,2023-06-16,0.31
    XOM,call,50,110,0.25,0.28

``type`` is share, call or put; the quantity is of shares (those that the options are on), negative for what is sold; strike in the
currency of the prices; expiry in years from the last date of the prices, or a date; volatility is implied, per year, 0.31 for 31 %.
In YAML it is a list of such mappings. Options are European.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from examples.risk.market.book import Book, Options
from examples.risk.market.prices import MOST_MONEY, Prices, day_of
from examples.workload.text import lines_of, malformed, number_of, text_of

FIELDS = ("underlying", "type", "quantity", "strike", "expiry", "volatility")
_OF_OPTIONS = FIELDS[3:]
_SIGNS = {"share": 0, "call": 1, "put": -1}
_DAYS = 365.0  # of a year, from one date to another (actual/365 fixed)
_HIGHEST_VOLATILITY = 10.0
_LONGEST = 1000.0  # years


@dataclass(frozen=True, slots=True)
class _Position:
    underlying: str
    sign: int  # 0: shares
    quantity: float
    strike: float
    expiry: float
    volatility: float


def read_portfolio(address: str, prices: Prices, *, horizon: float, rate: float, moves_volatility: bool) -> Book:
    """Read a portfolio; its underlyings have the order of the prices.

    Args:
        address: of a CSV, or of YAML if it ends with .yaml or .yml.
        prices: the last ones are today's.
        horizon: years.
        rate: riskless.
        moves_volatility: see `Book`; without options nothing depends on volatility.

    Raises:
        OSError: it cannot be read.
        Malformed: with everything that is wrong with it, by line and field.
    """
    problems: list[str] = []
    records = _of_yaml(address, text_of(address)) if address.endswith((".yaml", ".yml")) else _of_csv(address, problems)
    check = _Check(prices, horizon)
    positions = [position for line, fields in records if (position := check.position(line, fields, problems))]
    if not positions and not problems:
        problems.append("holds no positions")
    if problems:
        raise malformed(address, problems)
    return _book(positions, prices, horizon, rate, moves_volatility=moves_volatility)


def _of_csv(address: str, problems: list[str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    lines = lines_of(address, problems)
    header = [cell.strip().lower() for cell in next(lines, (1, []))[1]]
    if missing := [name for name in FIELDS if name not in header]:
        problems.append(
            f"line 1: {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing in the header {','.join(FIELDS)}"
        )
        return
    problems += [f"line 1: {name!r} is no field; there are {', '.join(FIELDS)}" for name in header if name not in FIELDS]
    if twice := sorted({name for name in header if name and header.count(name) > 1}):
        problems.append(f"line 1: {', '.join(twice)} {'is' if len(twice) == 1 else 'are'} there twice; leave out one")
        return
    for line, cells in lines:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) > len(header):
            problems.append(f"line {line}: has {len(cells)} columns, but the header has {len(header)}")
            continue
        yield line, {name: cell.strip() for name, cell in zip(header, cells, strict=False)}


def _of_yaml(address: str, text: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    try:
        from ruamel.yaml import YAML  # noqa: PLC0415 - only YAML needs it
        from ruamel.yaml.error import YAMLError  # noqa: PLC0415
    except ImportError:
        raise OSError(f"{address} needs ruamel.yaml\n  hint: pip install ruamel.yaml, or write the portfolio as CSV") from None
    try:
        listed: Any = YAML(typ="rt").load(text)
    except YAMLError as error:
        raise malformed(address, [" ".join(str(error).split())]) from None
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise malformed(address, [f"must be a list of mappings with the fields {', '.join(FIELDS)}"])
    for each in listed:
        yield each.lc.line + 1, each


class _Check:
    """Positions of records, or what is wrong with them."""

    def __init__(self, prices: Prices, horizon: float) -> None:
        self._names, self._today, self._horizon = prices.names, prices.dates[-1].astype(date), horizon
        self._spots = dict(zip(prices.names, prices.values[-1].tolist(), strict=True))

    def position(self, line: int, fields: Mapping[str, Any], problems: list[str]) -> _Position | None:
        """The position of a record; None if something is wrong with it."""
        found: list[str] = [f"{name}: is no field; there are {', '.join(FIELDS)}" for name in fields if name not in FIELDS]
        underlying, kind = str(fields.get("underlying") or ""), str(fields.get("type") or "").lower()
        if underlying not in self._names:
            close = difflib.get_close_matches(underlying.upper(), self._names, 1)
            remedy = f"did you mean {close[0]}?" if close else f"known are {_some(self._names)}"
            found.append(f"underlying: {underlying or 'nothing'} has no prices; {remedy}")
        if kind not in _SIGNS:
            found.append(f"type: is {kind or 'nothing'}, but must be share, call or put")
        quantity = _number("quantity", fields.get("quantity"), found)
        strike = expiry = volatility = math.nan
        if kind == "share":
            given = [name for name in _OF_OPTIONS if fields.get(name) not in (None, "")]
            found += [f"{name}: is {fields[name]}, but a share has none; leave it empty" for name in given]
        else:
            strike = _number("strike", fields.get("strike"), found, above=0.0)
            volatility = _number("volatility", fields.get("volatility"), found, above=0.0)
            if volatility > _HIGHEST_VOLATILITY:
                found.append(f"volatility: is {volatility:g}, which is {volatility:.0%} a year; write 0.31 for 31 %")
            expiry = self._expiry(fields.get("expiry"), found)
        largest = max(self._spots.get(underlying, 0.0), 0.0 if math.isnan(strike) else strike)
        if abs(quantity) * largest >= MOST_MONEY:
            found.append(f"quantity: is {quantity:g}, at {largest:g} each, but a position must be below {MOST_MONEY:g}")
        problems += [f"line {line}, {problem}" for problem in found]
        return None if found else _Position(underlying, _SIGNS[kind], quantity, strike, expiry, volatility)

    def _expiry(self, given: Any, found: list[str]) -> float:
        text = str(given if given is not None else "")
        try:
            day = day_of(text)
        except ValueError:
            years = _number("expiry", given, found, above=-math.inf)
            if years > _LONGEST:
                found.append(f"expiry: is {text} years, but must be below {_LONGEST:g}, or a date, as in 2023-06-16")
            told = f"{text} years"
        else:
            years = (day - self._today).days / _DAYS
            told = f"{day}, {years:.4f} years after the last prices of {self._today}"
        if years <= self._horizon:
            found.append(
                f"expiry: is {told}, but must be after the horizon of {self._horizon:.4f} years; "
                "leave out what expires before, or take a shorter horizon"
            )
        return years


def _number(name: str, given: Any, found: list[str], above: float = -math.inf) -> float:
    """A finite number above a limit; nan, and a problem more, if it is none."""
    try:
        value = (
            math.nan if given is None or isinstance(given, bool) else number_of(given) if isinstance(given, str) else float(given)
        )
    except (TypeError, ValueError):
        value = math.nan
    if math.isfinite(value) and value > above:
        return value
    unit = (
        "a number above 0" if above == 0 else "years, as in 0.25, or a date, as in 2023-06-16" if name == "expiry" else "a number"
    )
    found.append(f"{name}: is {'missing' if given in (None, '') else given}, but must be {unit}")
    return math.nan


def _some(names: Sequence[str], most: int = 6) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _book(positions: Sequence[_Position], prices: Prices, horizon: float, rate: float, *, moves_volatility: bool) -> Book:
    held = {position.underlying for position in positions}
    names = tuple(name for name in prices.names if name in held)
    row = {name: number for number, name in enumerate(names)}
    shares = np.zeros(len(names))
    for position in positions:
        if not position.sign:
            shares[row[position.underlying]] += position.quantity
    options = [position for position in positions if position.sign]
    columns = {name: np.array([getattr(each, name) for each in options], np.float64) for name in Options.__slots__[1:]}
    underlying = np.array([row[each.underlying] for each in options], np.intp)
    return Book(
        names=names,
        spots=prices.of(names).values[-1].copy(),
        shares=shares,
        options=Options(underlying=underlying, **columns),
        rate=rate,
        horizon=horizon,
        moves_volatility=moves_volatility and bool(options),
    )
