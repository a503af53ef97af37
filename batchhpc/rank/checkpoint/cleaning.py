"""What a run removes after a commit: checkpoints that are old enough, and what dead runs have left.

Nothing is removed by a run that has been overtaken, nothing that is younger than the last ``keep`` checkpoints known to be good,
and no checkpoint of another program or other inputs. A checkpoint's entry goes first, then its parts: nobody finds an entry
whose parts are gone, but for a reader that began before; that one begins again.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from batchhpc.rank.checkpoint.errors import CheckpointDamaged, Missing
from batchhpc.rank.checkpoint.journal import Journal, entry_key
from batchhpc.rank.checkpoint.manifest import Identity
from batchhpc.rank.checkpoint.store import Store

_PARTS: Final = "parts/"


def prefix_of(epoch: int, save: int) -> str:
    """Of the parts' keys of a run's save, both counted from 1."""
    return f"{_PARTS}{epoch:010d}-{save:06d}/"


class Cleaner:
    """Cleans up after each commit.

    Args:
        store: what to clean.
        journal: this run's.
        identity: whose checkpoints may be removed.
        keep: how many good ones are kept, at least.
    """

    def __init__(self, store: Store, journal: Journal, identity: Identity, keep: int) -> None:
        self._store, self._journal, self._identity, self._keep = store, journal, identity, keep
        self._known: dict[int, dict[str, Any]] = {}  # entries without what is long in them

    def clean(self, newest: int, damaged: Collection[int]) -> None:
        """Cleans up after the commit of entry ``newest``.

        ``damaged``: numbers of entries that this run found to be so; they do not count as kept.
        """
        numbers = self._journal.numbers()
        if numbers[-1] != newest:
            return
        entries = {number: self._entry(number) for number in numbers}
        own = [number for number, entry in entries.items() if entry["own"] and number not in damaged]
        old = {number for number in entries if number < own[-self._keep]} if len(own) >= self._keep else set()
        gone = [number for number in old if number != self._journal.epoch and not entries[number]["foreign"]]
        self._store.delete(entry_key(number) for number in gone)
        for number in gone:
            del entries[number]
        kept = {entry["prefix"] for entry in entries.values()}
        leftovers = [key for key in self._store.list(_PARTS) if key.rpartition("/")[0] + "/" not in kept and self._is_past(key)]
        if self._journal.numbers()[-1] == newest:  # still the newest run: an older one's list of what is needed is out of date
            self._store.delete(leftovers)
            self._store.sweep(lambda key: not self._is_past(key))

    def _entry(self, number: int) -> dict[str, Any]:
        if number not in self._known:
            try:
                data = self._journal.read(number)
            except (CheckpointDamaged, Missing):
                data = {"kind": "damaged"}
            checkpoint = data["kind"] == "checkpoint"
            own = checkpoint and not self._identity.differences(Identity(data["inputs"], data["version"]))
            prefix = data["parts"][0]["key"].rpartition("/")[0] + "/" if checkpoint else ""
            self._known[number] = {"own": own, "foreign": checkpoint and not own, "prefix": prefix}
        return self._known[number]

    def _is_past(self, key: str) -> bool:
        epoch = key.removeprefix(_PARTS).partition("-")[0]
        return key.startswith(_PARTS) and epoch.isdecimal() and int(epoch) <= self._journal.epoch
