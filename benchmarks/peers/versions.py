"""Which libraries took part."""

from __future__ import annotations

from importlib import metadata


def versions(*names: str) -> dict[str, str]:
    """Of those that are installed: who misses one says so when it needs it."""
    installed = {}
    for name in names:
        try:
            installed[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return installed
