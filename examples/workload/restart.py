"""Checkpoints of one phase of a workload, if it has a place for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from batchhpc.rank import Checkpoint, Loaded, notice
from examples.workload.arguments import CheckpointPlan
from examples.workload.communicator import Communicator


class Restart:
    """Saves a phase when it is time, or when this node is told to stop; all calls are collective.

    Args:
        comm: the ranks.
        plan: where and how often; nothing is kept without a place.
        phase: its folder there.
        inputs: what the phase computes from: versions of files, and arguments that its results depend on.
        version: of what the phase keeps.
    """

    def __init__(self, comm: Communicator, plan: CheckpointPlan, phase: str, inputs: Mapping[str, str], version: str) -> None:
        self._comm, self._every, self._warned, self._told = comm, plan.every, False, False
        place = f"{plan.where.rstrip('/')}/{phase}" if plan.where else None
        self._checkpoint = Checkpoint(place, comm, inputs=dict(inputs), version=version) if place else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._checkpoint:
            self._checkpoint.__exit__(*error)  # type: ignore[arg-type]

    def load(self, bounds: Mapping[str, tuple[int, int]] | None = None) -> Loaded | None:
        """What was saved last, with this rank's shares of global arrays; None to begin anew."""
        return self._checkpoint.load(bounds=dict(bounds or {})) if self._checkpoint else None

    def due(self) -> bool:
        """Whether it is time to save, or this node is told to stop: for states that take time to put together; `save` then."""
        if not self._checkpoint:
            return False
        self._told = notice(self._comm) is not None
        due = self._checkpoint.due(self._every, now=self._told and not self._warned)
        self._warned = self._told
        return due

    def save(
        self,
        step: int,
        *,
        shared: Mapping[str, np.ndarray[Any, Any]] | None = None,
        arrays: Mapping[str, np.ndarray[Any, Any]] | None = None,
        state: Mapping[str, Any] | None = None,
    ) -> None:
        """Save the state, and wait until it is whole if this node is told to stop; see `batchhpc.rank.Checkpoint.save`."""
        if self._checkpoint:
            self._checkpoint.save(step, arrays or {}, shared=shared or {}, state=state, wait=self._told)

    def offer(
        self,
        step: int,
        *,
        shared: Mapping[str, np.ndarray[Any, Any]] | None = None,
        arrays: Mapping[str, np.ndarray[Any, Any]] | None = None,
        state: Mapping[str, Any] | None = None,
    ) -> None:
        """Save the state if it is due."""
        if self.due():
            self.save(step, shared=shared, arrays=arrays, state=state)
