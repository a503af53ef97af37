from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from examples.risk.exposure.closed_form import expected_exposure
from examples.risk.exposure.hull_white import HullWhite
from examples.risk.exposure.simulation import KEPT, Exposures, Plan, Simulation
from examples.risk.exposure.trades import Counterparties, Swaps
from examples.workload.arguments import CheckpointPlan
from examples.workload.communicator import Alone, Communicator
from examples.workload.restart import Restart
from tests.unit.risk.exposure.small import CURVE, MODEL, SWAPS, counterparties, plan
from tests.unit.workload.thread_ranks import run_ranks


def run(comm: Communicator, asked: Plan, where: Path | None = None) -> Exposures:
    with Restart(comm, CheckpointPlan(str(where) if where else None, 0), "exposure", {}, KEPT) as restart:
        return Simulation(asked).run(comm, restart)


def bits(found: Exposures) -> bytes:
    columns = (found.positive, found.negative, found.positive_error, found.negative_error, found.cva, found.dva)
    return b"".join(column.tobytes() for column in columns)


def test_one_swap_has_the_exposure_of_its_formula() -> None:
    """Payer and receiver on eight blocks: each reset's expected exposure is within four standard errors of Jamshidian's price."""
    nan = np.full(2, np.nan)
    both = np.full(2, 1e6), np.full(2, 0.026), np.full(2, 60), np.full(2, 6), nan
    swaps = Swaps(np.arange(2, dtype=np.intp), np.array([1.0, -1.0]), *both)
    found = run(Alone(), Plan(swaps, counterparties(), MODEL, 0.01, 0.4, 6, 0.0, 8 * 4096, 1))
    assert found.positive[-1].max() == 0
    for row, month in enumerate(found.months.tolist()[1:-1], 1):
        for at, sign in enumerate((1.0, -1.0)):
            exact = 1e6 * expected_exposure(MODEL, sign, 0.026, 60, 6, month)
            assert abs(found.positive[row, at] - exact) < 4 * found.positive_error[row, at]
            assert found.positive_error[row, at] < 0.02 * exact
    np.testing.assert_allclose(found.positive[:, 0], found.negative[:, 1], rtol=1e-9, atol=1e-3)  # mirror images of each other


@pytest.mark.parametrize("size", [2, 3])
def test_the_same_bits_on_any_number_of_ranks(size: int) -> None:
    """Exposures, errors and adjustments, with a margin agreement as well."""
    asked = plan(blocks=5, threshold=20_000)
    assert set(run_ranks(size, lambda comm: bits(run(comm, asked)))) == {bits(run(Alone(), asked))}


class _Stop(Exception):
    pass


class _Stopping(Alone):
    """Ends the program when ranks are to agree on anything for the so-manieth time."""

    def __init__(self, calls: int) -> None:
        self._left = calls

    def Allreduce(self, sendbuf: object, recvbuf: object, /) -> None:  # noqa: N802 - MPI's name
        self._left -= 1
        if self._left < 0:
            raise _Stop
        super().Allreduce(sendbuf, recvbuf)


def test_another_number_of_ranks_goes_on(tmp_path: Path) -> None:
    """A run that ended after its first checkpoint is finished by two ranks with the bits of an undisturbed one."""
    asked = plan(blocks=40)
    whole = bits(run(Alone(), asked))
    calls = 1
    while not any((tmp_path / str(calls)).rglob("*.json")):  # until one was saved
        calls += 1
        with pytest.raises(_Stop):
            run(_Stopping(calls), asked, tmp_path / str(calls))
    assert set(run_ranks(2, lambda comm: bits(run(comm, asked, tmp_path / str(calls))))) == {whole}


def test_margin_leaves_what_moves_in_the_margin_period() -> None:
    """Without threshold and margin period nothing is exposed; ten days leave some, and a threshold adds at most itself."""
    bare, none = run(Alone(), plan()), run(Alone(), plan(threshold=0.0, margin=0.0))
    ten = run(Alone(), plan(threshold=0.0))
    some = run(Alone(), plan(threshold=10_000.0))
    assert np.abs(none.positive).max() == 0
    assert (ten.positive[(ten.months > 0) & (ten.months < 48), 1] > 0).all()  # the other's coupons alone are worth more at times
    assert (ten.cva < 0.5 * bare.cva).all()
    assert (some.positive <= ten.positive + 10_000.0).all()
    assert (some.cva > ten.cva).all()


@pytest.mark.parametrize("threshold", [0.0, 20_000.0, float("inf")])
def test_no_numeraire_is_better_than_another(threshold: float) -> None:
    """Exposures of long swaps are the same within four errors, whichever bond is the numeraire: collateral is cash."""
    nan = np.full(2, np.nan)
    long = Swaps(
        np.arange(2, dtype=np.intp), np.array([1.0, -1.0]), np.full(2, 1e6), np.full(2, 0.05), np.full(2, 240), np.full(2, 12), nan
    )
    found = [
        run(Alone(), Plan(long, counterparties(threshold), model, 0.01, 0.4, 12, 10 / 365, 16 * 4096, seed))
        for seed, model in enumerate((MODEL, HullWhite(MODEL.curve, MODEL.reversion, MODEL.volatility, 20.0)))
    ]
    for name in ("positive", "negative"):
        first, second = (getattr(each, name) for each in found)
        errors = [getattr(each, f"{name}_error") for each in found]
        assert (np.abs(first - second) <= 4 * np.hypot(*errors) + 1e-9).all()
        assert errors[1].max() < 0.05 * second.max()


def test_positive_less_negative_exposure_is_the_value_of_what_is_left() -> None:
    """In the mean both sides' exposures differ by today's value of the flows after the date: the value is a martingale."""
    found = run(Alone(), plan(blocks=8, step=12))
    left = found.positive - found.negative
    np.testing.assert_allclose(left[0], found.values, rtol=1e-12)
    for row, month in enumerate(found.months.tolist()[1:], 1):
        floating, annuity = _forward_value(month)
        error = 4 * np.hypot(found.positive_error[row], found.negative_error[row]) + 1e-6
        assert (np.abs(left[row] - (floating - annuity)) < error).all()


def _forward_value(month: int) -> tuple[np.ndarray, np.ndarray]:
    """Today's value of each set's floating and fixed payments after a month in which nothing is fixed but resets."""
    floating, annuity = np.zeros(2), np.zeros(2)
    for at in range(5):
        period, maturity = int(SWAPS.period[at]), int(SWAPS.maturity[at])
        for paid in range(maturity % period or period, maturity + 1, period):
            if paid > month:
                discount, before = float(CURVE.discount(paid / 12)), float(CURVE.discount(max(0, paid - period) / 12))
                value = SWAPS.fixing[at] * period / 12 * discount if paid < period else before - discount
                floating[SWAPS.counterparty[at]] += SWAPS.sign[at] * SWAPS.notional[at] * value
                annuity[SWAPS.counterparty[at]] += SWAPS.sign[at] * SWAPS.notional[at] * SWAPS.rate[at] * period / 12 * discount
    return floating, annuity


def test_a_counterparty_without_swaps_has_no_exposure() -> None:
    """Its figures are zero, not nan."""
    asked = plan()
    three = Counterparties(("A", "B", "C"), *(np.append(column, 0.3) for column in _columns()))
    found = run(Alone(), Plan(asked.swaps, three, MODEL, 0.01, 0.4, 6, 0.0, asked.paths, 1))
    assert found.cva[2] == found.cva_error[2] == 0
    assert found.cva[0] > 0


def _columns() -> tuple[np.ndarray, ...]:
    made = counterparties()
    return made.spread, made.recovery, made.threshold
