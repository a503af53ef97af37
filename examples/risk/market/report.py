"""The results as JSON and CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from examples.risk.market.backtest import VAR_LEVEL, Backtest
from examples.risk.market.coverage import (
    christoffersen,
    conditional,
    critical_shortfall_statistic,
    kupiec,
    shortfall_statistic,
    traffic_light,
)
from examples.risk.market.degrees import at_limit
from examples.risk.market.figures import ES_LEVEL, Losses
from examples.risk.market.found import Found
from examples.risk.market.incremental import Incremental, marginal
from examples.risk.market.study import Source, Study
from examples.risk.market.valuation import value_today

if TYPE_CHECKING:
    from examples.risk.market.importance import Sampled


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
            "importance_sampling": _sampled(found.sampled) if found.sampled else None,
            "incremental": _incremental(study, found.incremental) if found.incremental else None,
            "backtest": told_backtest(study, found.backtest) if found.backtest else None,
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
        "degrees_fitted": study.fitted.told() | {"at_the_limit": at_limit(study.degrees)} if study.fitted else None,
        "window": _window(study.normal),
        "stress": _window(study.stressed) if study.stressed else None,
        "horizon_years": study.book.horizon,
    }


def _window(source: Source) -> dict[str, Any]:
    covariance = source.estimate if source.changes is None else None
    return {"first": str(source.first), "last": str(source.last), "days": source.days, "covariance": covariance}


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


def _sampled(sampled: Sampled) -> dict[str, Any]:
    return {
        "points": sampled.points,
        "replicates": sampled.replicates,
        "tilt": asdict(sampled.tilt),
        "value_at_risk": dict(zip(map(str, sampled.levels), (each.told() for each in sampled.value_at_risk), strict=True)),
        "expected_shortfall": dict(
            zip(map(str, sampled.levels), (each.told() for each in sampled.expected_shortfall), strict=True)
        ),
        "bound": sampled.bound,
        "revalued": sampled.revalued,
    }


def _incremental(study: Study, added: Incremental) -> dict[str, Any]:
    return {
        name: {"without": without, "adds": change, "standard_error_at_most": error}
        for name, without, change, error in zip(
            study.book.names, added.shortfall.tolist(), added.change.tolist(), added.error_at_most.tolist(), strict=True
        )
    }


def told_backtest(study: Study, foretold: Backtest) -> dict[str, Any]:
    """Model, exceptions and tests; Z2's critical value is that of losses which are a t if the model is one, otherwise normal."""
    own = study.foreteller.degrees
    degrees = math.inf if math.isnan(own) else own
    days, beyond = len(foretold.losses), foretold.losses > foretold.value_at_risk
    exceptions, chance = int(np.count_nonzero(beyond)), 1 - VAR_LEVEL
    light = traffic_light(beyond)
    statistic = shortfall_statistic(foretold.losses, foretold.value_at_risk_es, foretold.shortfall, 1 - ES_LEVEL)
    return {
        "model": study.foreteller.told(),
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
            "z2_below_which_one_in_twenty_is": critical_shortfall_statistic(days, 1 - ES_LEVEL, degrees),
            "z2_of_losses": "normal" if math.isinf(degrees) else "t",
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
        (name, value, part, part / total if total else "", "" if math.isnan(growth) else growth, *(adds[row] if adds else ("", "")))
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
    rows = [
        (each.sampling, each.scenarios, each.shortfall.value, each.shortfall.error, *each.shortfall.interval())
        for each in found.convergence
    ]
    return _csv(("sampling", "scenarios", "expected_shortfall", "standard_error", "low_95", "high_95"), rows)


def _csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue()
