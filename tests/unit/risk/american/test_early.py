from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from examples.risk.american.arguments import read_arguments
from examples.risk.american.contract import Contract
from examples.risk.american.early import may_pay_early
from examples.risk.american.model import Gbm, Heston
from examples.risk.american.price import price_all
from examples.risk.american.priced import Priced
from examples.risk.numerics import black_scholes
from examples.workload.communicator import Alone
from tests.unit.risk.american.sweeps import gbm

SMALL = ["--paths", "8192", "--lower-paths", "16384", "--outer", "256", "--inner", "32"]


def priced(tmp_path: Path, words: str) -> Priced:
    arguments = read_arguments([*words.split(), *SMALL, "--out", str(tmp_path / "out")])
    assert arguments is not None
    return price_all(Alone(), arguments)[0]


@pytest.mark.parametrize(
    ("payoff", "spot", "rate", "dividend"),
    [("call", 36.0, 0.05, 0.0), ("call", 60.0, 0.0, -0.02), ("put", 36.0, -0.02, 0.0), ("put", 44.0, 0.0, 0.03)],
)
def test_what_is_not_worth_exercising_early_is_european(
    tmp_path: Path, payoff: str, spot: float, rate: float, dividend: float
) -> None:
    """Both bounds of calls without dividends, and of puts without interest, are Black and Scholes's price."""
    found = priced(
        tmp_path,
        f"--payoff {payoff} --spot {spot} --strike 40 --rate={rate} --dividend={dividend} --volatility 0.3 --expiry 2 --dates 8",
    )
    european = float(black_scholes.value(spot, 40, rate, dividend, 0.3, 2, 1 if payoff == "call" else -1))
    assert np.isnan(found.policy.coefficients).all()
    assert found.upper is not None
    assert (found.lower.value.value, found.upper.value.value) == pytest.approx((european, european), rel=1e-7)


def test_bounds_do_not_cross_far_out_of_the_money(tmp_path: Path) -> None:
    """Where the European price is the lower bound, since the policy's paths saw less, the upper bound is not below it."""
    found = priced(tmp_path, "--payoff put --spot 100 --strike 70 --rate 5% --volatility 20% --expiry .5 --dates 10")
    assert found.upper is not None
    assert found.lower.value.error == 0  # the European
    assert found.upper.value.value >= found.lower.value.value


def test_a_call_on_the_best_without_dividends_has_no_gap(tmp_path: Path) -> None:
    """The theorem is not of one asset: nothing is gained by hindsight over holding to the last date."""
    found = priced(tmp_path, "--payoff max-call --assets 3 --spot 100 --strike 100 --rate 5% --volatility 20% --expiry 1 --dates 4")
    assert np.isnan(found.policy.coefficients).all()
    assert (found.gap, found.sweep and found.sweep.collectives) == (0.0, 2)  # the two of the sweep's own value, none on a date


def test_where_the_theorem_holds() -> None:
    """One asset with a dividend is enough for a call, and interest for a put; under Heston's model it is the same."""
    call, put = (Contract(payoff, 40.0, (1.0, 2.0)) for payoff in ("max-call", "min-put"))
    dividends = np.array([0.0, 0.01])
    one_pays = Gbm(0.05, np.array([40.0, 40.0]), dividends, np.array([0.2, 0.2]), np.eye(2))
    assert [may_pay_early(each, one_pays) for each in (call, put)] == [True, True]
    assert not may_pay_early(put, Gbm(-0.01, one_pays.spots, dividends, one_pays.volatilities, np.eye(2)))
    assert may_pay_early(call, gbm([40.0, 40.0], -0.01, 0.0, 0.2))
    assert not may_pay_early(Contract("call", 40.0, (1.0, 2.0)), Heston(0.05, 40.0, 0.0, 0.04, 1.5, 0.04, 0.5, -0.7))
