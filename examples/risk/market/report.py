"""The results as JSON, CSV, and a table for people."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from examples.risk.market.arguments import COVARIANCES
from examples.risk.market.figures import ES_LEVEL, Losses
from examples.risk.market.found import Found
from examples.risk.market.study import Source, Study


def result(study: Study, found: Found, origin: Mapping[str, Any]) -> dict[str, Any]:
    """All of ``result.json``: "figures" are the same on any number of ranks, "run" is not.

    Args:
        study: what was computed from.
        found: what was found.
        origin: see `numerics.provenance`.
    """
    return {
        "provenance": dict(origin),
        "arguments": _arguments(study),
        "portfolio": {
            "date": str(study.today),
            "underlyings": len(study.book.names),
            "options": len(study.book.options),
            "value": found.losses.value,
            "factors": list(study.normal.names),
        },
        "model": _model(study),
        "figures": {
            **_losses(found.losses),
            "components": dict(zip(study.book.names, found.losses.at(ES_LEVEL).components.tolist(), strict=True)),
            "stressed": _losses(found.stressed) if found.stressed else None,
        },
        "run": {"seconds": found.seconds, "communication": {name: asdict(sent) for name, sent in found.traffic.items()}},
    }


def _arguments(study: Study) -> dict[str, Any]:
    asked = study.arguments
    names = ("horizon", "scenarios", "model", "covariance", "bootstrap_days", "volatility", "rate", "seed", "brute_force")
    return {name: getattr(asked, name) for name in names}


def _model(study: Study) -> dict[str, Any]:
    finite = math.isfinite(study.degrees)
    return {
        "name": study.arguments.model,
        "degrees": study.degrees if finite else None,
        "degrees_fitted": study.fitted.told() if study.fitted else None,
        "window": _window(study.normal),
        "stress": _window(study.stressed) if study.stressed else None,
        "horizon_years": study.book.horizon,
    }


def _window(source: Source) -> dict[str, Any]:
    return {"first": str(source.first), "last": str(source.last), "days": source.days}


def _losses(losses: Losses) -> dict[str, Any]:
    screening = losses.screening
    return {
        "scenarios": losses.scenarios,
        "value_at_risk": {
            str(each.level): {"value": each.value_at_risk, "interval_95": list(each.interval)} for each in losses.measures
        },
        "expected_shortfall": {str(each.level): each.expected_shortfall.told() for each in losses.measures},
        "screening": {
            "orders": list(screening.orders),
            "bound": screening.bound,
            "proved": screening.proved,
            "revalued": screening.revalued,
            "revalued_share": screening.revalued / losses.scenarios,
            "everything_revalued_because": screening.reason or None,
        },
    }


def components_csv(study: Study, found: Found) -> str:
    """One row an underlying: its part of expected shortfall, and all of it."""
    measured = found.losses.at(ES_LEVEL)
    total = measured.expected_shortfall.value
    rows = [
        (name, value, value / total if total else math.nan)
        for name, value in zip(study.book.names, measured.components.tolist(), strict=True)
    ]
    return _csv(("underlying", "component_es", "share"), [*rows, ("total", total, 1.0)])


def tail_csv(study: Study, found: Found) -> str:
    """One row a scenario, the worst first: its loss, and what moved, as changes of logarithms."""
    losses = found.losses
    rows = [
        (rank, loss, *moves)
        for rank, (loss, moves) in enumerate(zip(losses.worst.tolist(), losses.worst_moves.T.tolist(), strict=True), 1)
    ]
    return _csv(("rank", "loss", *study.normal.names), rows)


def convergence_csv(found: Found) -> str:
    """Expected shortfall of the first part of the scenarios, and of more of them."""
    rows = [(each.scenarios, each.shortfall.value, each.shortfall.error, *each.shortfall.interval()) for each in found.convergence]
    return _csv(("scenarios", "expected_shortfall", "standard_error", "low_95", "high_95"), rows)


def _csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue()


def table(study: Study, found: Found) -> str:
    """The run for people."""
    losses, book = found.losses, study.book
    rows = {
        "portfolio": f"{len(book.names)} underlyings, {len(book.options):,} options, worth {losses.value:,.0f} on {study.today}",
        "model": _told_model(study),
        "scenarios": f"{losses.scenarios:,} of {_days(study.arguments.horizon)}; {_told_screening(losses)}",
        **{
            f"VaR {each.level:.1%}": f"{each.value_at_risk:,.0f}, between {each.interval[0]:,.0f} and {each.interval[1]:,.0f}"
            for each in losses.measures
        },
        f"ES {ES_LEVEL:.1%}": _told_shortfall(losses),
    }
    if found.stressed and study.stressed:
        window = f"from {study.stressed.first} to {study.stressed.last}"
        rows["stressed ES"] = f"{_told_shortfall(found.stressed)}, as things moved {window}"
    components = zip(book.names, losses.at(ES_LEVEL).components.tolist(), strict=True)
    largest = sorted(components, key=lambda each: -abs(each[1]))[:3]
    rows["largest parts"] = ", ".join(f"{name} {value / found.shortfall.value:.1%}" for name, value in largest)
    rows["results"] = str(study.arguments.out)
    width = max(map(len, rows)) + 2
    return "\n".join(f"{name:<{width}}{value}" for name, value in rows.items())


def _days(number: int) -> str:
    return "one day" if number == 1 else f"{number} days"


def _told_shortfall(losses: Losses) -> str:
    estimate = losses.at(ES_LEVEL).expected_shortfall
    low, high = estimate.interval()
    return f"{estimate.value:,.0f}, between {low:,.0f} and {high:,.0f}"


def _told_model(study: Study) -> str:
    source = study.normal
    window = f"{source.days:,} days from {source.first} to {source.last}"
    if study.arguments.model == "bootstrap":
        return f"bootstrap of {window}, {study.arguments.bootstrap_days} in a row"
    if study.fitted:
        name = f"t of {study.degrees:.2f} degrees of freedom (fitted, standard error {study.fitted.error:.2f})"
    else:
        name = f"t of {study.degrees:g} degrees of freedom" if math.isfinite(study.degrees) else "normal"
    if study.arguments.covariance not in COVARIANCES:
        return f"{name}; covariance of {study.arguments.covariance}"
    return f"{name}; {study.arguments.covariance} covariance of {window}"


def _told_screening(losses: Losses) -> str:
    screening = losses.screening
    if screening.reason:
        return f"all valued: {screening.reason}"
    orders = " x ".join(map(str, screening.orders))
    return f"{screening.revalued / losses.scenarios:.1%} valued after a screen of {orders} terms, proved to {screening.bound:,.0f}"
