"""Words around numbers."""

from __future__ import annotations


def counted(count: int, word: str) -> str:
    """``1 rank``, ``2 ranks``."""
    return f"{count} {word}{'' if count == 1 else 's'}"
