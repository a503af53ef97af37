from __future__ import annotations

import numpy as np

from examples.risk.american.basis import basis_of
from examples.risk.american.boundary import boundaries_of, region_of
from examples.risk.american.contract import Contract
from examples.risk.american.model import Gbm, Heston
from examples.risk.american.policy import Policy
from examples.risk.american.trades import Trade

HALVES = (0.5, 1.0)


def trade_of(payoff: str, spots: list[float]) -> Trade:
    count = len(spots)
    model = Gbm(0.05, np.array(spots), np.zeros(count), np.full(count, 0.3), np.eye(count))
    return Trade("some", Contract(payoff, 50.0, HALVES), model)


def policy_for(trade: Trade, coefficients: list[float]) -> Policy:
    """Going on is worth a polynomial of the payoff, unscaled."""
    basis = basis_of(trade.contract, trade.model)
    row = np.zeros((1, basis.count))
    row[0, : len(coefficients)] = coefficients
    return Policy(basis.name, row, np.ones(1), 0.1)


def test_the_boundary_is_where_going_on_is_worth_as_much() -> None:
    """A put that goes on for 0.1 strikes is exercised below 0.9 strikes, a call above 1.1, both at expiry at the strike."""
    put = trade_of("put", [48])
    assert np.allclose(boundaries_of(put, policy_for(put, [0.1]))[""], [45, 50], rtol=1e-9)
    call = trade_of("call", [48])
    assert np.allclose(boundaries_of(call, policy_for(call, [0.1]))[""], [55, 50], rtol=1e-9)


def test_where_there_are_no_paths_there_is_no_boundary() -> None:
    """Going on for more than any payoff, for less than any path gets, or for nobody knows how much, is no boundary."""
    put = trade_of("put", [48])
    for unknown in (2.0, 0.97, np.nan):
        assert np.isnan(boundaries_of(put, policy_for(put, [unknown]))[""][0])


def test_a_stretch_without_paths_does_not_count() -> None:
    """Where a polynomial says twice that one exercises, the boundary is that of the stretch that paths are near."""
    put = trade_of("put", [45])
    going_on = [0.018, 0.73, 1.0, -1.0]  # the payoff less (payoff - 0.1) (payoff - 0.3) (payoff - 0.6)
    boundary = boundaries_of(put, policy_for(put, going_on))[""]
    assert np.isclose(boundary[0], 45, atol=1e-6)


def test_two_assets_have_a_region_and_heston_has_levels() -> None:
    """The region of a max-call on two assets is where the larger spot is beyond; a boundary under Heston is one a variance."""
    best = trade_of("max-call", [50, 50])
    assert boundaries_of(best, policy_for(best, [0.1])) == {}
    region = region_of(best, policy_for(best, [0.1]))
    assert region is not None
    larger = np.maximum(region.first[:, None], region.second)
    assert np.array_equal(region.exercised, larger > 55)
    heston = Trade("some", Contract("put", 50.0, HALVES), Heston(0.05, 48.0, 0.0, 0.04, 2.0, 0.09, 0.3, 0.0))
    levels = boundaries_of(heston, policy_for(heston, [0.1]))
    assert list(levels) == ["variance 0.04", "variance 0.09"]
    assert region_of(heston, policy_for(heston, [0.1])) is None
