"""The newest checkpoint that all ranks can read. Collective: all look at the same one, and go on to the one before together."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any, Final

from batchhpc.rank.checkpoint.agreement import raise_first, raise_together
from batchhpc.rank.checkpoint.errors import CheckpointDamaged, CheckpointError, CheckpointMismatch, Missing
from batchhpc.rank.checkpoint.journal import Journal, entry_key
from batchhpc.rank.checkpoint.loading import Bounds, Loaded, Plan, in_order, plan, read, spread_shared
from batchhpc.rank.checkpoint.manifest import Identity, Kind, Manifest
from batchhpc.rank.checkpoint.store import Store
from batchhpc.rank.communicator import Communicator

_ROUNDS: Final = 5  # how often it begins again because a running program has removed what was about to be read


@dataclass(slots=True)
class Entry:
    """What rank 0 found next in the journal; ``data`` is None if there is no older checkpoint."""

    number: int = 0
    data: dict[str, Any] | None = None
    damages: dict[int, str] = field(default_factory=dict)
    problem: CheckpointError | None = None


@dataclass(slots=True)
class Search:
    """One look for a checkpoint.

    Attributes:
        damages: what is wrong with those that were passed over, by number.
    """

    store: Store
    journal: Journal
    comm: Communicator
    identity: Identity
    damages: dict[int, str] = field(default_factory=dict)

    def newest(self, bounds: Bounds, without: Collection[str]) -> tuple[Loaded, Manifest] | None:
        """Reads the newest that is whole; None if there is none.

        Raises:
            CheckpointMismatch: it is of another program, or of other inputs.
            CheckpointDamaged: there are some, and all are damaged.
            CheckpointError: these ranks or bounds cannot have it.
        """
        below, rounds = None, 1
        while (entry := self._next(below)).data is not None:
            name = f"{self.store.name}/{entry_key(entry.number)}"
            manifest = Manifest.from_data(entry.data, name)
            self._refuse_others(manifest, name)
            made = self._plan(manifest, bounds, without)
            damage = self._read(manifest, made)
            if not damage:
                return self._loaded(manifest, made), manifest
            below = entry.number
            self.damages[below] = f"checkpoint of step {manifest.step} ({name}): {damage}"
            if rounds < _ROUNDS and self.comm.bcast(self.comm.rank == 0 and below not in self.journal.numbers()):
                below, rounds = None, rounds + 1  # it was not damaged, but removed in its time
                self.damages.clear()
        if self.damages:
            raise CheckpointDamaged(
                "no checkpoint is whole:\n" + "\n".join(self.damages.values()) + f"\n  hint: delete {self.store.name} to start anew"
            )
        return None

    def refuse_others(self) -> None:
        """Looks whether the newest is this program's; see `newest` for errors. Collective."""
        entry = self._next(None)
        if entry.data is not None:
            name = f"{self.store.name}/{entry_key(entry.number)}"
            self._refuse_others(Manifest.from_data(entry.data, name), name)

    def _next(self, below: int | None) -> Entry:
        """The newest checkpoint's entry below a number."""
        entry: Entry = self.comm.bcast(self._look(below) if self.comm.rank == 0 else None)
        if entry.problem:
            raise type(entry.problem)(str(entry.problem))
        self.damages.update(entry.damages)
        return entry

    def _look(self, below: int | None) -> Entry:
        found = Entry()
        try:
            for number in reversed([number for number in self.journal.numbers() if below is None or number < below]):
                try:
                    data = self.journal.read(number)
                except CheckpointDamaged as error:
                    found.damages[number] = str(error)
                except Missing:
                    pass  # a running program has just removed it
                else:
                    if data["kind"] == "checkpoint":
                        return Entry(number, data, found.damages)
        except CheckpointError as error:
            found.problem = error
        return found

    def _refuse_others(self, manifest: Manifest, name: str) -> None:
        if differences := self.identity.differences(manifest.identity):
            raise CheckpointMismatch(
                f"the checkpoint of step {manifest.step} ({name}) is of another computation:\n  "
                + "\n  ".join(differences)
                + f"\n  hint: another place for this one, or delete {self.store.name} to start anew"
            )

    def _plan(self, manifest: Manifest, bounds: Bounds, without: Collection[str]) -> Plan:
        made, problem = Plan(), None
        try:
            made = plan(manifest, self.comm.rank, self.comm.size, bounds, without)
        except CheckpointError as error:
            problem = error
        except MemoryError as error:
            problem = CheckpointError(f"checkpoint of step {manifest.step}: not enough memory: {error}")
        raise_together(self.comm, problem)
        return made

    def _read(self, manifest: Manifest, made: Plan) -> str:
        """Reads what this rank needs; what was found damaged on any rank."""
        damage, problem = "", None
        try:
            read(self.store, manifest, made.wishes)
        except CheckpointDamaged as error:
            damage = str(error)
        except CheckpointError as error:
            problem = error
        outcomes: list[tuple[str, CheckpointError | None]] = self.comm.allgather((damage, problem))
        raise_first([other for _, other in outcomes], problem)
        return next((f"rank {rank}: {text}" for rank, (text, _) in enumerate(outcomes) if text), "")

    def _loaded(self, manifest: Manifest, made: Plan) -> Loaded:
        shared = spread_shared(self.comm, made.arrays[Kind.SHARED])
        loaded = Loaded(
            manifest.step,
            in_order(manifest, made.arrays[Kind.SPLIT]),
            made.bounds,
            made.arrays[Kind.PER_RANK],
            shared,
            manifest.state,
            len(manifest.parts),
        )
        return replace(loaded, passed_over=tuple(self.damages.values()))
