"""Discount factors of one curve, which discounts and forecasts."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numpy.typing import ArrayLike

from examples.risk.exposure.rows import Table, read_table
from examples.workload.errors import Malformed

Reals = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Curve:
    """Zero rates, continuously compounded; between two times the logarithm of the discount factor is linear, so forwards are steps.

    Attributes:
        times: years, ascending, above 0.
        rates: of each.
    """

    times: Reals
    rates: Reals

    def discount(self, time: ArrayLike) -> Reals:
        """P(0, time); beyond the last time its rate goes on."""
        at = np.asarray(time, np.float64)
        times = np.concatenate([[0.0], self.times])
        logs = np.concatenate([[0.0], -self.rates * self.times])
        beyond = np.maximum(at - times[-1], 0.0) * self.rates[-1]
        return np.asarray(np.exp(np.interp(at, times, logs) - beyond))


def read_curve(address: str) -> Curve:
    """From a CSV with the columns ``years`` and ``zero_rate`` (0.03 is 3 %), here or at s3://.

    Raises:
        Malformed: with all problems, each with its line and column.
        OSError: it cannot be read.
    """
    table = read_table(address, ("years", "zero_rate"))
    times = [table.number(line, "years", (1 / 365, 100)) for line in table.lines]
    rates = [table.number(line, "zero_rate", (-0.2, 1.0)) for line in table.lines]
    _check_order(table, times)
    table.raise_problems()
    if not times:
        raise Malformed(address, "has no rates; a curve needs one at least")
    return Curve(np.array(times), np.array(rates))


def _check_order(table: Table, times: list[float]) -> None:
    for line, before, after in zip(table.lines[1:], times, times[1:], strict=False):
        if not (math.isnan(before) or math.isnan(after) or before < after):
            table.problem(line, "years", f"{after:g} does not come after {before:g}")
