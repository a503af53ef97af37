from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from examples.risk.american import heston
from examples.risk.american.contract import Contract
from examples.risk.american.controls import Controls
from examples.risk.american.extremes import Extreme
from examples.risk.american.lower import Draws, Lower, lower_bound
from examples.risk.american.model import Gbm, Heston
from examples.risk.american.paths import LOWER
from examples.risk.american.stopping import Stopped
from examples.risk.numerics import black_scholes
from examples.risk.numerics.philox import Philox
from examples.workload.communicator import Alone
from tests.unit.risk.american.plain_paths import PlainPaths, equally_spaced, one_asset, three_assets

CASES = [
    ("put", one_asset(), ()),
    ("call", one_asset(dividend=0.08), ()),
    ("max-call", three_assets(), ()),
    ("max-call", three_assets(0.3), ()),
    ("min-put", three_assets(), ()),
    ("min-put", three_assets(0.3), ()),
    ("basket-call", three_assets(0.3), (0.5, 0.3, 0.3)),
    ("basket-put", three_assets(), (0.4, 0.3, 0.3)),
]


def _moved(model: Gbm, asset: int, log_spot: float, volatility: float) -> Gbm:
    unit = np.eye(len(model.spots))[asset]
    return replace(model, spots=model.spots * np.exp(log_spot * unit), volatilities=model.volatilities + volatility * unit)


@pytest.mark.parametrize(("payoff", "model", "weights"), CASES)
def test_controls_sampled_where_paths_stop_have_todays_mean(payoff: str, model: Gbm, weights: tuple[float, ...]) -> None:
    """Whatever the rule by which paths stop, no control's mean is more than four errors from what it is worth today."""
    contract, paths = equally_spaced(payoff, 2, 5, weights=weights), 4096
    controls, stopped = Controls(contract, model, paths), Stopped(contract, len(model.spots), paths)
    forward = PlainPaths(contract, model, 3, paths, antithetic=False)

    def decide(states: npt.NDArray[Any], date: int, out: npt.NDArray[np.bool_]) -> None:
        np.greater(contract.exercise(states, np.empty(paths)), 0.05 * (5 - date), out=out)

    blocks = []
    for block in range(8):
        stopped.follow(forward, block, decide)
        blocks.append(controls.at(stopped.spots, stopped.times).values)
    values = np.concatenate(blocks, axis=1)
    errors = values.std(axis=1) / np.sqrt(values.shape[1])
    assert len(controls.names) == len(values) >= 2
    assert np.all(np.abs(values.mean(axis=1) - controls.today.values[:, 0]) < 4 * errors)


@pytest.mark.parametrize(("payoff", "model", "weights"), CASES)
def test_derivatives_of_controls_are_those_by_differences(
    payoff: str, model: Gbm, weights: tuple[float, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """First and second derivatives by spots, and those by volatilities, agree with central differences of the values."""
    contract, step = equally_spaced(payoff, 2, 5, weights=weights), 1e-3
    if payoff in ("put", "call"):  # strikes, and the integral's end, are chosen by the model: they are held fixed here
        monkeypatch.setattr("examples.risk.american.controls._strikes", lambda *_: np.array([1.0, 0.8, 0.7]))
    if payoff.startswith("basket"):
        shares = np.array([0.3, 0.3, 0.4])
        geometric = Controls._geometric
        monkeypatch.setattr(Controls, "_geometric", lambda self, _, covariance: geometric(self, shares, covariance))
        monkeypatch.setattr(Controls, "_matching", lambda *_: 0.95)
    monkeypatch.setattr(
        "examples.risk.american.extremes._end", lambda contract, _: (2 if contract.payoff == "max-call" else -2, 40)
    )

    def value(moved: Gbm) -> npt.NDArray[np.float64]:
        return np.asarray(Controls(contract, moved, 1).today.values[:, 0])

    today = Controls(contract, model, 1).today
    for asset in range(len(model.spots)):
        up, down = (value(_moved(model, asset, way * step, 0)) for way in (1, -1))
        first, second = (up - down) / (2 * step), (up + down - 2 * value(model)) / step**2
        assert today.by_log_spot[:, asset, 0] == pytest.approx(first, abs=1e-4)
        assert today.curvature[:, asset, 0] == pytest.approx(second - first, abs=2e-3)
        up, down = (value(_moved(model, asset, 0, way * step)) for way in (1, -1))
        assert today.by_volatility[:, asset, 0] == pytest.approx((up - down) / (2 * step), abs=3e-6)


def test_the_first_control_of_a_put_is_the_european_one() -> None:
    """Next to the asset itself stands Black and Scholes' put of the same strike and expiry."""
    model = one_asset(dividend=0.03)
    controls = Controls(equally_spaced("put", 1, 4), model, 1)
    assert controls.names[:2] == ("asset", "European")
    assert controls.today.values[0, 0] == pytest.approx(0.9 * np.exp(-0.03))
    assert controls.today.values[1, 0] == pytest.approx(black_scholes.value(0.9, 1, 0.06, 0.03, 0.2, 1, -1), abs=1e-9)


def test_the_largest_of_one_asset_is_that_asset() -> None:
    """Both European options on extremes are Black and Scholes' if there is one asset, but for the far end of the integral."""
    for payoff, sign in (("max-call", 1), ("min-put", -1)):
        model = one_asset(volatility=0.3)
        price = Controls(equally_spaced(payoff, 1, 3), model, 1).today.values[-1, 0]
        assert price == pytest.approx(black_scholes.value(0.9, 1, 0.06, 0.0, 0.3, 1, sign), abs=1e-4)


def test_extremes_need_independent_assets_and_few_dates() -> None:
    """Correlated assets, and intervals so short that the integral takes too many nodes, get vanillas and exchanges instead."""
    contract = equally_spaced("max-call", 2, 5)
    assert Extreme.suits(contract, three_assets())
    assert not Extreme.suits(contract, three_assets(0.1))
    assert not Extreme.suits(equally_spaced("max-call", 2, 5000), three_assets())
    assert "exchange of assets" in Controls(contract, three_assets(0.1), 1).names


def test_hestons_europeans_are_the_closed_formulas() -> None:
    """Ikonen and Toivanen's model, spot 10: put 0.5014657, by QuantLib's AnalyticHestonEngine 1.44; its delta by differences."""
    contract = Contract("put", 10.0, tuple(0.25 * (1 + date) / 20 for date in range(20)))
    model = Heston(0.1, 10.0, 0.0, 0.0625, 5, 0.16, 0.9, 0.1)
    controls = Controls(contract, model, 1)
    assert controls.names == ("asset", "European, strike 1", "European, strike 0.9", "European, strike 0.8")
    assert controls.today.values[1, 0] == pytest.approx(0.05014657, abs=2e-6)
    up, down = (Controls(contract, replace(model, spot=10 * np.exp(move)), 1).today.values[:, 0] for move in (1e-4, -1e-4))
    assert controls.today.by_log_spot[:, 0, 0] == pytest.approx((up - down) / 2e-4, abs=1e-6)
    without_variance = controls.at(np.array([[0.9]]), np.array([contract.dates[3]])).values
    assert np.array_equal(without_variance[1:], controls.today.values[1:])


def test_hestons_controls_have_todays_mean_and_take_the_noise() -> None:
    """On QE paths that stop by a fixed boundary, means are within four errors; they leave a hundredth of a put's variance."""
    contract = Contract("put", 10.0, tuple(0.25 * (1 + date) / 20 for date in range(20)))
    model, draws = Heston(0.1, 10.0, 0.0, 0.0625, 5, 0.16, 0.9, 0.1), Draws.independent(1 << 14, antithetic=True, block=2048)

    def decide(states: npt.NDArray[Any], _: int, out: npt.NDArray[np.bool_]) -> None:
        np.less(states[0], 0.85, out=out)

    def forward() -> heston.Forward:
        return heston.Forward(model, 10.0, contract.dates, Philox(3, LOWER), draws.paths, antithetic=True)

    controls, stopped, paths = Controls(contract, model, draws.paths), Stopped(contract, 1, draws.paths, rows=2), forward()
    values = []
    for block in range(draws.blocks):
        stopped.follow(paths, block, decide)
        values.append(controls.at(stopped.states, stopped.times).values)
    every = np.concatenate(values, axis=1)
    assert np.all(np.abs(every.mean(axis=1) - controls.today.values[:, 0]) < 4 * every.std(axis=1) / np.sqrt(every.shape[1]))
    found = lower_bound(Alone(), Lower(contract, model, decide, forward(), draws), draws).going_on
    assert found.value.error < 0.1 * found.plain.error


def test_certain_variance_has_the_asset_alone() -> None:
    """In any model the discounted asset is a martingale; Heston's formula needs a variance that varies."""
    controls = Controls(Contract("put", 10.0, (0.25, 0.5)), Heston(0.1, 8.0, 0.02, 0.06, 5, 0.16, 0.0, 0.1), 1)
    assert controls.names == ("asset",)
    assert controls.today.values[0, 0] == pytest.approx(0.8 * np.exp(-0.02 * 0.5))


@pytest.mark.parametrize("payoff", ["basket-put", "basket-call", "max-call", "min-put"])
def test_assets_that_cancel_have_controls_without_the_ratio(payoff: str) -> None:
    """Of three assets with correlations of -1/2 the equal basket does not vary, up to rounding: all controls are finite numbers."""
    model = Gbm(0.05, np.full(3, 100.0), np.full(3, 0.1), np.full(3, 0.3), 1.5 * np.eye(3) - 0.5)
    contract = equally_spaced(payoff, 2, 5, weights=(1 / 3,) * 3 if payoff.startswith("basket") else ())
    controls = Controls(contract, model, 4)
    assert np.isfinite(controls.today.values).all()
    assert np.isfinite(controls.today.by_volatility).all()
