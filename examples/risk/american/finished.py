"""Phases that are over, kept so that a run that goes on does not repeat them."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Self

from examples.risk.american.arguments import Arguments
from examples.risk.american.trades import Trade
from examples.workload.communicator import Communicator
from examples.workload.restart import Restart

VERSION = "2"  # of what all checkpoints of the program mean
_FOLDER = "finished"


class Finished:
    """What the phases of all contracts have found so far, in words for JSON; all calls are collective.

    Args:
        comm: the ranks.
        arguments: of the run.
    """

    def __init__(self, comm: Communicator, arguments: Arguments) -> None:
        self._restart = Restart(comm, arguments.checkpoint, _FOLDER, identity(arguments, *arguments.trades), VERSION)
        loaded = self._restart.load()
        self._words: dict[str, Any] = dict(loaded.state or {}) if loaded else {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._restart.__exit__(*error)

    def of(self, phase: str) -> Any | None:
        """What a phase found; None if it is not over."""
        return self._words.get(phase)

    def keep(self, phase: str, words: Any) -> None:
        """A phase is over."""
        self._words[phase] = words
        self._restart.offer(len(self._words), state=self._words)


def identity(arguments: Arguments, *trades: Trade) -> dict[str, str]:
    """What a checkpoint must be of, to be gone on from: contracts and policies by what is in them, not by where they are kept."""
    sizes, names = arguments.sizes, [trade.name for trade in arguments.trades]
    told: dict[str, str] = {}
    for trade in trades:
        at = names.index(trade.name)
        told[f"contract {at + 1}"] = f"{trade.name}: {trade.told()}"
        if arguments.policies is not None:
            told[f"policy {at + 1}"] = hashlib.sha256(json.dumps(arguments.policies[at].told()).encode()).hexdigest()
    return {
        **told,
        "paths": f"{sizes.paths}, {sizes.lower_paths}, {sizes.outer} x {sizes.inner}",
        "draws": f"seed {arguments.seed}, {arguments.precision}, {arguments.sampling}, antithetic {arguments.antithetic}",
        "asked for": f"Greeks {arguments.greeks}, policy {'found' if arguments.policies is None else 'given'}",
    }
