from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from examples.risk.american.basis import Basis, basis_of
from examples.risk.american.contract import Contract
from examples.risk.american.model import Gbm, Heston
from examples.risk.american.policy import Decisions, Policy
from examples.risk.american.polynomials import Polynomials, products, spanning
from examples.workload.communicator import Alone
from tests.unit.risk.american.sweeps import gbm, max_call, put, swept

HESTON = Heston(0.1, 10.0, 0.0, 0.0625, 5.0, 0.16, 0.9, 0.1)


def bases() -> dict[str, Basis]:
    """Of each kind."""
    several = gbm([90.0, 100.0, 110.0, 100.0], 0.05, 0.1, 0.2)
    dates = (0.5, 1.0)
    basket = Contract("basket-call", 100.0, dates, weights=(0.25,) * 4)
    return {
        "one": basis_of(*put(36, 0.2, 1)),
        "two": basis_of(*max_call(2, 100)),
        "best": basis_of(Contract("max-call", 100.0, dates), several),
        "worst": basis_of(Contract("min-put", 100.0, dates), several),
        "basket": basis_of(basket, several),
        "heston": basis_of(Contract("put", 10.0, dates), HESTON),
    }


@pytest.mark.parametrize("name", bases())
def test_polynomials_are_the_sum_of_their_functions(name: str) -> None:
    """By nested multiplication as by powers."""
    basis, rng = bases()[name], np.random.default_rng(1)
    features, coefficients = rng.normal(0, 1, (basis.rows, 64)), rng.normal(0, 1, basis.count)
    powers = np.array(basis.polynomials.exponents)
    functions = np.prod(features[None] ** powers[:, :, None], axis=1)
    out, scratch = np.empty(64), np.empty((basis.polynomials.registers, 64))
    basis.polynomials.value(list(coefficients), features, out, scratch)
    assert out == pytest.approx(coefficients @ functions)
    made = [np.ones(64), *features, *(np.empty(64) for _ in range(basis.count - basis.rows - 1))]
    basis.polynomials.multiply(made)
    assert np.array(made) == pytest.approx(functions)


@pytest.mark.parametrize("name", bases())
def test_few_functions_give_all_products(name: str) -> None:
    """Each product of two functions is one of any function and one of the few."""
    exponents = bases()[name].polynomials.exponents
    few = spanning(exponents)
    assert all(any(other in few for _, other in pairs) for pairs in products(exponents).values())
    assert len(few) < len(exponents)


def test_the_few_of_a_cubic() -> None:
    """1 and u^3 give the powers from 0 to 6."""
    assert spanning(((0,), (1,), (2,), (3,))) == (0, 3)


def test_functions_come_in_order() -> None:
    """A product of functions that are not there is refused."""
    with pytest.raises(ValueError, match="no product"):
        Polynomials(((0,), (1,), (3,)))


@pytest.mark.parametrize(("payoff", "sign"), [("max-call", 1), ("min-put", -1)])
@pytest.mark.parametrize("assets", [2, 3, 4, 7])
def test_spots_are_ordered(payoff: str, sign: int, assets: int) -> None:
    """The best comes first, and is what exercise is worth."""
    contract = Contract(payoff, 100.0, (1.0,))
    basis = basis_of(contract, gbm([100.0] * assets, 0.05, 0.1, 0.2))
    states = np.random.default_rng(2).lognormal(0, 0.3, (assets, 50))
    features, gain = np.empty((basis.rows, 50)), np.empty(50)
    basis.features(states, features)
    expected = np.sort(sign * (states - 1), axis=0)[::-1][: basis.rows]
    assert features == pytest.approx(expected)
    assert np.array_equal(features[0], contract.exercise(states, gain))


def test_other_features() -> None:
    """Of a basket what exercise is worth, and under Heston's model the variance, too."""
    states, out = np.array([[0.9, 1.2], [0.04, 0.09]]), np.empty((2, 2))
    bases()["heston"].features(states, out)
    assert out == pytest.approx(np.array([[0.1, -0.2], [0.04, 0.09]]))
    basket, out = np.array([[0.9], [1.2], [1.0], [1.0]]), np.empty((1, 1))
    bases()["basket"].features(basket, out)
    assert out[0, 0] == pytest.approx(0.025)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_path_is_dealt_with_alike_in_any_company(dtype: Any) -> None:
    """Decisions and values have the same bits for one path as for many."""
    contract, model = max_call(5, 100)
    basis = basis_of(contract, model)
    decisions = Decisions(swept(Alone(), contract, model, blocks=2, block=1024, dtype=dtype).policy, basis, dtype)
    states = np.random.default_rng(2).lognormal(0, 0.3, (5, 333)).astype(dtype)
    together, alone = np.empty(333, np.bool_), np.empty(1, np.bool_)
    decisions(states, 4, together)
    values = decisions.going_on(states, 4).copy()
    assert 0 < together.sum() < 333
    for path in range(0, 333, 7):
        decisions(states[:, path : path + 1], 4, alone)
        assert alone[0] == together[path]
        assert decisions.going_on(states[:, path : path + 1], 4)[0] == values[path]


def test_who_exercises() -> None:
    """Those for whom that is worth more than nothing, and than going on is thought to be."""
    contract, model = put(36, 0.2, 1)
    basis = basis_of(contract, model)
    coefficients = np.array([[0.1, 0.0, 0.0, 0.0], [-0.1, 0.0, 0.0, 0.0], [np.nan] * 4])
    decisions = Decisions(Policy("cubic", coefficients, np.ones(3), 0.1), basis)
    states, out = np.array([[0.85, 0.95, 1.05]]), np.empty(3, np.bool_)
    found = []
    for date in range(3):
        decisions(states, date, out)
        found.append(out.tolist())
    assert found == [[True, False, False], [True, True, False], [False, False, False]]


def test_policies_are_kept_to_the_last_bit() -> None:
    """Through JSON, dates without coefficients too."""
    policy = Policy("cubic", np.array([[1 / 3, -1e-300, 2.5, 1e17], [np.nan] * 4]), np.array([0.1, 0.7]), 0.112)
    found = Policy.of(json.loads(json.dumps(policy.told(), allow_nan=False)), 4)
    assert (found.basis, found.value) == (policy.basis, policy.value)
    assert np.array_equal(found.coefficients, policy.coefficients, equal_nan=True)
    assert found.scales.tobytes() == policy.scales.tobytes()
    empty = Policy("cubic", np.empty((0, 4)), np.empty(0), 0.1)
    assert Policy.of(json.loads(json.dumps(empty.told())), 4).coefficients.shape == (0, 4)


GOOD: dict[str, Any] = {"basis": "cubic", "coefficients": [[1.0, 2.0, 3.0, 4.0]], "scales": [0.5], "value": 0.1}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"coefficients": None}, "no exercise policy"),
        ({"coefficients": [[1.0, "x", 3.0, 4.0]]}, "no exercise policy.*'x'"),
        ({"coefficients": [[1.0, 2.0, 3.0]]}, "3 coefficients on 1 dates.*should be 4"),
        ({"coefficients": [[1.0, 2.0, 3.0, 4.0], [1.0, 2.0]]}, "no exercise policy"),
        ({"scales": [0.5, 0.5]}, "1 dates and 2 scales"),
        ({"scales": [-0.5]}, "date 1 it has the scale -0.5, .* above 0"),
        ({"scales": [float("inf")]}, "scale inf"),
        ({"scales": 0.5}, "1 dates and 1 scales"),
        ({"coefficients": [[1.0, None, 3.0, 4.0]]}, "date 1 it has the coefficients .*nan.*finite, or all null"),
        ({"coefficients": [[1.0, float("inf"), 3.0, 4.0]]}, "finite, or all null"),
        ({"coefficients": [[float("inf")] * 4]}, "finite, or all null"),
        ({"coefficients": [[10**400, 2.0, 3.0, 4.0]]}, "no exercise policy"),
    ],
)
def test_what_is_no_policy_is_refused(change: dict[str, Any], told: str) -> None:
    """With what is wrong."""
    with pytest.raises(ValueError, match=told):
        Policy.of(GOOD | change, 4)
    assert Policy.of(GOOD, 4).value == 0.1


def test_a_policy_of_other_functions_is_refused() -> None:
    """Both are named."""
    with pytest.raises(ValueError, match="'cubic', but these are 'ordered'"):
        Decisions(Policy.of(GOOD, 4), basis_of(*max_call(2, 100)))


def test_scales_are_those_of_payoffs() -> None:
    """No put is worth more than 16 of them, and they grow with time."""
    for contract, model in (put(36, 0.01, 1), put(44, 0.4, 2), max_call(5, 100)):
        scales = np.array(basis_of(contract, model).scales)
        assert np.all(np.diff(scales) >= 0)
        assert np.all(scales >= 1 / 16)
        if contract.payoff == "put":
            assert np.all(scales <= 1)


def test_models_of_one_kind() -> None:
    """The functions depend on the model, too."""
    assert isinstance(put(36, 0.2, 1)[1], Gbm)
    assert {name: basis.name for name, basis in bases().items()} == {
        "one": "cubic",
        "two": "ordered",
        "best": "ordered",
        "worst": "ordered",
        "basket": "cubic",
        "heston": "variance",
    }
