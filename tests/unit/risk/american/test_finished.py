from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from batchhpc.rank.checkpoint.errors import CheckpointMismatch
from examples.risk.american.arguments import Arguments, read_arguments
from examples.risk.american.finished import Finished
from examples.workload.communicator import Alone

PUT: dict[str, Any] = {"payoff": "put", "strike": 40, "rate": 0.06, "volatility": 0.2, "expiry": 1, "dates": 2}
TWO: dict[str, Any] = {
    **PUT,
    "contracts": [{"spot": 36, "name": "one"}, {"spot": 38, "name": "two"}],
}


def asked(tmp_path: Path, document: dict[str, Any], constant: float | None = None) -> Arguments:
    """A run with checkpoints, of contracts and, with a constant, policies that are always in files of the same name."""
    contracts, policies = tmp_path / "contracts.json", tmp_path / "policy.json"
    contracts.write_text(json.dumps(document))
    words = [
        "--contract",
        str(contracts),
        "--out",
        str(tmp_path / "out"),
        "--checkpoint",
        str(tmp_path / "kept"),
        "--checkpoint-every",
        "0s",
    ]
    if constant is not None:
        arguments = asked(tmp_path, document)
        policy = {"basis": "cubic", "coefficients": [[constant, 0, 0, 0]], "scales": [0.5], "value": 0.1}
        told = [{"name": trade.name, **trade.told(), "policy": policy} for trade in arguments.trades]
        policies.write_text(json.dumps({"policies": told}))
        words += ["--policy", str(policies)]
    found = read_arguments(words)
    assert found is not None
    return found


def kept(arguments: Arguments) -> Any:
    """What an earlier run has kept of a phase; keeps it."""
    with Finished(Alone(), arguments) as finished:
        found = finished.of("0 policy")
        finished.keep("0 policy", [1])
    return found


def test_a_run_goes_on_with_what_it_was_of(tmp_path: Path) -> None:
    """The same contracts and policies are gone on from."""
    assert [kept(asked(tmp_path, TWO, 0.1)) for _ in range(2)] == [None, [1]]


@pytest.mark.parametrize("constants", [(0.1, 0.2), (0.1, None), (None, 0.1)])
def test_other_policies_are_not_gone_on_with(tmp_path: Path, constants: tuple[float | None, float | None]) -> None:
    """A checkpoint is of what a file of policies held, not of its name."""
    kept(asked(tmp_path, TWO, constants[0]))
    with pytest.raises(CheckpointMismatch, match="policy"):
        kept(asked(tmp_path, TWO, constants[1]))


def test_contracts_in_another_order_are_other_ones(tmp_path: Path) -> None:
    """Phases are kept by the number of the contract, so that is part of what a checkpoint is of."""
    kept(asked(tmp_path, TWO))
    with pytest.raises(CheckpointMismatch, match="contract 1"):
        kept(asked(tmp_path, {**TWO, "contracts": TWO["contracts"][::-1]}))
