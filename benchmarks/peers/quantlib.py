"""QuantLib's instruments and engines, in the few forms that benchmarks need.

Time is counted in `INTERVAL` days, one from each exercise date to the next; a year is QuantLib's, of 365 days, so who wants
m dates in T years gives rates and variances in units of T * 365 / (m * INTERVAL) years.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.measure import Missing

INTERVAL = 7  # days from one exercise date to the next
DAMPING = 2  # first steps that are implicit, since a payoff has a kink
Reals = npt.NDArray[np.float64]


def library() -> Any:
    """The module.

    Raises:
        Missing: it is not installed.
    """
    try:
        ql: Any = importlib.import_module("QuantLib")
    except ImportError:
        raise Missing("needs QuantLib: pip install QuantLib") from None
    ql.Settings.instance().evaluationDate = ql.Date(1, 1, 2020)
    return ql


def _today() -> tuple[Any, Any, Any]:
    ql = library()
    return ql, ql.Settings.instance().evaluationDate, ql.Actual365Fixed()


def flat(rate: float) -> Any:
    """A curve of one rate."""
    ql, today, days = _today()
    return ql.YieldTermStructureHandle(ql.FlatForward(today, rate, days))


def gbm(spot: float, rate: float, dividend: float, volatility: float) -> Any:
    """A geometric Brownian motion."""
    ql, today, days = _today()
    moving = ql.BlackVolTermStructureHandle(ql.BlackConstantVol(today, ql.NullCalendar(), volatility, days))
    return ql.BlackScholesMertonProcess(ql.QuoteHandle(ql.SimpleQuote(spot)), flat(dividend), flat(rate), moving)


def put(strike: float, dates: int, *, american: bool) -> Any:
    """A put with so many exercise dates, or with any date until the last of them."""
    ql = library()
    return ql.VanillaOption(ql.PlainVanillaPayoff(ql.Option.Put, strike), _exercise(dates, american=american))


def _exercise(dates: int, *, american: bool) -> Any:
    ql, today, _ = _today()
    if american:
        return ql.AmericanExercise(today, today + INTERVAL * dates)
    return ql.BermudanExercise([today + INTERVAL * (1 + date) for date in range(dates)])


def finite_differences(spot: float, rate: float, volatility: float, grid: int) -> Any:
    """The engine for one asset under `gbm`."""
    return library().FdBlackScholesVanillaEngine(gbm(spot, rate, 0.0, volatility), grid, grid, DAMPING)


def heston_finite_differences(spot: float, unit: float, grid: tuple[int, int, int], **model: float) -> Any:
    """The engine for Heston's model, whose parameters are per year; ``unit``: years of the model in one of QuantLib."""
    ql = library()
    process = ql.HestonProcess(
        flat(model["rate"] * unit),
        flat(0.0),
        ql.QuoteHandle(ql.SimpleQuote(spot)),
        model["variance"] * unit,
        model["kappa"] * unit,
        model["theta"] * unit,
        model["xi"] * unit,
        model["rho"],
    )
    return ql.FdHestonVanillaEngine(ql.HestonModel(process), *grid)


def monte_carlo_put(process: Any, dates: int, calibrated: int, paths: int = 0, *, error: float = 0.0, antithetic: bool) -> Any:
    """The engine of Longstaff and Schwartz on MT19937, monomials up to the third power.

    Args:
        process: of the spot.
        dates: of exercise.
        calibrated: paths, or antithetic pairs, from which the policy is found.
        paths: or pairs, of the price.
        error: instead of ``paths``: so many that the standard error is not larger.
        antithetic: whether a path is a pair, in both phases.
    """
    ql = library()
    return ql.MCPRAmericanEngine(
        process,
        timeSteps=dates,
        antitheticVariate=antithetic,
        antitheticVariateCalibration=antithetic,
        seed=42,
        polynomOrder=3,
        polynomType=ql.LsmBasisSystem.Monomial,
        nCalibrationSamples=calibrated,
        **({"requiredTolerance": error} if error else {"requiredSamples": paths}),
    )


def max_call(assets: int, spot: float, unit: float, dates: int, paths: int, *, calibrated: int) -> tuple[Any, Any]:
    """The call of Broadie and Glasserman on the greatest of some assets, and its engine by Longstaff and Schwartz.

    Without antithetic paths: with them it takes longer to the same error.
    """
    ql = library()
    processes = ql.StochasticProcessArray(
        [gbm(spot, 0.05 * unit, 0.1 * unit, 0.2 * unit**0.5) for _ in range(assets)],
        [[float(row == column) for column in range(assets)] for row in range(assets)],
    )
    payoff = ql.MaxBasketPayoff(ql.PlainVanillaPayoff(ql.Option.Call, 100.0))
    option = ql.BasketOption(payoff, _exercise(dates, american=True))
    engine = ql.MCPRAmericanBasketEngine(
        processes,
        timeSteps=dates,
        requiredSamples=paths,
        seed=42,
        nCalibrationSamples=calibrated,
        polynomOrder=2,  # 21 functions of five assets; ours has 11
        polynomType=ql.LsmBasisSystem.Monomial,
    )
    return option, engine


def black_values(forwards: Reals, deviations: Reals, strikes: Reals, signs: Reals) -> list[list[float]]:
    """``blackFormula`` of options (n,) in scenarios, (scenarios, n) each: a call for each, as people write it; no discount."""
    ql = library()
    formula = ql.blackFormula
    kinds = [ql.Option.Call if sign > 0 else ql.Option.Put for sign in signs.tolist()]
    terms = list(zip(kinds, strikes.tolist(), strict=True))
    return [
        [formula(kind, strike, forward, deviation) for (kind, strike), forward, deviation in zip(terms, *row, strict=True)]
        for row in zip(forwards.tolist(), deviations.tolist(), strict=True)
    ]
