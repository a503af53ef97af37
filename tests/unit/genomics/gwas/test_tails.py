from __future__ import annotations

import math

import numpy as np
import pytest

from examples.genomics.gwas.reports import p_text
from examples.genomics.gwas.tails import inflation, normal_log_p, t_log_p

T = np.array([0.0, 1e-8, 0.3, 1.0, 2.5, 40.0, 1e5])


def test_student_tails_are_those_of_closed_forms() -> None:
    """With one degree of freedom P is an arctangent, with two a square root."""
    one = 2 / np.pi * np.arctan2(1, T)
    root = np.sqrt(2 + T**2)
    two = 2 / (root * (root + T))
    assert np.exp(t_log_p(T, np.full(7, 1.0))) == pytest.approx(one, rel=1e-12)
    assert np.exp(t_log_p(T, np.full(7, 2.0))) == pytest.approx(two, rel=1e-12)


def test_student_tails_go_on_below_the_smallest_double() -> None:
    """plink2 prints these two: t of 964.413 and 59.1969 with 4,936 degrees of freedom."""
    far, near = t_log_p(np.array([964.413, 59.1969]), np.array([4936.0, 4936.0]))
    assert p_text(float(far))[-6:] == "e-5623"
    assert p_text(float(near))[:3] + p_text(float(near))[-5:] == "1.7e-577"


def test_normal_tails_meet_where_their_formulas_change() -> None:
    """Near 0 it is erfc; at 25 standard deviations series and erfc agree; beyond, it goes on."""
    assert np.exp(normal_log_p(np.array([0.0, 1.96, -5.0]))) == pytest.approx([1, math.erfc(1.96 / 2**0.5), math.erfc(5 / 2**0.5)])
    below, above = normal_log_p(np.array([25 - 1e-9, 25 + 1e-9]))
    assert below - above == pytest.approx(2e-9 * 25.04, rel=1e-3, abs=1e-12)
    assert normal_log_p(np.array([100.0]))[0] == pytest.approx(-5000 - math.log(100 * math.sqrt(math.pi / 2)), rel=1e-6)


@pytest.mark.parametrize(
    ("log", "text"), [(0.0, "1"), (math.log(0.05), "0.05"), (-1000 * math.log(10), "1e-1000"), (-2302.0, "1.79516e-1000")]
)
def test_p_values_are_printed_with_six_digits(log: float, text: str) -> None:
    """However small: the digits of what no double holds come from its logarithm."""
    assert p_text(log) == text


def test_lambda_is_1_for_uniform_p_values() -> None:
    """P values spread evenly have lambda 1, those of chi-square twice as large have 2, and none have none."""
    even = (np.arange(999) + 0.5) / 999
    assert inflation(np.log(even)) == pytest.approx(1, abs=1e-6)
    larger = normal_log_p(np.sqrt(2) * 0.6744897501960817 * np.ones(3))
    assert inflation(larger) == pytest.approx(2, abs=1e-6)
    assert math.isnan(inflation(np.array([np.nan])))
