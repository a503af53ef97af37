"""Swaps and counterparties. Times are whole months from today, a twelfth of a year each, so payments of different swaps meet."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from examples.risk.exposure.rows import Table, read_table

Reals = npt.NDArray[np.float64]
MONTHS = 12
_COUNTERPARTY = ("counterparty", "cds_spread", "recovery")
_SWAP = ("counterparty", "direction", "notional", "fixed_rate", "maturity", "payments_per_year")
_LONGEST = 60  # years
_FREQUENCIES = (1, 2, 4, 12)


@dataclass(frozen=True, slots=True)
class Counterparties:
    """One netting set each.

    Attributes:
        names: of them.
        spread: of their credit default swaps, per year (0.01 is 100 basis points).
        recovery: what is paid of a claim after a default, 0 to 1.
        threshold: uncollateralized exposure that either side grants the other, in money; inf without a margin agreement.
    """

    names: tuple[str, ...]
    spread: Reals
    recovery: Reals
    threshold: Reals


@dataclass(frozen=True, slots=True)
class Swaps:
    """Fixed against floating; both legs pay at the same times, backwards from the maturity. One element each.

    Attributes:
        counterparty: row of `Counterparties`.
        sign: 1 if fixed is paid, -1 if it is received.
        notional: in money.
        rate: fixed, per year.
        maturity: months from today.
        period: months between two payments.
        fixing: floating rate of the period that has begun, per year; nan if none has.
    """

    counterparty: npt.NDArray[np.intp]
    sign: Reals
    notional: Reals
    rate: Reals
    maturity: npt.NDArray[np.int64]
    period: npt.NDArray[np.int64]
    fixing: Reals


def read_counterparties(address: str) -> Counterparties:
    """From a CSV: counterparty, cds_spread, recovery, and perhaps threshold (empty: no margin agreement).

    Raises:
        Malformed: with all problems, each with its line and column.
        OSError: it cannot be read.
    """
    table = read_table(address, _COUNTERPARTY, ("threshold",))
    names = [table.text(line, "counterparty") for line in table.lines]
    seen: set[str] = set()
    for line, name in zip(table.lines, names, strict=True):
        if not name or name in seen:
            table.problem(line, "counterparty", f"{name!r} is there already" if name else "is empty")
        seen.add(name)
    read = Counterparties(
        tuple(names),
        np.array([table.number(line, "cds_spread", (0, 1)) for line in table.lines]),
        np.array([table.number(line, "recovery", (0, 0.99)) for line in table.lines]),
        np.array([table.number(line, "threshold", (0, 1e15), math.inf) for line in table.lines]),
    )
    table.raise_problems()
    return read


def read_swaps(address: str, counterparties: Counterparties) -> Swaps:
    """From a CSV: counterparty, direction (payer, receiver), notional, fixed_rate, maturity (years), payments_per_year, fixing.

    Raises:
        Malformed: with all problems, each with its line and column.
        OSError: it cannot be read.
    """
    table = read_table(address, _SWAP, ("fixing",))
    known = {name: at for at, name in enumerate(counterparties.names)}
    rows = [_row(table, line, known) for line in table.lines]
    table.raise_problems()
    columns = list(zip(*rows, strict=True)) or [()] * 7
    counterparty, sign, notional, rate, maturity, period, fixing = columns
    return Swaps(
        np.array(counterparty, np.intp),
        np.array(sign, np.float64),
        np.array(notional, np.float64),
        np.array(rate, np.float64),
        np.array(maturity, np.int64),
        np.array(period, np.int64),
        np.array(fixing, np.float64),
    )


def _row(table: Table, line: int, known: dict[str, int]) -> tuple[float, ...]:
    name = table.text(line, "counterparty")
    if name not in known:
        table.problem(line, "counterparty", f"{name!r} is not among the counterparties")
    direction = table.choice(line, "direction", ("payer", "receiver"))
    years = table.number(line, "maturity", (0.999 / MONTHS, _LONGEST))
    frequency = table.number(line, "payments_per_year", (1, MONTHS))
    months = round(years * MONTHS) if not math.isnan(years) else MONTHS
    if abs(months - years * MONTHS) > 1e-6:
        table.problem(line, "maturity", f"{years:g} years are not whole months")
    if frequency not in _FREQUENCIES and not math.isnan(frequency):
        table.problem(line, "payments_per_year", f"{frequency:g} is none of {', '.join(map(str, _FREQUENCIES))}")
    period = MONTHS // round(frequency) if frequency in _FREQUENCIES else 1
    begun = months % period != 0
    fixing = table.number(line, "fixing", (-0.5, 1.0), math.inf)
    if begun and math.isinf(fixing):
        table.problem(line, "fixing", "is missing: the first period has begun, so its rate is known and must be told")
    if not begun and not math.isinf(fixing):
        table.problem(line, "fixing", "is there, but no period has begun: the swap starts today")
    return (
        known.get(name, 0),
        1.0 if direction == "payer" else -1.0,
        table.number(line, "notional", (1e-6, 1e15)),
        table.number(line, "fixed_rate", (-0.5, 1.0)),
        months,
        period,
        fixing if begun else math.nan,
    )
