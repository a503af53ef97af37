"""The results as JSON, CSV, and a table for people."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from examples.risk.american.arguments import Arguments
from examples.risk.american.priced import Priced
from examples.risk.numerics.estimates import Estimate

Reals = npt.NDArray[np.float64]
_MOST, _SMALLEST = 7, 1e-7  # decimals that are shown, at most
_RIGHT = ">"


def result(arguments: Arguments, origin: Mapping[str, Any], priced: Sequence[Priced]) -> dict[str, Any]:
    """All of ``result.json``: "contracts" are the same on any number of ranks, "provenance" and "run" are not.

    Args:
        arguments: of the run.
        origin: see `numerics.provenance`.
        priced: what was found out about each trade.
    """
    return {
        "provenance": dict(origin),
        "arguments": {
            **asdict(arguments.sizes),
            **{
                name: getattr(arguments, name)
                for name in ("precision", "seed", "antithetic", "sampling", "policy", "greeks", "plots")
            },
        },
        "warnings": list(arguments.warnings),
        "contracts": [_one(each) for each in priced],
        "run": {"communication": {each.trade.name: _sent(each) for each in priced}},
    }


def _one(priced: Priced) -> dict[str, Any]:
    trade, upper = priced.trade, priced.upper
    known = {} if trade.reference is None else {"reference": trade.reference, "reference_in_bracket": priced.holds}
    return {
        "name": trade.name,
        **trade.told(),
        "lower": {**priced.lower.value.told(), "paths": priced.lower.paths},
        "upper": {**upper.value.told(), "paths": upper.paths} if upper else None,
        "bracket_95": list(priced.bracket) if priced.bracket else None,
        "gap_percent": None if priced.gap is None else 100 * priced.gap,
        **known,
        "exercised_today": priced.going.exercised_today,
        "greeks": {name: [_drawn(figure) for figure in figures] for name, figures in priced.going.greeks.items()},
        "controls": list(priced.going.controls),
        "policy": {
            "found": priced.sweep is not None,
            "basis": priced.policy.basis,
            "functions": priced.policy.coefficients.shape[1],
        },
    }


def _sent(priced: Priced) -> dict[str, Any]:
    """By each phase. How long the message of an exact sum is depends on the partial sums, and so on how blocks are shared out."""
    phases = {"policy": priced.sweep, "lower": priced.lower.traffic, "upper": priced.upper.traffic if priced.upper else None}
    return {phase: asdict(traffic) for phase, traffic in phases.items() if traffic}


def _drawn(figure: Estimate) -> dict[str, float | None]:
    """A Greek. Its error is of the draws alone, and the policy's own is often larger, so there is no interval."""
    return {"value": figure.value, "standard_error": None if math.isnan(figure.error) else figure.error}


def convergence_csv(priced: Sequence[Priced]) -> str:
    """The bounds from growing numbers of paths."""
    rows = (
        (each.trade.name, bound, paths, repr(estimate.value), _plain(estimate.error))
        for each in priced
        for bound, found in (("lower", each.lower), ("upper", each.upper))
        if found
        for paths, estimate in found.convergence
    )
    return _csv(("contract", "bound", "paths", "value", "standard_error"), rows)


def policy_csv(priced: Sequence[Priced], boundaries: Sequence[Mapping[str, Reals]]) -> str:
    """Each exercise date of each contract: the boundary in money where there is one, and the coefficients.

    Args:
        priced: the contracts.
        boundaries: of each, by what else the state is; empty where there is none.
    """
    names = list(dict.fromkeys(name for boundary in boundaries for name in boundary))
    most = max(each.policy.coefficients.shape[1] for each in priced)
    rows = []
    for each, boundary in zip(priced, boundaries, strict=True):
        for at, years in enumerate(each.trade.contract.dates):
            inner = at < len(each.policy.coefficients)
            scale = _plain(float(each.policy.scales[at])) if inner else ""
            coefficients = [_plain(float(value)) for value in each.policy.coefficients[at]] if inner else []
            edges = [_plain(float(boundary[name][at])) if name in boundary else "" for name in names]
            rows.append((each.trade.name, at + 1, repr(years), *edges, scale, *coefficients, *[""] * (most - len(coefficients))))
    header = ("contract", "date", "years", *(_column(name) for name in names), "scale", *(f"c{at}" for at in range(most)))
    return _csv(header, rows)


def _column(name: str) -> str:
    return f"boundary {name}".strip()


def _plain(value: float) -> str:
    """All digits; nothing for nan."""
    return "" if math.isnan(value) else repr(value)


def _csv(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def table(arguments: Arguments, priced: Sequence[Priced]) -> str:
    """What is printed."""
    rows = [["contract", "lower bound", "s.e.", "upper bound", "s.e.", "95 % bracket", "gap", "reference", ""]]
    for each in priced:
        digits = _digits(each)
        upper = _pair(each.upper.value, digits) if each.upper else ["", ""]
        bracket = "" if each.bracket is None else f"{each.bracket[0]:.{digits}f} to {each.bracket[1]:.{digits}f}"
        gap = "" if each.gap is None else f"{100 * each.gap:.2f} %"
        reference = "" if each.trade.reference is None else f"{each.trade.reference:.{digits}f}"
        held = {True: "inside", False: "OUTSIDE", None: ""}[each.holds]
        note = "; ".join(word for word in (held, "exercise now" if each.going.exercised_today else "") if word)
        rows.append([each.trade.name, *_pair(each.lower.value, digits), *upper, bracket, gap, reference, note])
    parts = [_aligned(rows)]
    if any(each.going.greeks for each in priced):
        parts.append(_aligned(_greeks(priced)))
    parts.append(f"results in {arguments.out}")
    return "\n\n".join(parts)


def _greeks(priced: Sequence[Priced]) -> list[list[str]]:
    """One line for each asset."""
    names = list(dict.fromkeys(name for each in priced for name in each.going.greeks))
    rows = [["contract", "asset", *(word for name in names for word in (name, "s.e."))]]
    for each in priced:
        for asset in range(len(each.trade.spots)):
            figures = [each.going.greeks.get(name, ())[asset : asset + 1] for name in names]
            cells = [cell for figure in figures for cell in (_pair(figure[0], 5) if figure else ["", ""])]
            rows.append([each.trade.name, str(asset + 1), *cells])
    return rows


def _digits(priced: Priced) -> int:
    """Decimals that show two digits of the smallest error, or a hundredth of a per cent if there is none."""
    figures = [priced.lower.value, *([priced.upper.value] if priced.upper else [])]
    errors = [figure.error for figure in figures if figure.error > 0]
    least = 10 * min(errors) if errors else 1e-3 * max(figures[0].value, _SMALLEST)
    return min(_MOST, max(2, 2 - math.floor(math.log10(max(least, _SMALLEST)))))


def _pair(estimate: Estimate, digits: int) -> list[str]:
    return [f"{estimate.value:.{digits}f}", "" if math.isnan(estimate.error) else f"{estimate.error:.{digits}f}"]


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    """Columns of numbers end where their heading ends; empty columns are left out."""
    used = [at for at in range(len(rows[0])) if any(row[at] for row in rows[1:])]
    widths = [max(len(row[at]) for row in rows) for at in used]
    aligns = ["<" if at in (0, len(rows[0]) - 1) and not rows[0][at].startswith("s.e.") else _RIGHT for at in used]
    return "\n".join(
        "  ".join(f"{row[at]:{align}{width}}" for at, align, width in zip(used, aligns, widths, strict=True)).rstrip()
        for row in rows
    )
