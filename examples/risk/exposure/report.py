"""Results as tables: for programs, for spreadsheets, for people."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from examples.risk.exposure.simulation import Exposures as Found
from examples.risk.exposure.simulation import Plan, Simulation
from examples.risk.exposure.trades import MONTHS
from examples.risk.numerics.estimates import Estimate

_SHOWN = 12  # counterparties of the table for people


def figures(plan: Plan, found: Found) -> dict[str, Any]:
    """What ``result.json`` holds besides where it comes from; money of today."""
    total = {"cva": float(found.cva.sum()), "dva": float(found.dva.sum()), "value": float(found.values.sum())}
    return {
        "model": {"name": "Hull-White", "reversion": plan.model.reversion, "volatility": plan.model.volatility},
        "paths": plan.paths,
        "swaps": len(plan.swaps.notional),
        "dates": len(found.months),
        "margin period, days": round(plan.margin * 365, 6),
        "all counterparties": total,
        "counterparties": {
            name: {
                "value": float(found.values[at]),
                "threshold": None
                if plan.counterparties.threshold[at] == float("inf")
                else float(plan.counterparties.threshold[at]),
                "cva": Estimate(float(found.cva[at]), float(found.cva_error[at])).told(),
                "dva": Estimate(float(found.dva[at]), float(found.dva_error[at])).told(),
                "peak exposure": float(found.positive[:, at].max()),
            }
            for at, name in enumerate(plan.counterparties.names)
        },
    }


def exposures_csv(plan: Plan, found: Found) -> str:
    """One line for each counterparty and date: discounted expected exposures with their standard errors."""
    out = io.StringIO()
    out.write("counterparty,years,expected_exposure,standard_error,expected_negative_exposure,standard_error_negative\n")
    for at, name in enumerate(plan.counterparties.names):
        for row, month in enumerate(found.months.tolist()):
            columns = (found.positive, found.positive_error, found.negative, found.negative_error)
            numbers = ",".join(f"{column[row, at]:.10g}" for column in columns)
            out.write(f'"{name}",{month / MONTHS:g},{numbers}\n')
    return out.getvalue()


def table(simulation: Simulation, found: Found, out: str) -> str:
    """What a person reads."""
    names = simulation.plan.counterparties.names
    largest = sorted(range(len(names)), key=lambda at: -float(found.cva[at]))
    width = max(12, *(len(name) for name in names)) + 2
    lines = [f"{'':<{width}}{'value':>16}{'peak exposure':>16}{'CVA':>14}{'+-':>10}{'DVA':>14}"]
    lines += [_line(names[at], found, at, width) for at in largest[:_SHOWN]]
    if len(names) > _SHOWN:
        lines.append(f"... and {len(names) - _SHOWN} more in {out}/result.json")
    cva, dva, value = (float(column.sum()) for column in (found.cva, found.dva, found.values))
    lines.append(f"{'all':<{width}}{value:>16,.0f}{'':>16}{cva:>14,.0f}{'':>10}{dva:>14,.0f}")
    return "\n".join([*lines, *_facts(simulation, out)])


def _line(name: str, found: Found, at: int, width: int) -> str:
    numbers = f"{found.cva[at]:>14,.0f}{1.96 * found.cva_error[at]:>10,.0f}{found.dva[at]:>14,.0f}"
    return f"{name:<{width}}{found.values[at]:>16,.0f}{found.positive[:, at].max():>16,.0f}{numbers}"


def _facts(simulation: Simulation, out: str) -> Iterator[str]:
    plan = simulation.plan
    yield f"{plan.paths:,} paths, {len(plan.swaps.notional):,} swaps, {len(simulation.months)} dates; +- is half a 95 % interval"
    yield f"results in {out}"
