from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from batchhpc.rank.checkpoint import CheckpointMismatch
from examples.risk.american.basis import Basis, basis_of
from examples.risk.american.contract import Contract
from examples.risk.american.polynomials import Polynomials
from examples.risk.american.regression import NormalEquations
from examples.risk.american.sweep import Sweep, sweep
from examples.workload.arguments import CheckpointPlan
from examples.workload.communicator import Alone, Communicator
from examples.workload.restart import Restart
from tests.unit.risk.american.sweeps import followed, gbm, max_call, prepared, put, swept
from tests.unit.workload.thread_ranks import ThreadComm, run_ranks

Floats = npt.NDArray[Any]
LONGSTAFF_SCHWARTZ = [  # spot, volatility, years, price: QuantLib 1.44, FdBlackScholesVanillaEngine, 2,000 points, the same dates
    *((36, 0.2, 1, 4.47781), (36, 0.2, 2, 4.84022), (36, 0.4, 1, 7.10126), (36, 0.4, 2, 8.50678)),
    *((38, 0.2, 1, 3.25012), (38, 0.2, 2, 3.74476), (38, 0.4, 1, 6.14758), (38, 0.4, 2, 7.66802)),
    *((40, 0.2, 1, 2.31407), (40, 0.2, 2, 2.88456), (40, 0.4, 1, 5.31196), (40, 0.4, 2, 6.91707)),
    *((42, 0.2, 1, 1.61698), (42, 0.2, 2, 2.21236), (42, 0.4, 1, 4.58247), (42, 0.4, 2, 6.24431)),
    *((44, 0.2, 1, 1.10987), (44, 0.2, 2, 1.68982), (44, 0.4, 1, 3.94768), (44, 0.4, 2, 5.64123)),
]
PAPER = np.array(  # the eight paths of Longstaff and Schwartz (2001), section 1: years 1, 2 and 3
    [
        *([1.09, 1.08, 1.34], [1.16, 1.26, 1.54], [1.22, 1.07, 1.03], [0.93, 0.97, 0.92]),
        *([1.11, 1.56, 1.52], [0.76, 0.77, 0.90], [0.92, 0.84, 1.01], [0.88, 1.22, 1.34]),
    ]
)


class Given:
    """Backward paths that are given, (paths, dates), in strikes."""

    def __init__(self, spots: Floats) -> None:
        self._spots = spots

    def at(self, date: int, block: int) -> Floats:
        """All paths are in one block."""
        assert block == 0
        return np.ascontiguousarray(self._spots[None, :, date])


def test_the_example_of_the_paper() -> None:
    """Longstaff and Schwartz's eight paths, regressed on a parabola, are worth 0.1144 today, as they compute by hand."""
    contract = Contract("put", 1.10, (1.0, 2.0, 3.0))
    paths = np.tile(PAPER, (4, 1)) / 1.10  # four times each, for there must be four paths a function
    features = basis_of(contract, put(36, 0.2, 1)[1]).features
    basis = Basis("parabola", Polynomials(((0,), (1,), (2,))), features, (1.0,) * 3, below=False, above=False)
    run = Sweep(contract, 0.06, basis, Given(paths), len(paths), 1, 1)
    found = sweep(Alone(), run, basis, Restart(Alone(), CheckpointPlan(None, 1.0), "policy", {}, "1"))
    assert found.policy.value * 1.10 == pytest.approx(0.1144, abs=5e-5)
    money = np.linspace(0.8, 1.1, 5)
    regressed = found.policy.coefficients[1] @ np.vander((1 - money / 1.10), 3, increasing=True).T * 1.10
    assert regressed == pytest.approx(-1.070 + 2.983 * money - 1.813 * money**2, abs=2e-3)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_all_puts_of_longstaff_and_schwartz(dtype: npt.DTypeLike) -> None:
    """What the policy is worth on fresh paths is within 3 errors and 0.01 of finite differences, for each row of the table."""
    missed = []
    for spot, volatility, years, price in LONGSTAFF_SCHWARTZ:
        contract, model = put(spot, volatility, years)
        found = followed(contract, model, swept(Alone(), contract, model, blocks=8, block=8192, dtype=dtype).policy, dtype=dtype)
        if not -3 * found.error - 0.01 < found.value - price < 3 * found.error:
            missed.append((spot, volatility, years, price, found))
    assert not missed


@pytest.mark.parametrize(("payoff", "spot", "price"), [("put", 95.0, 12.57865), ("call", 105.0, 10.24364)])
def test_dates_in_any_spacing(payoff: str, spot: float, price: float) -> None:
    """Bermudan options with dividends and uneven dates are within 3 errors and 0.02 of QuantLib's finite differences."""
    contract = Contract(payoff, 100.0, (0.2, 0.6, 0.8, 1.0))
    model = gbm([spot], 0.05, 0.02, 0.3) if payoff == "put" else gbm([spot], 0.03, 0.08, 0.25)
    found = followed(contract, model, swept(Alone(), contract, model, blocks=8, block=8192).policy)
    assert -3 * found.error - 0.02 < found.value - price < 3 * found.error


@pytest.mark.parametrize(("assets", "spot", "price"), [(2, 100, 13.902), (3, 90, 11.29), (5, 100, 26.15)])
def test_calls_on_the_best_of_several_assets(assets: int, spot: float, price: float) -> None:
    """The policy is worth less than 0.6 % below Andersen and Broadie's (2004) prices, 3 errors apart."""
    contract, model = max_call(assets, spot)
    found = followed(contract, model, swept(Alone(), contract, model, blocks=8, block=8192).policy)
    assert -3 * found.error - 0.006 * price < found.value - price < 3 * found.error


def test_a_basket_of_one_asset_in_parts_is_that_asset() -> None:
    """Where all assets are one, a put on their basket has the policy of a put on it."""
    single, model = put(36, 0.2, 1)
    basket = Contract("basket-put", 40.0, single.dates, weights=(0.25, 0.75))
    twins = gbm([36.0, 36.0], 0.06, 0.0, 0.2, correlation=1.0)
    both = [
        followed(each, moved, swept(Alone(), each, moved, blocks=8).policy) for each, moved in ((single, model), (basket, twins))
    ]
    assert both[0].value == pytest.approx(both[1].value, abs=3 * (both[0].error + both[1].error))


def test_a_put_on_the_worst_is_a_call_on_the_best_seen_from_below() -> None:
    """A put on the worst of two assets is worth at least the put on either."""
    single, model = put(40, 0.2, 1)
    worst = Contract("min-put", 40.0, single.dates)
    found = [
        followed(single, model, swept(Alone(), single, model).policy),
        followed(worst, gbm([40.0, 40.0], 0.06, 0.0, 0.2), swept(Alone(), worst, gbm([40.0, 40.0], 0.06, 0.0, 0.2)).policy),
    ]
    assert found[1].value > 1.3 * found[0].value


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("size", [2, 3])
def test_the_same_bits_on_any_number_of_ranks(size: int, dtype: npt.DTypeLike) -> None:
    """Ranks of different numbers of blocks find the policy that one alone finds, to the last bit."""
    for contract, model in (put(36, 0.2, 1), max_call(3, 100)):

        def program(comm: Communicator, contract: Contract = contract, model: Any = model) -> tuple[bytes, float]:
            found = swept(comm, contract, model, blocks=5, block=512, dtype=dtype).policy
            return found.coefficients.tobytes(), found.value

        assert set(run_ranks(size, program)) == {program(Alone())}


def test_more_ranks_than_blocks() -> None:
    """Ranks without paths take part, and nothing changes."""
    contract, model = put(36, 0.2, 1)
    alone = swept(Alone(), contract, model, blocks=2, block=512).policy
    found = run_ranks(3, lambda comm: swept(comm, contract, model, blocks=2, block=512).policy)
    assert {each.coefficients.tobytes() for each in found} == {alone.coefficients.tobytes()}


@pytest.mark.parametrize(("before", "after"), [(2, 3), (3, 1)])
def test_a_sweep_goes_on_where_it_was_stopped(tmp_path: Path, before: int, after: int) -> None:
    """On another number of ranks, from the coefficients saved, with the same bits, and without regressing again."""
    contract, model = Contract("put", 40.0, tuple((np.arange(12) + 1) / 12)), put(36, 0.2, 1)[1]

    class Stopped(Exception):
        pass

    def stop(dates: int) -> None:
        if dates == 5:
            raise Stopped

    def broken(comm: ThreadComm) -> None:
        run, basis = prepared(comm, contract, model, blocks=4, block=512, dtype=np.float64)
        with Restart(comm, CheckpointPlan(str(tmp_path), 0.0), "policy", {}, "1") as restart:
            sweep(comm, run, basis, restart, stop)

    with pytest.raises(Stopped):
        run_ranks(before, broken)
    alone = swept(Alone(), contract, model, block=512)
    for found in run_ranks(after, lambda comm: swept(comm, contract, model, block=512, place=tmp_path)):
        assert (found.policy.coefficients.tobytes(), found.policy.value) == (
            alone.policy.coefficients.tobytes(),
            alone.policy.value,
        )
        assert 0 < found.sums < alone.sums == 11


def test_a_checkpoint_of_other_inputs_is_refused(tmp_path: Path) -> None:
    """What was swept for one contract is not gone on from for another."""
    swept(Alone(), *max_call(2, 100), block=512, place=tmp_path)
    with pytest.raises(CheckpointMismatch, match="strike"):
        Restart(Alone(), CheckpointPlan(str(tmp_path), 0.0), "policy", {"strike": "41"}, "1").load()


def test_one_small_message_a_date() -> None:
    """Each date costs one sum over all ranks, of at most 6 kB, whatever the number of paths."""
    found = swept(Alone(), *max_call(5, 100), blocks=2, block=512)
    assert (found.sums, found.bytes) == (8, 8 * 800)
    assert swept(Alone(), *put(36, 0.2, 1), blocks=3, block=512).bytes == 49 * 176


def test_dates_on_which_nobody_is_in_the_money() -> None:
    """Nobody exercises there: their coefficients are nan, and the value that of the other dates."""
    contract, model = Contract("put", 40.0, (0.001, 0.002, 1.0)), gbm([60.0], 0.06, 0.0, 0.3)
    policy = swept(Alone(), contract, model).policy
    assert np.isnan(policy.coefficients).all()
    found = followed(contract, model, policy)
    assert found.value == pytest.approx(policy.value * 40, abs=5 * found.error)
    assert found.value > 0


def test_one_date_is_a_european_option() -> None:
    """There is nothing to regress, and no message."""
    contract, model = Contract("put", 40.0, (1.0,)), gbm([36.0], 0.06, 0.0, 0.2)
    found = swept(Alone(), contract, model)
    assert (found.sums, found.policy.coefficients.shape) == (0, (0, 4))
    assert found.policy.value * 40 == pytest.approx(3.844, abs=0.06)  # Black-Scholes


@pytest.mark.parametrize("payoff", ["call", "max-call", "min-put"])
def test_wild_assets(payoff: str) -> None:
    """Spots of a million strikes are no reason to fail: what is beyond some scales counts as if it were there."""
    spots = [100.0] if payoff == "call" else [100.0, 100.0, 100.0]
    contract, model = Contract(payoff, 100.0, (1.0, 3.0, 5.0)), gbm(spots, 0.05, 0.05, 1.5)
    policy = swept(Alone(), contract, model).policy
    assert np.isfinite(policy.coefficients).all()
    assert np.isfinite(followed(contract, model, policy).value)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_normal_equations_are_least_squares(dtype: npt.DTypeLike) -> None:
    """Blocks of paths in the money give the coefficients that numpy's least squares on all of them gives."""
    contract, model = max_call(3, 100)
    basis, rng = basis_of(contract, model), np.random.default_rng(4)
    features, values, scale = rng.normal(0, 0.5, (2, 3, 1024)).astype(dtype), rng.exponential(1, (2, 1024)).astype(dtype), 0.7
    equations = NormalEquations(basis, 1024, 2, 2, dtype)
    for block in range(2):
        equations.add(block, features[block], values[block], scale)
    kept = np.concatenate(list(features), axis=1, dtype=np.float64)
    inside = kept[0] > 0
    powers = np.array(basis.polynomials.exponents)
    matrix = np.prod((kept[:, inside] / scale)[None] ** powers[:, :, None], axis=1).T
    expected = np.linalg.lstsq(matrix, values.ravel()[inside].astype(np.float64), rcond=None)[0]
    assert equations.solve(Alone(), scale) == pytest.approx(expected, abs=1e-9 if dtype == np.float64 else 2e-4)
