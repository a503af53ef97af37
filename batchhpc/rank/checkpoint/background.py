"""One save after another in a thread of its own; what goes wrong there waits until the program asks."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from typing import Any

from batchhpc.rank.checkpoint.agent_message import tell_agent
from batchhpc.rank.checkpoint.cleaning import Cleaner
from batchhpc.rank.checkpoint.errors import CheckpointError, Overtaken
from batchhpc.rank.checkpoint.journal import Journal
from batchhpc.rank.checkpoint.manifest import Identity, Manifest
from batchhpc.rank.checkpoint.store import Store
from batchhpc.rank.checkpoint.writing import Turn, gather_parts, tell_failure, write_part


class Background:
    """Writes this rank's parts; on rank 0 it also commits, tells the agent, and cleans up.

    Args:
        store: where to.
        journal: this run's.
        ranks: how many there are.
        identity: of the program and its inputs.
        machine: of all ranks (`machine.together`).
        keep: how many checkpoints are kept.
        deadline: seconds that rank 0 waits for the others' parts.
        environ: where the agent's socket is found.
        clock: seconds that never go back.
    """

    def __init__(
        self,
        store: Store,
        journal: Journal,
        ranks: int,
        identity: Identity,
        machine: Mapping[str, list[str]],
        *,
        keep: int,
        deadline: float,
        environ: Mapping[str, str] = os.environ,
        clock: Callable[[], float],
    ) -> None:
        self._store, self._journal, self._ranks, self._identity, self._machine = store, journal, ranks, identity, machine
        self._cleaner = Cleaner(store, journal, identity, keep)
        self._deadline, self._environ, self._clock = deadline, environ, clock
        self._thread: threading.Thread | None = None
        self._error: CheckpointError | None = None
        self._left = threading.Event()
        self.damaged: set[int] = set()  # entries that this run found to be so
        self.remark = ""  # what went wrong without harm to the checkpoint

    def start(self, turn: Turn, state: Any) -> None:
        """Begins a save; the one before must be over (`join`). The interpreter ends no earlier than the save."""
        self._thread = threading.Thread(target=self._run, args=(turn, state), name="checkpoint")
        self._thread.start()

    def join(self) -> CheckpointError | None:
        """Waits for the save, if one is under way; what went wrong with it, told once."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        error, self._error = self._error, None
        return error

    def leave(self) -> None:
        """Nobody needs the save any more: it is not waited for."""
        self._left.set()

    def _run(self, turn: Turn, state: Any) -> None:
        try:
            self._save(turn, state)
        except CheckpointError as error:
            self._error = self._reason(turn, error)
        except BaseException as error:  # noqa: BLE001 - told in the program's thread; here it would end nothing but this thread
            self._error = CheckpointError(f"checkpoint of step {turn.step}: {error!r}")
            self._error.__cause__ = error

    def _reason(self, turn: Turn, error: CheckpointError) -> CheckpointError:
        """A newer run removes what this one is writing: whatever that leads to, being overtaken is the reason."""
        try:
            if turn.rank == 0:
                self._journal.check()
        except Overtaken as reason:
            return reason
        except CheckpointError:
            pass
        return error

    def _save(self, turn: Turn, state: Any) -> None:
        try:
            write_part(self._store, turn)
        except CheckpointError as error:
            if turn.rank:
                tell_failure(self._store, turn, error)
            raise
        if turn.rank:
            return
        journal = self._journal
        parts = gather_parts(
            self._store, turn, self._ranks, self._deadline, left=self._left, check=journal.check, clock=self._clock
        )
        manifest = Manifest(journal.epoch, turn.step, tuple(parts), state, self._identity, self._machine)
        number = journal.commit(manifest.as_data())
        tell_agent(self._environ, turn.step, manifest.size, self._clock() - turn.started)
        try:
            self._cleaner.clean(number, self.damaged)
        except CheckpointError as error:
            self.remark = f"the checkpoint of step {turn.step} is whole, but older ones could not be removed: {error}"
