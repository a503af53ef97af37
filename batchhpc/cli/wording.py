"""Words around numbers."""

from __future__ import annotations


def counted(count: int, word: str) -> str:
    """``1 rank``, ``2 ranks``."""
    return f"{count} {word}{'' if count == 1 else 's'}"


def lasted(seconds: float) -> str:
    """``40 s``, ``12 min``, ``5 h``, ``3 d``: how long something has taken, in one unit."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
