"""Whether the quick figures of market risk are the right ones: against every scenario valued, and against closed formulas."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from scipy.stats import t as student

from benchmarks import risk_inputs
from benchmarks.risk_inputs import DEGREES, LEVELS
from examples.risk.market.book import Book
from examples.risk.market.elliptical import Elliptical
from examples.risk.market.figures import Losses
from examples.risk.market.tail import measure
from examples.workload.communicator import Alone

SEEDS, LINEAR_BLOCKS = 16, 256
SMALL = 1e-5  # of a deviation: so little moves prices in proportion, exp(x) - 1 = x (1 + 3e-7)
NEAR = 1e-15  # relative, of expected shortfall


def check_equal(name: str, quick: Losses, full: Losses) -> None:
    """Value at risk has the same bits, expected shortfall is within 1e-15.

    Raises:
        RuntimeError: they differ.
    """
    for one, other in zip(quick.measures, full.measures, strict=True):
        if one.value_at_risk.hex() != other.value_at_risk.hex():
            raise RuntimeError(f"{name} book: VaR {one.level} is {one.value_at_risk!r}, but {other.value_at_risk!r} by brute force")
        shortfall, brute = one.expected_shortfall.value, other.expected_shortfall.value
        if abs(shortfall - brute) > NEAR * abs(brute):
            raise RuntimeError(f"{name} book: ES {one.level} is {shortfall!r}, but {brute!r} by brute force")


def linear_points() -> Iterator[tuple[str, float, float]]:
    """Six figures of a book of shares under the multivariate t against closed formulas: name, relative error, z.

    With sigma the loss's deviation, nu degrees and q the quantile of t, VaR = c q, c = sigma sqrt((nu - 2) / nu), and
    ES = c f(q) / (1 - level) (nu + q^2) / (nu - 1) (McNeil, Frey and Embrechts 2015, example 2.15).
    """
    book, scenarios = risk_inputs.book_and_scenarios("directional")
    linear = _shares_only(book)
    covariance = SMALL**2 * scenarios.root @ scenarios.root.T
    exposure = np.append(linear.shares * linear.spots, 0.0)
    scale = math.sqrt(float(exposure @ covariance @ exposure) * (DEGREES - 2) / DEGREES)
    found = np.array([_figures(linear, Elliptical(covariance, DEGREES, 100 + seed)) for seed in range(SEEDS)])
    known = []
    for level in LEVELS:
        quantile = float(student.ppf(level, DEGREES))
        excess = float(student.pdf(quantile, DEGREES)) / (1 - level) * (DEGREES + quantile**2) / (DEGREES - 1)
        known += [scale * quantile, scale * excess]
    errors = found / known - 1
    means, deviations = errors.mean(axis=0), errors.std(axis=0, ddof=1) / math.sqrt(SEEDS)
    names = [f"{figure} {level}" for level in LEVELS for figure in ("VaR", "ES")]
    yield from zip(names, means.tolist(), (means / deviations).tolist(), strict=True)


def _shares_only(book: Book) -> Book:
    return replace(book, options=book.options.of(np.zeros(len(book.options), np.bool_)), rate=0.0, horizon=0.0)


def _figures(book: Book, scenarios: Elliptical) -> list[float]:
    losses = measure(Alone(), book, scenarios, LINEAR_BLOCKS, levels=LEVELS)
    return [figure for each in losses.measures for figure in (each.value_at_risk, each.expected_shortfall.value)]
