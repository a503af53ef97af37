from __future__ import annotations

import re
from pathlib import Path

import pytest

from examples.risk.american.arguments import make_parser, read_arguments
from examples.risk.american.contract_file import read_contracts
from examples.workload.errors import BadArguments, Malformed

PUT = ["--payoff", "put", "--spot", "36", "--strike", "40", "--rate", "6%", "--volatility", "20%", "--expiry", "1", "--dates", "50"]


def test_a_command_line_gives_what_a_file_gives(tmp_path: Path) -> None:
    """The arguments of a contract are the fields of a file."""
    path = tmp_path / "one.yaml"
    path.write_text(
        "{name: max-call, payoff: max-call, assets: 3, spot: 90, strike: 100, rate: 5%, dividend: [1%, 2%, 3%], correlation: 0.3, "
        "volatility: 0.2, dates: [1, 2.5], today: false}"
    )
    words = "--payoff max-call --assets 3 --spot 90 --strike 100 --rate 0.05 --dividend 1%,2%,3% --correlation 0.3"
    more = ["--volatility", "20%", "--dates", "1, 2.5", "--not-today", "--out", str(tmp_path)]
    arguments = read_arguments([*words.split(), *more])
    assert arguments is not None
    assert [trade.told() for trade in arguments.trades] == [trade.told() for trade in read_contracts(str(path), [])]


def test_help_is_no_run() -> None:
    """--help gives no arguments, and its text tells the unit of each number of a contract."""
    assert read_arguments(["--help"]) is None
    told = re.sub(r"\s+", " ", make_parser().format_help())
    for unit in ("--expiry YEARS", "--strike MONEY", "--rate RATE riskless, a year", "as 20% or 0.2"):
        assert unit in told


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    """Wrong sizes, words, files and contracts are one list."""
    words = [
        "--payoff",
        "put",
        "--spot",
        "0",
        "--strike",
        "40",
        "--rate",
        "6",
        "--volatility",
        "20%",
        "--expiry",
        "1",
        "--dates",
        "2",
    ]
    wrong = [
        "--paths",
        "0",
        "--precision",
        "f16",
        "--sampling",
        "sobol",
        "--antithetic",
        "--policy",
        str(tmp_path / "none"),
        "--nonsense",
    ]
    with pytest.raises(BadArguments) as caught:
        read_arguments([*words, *wrong])
    assert [problem.partition(":")[0] for problem in caught.value.problems] == [
        "--nonsense",
        "--paths",
        "--precision",
        "--antithetic",
        "--policy",
        "--out",
        "--spot",
        "--rate",
    ]


def test_a_file_and_a_contract_are_two_contracts(tmp_path: Path) -> None:
    """Both at once are refused, and the arguments in question named."""
    with pytest.raises(BadArguments) as caught:
        read_arguments(["--contract", str(tmp_path / "no.yaml"), "--spot", "3", "--not-today", "--out", str(tmp_path)])
    assert caught.value.problems == (
        "--contract: names the contracts, and --spot, --not-today another one; leave one of them out",
        f"--contract: {tmp_path / 'no.yaml'} does not exist",
    )


def test_a_malformed_file_is_told_as_one(tmp_path: Path) -> None:
    """What is wrong inside a file is not the command line's fault."""
    path = tmp_path / "bad.json"
    path.write_text('{"payoff": "put"}')
    with pytest.raises(Malformed):
        read_arguments(["--contract", str(path), "--out", str(tmp_path)])


def test_defaults_are_sizes_for_one_percent(tmp_path: Path) -> None:
    """A contract and a directory are all that must be given; without an upper bound there are no outer paths."""
    arguments = read_arguments([*PUT, "--out", str(tmp_path), "--no-upper"])
    assert arguments is not None
    assert (arguments.sizes.paths, arguments.sizes.outer, arguments.precision, arguments.sampling) == (
        131072,
        0,
        "f64",
        "monte-carlo",
    )
