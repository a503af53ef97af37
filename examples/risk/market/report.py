"""The results as JSON, CSV, and a table for people."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from examples.risk.market.arguments import COVARIANCES
from examples.risk.market.backtest import VAR_LEVEL, Backtest
from examples.risk.market.coverage import CRITICAL, christoffersen, conditional, kupiec, shortfall_statistic, traffic_light
from examples.risk.market.figures import ES_LEVEL, Losses
from examples.risk.market.found import Found
from examples.risk.market.incremental import Incremental, marginal
from examples.risk.market.study import Source, Study
from examples.risk.market.valuation import value_today


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
            "incremental": _incremental(study, found.incremental) if found.incremental else None,
            "backtest": _backtest(found.backtest) if found.backtest else None,
            "stressed": _losses(found.stressed) if found.stressed else None,
        },
        "run": {"seconds": found.seconds, "communication": {name: asdict(sent) for name, sent in found.traffic.items()}},
    }


def _arguments(study: Study) -> dict[str, Any]:
    asked = study.arguments
    names = (
        "horizon",
        "scenarios",
        "model",
        "covariance",
        "bootstrap_days",
        "volatility",
        "rate",
        "seed",
        "incremental",
        "backtest",
        "brute_force",
    )
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


def _incremental(study: Study, added: Incremental) -> dict[str, Any]:
    return {
        name: {"without": without, "adds": change, "standard_error_at_most": error}
        for name, without, change, error in zip(
            study.book.names, added.shortfall.tolist(), added.change.tolist(), added.error_at_most.tolist(), strict=True
        )
    }


def _backtest(foretold: Backtest) -> dict[str, Any]:
    days, beyond = len(foretold.losses), foretold.losses > foretold.value_at_risk
    exceptions, chance = int(np.count_nonzero(beyond)), 1 - VAR_LEVEL
    light = traffic_light(beyond)
    statistic = shortfall_statistic(foretold.losses, foretold.value_at_risk_es, foretold.shortfall, 1 - ES_LEVEL)
    return {
        "first": str(foretold.dates[0]),
        "last": str(foretold.dates[-1]),
        "days": days,
        "level": VAR_LEVEL,
        "exceptions": exceptions,
        "expected": days * chance,
        "kupiec": asdict(kupiec(days, exceptions, chance)),
        "christoffersen_independence": asdict(christoffersen(beyond)),
        "christoffersen_conditional_coverage": asdict(conditional(beyond, chance)),
        "traffic_light": asdict(light) if light else None,
        "expected_shortfall": {
            "level": ES_LEVEL,
            "exceptions": int(np.count_nonzero(foretold.losses > foretold.value_at_risk_es)),
            "expected": days * (1 - ES_LEVEL),
            "z2": statistic,
            "z2_below_which_one_in_twenty_is": CRITICAL,
        },
    }


def components_csv(study: Study, found: Found) -> str:
    """One row an underlying: value, its part of expected shortfall, growth of that with the position, and what it adds; and all."""
    names, measured, added = study.book.names, found.losses.at(ES_LEVEL), found.incremental
    total, worth = measured.expected_shortfall.value, value_today(study.book)
    columns = (names, worth.tolist(), measured.components.tolist(), marginal(study.book, found.losses).tolist())
    adds = (
        [(change, error) for change, error in zip(added.change.tolist(), added.error_at_most.tolist(), strict=True)]
        if added
        else []
    )
    rows: list[Sequence[object]] = [
        (name, value, part, part / total if total else "", growth, *(adds[row] if adds else ("", "")))
        for row, (name, value, part, growth) in enumerate(zip(*columns, strict=True))
    ]
    header = ("underlying", "value", "component_es", "share", "marginal_es", "incremental_es", "incremental_error_at_most")
    return _csv(header, [*rows, ("total", found.losses.value, total, 1.0, "", "", "")])


def backtest_csv(foretold: Backtest) -> str:
    """One row a day: what today's book would have lost, what was foretold, and whether the loss was beyond it."""
    columns = (foretold.losses, foretold.value_at_risk, foretold.value_at_risk_es, foretold.shortfall)
    rows = [
        (str(day), *numbers, int(numbers[0] > numbers[1]))
        for day, numbers in zip(foretold.dates, zip(*(column.tolist() for column in columns), strict=True), strict=True)
    ]
    return _csv(("date", "loss", "var_99", "var_97.5", "es_97.5", "beyond_var_99"), rows)


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
    if found.backtest:
        rows["back-test"] = _told_backtest(_backtest(found.backtest))
    rows["results"] = str(study.arguments.out)
    width = max(map(len, rows)) + 2
    return "\n".join(f"{name:<{width}}{value}" for name, value in rows.items())


def _days(number: int) -> str:
    return "one day" if number == 1 else f"{number} days"


def _told_shortfall(losses: Losses) -> str:
    estimate = losses.at(ES_LEVEL).expected_shortfall
    low, high = estimate.interval()
    return f"{estimate.value:,.0f}, between {low:,.0f} and {high:,.0f}"


def _told_backtest(told: Mapping[str, Any]) -> str:
    light, ratio = told["traffic_light"], told["kupiec"]["p_value"]
    zone = f", {light['zone']} zone with {light['exceptions']} in the last 250" if light else ""
    independence = told["christoffersen_independence"]["p_value"]
    return (
        f"{told['exceptions']} of {told['days']:,} days beyond VaR 99%, {told['expected']:.1f} expected{zone}; "
        f"Kupiec p {ratio:.2g}, Christoffersen p {independence:.2g}"
    )


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
