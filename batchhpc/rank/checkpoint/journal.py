"""Who may write here, and which checkpoints there are: numbered entries, each made exclusively.

A run takes the number after the newest for itself, as its *epoch*; each of its checkpoints takes the next one. A run knows the last
number it made, and only the newest run makes any. So when an entry it is about to make is already there, a newer run has
begun and this one is a leftover: it can no longer commit anything, at no moment, since making an entry and finding
out are one step of the file system or of S3 (``If-None-Match: *``). The order of numbers is the order of checkpoints.
"""

from __future__ import annotations

from typing import Any, Final

from batchhpc.rank.checkpoint.errors import Overtaken, StoreFailed
from batchhpc.rank.checkpoint.sealed import seal, unseal
from batchhpc.rank.checkpoint.store import Store

_PREFIX: Final = "journal/"
_TRIES: Final = 100  # of taking an epoch: so many other runs would have to begin at the same moment


def entry_key(number: int) -> str:
    """The key of an entry."""
    return f"{_PREFIX}{number:010d}.json"


class Journal:
    """The entries at a place.

    Attributes:
        epoch: this run's own number; 0 until it has taken one.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.epoch = 0
        self._last = 0

    def numbers(self) -> list[int]:
        """The numbers of all entries, oldest first."""
        names = [key.removeprefix(_PREFIX).removesuffix(".json") for key in self._store.list(_PREFIX)]
        return sorted(int(name) for name in names if name.isdecimal())

    def read(self, number: int) -> dict[str, Any]:
        """An entry.

        Raises:
            CheckpointDamaged: it is not what was written.
            Missing: it has been removed.
        """
        key = entry_key(number)
        return unseal(self._store.read(key), f"{self._store.name}/{key}")

    def take_epoch(self, about: dict[str, Any]) -> None:
        """Begins a run, which ends those before it. ``about``: who this is, different for each run."""
        for _ in range(_TRIES):
            number = max(self.numbers(), default=0) + 1
            if self._store.create(entry_key(number), seal({"kind": "run", **about})) and max(self.numbers()) == number:
                self.epoch = self._last = number
                return
        raise StoreFailed(f"{self._store.name}: {_TRIES} other runs began to write here at the same moment")

    def commit(self, manifest: dict[str, Any]) -> int:
        """Makes a checkpoint exist; its number.

        Raises:
            Overtaken: a newer run has begun.
        """
        data = seal({"kind": "checkpoint", **manifest})
        while not self._store.create(entry_key(self._last + 1), data):
            self.check()
        self._last += 1
        self.check()
        return self._last

    def check(self) -> None:
        """Raises `Overtaken` if there are entries of others after this run's last.

        An entry of its own may be there without its knowing: one whose making seemed to fail, since the answer never came.
        """
        newer = [number for number in self.numbers() if number > self._last]
        while newer and self.read(newer[0]).get("epoch") == self.epoch:
            self._last = newer.pop(0)
        if newer:
            raise Overtaken(
                f"{self._store.name}: a newer run writes checkpoints here (entry {newer[-1]}); this one began as entry "
                f"{self.epoch}, and is a leftover\n  hint: end this run, or give each run a place of its own"
            )
