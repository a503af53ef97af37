"""Exercise policies in a file, each with the contract and the model that it is for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from examples.risk.american.basis import basis_of
from examples.risk.american.policy import Policy
from examples.risk.american.priced import Priced
from examples.risk.american.trades import Trade
from examples.workload.errors import Malformed
from examples.workload.files import source

_LIST = "policies"
_FREE = ("today",)  # a policy says nothing of today


def policy_text(priced: Sequence[Priced]) -> str:
    """All of ``policy.json``."""
    policies = [{"name": each.trade.name, **each.trade.told(), "policy": each.policy.told()} for each in priced]
    return json.dumps({_LIST: policies}, indent=1, allow_nan=False) + "\n"


def read_policies(address: str, trades: Sequence[Trade], problems: list[str]) -> list[Policy]:
    """The policy of each trade, by its name.

    Args:
        address: of the file, here or in S3.
        trades: which need one each.
        problems: to which is added which trades have none, or one of another contract or model, and what differs.

    Raises:
        Malformed: it is no file of policies.
        OSError: it cannot be read.
    """
    with source(address).stream() as file:
        content = file.read()
    try:
        kept = {str(each["name"]): each for each in json.loads(content)[_LIST]}
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise Malformed(address, f"is no policy.json of an earlier run: {error!r}") from None
    found = []
    for trade in trades:
        if trade.name not in kept:
            problems.append(f"--policy: {address} has none for {trade.name}, only for {', '.join(kept)}")
            continue
        try:
            own = kept[trade.name]
            if differences := _differences(trade, own):
                problems.append(f"--policy: {address}: that of {trade.name} is of another contract: {'; '.join(differences)}")
                continue
            found.append(_checked(own["policy"], trade))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise Malformed(address, f"that of {trade.name} cannot be used: {error}") from None
    return found


def _checked(told: Mapping[str, Any], trade: Trade) -> Policy:
    """The policy, if it is one for the dates and of the functions of the trade."""
    basis, dates = basis_of(trade.contract, trade.model), len(trade.contract.dates)
    if told["basis"] != basis.name:
        raise ValueError(f"it is of the functions {told['basis']!r}, but must be of {basis.name!r}")
    policy = Policy.of(told, basis.count)
    if len(policy.coefficients) != dates - 1:
        raise ValueError(f"it is for {len(policy.coefficients)} dates, but must be for {dates - 1}, all but the last of {dates}")
    return policy


def _differences(trade: Trade, kept: Mapping[str, Any]) -> list[str]:
    """Of contract and model, with both values."""
    ours = json.loads(json.dumps(trade.told()))
    return [
        f"{part} {name} is {kept[part].get(name)} there, but {ours[part].get(name)} here"
        for part in ("contract", "model")
        for name in dict.fromkeys((*ours[part], *kept[part]))
        if name not in _FREE and kept[part].get(name) != ours[part].get(name)
    ]
