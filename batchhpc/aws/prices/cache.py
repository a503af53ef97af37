"""Prices on disk, so that a second look costs no call. A cache: whatever is wrong with it, it is as if it were empty."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

_VERSION: Final = 1
_OLDEST: Final = 7 * 86_400  # seconds after which an entry is dropped from the file


def cache_file(region: str) -> Path:
    """Where prices of a Region are kept: below ``XDG_CACHE_HOME``, or ``~/.cache``."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "batchhpc" / f"prices-{region}.json"


class PriceCache:
    """Values by kind and key, each with the time it was had.

    Args:
        path: the file; None keeps all in memory.
        source: where prices come from; what another source said does not count.
        now: Unix time.
    """

    def __init__(self, path: Path | None, source: str, now: Callable[[], float]) -> None:
        self._path, self._source, self._now = path, source, now
        self._entries = self._read()

    def get(self, kind: str, key: str, seconds: float) -> Any | None:
        """The value, if it is no older than that and not from the future."""
        entry = self._entries.get(f"{kind} {key}")
        return entry["value"] if entry and 0 <= self._now() - entry["at"] <= seconds else None

    def put(self, kind: str, values: Mapping[str, Any]) -> None:
        """Keeps values, here and in the file."""
        at = self._now()
        fresh = {f"{kind} {key}": {"at": at, "value": value} for key, value in values.items()}
        known = {**self._read(), **self._entries, **fresh}  # another process may have written since
        self._entries = {key: entry for key, entry in known.items() if at - entry["at"] < _OLDEST}
        if fresh and self._path is not None:
            with suppress(OSError):  # no cache then
                self._write(self._path)

    def _read(self) -> dict[str, dict[str, Any]]:
        if self._path is None:
            return {}
        try:
            document = json.loads(self._path.read_text("utf-8"))
            if document["version"] != _VERSION or document["source"] != self._source:
                return {}
            return {key: {"at": float(each["at"]), "value": each["value"]} for key, each in document["entries"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}

    def _write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump({"version": _VERSION, "source": self._source, "entries": self._entries}, file)
            Path(name).replace(path)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise
