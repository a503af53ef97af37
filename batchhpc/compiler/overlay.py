"""The one escape hatch: what the user merges last into a compiled document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def merged(document: Mapping[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    """A copy in which mappings are merged key by key, and everything else, lists included, is replaced."""
    made = dict(document)
    for key, value in overlay.items():
        below = made.get(key)
        made[key] = merged(below if isinstance(below, Mapping) else {}, value) if isinstance(value, Mapping) else value
    return made


def touched(overlay: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Paths of all values that an overlay sets."""
    for key, value in overlay.items():
        here = f"{path}.{key}" if path else str(key)
        if isinstance(value, Mapping) and value:
            yield from touched(value, here)
        else:
            yield here
