"""Results as tables: for programs, for spreadsheets, for people."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

from examples.risk.exposure.simulation import BLOCK, Plan, Reals, Simulation
from examples.risk.exposure.simulation import Exposures as Found
from examples.risk.exposure.trades import MONTHS
from examples.risk.numerics.estimates import Estimate

_COLUMNS = ("expected_exposure", "standard_error", "expected_negative_exposure", "standard_error_negative")
_SHOWN = 12  # counterparties of the table for people


def figures(plan: Plan, found: Found) -> dict[str, Any]:
    """What ``result.json`` holds besides where it comes from; money of today."""
    total = {"cva": float(found.cva.sum()), "dva": float(found.dva.sum()), "value": float(found.values.sum())}
    return {
        "model": {"name": "Hull-White", "reversion": plan.model.reversion, "volatility": plan.model.volatility},
        "paths": plan.paths,
        "swaps": len(plan.swaps.notional),
        "dates": len(found.months),
        "step, months": int(found.months[1] - found.months[0]),
        "own credit": {"spread": plan.own_spread, "recovery": plan.own_recovery},
        "margin period, days": round(plan.margin * 365, 6),
        "all counterparties": total,
        "counterparties": {
            name: {
                "value": float(found.values[at]),
                "threshold": None
                if plan.counterparties.threshold[at] == float("inf")
                else float(plan.counterparties.threshold[at]),
                "cva": _estimate(found.cva, found.cva_error, at, plan).told(),
                "dva": _estimate(found.dva, found.dva_error, at, plan).told(),
                "largest expected exposure": float(found.positive[:, at].max()),
            }
            for at, name in enumerate(plan.counterparties.names)
        },
    }


def _estimate(values: Reals, errors: Reals, at: int, plan: Plan) -> Estimate:
    """The error is that of the blocks' means."""
    return Estimate(float(values[at]), float(errors[at]), plan.paths // BLOCK - 1)


def exposures_csv(plan: Plan, found: Found) -> str:
    """One line for each counterparty and date: discounted expected exposures with their standard errors."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    columns = (found.positive, found.positive_error, found.negative, found.negative_error)
    table.writerow(("counterparty", "years", *_COLUMNS))
    for at, name in enumerate(plan.counterparties.names):
        for row, month in enumerate(found.months.tolist()):
            table.writerow((name, f"{month / MONTHS:g}", *(f"{column[row, at]:.10g}" for column in columns)))
    return out.getvalue()


def table(simulation: Simulation, found: Found, out: str) -> str:
    """What a person reads."""
    names = simulation.plan.counterparties.names
    largest = sorted(range(len(names)), key=lambda at: -float(found.cva[at]))
    width = max(12, *(len(name) for name in names)) + 2
    lines = [f"{'':<{width}}{'value':>16}{'most expected':>16}{'CVA':>14}{'+-':>10}{'DVA':>14}"]
    lines += [_line(simulation.plan, found, at, width) for at in largest[:_SHOWN]]
    if len(names) > _SHOWN:
        lines.append(f"... and {len(names) - _SHOWN} more in {out}/result.json")
    cva, dva, value = (float(column.sum()) for column in (found.cva, found.dva, found.values))
    lines.append(f"{'all':<{width}}{value:>16,.0f}{'':>16}{cva:>14,.0f}{'':>10}{dva:>14,.0f}")
    return "\n".join([*lines, *_facts(simulation, out)])


def _line(plan: Plan, found: Found, at: int, width: int) -> str:
    cva = _estimate(found.cva, found.cva_error, at, plan)
    numbers = f"{cva.value:>14,.0f}{cva.interval()[1] - cva.value:>10,.0f}{found.dva[at]:>14,.0f}"
    return f"{plan.counterparties.names[at]:<{width}}{found.values[at]:>16,.0f}{found.positive[:, at].max():>16,.0f}{numbers}"


def _facts(simulation: Simulation, out: str) -> Iterator[str]:
    plan = simulation.plan
    yield f"{plan.paths:,} paths, {len(plan.swaps.notional):,} swaps, {len(simulation.months)} dates; +- is half a 95 % interval"
    yield f"results in {out}"
