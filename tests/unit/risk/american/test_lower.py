from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from examples.risk.american.contract import Contract
from examples.risk.american.lower import Draws, Lower, LowerBound, lower_bound
from examples.risk.american.model import Gbm, Heston
from examples.risk.american.paths import LOWER, Forward
from examples.risk.american.sobol_paths import SobolForward
from examples.risk.american.stopping import Decide
from examples.risk.numerics import black_scholes
from examples.workload.communicator import Alone, Communicator
from tests.unit.risk.american.lattice import bermudan_put
from tests.unit.risk.american.plain_paths import PlainPaths, equally_spaced, one_asset, three_assets
from tests.unit.workload.thread_ranks import run_ranks

PUT = equally_spaced("put", 1, 50)
INDEPENDENT = Draws.independent(1 << 13, antithetic=False, block=1024)
ANTITHETIC = Draws.independent(1 << 13, antithetic=True, block=1024)
SOBOL = Draws.sobol(1 << 13, 8, block=512)


def _forward(contract: Contract, model: Gbm, draws: Draws) -> Forward:
    if draws.replicates:
        return SobolForward(contract, model, 5, LOWER, draws.paths.bit_length() - 1, draws.blocks // draws.replicates)
    return PlainPaths(contract, model, 5, draws.paths, antithetic=draws.antithetic)


def _bound(
    contract: Contract, model: Gbm, decide: Decide, draws: Draws, comm: Communicator | None = None, *, greeks: bool = False
) -> LowerBound:
    lower = Lower(contract, model, decide, _forward(contract, model, draws), draws, greeks=greeks)
    return lower_bound(comm or Alone(), lower, draws)


def _below(boundary: tuple[float, ...]) -> Decide:
    def decide(states: npt.NDArray[Any], date: int, out: npt.NDArray[np.bool_]) -> None:
        np.less(states[0], boundary[date], out=out)

    return decide


def _never(_: npt.NDArray[Any], __: int, out: npt.NDArray[np.bool_]) -> None:
    out[:] = False


@pytest.mark.parametrize("draws", [INDEPENDENT, ANTITHETIC, SOBOL])
def test_the_best_policy_is_worth_what_a_lattice_says(draws: Draws) -> None:
    """Longstaff and Schwartz' put (spot 36, strike 40): 4.4778 by finite differences, delta -0.69586, vega 10.954, gamma 0.08670.

    QuantLib 1.44, FdBlackScholesVanillaEngine, 2,000 x 2,000, BermudanExercise on 50 dates; vega by central difference of 0.002.
    """
    lattice = bermudan_put(0.9, 0.06, 0.2, 1, dates=50)
    assert lattice.price * 40 == pytest.approx(4.4778, abs=5e-4)
    found = _bound(PUT, one_asset(), _below(lattice.boundary), draws, greeks=True)
    assert found.greeks is not None
    assert found.value == found.going_on.value
    assert 0 < 40 * found.value.error < 1e-3  # 3,000 times less variance than the plain mean's, or more
    assert found.going_on.plain.error > 10 * found.value.error
    assert abs(40 * found.value.value - 4.47781) < 4 * 40 * found.value.error + 1e-3
    figures = [found.value, found.greeks.delta[0], found.greeks.vega[0], found.greeks.gamma[0]]
    for figure, expected in zip(figures, (4.47781 / 40, -0.69586, 10.954 / 40, 0.08670 * 40), strict=True):
        assert abs(figure.value - expected) < 4 * figure.error + 2e-3 * abs(expected)


def test_a_put_that_is_never_exercised_early_is_the_european_without_noise() -> None:
    """Its control is itself, so that price and Greeks are Black and Scholes' but for rounding and the table of Phi."""
    found = _bound(equally_spaced("put", 1, 50, today=False), one_asset(), _never, INDEPENDENT, greeks=True)
    terms = (0.9, 1, 0.06, 0, 0.2, 1)
    assert found.value.value == pytest.approx(float(black_scholes.value(*terms, -1)), abs=1e-9)
    assert found.value.error < 1e-9
    assert found.greeks is not None
    assert found.greeks.delta[0].value == pytest.approx(float(black_scholes.delta(*terms, -1)), abs=1e-7)
    assert found.greeks.vega[0].value == pytest.approx(float(black_scholes.vega(*terms)), abs=1e-7)


@pytest.mark.parametrize("draws", [INDEPENDENT, ANTITHETIC, SOBOL])
def test_without_controls_the_bound_is_the_plain_mean(draws: Draws, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is what is told beside the controlled one, found without any of the controls' code, which is taken away here."""
    decide = _below(bermudan_put(0.9, 0.06, 0.2, 1, dates=50).boundary)
    plain = _bound(PUT, one_asset(), decide, draws).going_on.plain
    monkeypatch.delattr("examples.risk.american.lower.Controls")
    forward = _forward(PUT, one_asset(), draws)
    found = lower_bound(Alone(), Lower(PUT, one_asset(), decide, forward, draws, controlled=False), draws)
    for estimate in (found.value, found.going_on.value, found.going_on.plain):
        assert estimate.value == pytest.approx(plain.value, rel=1e-12)
        assert estimate.error == pytest.approx(plain.error, rel=1e-9)
    assert (found.controls, found.going_on.coefficients) == ((), ())
    with pytest.raises(ValueError, match="Greeks"):
        Lower(PUT, one_asset(), decide, forward, draws, greeks=True, controlled=False)


def test_scores_agree_with_differences_of_common_draws() -> None:
    """Delta and gamma of a max-call under a policy that is far from the best are those of its own worth, by common draws."""
    contract = equally_spaced("max-call", 2, 4, today=False)

    def decide(states: npt.NDArray[Any], date: int, out: npt.NDArray[np.bool_]) -> None:
        np.greater(states.max(axis=0), 1.6 - 0.1 * date, out=out)

    model, draws, step = three_assets(), Draws.sobol(1 << 14, 8, block=2048), 0.02
    greeks = _bound(contract, model, decide, draws, greeks=True).greeks
    assert greeks is not None
    second = np.eye(3)[1]
    up, here, down = (
        _bound(contract, replace(model, spots=model.spots + way * step * second), decide, draws).value.value for way in (1, 0, -1)
    )
    assert greeks.along_paths == ("vega",)
    for figure, difference in ((greeks.delta[1], (up - down) / (2 * step)), (greeks.gamma[1], (up + down - 2 * here) / step**2)):
        assert abs(figure.value - difference) < 4 * figure.error + 0.03 * abs(difference)


def test_hestons_delta_is_along_the_paths() -> None:
    """Without volatility of variance it is that of a lattice; vega and gamma, which need a density, are not offered."""
    lattice = bermudan_put(0.9, 0.06, 0.2, 1, dates=50)
    model = Heston(0.06, 0.9, 0.0, 0.04, 1.0, 0.04, 0.0, 0.0)
    lower = Lower(PUT, model, _below(lattice.boundary), _forward(PUT, one_asset(), ANTITHETIC), ANTITHETIC, greeks=True)
    found = lower_bound(Alone(), lower, ANTITHETIC)
    assert abs(found.value.value - lattice.price) < 4 * found.value.error
    assert found.value.error < 0.7 * found.going_on.plain.error
    assert found.greeks is not None
    assert abs(found.greeks.delta[0].value - lattice.delta) < 4 * found.greeks.delta[0].error
    assert found.greeks.vega == found.greeks.gamma == ()


def test_biased_greeks_are_not_taken_where_draws_show_the_bias() -> None:
    """With a boundary that is too low, derivatives along the paths miss jumps: scores tell what common draws do."""
    contract, model = equally_spaced("put", 1, 5, today=False), one_asset()
    decide, draws, step = _below((0.7,) * 5), Draws.independent(1 << 15, antithetic=True), 0.01
    found = _bound(contract, model, decide, draws, greeks=True)
    assert found.greeks is not None
    assert found.greeks.along_paths == ("vega",)
    up, down = (_bound(contract, one_asset(spot=0.9 + way * step), decide, draws).value.value for way in (1, -1))
    assert found.greeks.delta[0].value == pytest.approx((up - down) / (2 * step), abs=4 * found.greeks.delta[0].error + 1e-3)


@pytest.mark.parametrize("rows", [1, 50])
def test_noisy_scores_are_not_taken_where_draws_show_no_bias(rows: int) -> None:
    """A basket on many dates has derivatives along the paths, on one date by scores; both are near those by common draws."""
    contract = equally_spaced("basket-put", 1, rows, today=False, weights=(0.4, 0.3, 0.3))
    found = _bound(contract, three_assets(0.3), _never, ANTITHETIC, greeks=True)
    assert found.greeks is not None
    assert found.greeks.along_paths == (("vega",) if rows == 1 else ("delta", "vega", "gamma"))
    european = _bound(
        equally_spaced("basket-put", 1, 1, today=False, weights=(0.4, 0.3, 0.3)), three_assets(0.3), _never, ANTITHETIC
    )
    assert abs(found.value.value - european.value.value) < 4 * (found.value.error + european.value.error)


@pytest.mark.parametrize("payoff", ["put", "call", "max-call", "min-put", "basket-call", "basket-put"])
def test_options_that_never_pay_are_worth_nothing(payoff: str) -> None:
    """Far out of the money there is nothing to regress on, and nothing is made of it."""
    call = payoff.endswith("call")
    weights = (0.4, 0.3, 0.3) if payoff.startswith("basket") else ()
    model = one_asset(spot=0.05 if call else 20.0) if payoff in ("put", "call") else three_assets()
    if len(model.spots) > 1:
        model = Gbm(model.rate, model.spots * (0.05 if call else 20), model.dividends, model.volatilities, model.correlation)
    found = _bound(equally_spaced(payoff, 1, 3, weights=weights), model, _never, ANTITHETIC, greeks=True)
    assert found.value.value == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("draws", [ANTITHETIC, SOBOL])
def test_any_number_of_ranks_has_the_same_bits(draws: Draws) -> None:
    """Bounds, errors, Greeks and convergence are equal on one rank and on three."""
    decide = _below(tuple(np.linspace(0.84, 1, 50)))
    alone = _bound(PUT, one_asset(), decide, draws, greeks=True)
    assert run_ranks(3, lambda comm: _bound(PUT, one_asset(), decide, draws, comm, greeks=True)) == [alone] * 3


def test_an_option_that_is_worth_more_dead_is_exercised_today() -> None:
    """A put far in the money is worth its payoff, moves with the asset alone, and has no error; unless today is no date."""
    decide = _below((1.0,) * 50)
    found = _bound(PUT, one_asset(spot=0.6), decide, INDEPENDENT, greeks=True)
    assert found.exercised_today
    assert found.value.value == pytest.approx(0.4)
    assert found.value.error == 0
    assert found.greeks is not None
    assert [each[0].value for each in (found.greeks.delta, found.greeks.vega, found.greeks.gamma)] == pytest.approx([-1, 0, 0])
    waits = _bound(equally_spaced("put", 1, 50, today=False), one_asset(spot=0.6), decide, INDEPENDENT)
    assert not waits.exercised_today
    assert waits.value.value < 0.4


def test_convergence_ends_at_the_bound() -> None:
    """Paths grow group by group, and the last estimate is the bound itself."""
    found = _bound(PUT, one_asset(), _below((0.85,) * 50), INDEPENDENT)
    paths = [count for count, _ in found.convergence]
    assert paths == sorted(paths)
    assert found.convergence[-1] == (found.paths, found.going_on.value)


@pytest.mark.parametrize(("paths", "replicates"), [(1, 0), (5, 0), (9000, 0), (1, 16), (100_000, 16), (100_000, 5)])
def test_at_least_so_many_paths_are_drawn(paths: int, replicates: int) -> None:
    """Whatever is asked for, there are two blocks or more, in groups that differ by a block at most."""
    draws = Draws.sobol(paths, replicates) if replicates else Draws.independent(paths, antithetic=True)
    counts = np.bincount([draws.group(block) for block in range(draws.blocks)])
    assert draws.all_paths >= paths
    assert draws.blocks >= 2
    assert len(counts) == draws.groups
    assert counts.max() - counts.min() <= (0 if replicates else 1)
