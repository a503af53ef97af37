from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from examples.risk.american.contract_file import read_contracts
from examples.risk.american.model import Gbm, Heston
from examples.workload.errors import Malformed

DATA = Path(__file__).parents[4] / "examples/risk/data"
PUT: dict[str, Any] = {"payoff": "put", "spot": 36, "strike": 40, "rate": "6%", "volatility": "20%", "expiry": 1, "dates": 4}
MAX = {**PUT, "payoff": "max-call", "assets": 3}
HESTON = {"model": "heston", "variance": 0.04, "kappa": 2, "theta": 0.04, "xi": 0.3, "rho": -0.5}


def problems(tmp_path: Path, document: Any) -> list[str]:
    """All that is said to be wrong with a file."""
    path = tmp_path / "contract.json"
    path.write_text(json.dumps(document))
    with pytest.raises(Malformed) as caught:
        read_contracts(str(path), [])
    lines = str(caught.value).removeprefix(f"{path}: ").splitlines()
    return lines if len(lines) == 1 else [line.strip() for line in lines[1:]]


def test_a_yaml_file_gives_contracts_and_models(tmp_path: Path) -> None:
    """Fields beside the list are defaults of each contract; 6% is 0.06; so many dates are equally far apart."""
    path = tmp_path / "two.yaml"
    path.write_text(
        "payoff: put\nstrike: 40\nrate: 6%\nexpiry: 1\ndates: 4\ncontracts:\n"
        "  - {spot: 36, volatility: 20%, reference: 4.4}\n"
        "  - {name: other, payoff: basket-call, spot: [36, 44], volatility: 0.3, dividend: [1%, 2%], "
        "correlation: 0.5, dates: [0.5, 2], expiry: 2}\n"
    )
    one, other = read_contracts(str(path), [])
    assert (one.name, one.reference, one.contract.dates, one.contract.today) == ("contract 1", 4.4, (0.25, 0.5, 0.75, 1.0), True)
    assert isinstance(one.model, Gbm)
    assert (one.model.rate, one.model.volatilities.tolist(), one.spots.tolist()) == (0.06, [0.2], [36.0])
    assert isinstance(other.model, Gbm)
    assert (other.name, other.contract.weights, other.contract.dates) == ("other", (0.5, 0.5), (0.5, 2.0))
    assert (other.model.dividends.tolist(), other.model.correlation.tolist()) == ([0.01, 0.02], [[1, 0.5], [0.5, 1]])


@pytest.mark.parametrize(
    ("name", "count", "assets"), [("longstaff-schwartz", 20, {1}), ("max-calls", 9, {2, 3, 5}), ("heston-puts", 5, {1})]
)
def test_the_files_of_the_literature_can_be_read(name: str, count: int, assets: set[int]) -> None:
    """The three files of known contracts have as many as their papers, each with a reference."""
    warnings: list[str] = []
    trades = read_contracts(str(DATA / f"{name}.yaml"), warnings)
    assert len(trades) == count
    assert {len(trade.spots) for trade in trades} == assets
    assert all(trade.reference is not None for trade in trades)
    assert len(warnings) == 0 or not isinstance(trades[0].model, Gbm)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"volatility": "-20%"}, "volatility: is '-20%', but must be a number above 0, up to 10"),
        ({"volatility": float("nan")}, "volatility: is nan, but must be a number above 0, up to 10"),
        ({"rate": 6}, "rate: is 6, but must be a number from -0.5 to 1; did you mean 6%?"),
        ({"expiry": 0}, "expiry: is 0, but must be a number above 0, up to 100"),
        ({"strike": None}, "strike: is missing"),
        ({"today": "no"}, "today: is 'no', but must be true or false"),
        ({"dates": 2.5}, "dates: is 2.5, but must be a whole number"),
        ({"dates": None}, "dates: is missing; give how many exercise dates there are, equally far apart, or their list in years"),
        ({"dates": [0.5, 0.5, 1]}, "dates[1]: is 0.5, which does not come after 0.5; exercise dates ascend"),
        ({"dates": [0.5, 2]}, "expiry: is 1, but the last of the dates is 2; leave it out"),
        ({"voltility": 1}, "voltility: is not a field of a contract; did you mean volatility?"),
        ({"weights": 1}, "weights: a put has none; only baskets do"),
        ({"assets": 2}, "payoff: a put is on one asset, but there are 2; give max-call, min-put or a basket"),
        ({"xi": 0.3}, "xi: is of the model heston, but the model is gbm; give model: heston, or leave it out"),
        (HESTON, "volatility: heston has a variance instead: give variance, the volatility squared"),
    ],
)
def test_a_wrong_field_is_told_with_the_remedy(tmp_path: Path, changed: dict[str, Any], said: str) -> None:
    """One wrong field is one problem, which names the field, its value and what it must be."""
    assert problems(tmp_path, {**PUT, **changed}) == [said]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"assets": 1}, "payoff: a max-call is on several assets, but there is one; give assets, or a list of spots"),
        ({"spot": [36, 38]}, "spot: has 2 numbers, but there are 3 assets"),
        ({"correlation": [[1, 0], [0, 1]]}, "correlation: has 2 rows of 2 numbers, but 3 assets take 3 of 3"),
        (
            {"correlation": [[1, 0.5, 0], [0.4, 1, 0], [0, 0, 1]]},
            "correlation[0][1]: is 0.5, but [1][0] is 0.4; correlations are symmetric",
        ),
        (
            {"correlation": [[1, 0, 0], [0, 0.9, 0], [0, 0, 1]]},
            "correlation[1][1]: is 0.9, but each asset's correlation with itself is 1",
        ),
        (
            {"correlation": -0.9},
            (
                "correlation: is of no random variables: its smallest eigenvalue is -0.8, but none may be below 0; "
                "equal correlations of 3 assets are at least -0.5"
            ),
        ),
        ({**HESTON, "volatility": None}, "model: heston is of one asset, for put and call only"),
    ],
)
def test_what_is_wrong_with_several_assets_is_told(tmp_path: Path, changed: dict[str, Any], said: str) -> None:
    """Wrong lengths, and matrices that are of no random variables, are told with their numbers."""
    assert problems(tmp_path, {**MAX, **changed}) == [said]


def test_all_problems_of_all_contracts_are_told_at_once(tmp_path: Path) -> None:
    """Each has its contract and line; a wrong default is told once, and so are two contracts of one name."""
    path = tmp_path / "bad.yaml"
    path.write_text(
        "payoff: put\nrate: 600%\nstrike: 40\ndates: 2\nexpiry: 1\ncontracts:\n"
        "  - {spot: -1, volatility: 20%, name: a}\n  - {spot: 1, volatility: x, name: a}\n"
    )
    with pytest.raises(Malformed) as caught:
        read_contracts(str(path), [])
    assert str(caught.value).splitlines() == [
        f"{path}: 4 problems",
        "  line 7, contracts[0].spot: is -1, but must be a number above 0, up to 1e+12",
        "  line 2, rate: is '600%', but must be a number from -0.5 to 1; did you mean 6%?",
        "  line 8, contracts[1].volatility: is 'x', but must be a number above 0, up to 10",
        "  line 8, contracts[1].name: a is contracts[0], too; names are told apart by",
    ]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.yaml", b"payoff: [put\nstrike: 1\n", "line 2, column 7: is not YAML: "),
        ("a.json", b'{"payoff": put}', "line 1, column 12: is not JSON: Expecting value"),
        ("a.yaml", b"\xff\xfe", "is not text in UTF-8: invalid start byte at byte 0"),
        ("a.yaml", b"a: 1\nb: \x01", "line 2, column 4: is not YAML: holds U+0001"),
        ("a.yaml", b"a: \x00", "line 1, column 4: is not YAML: holds U+0000"),
        ("a.yaml", b"a: &a [*a]\ndates: 2020-13-45", "line 2, column 8: has a value that cannot be read: month must be"),
        ("a.yaml", b"b: 1\na: " + b"1" * 5000, "line 2, column 4: has a value that cannot be read: Exceeds the limit"),
        ("a.yaml", b"a: 1\nb: " + b"[" * 5000, "line 2, column 20: is nested too deeply"),
        ("a.json", b'{"a":\n' + b"[" * 200_000, "line 2, column 16: is nested too deeply"),
        ("a.yaml", b"", "holds nothing, but must hold fields such as 'payoff: put'"),
        ("a.json", b'{"contracts": []}', "contracts: is a list, but must be a list of 1 to 1000 contracts"),
    ],
)
def test_a_file_that_holds_no_contracts_is_malformed(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    """What cannot be parsed is told with its line."""
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(Malformed) as caught:
        read_contracts(str(path), [])
    assert str(caught.value).startswith(f"{path}: {said}")


@pytest.mark.parametrize(
    ("number", "said"),
    [("1" * 400, "inf"), ("1" * 5000, "inf"), ("-" + "1" * 5000, "-inf"), ("1" * 200, "a number of more than 60 digits")],
)
def test_no_number_is_too_long_to_be_told(tmp_path: Path, number: str, said: str) -> None:
    """Whole numbers that no float can hold are beyond any limit, as 1e400 is; longer ones are told without their digits."""
    path = tmp_path / "long.json"
    path.write_text(json.dumps(PUT).replace('"spot": 36', f'"spot": {number}'))
    with pytest.raises(Malformed) as caught:
        read_contracts(str(path), [])
    assert str(caught.value) == f"{path}: spot: is {said}, but must be a number above 0, up to 1e+12"


@pytest.mark.parametrize(("digits", "said"), [("0x" + "f" * 5000, "a number of more than 60 digits"), ("1" * 400, "a number of")])
def test_a_long_number_in_yaml_is_told_with_its_line(tmp_path: Path, digits: str, said: str) -> None:
    """YAML has numbers of any length; no message writes them out."""
    path = tmp_path / "long.yaml"
    path.write_text("\n".join(f"{name}: {digits if name == 'spot' else value}" for name, value in PUT.items()))
    with pytest.raises(Malformed, match=f"line 2, spot: is {said}"):
        read_contracts(str(path), [])


def test_feller_is_a_warning(tmp_path: Path) -> None:
    """A variance that reaches 0 is unusual, not wrong."""
    path = tmp_path / "heston.json"
    path.write_text(json.dumps({**PUT, "volatility": None, **HESTON, "xi": 0.9}))
    warnings: list[str] = []
    (trade,) = read_contracts(str(path), warnings)
    assert isinstance(trade.model, Heston)
    assert trade.model.xi == 0.9
    assert len(warnings) == 1
    assert warnings[0].startswith("contract 1: 2 kappa theta = 0.16 is below xi^2 = 0.81 (Feller's condition)")


def test_a_singular_correlation_is_one(tmp_path: Path) -> None:
    """Correlations of 1 have an eigenvalue of 0, up to rounding, and are allowed."""
    path = tmp_path / "max.json"
    path.write_text(json.dumps({**MAX, "correlation": 1}))
    (trade,) = read_contracts(str(path), [])
    assert isinstance(trade.model, Gbm)
    assert np.array_equal(trade.model.correlation, np.ones((3, 3)))
