"""The results as a table for people."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from examples.risk.market.arguments import COVARIANCES
from examples.risk.market.degrees import at_limit
from examples.risk.market.figures import ES_LEVEL, Losses
from examples.risk.market.found import Found
from examples.risk.market.report import told_backtest
from examples.risk.market.study import Study
from examples.risk.numerics.estimates import Estimate

if TYPE_CHECKING:
    from examples.risk.market.importance import Sampled


def table(study: Study, found: Found) -> str:
    """The run for people."""
    losses, book = found.losses, study.book
    rows = {
        "portfolio": f"{_counted(len(book.names), 'underlying')}, {_counted(len(book.options), 'option')}, "
        f"worth {_money(losses.value)} on {study.today}",
        "model": _told_model(study),
        "scenarios": f"{losses.scenarios:,} of {_counted(study.arguments.horizon, 'day')}; {_told_screening(losses)}",
        **{f"VaR {each.level:.1%}": _told_interval(each.value_at_risk, each.interval) for each in losses.measures},
        f"ES {ES_LEVEL:.1%}": _told_estimate(found.shortfall),
    }
    if found.sampled:
        rows["by importance"] = _told_sampled(found.sampled)
    if found.stressed and study.stressed:
        window = f"from {study.stressed.first} to {study.stressed.last}"
        rows["stressed ES"] = f"{_told_estimate(found.stressed.at(ES_LEVEL).expected_shortfall)}, as things moved {window}"
    components = zip(book.names, losses.at(ES_LEVEL).components.tolist(), strict=True)
    largest = sorted(components, key=lambda each: -abs(each[1]))[:3]
    if found.shortfall.value:
        rows["largest parts"] = ", ".join(f"{name} {value / found.shortfall.value:.1%}" for name, value in largest)
    if found.backtest:
        rows["back-test"] = _told_backtest(study, told_backtest(study, found.backtest))
    rows["results"] = str(study.arguments.out)
    width = max(map(len, rows)) + 2
    return "\n".join(f"{name:<{width}}{value}" for name, value in rows.items())


def _counted(number: int, word: str) -> str:
    return f"{number:,} {word}{'s' * (number != 1)}"


def _money(amount: float) -> str:
    """Whole if it is much, otherwise with four digits that count."""
    return f"{amount:,.0f}" if abs(amount) >= 1e4 or amount == 0 else f"{amount:,.4g}"


def _told_estimate(estimate: Estimate) -> str:
    return _told_interval(estimate.value, estimate.interval())


def _told_interval(value: float, interval: tuple[float, float]) -> str:
    return f"{_money(value)}, between {_money(interval[0])} and {_money(interval[1])}"


def _told_sampled(sampled: Sampled) -> str:
    shortfall = sampled.expected_shortfall[sampled.levels.index(ES_LEVEL)]
    drawn = f"{sampled.replicates} replicates of {sampled.points:,} Sobol' points"
    return f"ES {ES_LEVEL:.1%} {_told_estimate(shortfall)}, from {drawn}"


def _told_backtest(study: Study, told: Mapping[str, Any]) -> str:
    light, ratio = told["traffic_light"], told["kupiec"]["p_value"]
    zone = f", {light['zone']} zone with {light['exceptions']} in the last 250" if light else ""
    independence = told["christoffersen_independence"]["p_value"]
    return (
        f"{told['exceptions']} of {told['days']:,} days beyond the 1-day VaR 99% of another model ({study.foreteller}), "
        f"{told['expected']:.1f} expected{zone}; "
        f"Kupiec p {ratio:.2g}, Christoffersen p {independence:.2g}"
    )


def _told_model(study: Study) -> str:
    source = study.normal
    window = f"{source.days:,} days from {source.first} to {source.last}"
    if study.arguments.model == "bootstrap":
        return f"bootstrap of {window}, {study.arguments.bootstrap_days} in a row"
    if study.fitted:
        how = "fitted, at the limit" if at_limit(study.degrees) else f"fitted, standard error {study.fitted.error:.2f}"
        name = f"t of {study.degrees:.2f} degrees of freedom ({how})"
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
    return (
        f"{screening.revalued / losses.scenarios:.1%} valued after a screen of {orders} terms, proved to {_money(screening.bound)}"
    )
