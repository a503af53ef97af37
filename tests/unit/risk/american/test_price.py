from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from examples.risk.american.arguments import Arguments, read_arguments
from examples.risk.american.policy_file import policy_text, read_policies
from examples.risk.american.price import price_all
from examples.risk.american.report import result
from examples.workload.communicator import Alone
from examples.workload.errors import BadArguments, Malformed
from tests.unit.workload.thread_ranks import run_ranks

PUT = ["--payoff", "put", "--spot", "36", "--strike", "40", "--rate", "6%", "--volatility", "20%", "--expiry", "1", "--dates", "5"]
SMALL = ["--paths", "20000", "--lower-paths", "16384", "--outer", "128", "--inner", "32"]


def asked(tmp_path: Path, *more: str, contract: list[str] = PUT) -> Arguments:
    arguments = read_arguments([*contract, *SMALL, *more, "--out", str(tmp_path / "out")])
    assert arguments is not None
    return arguments


@pytest.mark.parametrize(
    "more",
    [
        ["--precision", "f32"],
        ["--sampling", "sobol", "--greeks"],
        ["--antithetic", "--greeks", "--seed", "7"],
        ["--no-upper", "--not-today"],
    ],
)
def test_prices_have_the_same_bits_on_any_number_of_ranks(tmp_path: Path, more: list[str]) -> None:
    """Whatever is asked for, three ranks and one find the same figures and policy; what is sent is told apart from them."""
    arguments = asked(tmp_path, *more)
    alone = price_all(Alone(), arguments)
    (told, *others) = [
        json.dumps({**result(arguments, {}, priced), "run": None}) + policy_text(priced)
        for priced in [alone, *run_ranks(3, lambda comm: price_all(comm, arguments))]
    ]
    assert others == [told] * 3


def test_the_bermudan_put_is_between_its_bounds(tmp_path: Path) -> None:
    """With five dates it is worth 4.3907, as finite differences say (QuantLib 1.44, 2,000 points, 100 steps a date)."""
    (priced,) = price_all(Alone(), asked(tmp_path))
    assert priced.bracket is not None
    assert priced.bracket[0] < 4.3907 < priced.bracket[1]
    assert 0 <= (priced.gap or 0) < 0.02


def test_a_policy_is_used_as_it_was_kept(tmp_path: Path) -> None:
    """Read from its file it gives the same bounds, and no sums over ranks are needed to find it."""
    (first,) = price_all(Alone(), asked(tmp_path))
    path = tmp_path / "policy.json"
    path.write_text(policy_text([first]))
    (again,) = price_all(Alone(), asked(tmp_path, "--policy", str(path)))
    assert (again.lower, again.upper, again.sweep) == (first.lower, first.upper, None)


def test_a_policy_of_another_contract_is_refused(tmp_path: Path) -> None:
    """All differences of contract and model are told; so is a contract that has no policy there."""
    (first,) = price_all(Alone(), asked(tmp_path, "--no-upper"))
    path = tmp_path / "policy.json"
    path.write_text(policy_text([first]))
    other = [*PUT, "--strike", "41", "--volatility", "30%"]
    with pytest.raises(BadArguments) as caught:
        asked(tmp_path, "--policy", str(path), contract=other)
    (problem,) = caught.value.problems
    assert problem == (
        f"--policy: {path}: that of put is of another contract: contract strike is 40.0 there, but 41.0 here; "
        "model volatilities is [0.2] there, but [0.3] here"
    )
    problems: list[str] = []
    trades = asked(tmp_path, contract=[*PUT, "--payoff", "call"]).trades
    assert read_policies(str(path), trades, problems) == []
    assert problems == [f"--policy: {path} has none for call, only for put"]


@pytest.mark.parametrize("content", ["{", "[]", '{"policies": [{"name": "put"}]}', '{"policies": [3]}', "[" * 200_000])
def test_what_is_no_policy_is_malformed(tmp_path: Path, content: str) -> None:
    """A file that no run wrote is told as such, with its path."""
    path = tmp_path / "policy.json"
    path.write_text(content)
    with pytest.raises(Malformed) as caught:
        asked(tmp_path, "--policy", str(path))
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"coefficients": [[0.1, 0.0, 0.0, 0.0]], "scales": [0.5]}, "it is for 1 dates, but must be for 4, all but the last of 5"),
        ({"basis": "ordered"}, "it is of the functions 'ordered', but must be of 'cubic'"),
        ({"scales": [0.5, 0.5, 0.0, 0.5]}, "on date 3 it has the scale 0"),
    ],
)
def test_a_policy_that_does_not_fit_is_malformed(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    """Functions and dates are those of the contract; what is wrong is said before anything is computed."""
    (trade,) = asked(tmp_path).trades
    policy = {"basis": "cubic", "coefficients": [[0.1, 0.0, 0.0, 0.0]] * 4, "scales": [0.5] * 4, "value": 0.1, **change}
    path = tmp_path / "policy.json"
    path.write_text(json.dumps({"policies": [{"name": "put", **trade.told(), "policy": policy}]}))
    with pytest.raises(Malformed) as caught:
        asked(tmp_path, "--policy", str(path))
    assert str(caught.value).startswith(f"{path}: that of put cannot be used: {said}")
