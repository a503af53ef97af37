from __future__ import annotations

import math

import numpy as np
import pytest

from examples.risk.market.coverage import (
    Light,
    christoffersen,
    conditional,
    critical_shortfall_statistic,
    kupiec,
    shortfall_statistic,
    traffic_light,
)


def flags(days: int, *beyond: int) -> np.ndarray:
    made = np.zeros(days, np.bool_)
    made[list(beyond)] = True
    return made


def test_kupiecs_example() -> None:
    """20 exceptions in 1,000 days at 99 %: LR = 7.827, worked by hand from his formula; as many as expected give 0."""
    by_hand = -2 * (980 * math.log(0.99) + 20 * math.log(0.01) - 980 * math.log(0.98) - 20 * math.log(0.02))
    assert kupiec(1000, 20, 0.01).statistic == pytest.approx(by_hand, rel=1e-12)
    assert kupiec(1000, 20, 0.01).p_value == pytest.approx(0.005147, abs=2e-6)
    assert kupiec(1000, 10, 0.01).statistic == pytest.approx(0, abs=1e-12)


def test_kupiec_of_no_exceptions_is_finite() -> None:
    """None in 250 days at 99 %: LR = -500 ln 0.99."""
    assert kupiec(250, 0, 0.01).statistic == pytest.approx(-500 * math.log(0.99), rel=1e-12)


def test_exceptions_in_a_row_are_not_independent() -> None:
    """Ten spread over the year pass, ten in a row are refused; the joint test adds both."""
    spread, cluster = flags(250, *range(5, 250, 25)), flags(250, *range(100, 110))
    assert christoffersen(spread).p_value > 0.3
    assert christoffersen(cluster).p_value < 1e-8
    both = kupiec(250, 10, 0.01).statistic + christoffersen(cluster).statistic
    assert conditional(cluster, 0.01).statistic == pytest.approx(both)


def test_christoffersens_ratio_is_that_of_the_transitions() -> None:
    """0 0 1 1 0 1 0 0 0 1: of six days after none 3 have one, of three days after one 1 has one."""
    found = christoffersen(flags(10, 2, 3, 5, 9))
    separate = 6 * math.log(0.5) + math.log(1 / 3) + 2 * math.log(2 / 3)
    together = 4 * math.log(4 / 9) + 5 * math.log(5 / 9)
    assert found.statistic == pytest.approx(2 * (separate - together), rel=1e-12)


@pytest.mark.parametrize(
    ("exceptions", "light"),
    [
        (0, Light(0, "green", 1.5)),
        (4, Light(4, "green", 1.5)),
        (5, Light(5, "yellow", 1.7)),
        (9, Light(9, "yellow", 1.92)),
        (10, Light(10, "red", 2.0)),
        (31, Light(31, "red", 2.0)),
    ],
)
def test_zones_are_the_supervisors(exceptions: int, light: Light) -> None:
    """Of the last 250 days only, whatever was before."""
    beyond = np.concatenate([np.ones(50, np.bool_), flags(250, *range(exceptions))])
    assert traffic_light(beyond) == light


def test_less_than_a_year_has_no_zone() -> None:
    """249 days."""
    assert traffic_light(flags(249)) is None


def test_shortfalls_that_come_true_have_no_statistic() -> None:
    """If losses beyond VaR are as many and as large in the mean as foretold, Z2 is 0; twice as large, -1; none, 1."""
    losses = np.zeros(200)
    losses[:5] = [8, 9, 10, 11, 12]
    foretold = np.full(200, 7.0), np.full(200, 10.0)
    assert shortfall_statistic(losses, *foretold, 0.025) == pytest.approx(0, abs=1e-12)
    assert shortfall_statistic(2 * losses, *foretold, 0.025) == pytest.approx(-1, abs=1e-12)
    assert shortfall_statistic(np.zeros(200), *foretold, 0.025) == 1


@pytest.mark.parametrize(
    ("days", "critical", "within"), [(20, -2.94, 0.1), (250, -0.69, 0.03), (500, -0.48, 0.02), (7812, -0.12, 0.01)]
)
def test_the_critical_z2_depends_on_the_number_of_days(days: int, critical: float, within: float) -> None:
    """Against plain simulation of normal days (4,000 trials each, 1,000 of the last); Acerbi and Szekely have -0.70 for 250."""
    found = critical_shortfall_statistic(days, 0.025, math.inf)
    assert found == pytest.approx(critical, abs=within)
    assert critical_shortfall_statistic(days, 0.025, 4.0) < found + 0.01  # of few days the count decides
